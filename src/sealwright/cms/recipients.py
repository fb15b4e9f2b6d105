"""RecipientInfo: the content-encryption key wrapped for one recipient (RFC 5652 section 6.2, RFC 5753).

Written: RSA PKCS #1 v1.5 (what every mail client reads) and ECDH with SHA-256 and AES key wrap. Read: these, RSA-OAEP, and
ECDH with the other X9.63 KDFs. Identifiers are written as issuerAndSerialNumber, and read in both forms.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealwright.cms import algorithms, schema
from sealwright.errors import DecodingError, UnsupportedAlgorithmError

DecryptionKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class RecipientIdentifier:
    """How a message names a recipient's certificate; one of the two forms.

    Attributes:
        issuer_der: DER Name of the issuer, with `serial_number`.
        serial_number: Of the certificate.
        subject_key_identifier: Raw octets of the extension.
    """

    issuer_der: bytes | None = None
    serial_number: int | None = None
    subject_key_identifier: bytes | None = None

    def matches(self, certificate: x509.Certificate) -> bool:
        """Say whether the identifier names this certificate."""
        if self.subject_key_identifier is not None:
            return self.subject_key_identifier == subject_key_identifier(certificate)
        return self.serial_number == certificate.serial_number and self.issuer_der == certificate.issuer.public_bytes()


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """One recipient's chance to open the message.

    Attributes:
        recipient: Whose key it takes.
        info: The RecipientInfo.
        encrypted_key: The wrapped content-encryption key.
    """

    recipient: RecipientIdentifier
    info: schema.KeyTransRecipientInfo | schema.KeyAgreeRecipientInfo
    encrypted_key: bytes


def subject_key_identifier(certificate: x509.Certificate) -> bytes | None:
    """Return the certificate's SubjectKeyIdentifier, or None."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None


def issuer_and_serial(certificate: x509.Certificate) -> schema.IssuerAndSerialNumber:
    """Return the certificate's issuerAndSerialNumber."""
    return schema.IssuerAndSerialNumber(issuer=certificate.issuer, serial_number=certificate.serial_number)


def identifier(sid: schema.IssuerAndSerialNumber | schema.RecipientKeyIdentifier | bytes) -> RecipientIdentifier:
    """Return either ASN.1 form as a `RecipientIdentifier`."""
    if isinstance(sid, bytes):
        return RecipientIdentifier(subject_key_identifier=sid)
    if isinstance(sid, schema.RecipientKeyIdentifier):
        return RecipientIdentifier(subject_key_identifier=sid.subject_key_identifier)
    return RecipientIdentifier(issuer_der=sid.issuer.public_bytes(), serial_number=sid.serial_number)


def wrap_key(
    content_encryption_key: bytes, certificate: x509.Certificate
) -> schema.KeyTransRecipientInfo | schema.KeyAgreeRecipientInfo:
    """Wrap the content-encryption key for the holder of a certificate.

    Raises:
        UnsupportedAlgorithmError: If the certificate's key is neither RSA nor on P-256, P-384 or P-521.
    """
    public_key = certificate.public_key()
    if isinstance(public_key, rsa.RSAPublicKey):
        return schema.KeyTransRecipientInfo(
            version=0,
            rid=issuer_and_serial(certificate),
            key_encryption_algorithm=schema.algorithm(algorithms.RSA_ENCRYPTION, algorithms.NULL),
            encrypted_key=public_key.encrypt(content_encryption_key, padding.PKCS1v15()),
        )
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return _agree(content_encryption_key, certificate, public_key)
    raise UnsupportedAlgorithmError("mail can be encrypted to RSA and elliptic-curve keys only")


def _agree(
    content_encryption_key: bytes, certificate: x509.Certificate, public_key: ec.EllipticCurvePublicKey
) -> schema.KeyAgreeRecipientInfo:
    ephemeral = ec.generate_private_key(public_key.curve)
    wrap = schema.algorithm(algorithms.AES256_WRAP)
    kek = _derive(hashes.SHA256(), ephemeral.exchange(ec.ECDH(), public_key), wrap, 32, None)
    point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    originator = schema.OriginatorPublicKey(
        algorithm=schema.algorithm(algorithms.EC_PUBLIC_KEY), public_key=asn1.BitString(point, 0)
    )
    return schema.KeyAgreeRecipientInfo(
        version=3,
        originator=asn1.Variant(originator, "originatorKey"),
        ukm=None,
        key_encryption_algorithm=schema.algorithm(algorithms.ECDH_SHA256_KDF, schema.algorithm_der(wrap)),
        recipient_encrypted_keys=[
            schema.RecipientEncryptedKey(
                rid=issuer_and_serial(certificate),
                encrypted_key=keywrap.aes_key_wrap(kek, content_encryption_key),
            )
        ],
    )


def wrapped_keys(infos: Sequence[object], limit: int) -> list[WrappedKey]:
    """List the recipients that can be opened here, in the order of the message; other kinds are skipped.

    Raises:
        DecodingError: If there are more than `limit`.
    """
    found: list[WrappedKey] = []
    for info in infos:
        if isinstance(info, schema.KeyTransRecipientInfo):
            found.append(WrappedKey(identifier(info.rid), info, info.encrypted_key))
        elif isinstance(info, schema.KeyAgreeRecipientInfo):
            found.extend(
                WrappedKey(identifier(key.rid), info, key.encrypted_key) for key in info.recipient_encrypted_keys
            )
        if len(found) > limit:
            raise DecodingError("the message has too many recipients")
    return found


def unwrap_key(wrapped: WrappedKey, private_key: DecryptionKey) -> bytes | None:
    """Unwrap the content-encryption key.

    Returns:
        The key, or None where it cannot be had. With PKCS #1 v1.5 wrong padding gives random octets instead, so that nobody
        can tell it apart (RFC 3218); their length may be wrong.
    """
    try:
        if isinstance(wrapped.info, schema.KeyTransRecipientInfo) and isinstance(private_key, rsa.RSAPrivateKey):
            return private_key.decrypt(wrapped.encrypted_key, _rsa_padding(wrapped.info.key_encryption_algorithm))
        if isinstance(wrapped.info, schema.KeyAgreeRecipientInfo) and isinstance(
            private_key, ec.EllipticCurvePrivateKey
        ):
            return _disagree(wrapped.info, wrapped.encrypted_key, private_key)
    except (ValueError, keywrap.InvalidUnwrap, DecodingError):
        return None
    return None


def _rsa_padding(identifier: schema.AlgorithmIdentifier) -> padding.AsymmetricPadding:
    oid = schema.algorithm_oid(identifier)
    if oid == algorithms.RSA_ENCRYPTION:
        return padding.PKCS1v15()
    if oid != algorithms.RSAES_OAEP:
        raise DecodingError("not an RSA encryption scheme")
    parameters = identifier[1].parse(schema.RSAESOAEPParams) if len(identifier) > 1 else None
    digest = mask = hashes.SHA1
    if parameters is not None and parameters.hash_func is not None:
        digest = algorithms.OAEP_DIGESTS.get(schema.algorithm_oid(parameters.hash_func), hashes.SHA1)  # type: ignore[assignment]
    if parameters is not None and parameters.mask_gen_func is not None:
        inner = schema.algorithm_parameter(parameters.mask_gen_func)
        mask = algorithms.OAEP_DIGESTS.get(schema.algorithm_oid(inner), hashes.SHA1)  # type: ignore[assignment]
    return padding.OAEP(padding.MGF1(mask()), digest(), None)


def _disagree(info: schema.KeyAgreeRecipientInfo, encrypted_key: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    originator = info.originator.value
    kdf = algorithms.ECDH_KDFS.get(schema.algorithm_oid(info.key_encryption_algorithm))
    if not isinstance(originator, schema.OriginatorPublicKey) or kdf is None:
        raise DecodingError("not an ECDH scheme that is read here")
    wrap = schema.algorithm_parameter(info.key_encryption_algorithm)
    size = algorithms.WRAP_KEY_BYTES.get(schema.algorithm_oid(wrap))
    if size is None:
        raise DecodingError("not an AES key wrap")
    point = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, originator.public_key.as_bytes())
    kek = _derive(kdf(), key.exchange(ec.ECDH(), point), wrap, size, info.ukm)
    return keywrap.aes_key_unwrap(kek, encrypted_key)


def _derive(
    digest: hashes.HashAlgorithm, shared: bytes, wrap: schema.AlgorithmIdentifier, size: int, ukm: bytes | None
) -> bytes:
    """Derive the key-encryption key; supp_pub_info is its length in bits (RFC 5753 section 7.2)."""
    info = schema.ECCCMSSharedInfo(key_info=wrap, entity_u_info=ukm, supp_pub_info=(size * 8).to_bytes(4, "big"))
    return X963KDF(digest, size, asn1.encode_der(info)).derive(shared)

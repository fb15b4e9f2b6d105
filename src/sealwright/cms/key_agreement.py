"""KeyAgreeRecipientInfo: the content-encryption key wrapped under an agreed key (RFC 5652 section 6.2.2).

P-256, P-384 and P-521 with the X9.63 KDF (RFC 5753); X25519 and X448 with HKDF or the X9.63 KDF (RFC 8418). The sender's key is
always ephemeral; agreement with the key of the sender's certificate (RFC 6278) is read.
"""

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealwright.cms import algorithms, key_wraps, schema
from sealwright.cms.identifiers import RecipientIdentifier, identifier, issuer_and_serial
from sealwright.cms.known_certificates import KnownCertificate
from sealwright.cms.recipient_schema import (
    ECCCMSSharedInfo,
    KeyAgreeRecipientInfo,
    OriginatorPublicKey,
    RecipientEncryptedKey,
)
from sealwright.errors import DecodingError, UnsupportedAlgorithmError

AgreementPrivateKey = ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey | x448.X448PrivateKey
AgreementPublicKey = ec.EllipticCurvePublicKey | x25519.X25519PublicKey | x448.X448PublicKey
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_EC_ALGORITHM = schema.algorithm(algorithms.EC_PUBLIC_KEY)
_WRAPS = {size: schema.algorithm(oid) for oid, size in algorithms.WRAP_KEY_BYTES.items()}


def wrap_key(content_encryption_key: bytes, certificate: x509.Certificate, public_key: AgreementPublicKey) -> bytes:
    """Wrap the content-encryption key under a key agreed with a fresh ephemeral key.

    The wrap's key is as long as the content's (RFC 8551 section 2.7: MUST); its derivation is SHA-256.

    Returns:
        DER RecipientInfo.

    Raises:
        UnsupportedAlgorithmError: If the curve is another.
    """
    wrap = _WRAPS[len(content_encryption_key)]
    shared, originator, kdf = _ephemeral(public_key)
    kek = _derive(kdf, shared, wrap, len(content_encryption_key), None)
    info = KeyAgreeRecipientInfo(
        version=3,
        originator=asn1.Variant(originator, "originatorKey"),
        ukm=None,
        key_encryption_algorithm=schema.algorithm(kdf, schema.algorithm_der(wrap)),
        recipient_encrypted_keys=[
            RecipientEncryptedKey(
                rid=issuer_and_serial(certificate),
                encrypted_key=keywrap.aes_key_wrap(kek, content_encryption_key),
            )
        ],
    )
    return b"\xa1" + asn1.encode_der(info)[1:]


def _ephemeral(public_key: AgreementPublicKey) -> tuple[bytes, OriginatorPublicKey, str]:
    """Agree with a fresh key, used once; returns the shared secret, the originator's key and the scheme."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        if public_key.curve.name not in _CURVES:
            raise UnsupportedAlgorithmError("mail is encrypted to P-256, P-384 and P-521 keys, not to other curves")
        curve_key = ec.generate_private_key(public_key.curve)
        point = curve_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        originator = OriginatorPublicKey(algorithm=_EC_ALGORITHM, public_key=asn1.BitString(point, 0))
        return curve_key.exchange(ec.ECDH(), public_key), originator, algorithms.ECDH_SHA256_KDF
    try:
        if isinstance(public_key, x25519.X25519PublicKey):
            key = x25519.X25519PrivateKey.generate()
            shared, oid, raw = key.exchange(public_key), algorithms.X25519, key.public_key().public_bytes_raw()
        else:
            other = x448.X448PrivateKey.generate()
            shared, oid, raw = other.exchange(public_key), algorithms.X448, other.public_key().public_bytes_raw()
    except ValueError as error:  # RFC 8418 section 2: an all-zero shared secret MUST abort
        raise UnsupportedAlgorithmError("the recipient's key is not safe to encrypt to") from error
    originator = OriginatorPublicKey(algorithm=schema.algorithm(oid), public_key=asn1.BitString(raw, 0))
    return shared, originator, algorithms.X25519_HKDF_SHA256


def unwrap_key(
    info: KeyAgreeRecipientInfo,
    encrypted_key: bytes,
    private_key: AgreementPrivateKey,
    originator_certificate: KnownCertificate | None = None,
) -> bytes:
    """Unwrap one recipient's content-encryption key.

    Args:
        info: As in the message.
        encrypted_key: The recipient's.
        private_key: Of the recipient.
        originator_certificate: That which the message names, if it does not hold the sender's key itself.

    Raises:
        ValueError: If the originator's key is not a valid point, or the shared secret is zero.
        InvalidUnwrap: If the key does not fit.
        DecodingError: If the scheme is not known, or the originator's certificate is not there or of another kind.
    """
    scheme, wrap, size = _scheme(info)
    shared = _exchange(private_key, _originator_key(info, private_key, originator_certificate))
    kek = _derive(scheme, shared, wrap, size, info.ukm)
    return key_wraps.unwrap_key(schema.algorithm_oid(wrap), kek, encrypted_key)


def originator_of(info: KeyAgreeRecipientInfo) -> RecipientIdentifier | None:
    """Return whose certificate holds the sender's key, or None where the message holds it itself (RFC 6278 section 2)."""
    originator = info.originator.value
    return None if isinstance(originator, OriginatorPublicKey) else identifier(originator)


def wrap_oid(info: KeyAgreeRecipientInfo) -> str:
    """Return the dotted OID of the key wrap.

    Raises:
        DecodingError: If the scheme is not known.
    """
    return schema.algorithm_oid(_scheme(info)[1])


def describe(info: KeyAgreeRecipientInfo) -> tuple[str, int]:
    """Name the scheme and the length of its key-encryption key.

    Names are such as "ecdh-sha256-kdf", "static-ecdh-sha256-kdf" where the sender's key is not ephemeral, "x25519-hkdf-sha256".

    Raises:
        DecodingError: If it is not known.
    """
    scheme, _, size = _scheme(info)
    originator = info.originator.value
    oid = schema.algorithm_oid(originator.algorithm) if isinstance(originator, OriginatorPublicKey) else ""
    static = "" if isinstance(originator, OriginatorPublicKey) else "static-"
    agreement = static + {algorithms.X25519: "x25519", algorithms.X448: "x448"}.get(oid, "ecdh")
    if scheme in algorithms.HKDF_SCHEMES:
        return f"{agreement}-hkdf-{algorithms.HKDF_SCHEMES[scheme].name}", size
    return f"{agreement}-{algorithms.X963_KDFS[scheme].name}-kdf", size


def _scheme(info: KeyAgreeRecipientInfo) -> tuple[str, schema.AlgorithmIdentifier, int]:
    """Return OID of the agreement, wrap algorithm as it is written, and length of its key."""
    oid = schema.algorithm_oid(info.key_encryption_algorithm)
    if oid not in algorithms.X963_KDFS and oid not in algorithms.HKDF_SCHEMES:
        raise DecodingError("not a key agreement that is read here")
    wrap = schema.algorithm_parameter(info.key_encryption_algorithm)
    return oid, wrap, key_wraps.wrap_key_bytes(schema.algorithm_oid(wrap))


def _originator_key(
    info: KeyAgreeRecipientInfo, private_key: AgreementPrivateKey, certificate: KnownCertificate | None
) -> bytes:
    """Return the sender's public key as a point or in its raw form."""
    originator = info.originator.value
    if isinstance(originator, OriginatorPublicKey):
        if originator.public_key.padding_bits():
            raise DecodingError("the originator's key is not whole octets")
        return originator.public_key.as_bytes()
    key, own = certificate.public_key if certificate is not None else None, private_key.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        if isinstance(own, ec.EllipticCurvePublicKey) and own.curve.name == key.curve.name:
            return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    elif isinstance(key, x25519.X25519PublicKey | x448.X448PublicKey) and type(key) is type(own):
        return key.public_bytes_raw()
    raise DecodingError("the certificate with the originator's key is not there, or its key is of another kind")


def _exchange(private_key: AgreementPrivateKey, originator: bytes) -> bytes:
    """Agree with the originator's key, which is checked to be on the curve."""
    if isinstance(private_key, ec.EllipticCurvePrivateKey):
        point = ec.EllipticCurvePublicKey.from_encoded_point(private_key.curve, originator)
        return private_key.exchange(ec.ECDH(), point)
    if isinstance(private_key, x25519.X25519PrivateKey):
        return private_key.exchange(x25519.X25519PublicKey.from_public_bytes(originator))
    return private_key.exchange(x448.X448PublicKey.from_public_bytes(originator))


def _derive(scheme: str, shared: bytes, wrap: schema.AlgorithmIdentifier, size: int, ukm: bytes | None) -> bytes:
    """Derive the key-encryption key; supp_pub_info is its length in bits (RFC 5753 section 7.2).

    The ukm goes into the shared info, and with HKDF it is the salt too (RFC 8418 section 2.2).
    """
    info = asn1.encode_der(
        ECCCMSSharedInfo(key_info=wrap, entity_u_info=ukm, supp_pub_info=(size * 8).to_bytes(4, "big"))
    )
    if scheme in algorithms.HKDF_SCHEMES:
        return HKDF(algorithms.HKDF_SCHEMES[scheme](), size, ukm, info).derive(shared)
    return X963KDF(algorithms.X963_KDFS[scheme](), size, info).derive(shared)

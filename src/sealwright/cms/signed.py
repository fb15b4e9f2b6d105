"""SignedData (RFC 5652 section 5): what is signed, by whom, and whether the signature holds.

Certificates are chosen and returned, never trusted: the certification path is judged in `pkix.path`. Signed attributes are
required unless the content is plain data signed directly, each at most once, with contentType and messageDigest; the
signature covers them as a SET. A message without signers is not "valid".
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from sealwright.asn1.ber import tlv
from sealwright.cms import algorithms, schema
from sealwright.cms.enveloped import MAX_MESSAGE_BYTES
from sealwright.cms.recipients import identifier, issuer_and_serial
from sealwright.errors import DecodingError, InvalidSignatureError, UnsupportedAlgorithmError

SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

MAX_SIGNERS = 16
MAX_CERTIFICATES = 64
MAX_ATTRIBUTES = 64
MAX_SALT_BYTES = 512
_CAPABILITIES = tlv(
    0x30,
    *(schema.algorithm_der(schema.algorithm(oid)) for oid in (algorithms.AES256_GCM, algorithms.AES256_CBC)),
)
"""SMIMECapabilities that we announce, best first (RFC 8551 section 2.5.2)."""


@dataclass(frozen=True, slots=True)
class VerifiedSigner:
    """A signer whose signature holds.

    Attributes:
        certificate: The signer's, as found in the message.
        signing_time: What the signer claims, or None.
        digest: Such as "sha256".
        capabilities: SMIMECapabilities DER, or empty.
    """

    certificate: x509.Certificate
    signing_time: datetime | None
    digest: str
    capabilities: bytes


@dataclass(frozen=True, slots=True)
class Verified:
    """A message all of whose signatures hold.

    Attributes:
        content: What was signed.
        signers: At least one.
        certificates: All that the message brought.
    """

    content: bytes = field(repr=False)
    signers: tuple[VerifiedSigner, ...]
    certificates: tuple[x509.Certificate, ...]


def sign(
    content: bytes,
    certificate: x509.Certificate,
    private_key: SigningKey,
    *,
    chain: Sequence[x509.Certificate] = (),
    detached: bool,
    signing_time: datetime,
) -> bytes:
    """Sign a content.

    Args:
        content: What is signed.
        certificate: The signer's.
        private_key: RSA, P-256 or P-384, of that certificate.
        chain: Intermediates to send along.
        detached: Leave the content out.
        signing_time: Aware.

    Returns:
        DER ContentInfo.

    Raises:
        UnsupportedAlgorithmError: If the key is of another kind.
    """
    digest_oid, signature_algorithm = _signature_algorithm(private_key)
    digest_algorithm = schema.algorithm(digest_oid)
    certificate_hash = _digest(hashes.SHA256(), certificate.public_bytes(Encoding.DER))
    protection = schema.algorithm_der(digest_algorithm) + _implicit(1, schema.algorithm_der(signature_algorithm))
    attributes = sorted(
        (
            _attribute(algorithms.CONTENT_TYPE, asn1.encode_der(x509.ObjectIdentifier(schema.DATA))),
            _attribute(algorithms.MESSAGE_DIGEST, tlv(0x04, _digest(algorithms.DIGESTS[digest_oid](), content))),
            _attribute(algorithms.SIGNING_TIME, _time(signing_time)),
            _attribute(algorithms.SMIME_CAPABILITIES, _CAPABILITIES),
            # RFC 5035: SHA-256 is the default of ESSCertIDv2 and therefore absent
            _attribute(algorithms.SIGNING_CERTIFICATE_V2, tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x04, certificate_hash))))),
            _attribute(algorithms.ALGORITHM_PROTECTION, tlv(0x30, protection)),
        )
    )
    signer = schema.SignerInfo(
        version=1,
        sid=issuer_and_serial(certificate),
        digest_algorithm=digest_algorithm,
        signed_attrs=[schema.any_element(attribute) for attribute in attributes],
        signature_algorithm=signature_algorithm,
        signature=_sign(private_key, tlv(0x31, *attributes), digest_oid),
        unsigned_attrs=None,
    )
    certificates = sorted({item.public_bytes(Encoding.DER) for item in (certificate, *chain)})
    signed = schema.SignedData(
        version=1,
        digest_algorithms=asn1.SetOf([schema.any_element(schema.algorithm_der(digest_algorithm))]),
        encap_content_info=schema.EncapsulatedContentInfo(
            e_content_type=x509.ObjectIdentifier(schema.DATA), e_content=None if detached else content
        ),
        certificates=[schema.any_element(item) for item in certificates],
        crls=None,
        signer_infos=asn1.SetOf([signer]),
    )
    return schema.content_info(schema.SIGNED_DATA, asn1.encode_der(signed))


def digest_name(private_key: SigningKey) -> str:
    """Return the digest that `sign` uses with a key, as the micalg parameter writes it (RFC 8551 section 3.5.3.2).

    Raises:
        UnsupportedAlgorithmError: If the key cannot sign mail.
    """
    return {algorithms.SHA256: "sha-256", algorithms.SHA384: "sha-384"}[_signature_algorithm(private_key)[0]]


def is_signed_data(content_info: bytes) -> bool:
    """Say whether a CMS message is signed rather than encrypted; decides how it is read, and nothing about trust.

    Raises:
        DecodingError: If it is neither.
    """
    return isinstance(schema.load_content(content_info), schema.SignedData)


def unverified_content(content_info: bytes) -> bytes | None:
    """Return the content of a signed message without any check, to be shown with a warning; None if it is detached.

    Raises:
        DecodingError: If it is not a signed CMS message.
    """
    if len(content_info) > MAX_MESSAGE_BYTES:
        raise DecodingError("the signed message is too large")
    message = schema.load_content(content_info)
    if not isinstance(message, schema.SignedData):
        raise DecodingError("the message is encrypted, not signed")
    return message.encap_content_info.e_content


def verify(content_info: bytes, content: bytes | None) -> Verified:
    """Verify every signature of a message.

    Args:
        content_info: DER or BER.
        content: The signed content of a detached signature; None where the message holds it.

    Raises:
        DecodingError: If it is not a signed CMS message, or holds a content beside a detached one.
        InvalidSignatureError: If there is no signer, or any signature does not hold.
    """
    if len(content_info) > MAX_MESSAGE_BYTES:
        raise DecodingError("the signed message is too large")
    message = schema.load_content(content_info)
    if not isinstance(message, schema.SignedData):
        raise DecodingError("the message is encrypted, not signed")
    inner = message.encap_content_info.e_content
    if (content is None) == (inner is None):
        raise DecodingError("the signed content is missing, or there are two")
    content = inner if content is None else content
    if content is None or message.encap_content_info.e_content_type.dotted_string != schema.DATA:
        raise DecodingError("the signed content is not mail data")
    certificates = _certificates(message.certificates or [])
    infos = message.signer_infos.as_list()
    if not 1 <= len(infos) <= MAX_SIGNERS:
        raise InvalidSignatureError("the message has no signer, or too many")
    signers = tuple(_verify_signer(info, content, certificates) for info in infos)
    return Verified(content, signers, certificates)


def _verify_signer(
    info: schema.SignerInfo, content: bytes, certificates: tuple[x509.Certificate, ...]
) -> VerifiedSigner:
    # 1 Find the signer's certificate by its identifier; several may match a key identifier.
    sid = identifier(info.sid)
    candidates = [certificate for certificate in certificates if sid.matches(certificate)]
    if not candidates:
        raise InvalidSignatureError("the signer's certificate is not in the message")
    digest = algorithms.DIGESTS.get(schema.algorithm_oid(info.digest_algorithm))
    if digest is None:
        raise InvalidSignatureError("the signature uses a digest that is not safe or not known")
    # 2 The attributes: each once, with the content's type and digest.
    attributes = _attributes(info)
    signed = content
    if info.signed_attrs is not None:
        _check_attributes(info, attributes, _digest(digest(), content))
        signed = tlv(0x31, *map(schema.raw, info.signed_attrs))
    elif content[:1] == b"\x31":
        # A content that looks like signed attributes could be another message's attributes.
        raise InvalidSignatureError("a signature without attributes over this content is ambiguous")
    # 3 The signature, under the certificate that signingCertificateV2 names, where it is there.
    wanted = _signing_certificate_hash(attributes)
    for certificate in candidates:
        if wanted is not None and not hmac.compare_digest(
            wanted, _digest(hashes.SHA256(), certificate.public_bytes(Encoding.DER))
        ):
            continue
        try:
            _verify(certificate, info, signed, digest())
        except (InvalidSignature, UnsupportedAlgorithm, UnsupportedAlgorithmError, ValueError):
            continue
        capabilities = attributes.get(algorithms.SMIME_CAPABILITIES)
        return VerifiedSigner(
            certificate=certificate,
            signing_time=_signing_time(attributes),
            digest=digest().name,
            capabilities=schema.raw(capabilities) if capabilities is not None else b"",
        )
    raise InvalidSignatureError("the signature does not verify: the message was changed or the signer is another")


def _attributes(info: schema.SignerInfo) -> dict[str, asn1.TLV]:
    found: dict[str, asn1.TLV] = {}
    if len(info.signed_attrs or []) > MAX_ATTRIBUTES:
        raise DecodingError("the signature has too many attributes")
    for element in info.signed_attrs or []:
        try:
            attribute = element.parse(schema.Attribute)
        except ValueError as error:
            raise DecodingError("a signed attribute is malformed") from error
        oid, values = attribute.attr_type.dotted_string, attribute.attr_values.as_list()
        if oid in found or len(values) != 1:
            raise InvalidSignatureError("a signed attribute is there twice")
        found[oid] = values[0]
    return found


def _check_attributes(info: schema.SignerInfo, attributes: dict[str, asn1.TLV], digest: bytes) -> None:
    try:
        content_type = attributes[algorithms.CONTENT_TYPE].parse(x509.ObjectIdentifier).dotted_string
        message_digest = attributes[algorithms.MESSAGE_DIGEST].parse(bytes)
    except (KeyError, ValueError) as error:
        raise InvalidSignatureError("the signature lacks the content's type or digest") from error
    if content_type != schema.DATA or not hmac.compare_digest(message_digest, digest):
        raise InvalidSignatureError("the content was changed after it was signed")
    protection = attributes.get(algorithms.ALGORITHM_PROTECTION)
    if protection is None:
        return
    expected = schema.algorithm_der(info.digest_algorithm) + _implicit(
        1, schema.algorithm_der(info.signature_algorithm)
    )
    if bytes(protection.data) != expected:
        raise InvalidSignatureError("the signature's algorithms were changed (RFC 6211)")


def _signing_certificate_hash(attributes: dict[str, asn1.TLV]) -> bytes | None:
    """Return the SHA-256 that signingCertificateV2 gives for the signer, or None where it is absent or in another form."""
    element = attributes.get(algorithms.SIGNING_CERTIFICATE_V2)
    prefix = bytes(element.data) if element is not None else b""
    # SEQUENCE OF ESSCertIDv2, whose first field is the hash itself when its algorithm is the default
    if len(prefix) < 38 or prefix[0] != 0x30 or prefix[1] & 0x80 or prefix[2] != 0x30 or prefix[3] & 0x80:
        return None
    return prefix[6:38] if prefix[4:6] == b"\x04\x20" else None


def _signing_time(attributes: dict[str, asn1.TLV]) -> datetime | None:
    element = attributes.get(algorithms.SIGNING_TIME)
    if element is None:
        return None
    try:
        kind = asn1.UTCTime if element.tag_bytes == b"\x17" else asn1.GeneralizedTime
        moment: datetime = element.parse(kind).as_datetime()
    except ValueError as error:
        raise DecodingError("the signing time is malformed") from error
    return moment


def _certificates(elements: list[asn1.TLV]) -> tuple[x509.Certificate, ...]:
    if len(elements) > MAX_CERTIFICATES:
        raise DecodingError("the message brings too many certificates")
    found = []
    for element in elements:
        if element.tag_bytes != b"\x30":  # attribute certificates and other kinds
            continue
        try:
            certificate = x509.load_der_x509_certificate(schema.raw(element))
            # `cryptography` parses lazily: what cannot be read now is no certificate, rather than an exception later
            _ = certificate.issuer, certificate.subject, certificate.extensions, certificate.not_valid_after_utc
            certificate.public_key()
        except (ValueError, x509.InvalidVersion, x509.DuplicateExtension, UnsupportedAlgorithm):
            continue
        found.append(certificate)
    return tuple(found)


def _signature_algorithm(private_key: SigningKey) -> tuple[str, schema.AlgorithmIdentifier]:
    if isinstance(private_key, rsa.RSAPrivateKey):
        return algorithms.SHA256, schema.algorithm(algorithms.RSA_SHA256, algorithms.NULL)
    if isinstance(private_key, ec.EllipticCurvePrivateKey) and private_key.curve.name == "secp256r1":
        return algorithms.SHA256, schema.algorithm(algorithms.ECDSA_SHA256)
    if isinstance(private_key, ec.EllipticCurvePrivateKey) and private_key.curve.name == "secp384r1":
        return algorithms.SHA384, schema.algorithm(algorithms.ECDSA_SHA384)
    raise UnsupportedAlgorithmError("mail is signed with RSA, P-256 or P-384 keys")


def _sign(private_key: SigningKey, message: bytes, digest_oid: str) -> bytes:
    digest = algorithms.DIGESTS[digest_oid]()
    if isinstance(private_key, rsa.RSAPrivateKey):
        return private_key.sign(message, padding.PKCS1v15(), digest)
    return private_key.sign(message, ec.ECDSA(digest))


def _verify(
    certificate: x509.Certificate, info: schema.SignerInfo, message: bytes, digest: hashes.HashAlgorithm
) -> None:
    public_key, oid = certificate.public_key(), schema.algorithm_oid(info.signature_algorithm)
    if isinstance(public_key, rsa.RSAPublicKey) and oid in algorithms.RSA_SIGNATURES:
        named = algorithms.RSA_SIGNATURES[oid]
        public_key.verify(info.signature, message, padding.PKCS1v15(), named() if named else digest)
    elif isinstance(public_key, rsa.RSAPublicKey) and oid == algorithms.RSASSA_PSS:
        _verify_pss(public_key, info, message)
    elif isinstance(public_key, ec.EllipticCurvePublicKey) and oid in algorithms.ECDSA_SIGNATURES:
        public_key.verify(info.signature, message, ec.ECDSA(algorithms.ECDSA_SIGNATURES[oid]()))
    else:
        raise UnsupportedAlgorithmError("the signature algorithm is not read here")


def _verify_pss(public_key: rsa.RSAPublicKey, info: schema.SignerInfo, message: bytes) -> None:
    if len(info.signature_algorithm) != 2:
        raise UnsupportedAlgorithmError("RSASSA-PSS without parameters means SHA-1")
    parameters = info.signature_algorithm[1].parse(schema.RSASSAPSSParams)
    if parameters.hash_algorithm is None or parameters.mask_gen_algorithm is None:
        raise UnsupportedAlgorithmError("RSASSA-PSS with default parameters means SHA-1")
    mask_algorithm = schema.algorithm_parameter(parameters.mask_gen_algorithm)
    digest = algorithms.DIGESTS.get(schema.algorithm_oid(parameters.hash_algorithm))
    mask = algorithms.DIGESTS.get(schema.algorithm_oid(mask_algorithm))
    if digest is None or mask is None or not 0 <= parameters.salt_length <= MAX_SALT_BYTES:
        raise UnsupportedAlgorithmError("RSASSA-PSS with a digest that is not safe, or too long a salt")
    public_key.verify(info.signature, message, padding.PSS(padding.MGF1(mask()), parameters.salt_length), digest())


def _attribute(oid: str, value: bytes) -> bytes:
    return tlv(0x30, asn1.encode_der(x509.ObjectIdentifier(oid)), tlv(0x31, value))


def _implicit(number: int, sequence: bytes) -> bytes:
    """Return a SEQUENCE under an implicit context tag."""
    return bytes((0xA0 | number,)) + sequence[1:]


def _digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def _time(moment: datetime) -> bytes:
    """Return Time: UTCTime through 2049, GeneralizedTime after (RFC 8551 section 2.5.1)."""
    text = moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")
    return tlv(0x17, text[2:].encode()) if moment.astimezone(UTC).year < 2050 else tlv(0x18, text.encode())

"""SignedData (RFC 5652 section 5): what is signed, by whom, and whether the signature holds.

Certificates are chosen and returned, never trusted: the certification path is judged in `pkix.path`. Signed attributes are
required unless the content is plain data signed directly, each at most once, with contentType and messageDigest; the
signature covers them as a SET. A message without signers is not "valid".
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from sealwright.asn1.ber import tlv
from sealwright.cms import algorithms, schema
from sealwright.cms.enveloped import MAX_MESSAGE_BYTES
from sealwright.cms.identifiers import RecipientIdentifier, identifier, issuer_and_serial
from sealwright.cms.signature_algorithms import DIGEST_BY_NAME
from sealwright.cms.signers import Signer
from sealwright.errors import DecodingError, InvalidSignatureError, UnsupportedAlgorithmError

MAX_SIGNERS = 16
MAX_CERTIFICATES = 64
MAX_ATTRIBUTES = 64
MAX_SALT_BYTES = 512
_CAPABILITIES = tlv(
    0x30,
    *(schema.algorithm_der(schema.algorithm(oid)) for oid in (algorithms.AES256_GCM, algorithms.AES256_CBC)),
)
"""SMIMECapabilities that we announce, best first (RFC 8551 section 2.5.2)."""


Problem = Literal[
    "",
    "certificate-missing",
    "digest-not-supported",
    "attributes-not-valid",
    "content-changed",
    "algorithms-differ",
    "ambiguous-content",
    "signature-wrong",
    "weak-algorithm",
]
"""Why a signature does not hold; empty where it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerReport:
    """One SignerInfo, judged; whether its certificate is to be trusted is another question (`pkix.path`).

    Attributes:
        is_intact: The cryptography and the attributes hold: this certificate's key signed this content.
        problem: Stable code of why it is not intact, or empty.
        reason: The same for people, or empty.
        identifier: How the message names the signer.
        certificate: The signer's; None if the message does not bring it.
        digest: Such as "sha256"; empty if it is not known.
        signature_algorithm: Such as "ecdsa-sha256"; empty if it is not known.
        weaknesses: Codes of what is weak about the algorithms: "sha1", "rsa-1024".
        has_signed_attributes: False where the signature covers the content alone.
        signing_time: What the signer claims, or None. It may lie far in the future; the clock is the caller's.
        capabilities: SMIMECapabilities DER, or empty.
        countersignatures: Of others over this signature.
        timestamps: DER TimeStampTokens (RFC 3161) over this signature.
    """

    is_intact: bool
    problem: Problem = ""
    reason: str = ""
    identifier: RecipientIdentifier
    certificate: x509.Certificate | None
    digest: str = ""
    signature_algorithm: str = ""
    weaknesses: tuple[str, ...] = ()
    has_signed_attributes: bool = True
    signing_time: datetime | None = None
    capabilities: bytes = b""
    countersignatures: tuple["SignerReport", ...] = ()
    timestamps: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedContent:
    """What a SignedData holds.

    Attributes:
        content: What was signed.
        content_type: Dotted OID.
        signers: Each SignerInfo, in the order of the message; may be empty, which means that nobody signed.
        certificates: All that the message brought.
        crls: DER CertificateLists that the message brought.
    """

    content: bytes = field(repr=False)
    content_type: str
    signers: tuple[SignerReport, ...]
    certificates: tuple[x509.Certificate, ...]
    crls: tuple[bytes, ...] = ()


def sign(content: bytes, signers: Sequence[Signer], *, detached: bool, signing_time: datetime) -> bytes:
    """Sign a content.

    Args:
        content: What is signed.
        signers: At least one; each adds a SignerInfo, its certificate and its chain.
        detached: Leave the content out.
        signing_time: Aware.

    Returns:
        DER ContentInfo.

    Raises:
        UnavailableError: If a signer's key cannot be reached now.
    """
    certificates = sorted(
        {item.public_bytes(Encoding.DER) for signer in signers for item in (signer.certificate, *signer.chain)}
    )
    signed = schema.SignedData(
        version=1,
        digest_algorithms=asn1.SetOf(
            [schema.any_element(der) for der in sorted({signer.algorithm.digest_algorithm_der for signer in signers})]
        ),
        encap_content_info=schema.EncapsulatedContentInfo(
            e_content_type=x509.ObjectIdentifier(schema.DATA), e_content=None if detached else content
        ),
        certificates=[schema.any_element(item) for item in certificates],
        crls=None,
        signer_infos=asn1.SetOf([_signer_info(signer, content, signing_time) for signer in signers]),
    )
    return schema.content_info(schema.SIGNED_DATA, asn1.encode_der(signed))


def _signer_info(signer: Signer, content: bytes, signing_time: datetime) -> schema.SignerInfo:
    algorithm = signer.algorithm
    certificate_hash = _digest(hashes.SHA256(), signer.certificate.public_bytes(Encoding.DER))
    protection = algorithm.digest_algorithm_der + _implicit(1, algorithm.signature_algorithm_der)
    attributes = sorted(
        (
            _attribute(algorithms.CONTENT_TYPE, asn1.encode_der(x509.ObjectIdentifier(schema.DATA))),
            _attribute(algorithms.MESSAGE_DIGEST, tlv(0x04, _digest(DIGEST_BY_NAME[algorithm.digest](), content))),
            _attribute(algorithms.SIGNING_TIME, _time(signing_time)),
            _attribute(algorithms.SMIME_CAPABILITIES, _CAPABILITIES),
            # RFC 5035: SHA-256 is the default of ESSCertIDv2 and therefore absent
            _attribute(algorithms.SIGNING_CERTIFICATE_V2, tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x04, certificate_hash))))),
            _attribute(algorithms.ALGORITHM_PROTECTION, tlv(0x30, protection)),
        )
    )
    return schema.SignerInfo(
        version=1,
        sid=issuer_and_serial(signer.certificate),
        digest_algorithm=_identifier(algorithm.digest_algorithm_der),
        signed_attrs=[schema.any_element(attribute) for attribute in attributes],
        signature_algorithm=_identifier(algorithm.signature_algorithm_der),
        signature=signer.sign(tlv(0x31, *attributes)),
        unsigned_attrs=None,
    )


def _identifier(algorithm_der: bytes) -> schema.AlgorithmIdentifier:
    return schema.parse_algorithm(algorithm_der)


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


def verify(content_info: bytes, content: bytes | None) -> SignedContent:
    """Verify every signature of a message.

    Args:
        content_info: DER or BER.
        content: The signed content of a detached signature; None where the message holds it.

    Raises:
        DecodingError: If it is not a signed CMS message, or holds a content beside a detached one.
        InvalidSignatureError: If there is no signer, or any signature does not hold.
    """
    examined = examine(content_info, content)
    if not examined.signers:
        raise InvalidSignatureError("nobody signed the message")
    for signer in examined.signers:
        if not signer.is_intact:
            raise InvalidSignatureError(signer.reason)
    return examined


def examine(content_info: bytes, content: bytes | None) -> SignedContent:
    """Judge each signer of a message; a bad signature is reported, not raised.

    Args:
        content_info: DER or BER.
        content: The signed content of a detached signature; None where the message holds it.

    Raises:
        DecodingError: If it is not a signed CMS message, or holds a content beside a detached one.
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
    if len(infos) > MAX_SIGNERS:
        raise DecodingError("the message has too many signers")
    signers = tuple(_examine_signer(info, content, certificates) for info in infos)
    return SignedContent(content, schema.DATA, signers, certificates)


def _examine_signer(
    info: schema.SignerInfo, content: bytes, certificates: tuple[x509.Certificate, ...]
) -> SignerReport:
    try:
        return _verify_signer(info, content, certificates)
    except InvalidSignatureError as error:
        return SignerReport(
            is_intact=False,
            problem="signature-wrong",
            reason=error.message,
            identifier=identifier(info.sid),
            certificate=None,
        )


def _verify_signer(info: schema.SignerInfo, content: bytes, certificates: tuple[x509.Certificate, ...]) -> SignerReport:
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
        return SignerReport(
            is_intact=True,
            identifier=sid,
            certificate=certificate,
            has_signed_attributes=info.signed_attrs is not None,
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

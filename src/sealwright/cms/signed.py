"""SignedData (RFC 5652 section 5) in memory: signed, examined, verified.

Certificates are chosen and returned, never trusted: the certification path is judged in `pkix.path`. A message without
signers is not "valid".
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat import asn1

from sealwright.asn1.ber import tlv
from sealwright.cms import schema
from sealwright.cms.enveloped import MAX_MESSAGE_BYTES
from sealwright.cms.examining import examine_signers, parse_certificates, parse_revocation_information
from sealwright.cms.known_certificates import KnownCertificate, from_certificate
from sealwright.cms.signer_info import SignerInfo, parse_signer_info
from sealwright.cms.signer_report import SignedContent, SignerReport
from sealwright.cms.signers import Signer
from sealwright.cms.signing import CAPABILITIES, after_content, before_content, certificates_and_crls
from sealwright.errors import DecodingError, InvalidSignatureError


def sign(
    content: bytes,
    signers: Sequence[Signer],
    *,
    detached: bool,
    signing_time: datetime,
    content_type: str = schema.DATA,
    capabilities: bytes = CAPABILITIES,
    crls: Iterable[bytes] = (),
) -> bytes:
    """Sign a content.

    Args:
        content: What is signed.
        signers: At least one; each adds a SignerInfo, its certificate and its chain.
        detached: Leave the content out.
        signing_time: Aware.
        content_type: Dotted OID of the content.
        capabilities: SMIMECapabilities DER; empty to announce none.
        crls: DER CertificateLists to send along.

    Returns:
        DER ContentInfo.

    Raises:
        UnavailableError: If a signer's key cannot be reached now.
    """
    e_content = () if detached else (tlv(0xA0, tlv(0x04, content)),)
    signed_data = tlv(
        0x30,
        *before_content(signers, content_type),
        tlv(0x30, asn1.encode_der(x509.ObjectIdentifier(content_type)), *e_content),
        *after_content(
            signers,
            content,
            content_type=content_type,
            signing_time=signing_time,
            capabilities=capabilities,
            crls=crls,
        ),
    )
    return schema.content_info(schema.SIGNED_DATA, signed_data)


def certificates_only(certificates: Iterable[x509.Certificate], crls: Iterable[bytes] = ()) -> bytes:
    """Return a degenerate SignedData that only carries certificates and CRLs (RFC 8551 section 3.8), DER ContentInfo."""
    signed_data = tlv(
        0x30,
        b"\x02\x01\x01",
        tlv(0x31),
        tlv(0x30, asn1.encode_der(x509.ObjectIdentifier(schema.DATA))),
        *certificates_and_crls(certificates, crls),
        tlv(0x31),
    )
    return schema.content_info(schema.SIGNED_DATA, signed_data)


def read_certificates_only(content_info: bytes) -> SignedContent:
    """Read a degenerate SignedData; content and signers of the answer are empty.

    Raises:
        DecodingError: If it is not a SignedData, or holds a content or signatures, which are to be verified.
    """
    message = _load(content_info)
    if message.encap_content_info.e_content is not None or message.signer_infos.as_list():
        raise DecodingError("the message is signed and does not only carry certificates")
    return _signed_content(message, b"", (), _known_certificates(message))


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
    return _load(content_info).encap_content_info.e_content


def verify(
    content_info: bytes,
    content: bytes | None,
    *,
    certificates: Iterable[x509.Certificate] = (),
    content_types: Collection[str] = (schema.DATA,),
    allow_weak: bool = False,
) -> SignedContent:
    """Verify every signature of a message; for those who want all or nothing.

    Args:
        content_info: DER or BER.
        content: The signed content of a detached signature; None where the message holds it.
        certificates: Further ones of which a signer's may be one.
        content_types: Dotted OIDs of contents that the caller can use.
        allow_weak: Let SHA-1 and RSA keys of 1,024 to 2,047 bits hold.

    Raises:
        DecodingError: If it is not a signed CMS message, holds a content beside a detached one, or one of another type.
        InvalidSignatureError: If there is no signer, or any signature does not hold.
    """
    examined = examine(
        content_info, content, certificates=certificates, content_types=content_types, allow_weak=allow_weak
    )
    if not examined.signers:
        raise InvalidSignatureError("nobody signed the message")
    for signer in examined.signers:
        if not signer.is_intact:
            raise InvalidSignatureError(signer.reason)
    return examined


def examine(
    content_info: bytes,
    content: bytes | None,
    *,
    certificates: Iterable[x509.Certificate] = (),
    content_types: Collection[str] = (schema.DATA,),
    allow_weak: bool = False,
) -> SignedContent:
    """Judge each signer of a message; a bad signature is reported, not raised.

    Args:
        content_info: DER or BER.
        content: The signed content of a detached signature; None where the message holds it.
        certificates: Further ones of which a signer's may be one.
        content_types: Dotted OIDs of contents that the caller can use.
        allow_weak: Let SHA-1 and RSA keys of 1,024 to 2,047 bits hold.

    Raises:
        DecodingError: If it is not a signed CMS message, holds a content beside a detached one, or one of another type.
    """
    message = _load(content_info)
    e_content = message.encap_content_info.e_content
    content_type = message.encap_content_info.e_content_type
    # Two contents, of which one is shown and the other verified, are an attack (CVE-2018-18509).
    if (content is None) == (e_content is None):
        raise DecodingError("the signed content is missing, or there are two")
    if content_type.dotted_string not in content_types:
        raise DecodingError(f"the signed content is of type {content_type.dotted_string}, which is not expected here")
    found = _known_certificates(message)
    more = tuple(known for known in map(from_certificate, certificates) if known is not None)
    whole = e_content if content is None else content
    assert whole is not None
    signers = examine_signers(
        _signer_infos(message), whole, asn1.encode_der(content_type), (*found, *more), allow_weak=allow_weak
    )
    return _signed_content(message, whole, signers, found)


def _load(content_info: bytes) -> schema.SignedData:
    if len(content_info) > MAX_MESSAGE_BYTES:
        raise DecodingError("the signed message is too large")
    message = schema.load_content(content_info)
    if not isinstance(message, schema.SignedData):
        raise DecodingError("the message is encrypted, not signed")
    return message


def _known_certificates(message: schema.SignedData) -> tuple[KnownCertificate, ...]:
    return parse_certificates([schema.raw(element) for element in message.certificates or []])


def _signer_infos(message: schema.SignedData) -> list[SignerInfo]:
    return [
        parse_signer_info([(element.tag_bytes[0], bytes(element.data)) for element in fields])
        for fields in message.signer_infos.as_list()
    ]


def _signed_content(
    message: schema.SignedData,
    content: bytes,
    signers: tuple[SignerReport, ...],
    certificates: tuple[KnownCertificate, ...],
) -> SignedContent:
    crls, ocsp_responses = parse_revocation_information([schema.raw(element) for element in message.crls or []])
    return SignedContent(
        content,
        message.encap_content_info.e_content_type.dotted_string,
        signers,
        tuple(known.certificate for known in certificates),
        crls,
        ocsp_responses,
    )

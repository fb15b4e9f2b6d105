"""SignedData (RFC 5652 section 5) in memory: signed, examined, verified.

Certificates are chosen and returned, never trusted: the certification path is judged in `pkix.path`. A message without
signers is not "valid".
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from cryptography import x509

from sealwright.asn1.der import object_identifier
from sealwright.asn1.writer import Layer, enclosed, tlv
from sealwright.cms import schema
from sealwright.cms.examining import examine_signers
from sealwright.cms.known_certificates import from_certificate
from sealwright.cms.signed_data import SignedDataParts, load_signed_data
from sealwright.cms.signer_report import SignedContent, SignerReport
from sealwright.cms.signers import Signer
from sealwright.cms.signing import after_content, before_content, certificates_and_crls
from sealwright.errors import DecodingError, InputError, InvalidSignatureError


def sign(
    content: bytes,
    signers: Sequence[Signer],
    *,
    detached: bool,
    signing_time: datetime,
    content_type: str = schema.DATA,
    capabilities: bytes = b"",
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
        InputError: If there is no signer.
        UnavailableError: If a signer's key cannot be reached now.
    """
    if not signers:
        raise InputError("nobody signs the content")
    before, after = (
        before_content(signers, content_type),
        after_content(
            signers,
            content,
            content_type=content_type,
            signing_time=signing_time,
            capabilities=capabilities,
            crls=crls,
        ),
    )
    around: tuple[Layer, ...] = (
        (0x30, object_identifier(content_type), b""),
        (0x30, b"".join(before), b"".join(after)),
        *schema.content_info_around(schema.SIGNED_DATA),
    )
    return enclosed(b"", *around) if detached else enclosed(content, (0x04, b"", b""), (0xA0, b"", b""), *around)


def certificates_only(certificates: Iterable[x509.Certificate], crls: Iterable[bytes] = ()) -> bytes:
    """Return a degenerate SignedData that only carries certificates and CRLs (RFC 8551 section 3.8), DER ContentInfo."""
    signed_data = tlv(
        0x30,
        b"\x02\x01\x01",
        tlv(0x31),
        tlv(0x30, object_identifier(schema.DATA)),
        *certificates_and_crls(certificates, crls),
        tlv(0x31),
    )
    return schema.content_info(schema.SIGNED_DATA, signed_data)


def read_certificates_only(content_info: bytes) -> SignedContent:
    """Read a degenerate SignedData; content and signers of the answer are empty.

    Raises:
        DecodingError: If it is not a SignedData, or holds a content or signatures, which are to be verified.
    """
    parts = load_signed_data(content_info)
    if parts.content is not None or parts.signer_infos:
        raise DecodingError("the message is signed and does not only carry certificates")
    return _signed_content(parts, b"", ())


def verify(
    content_info: bytes,
    content: bytes | None,
    *,
    certificates: Iterable[x509.Certificate] = (),
    content_types: Collection[str] = (schema.DATA,),
    allow_weak: bool = False,
) -> SignedContent:
    """Verify every signature of a message; for those who want all or nothing. Takes what `examine` takes.

    Raises:
        DecodingError: As `examine`.
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
    return examine_parts(
        load_signed_data(content_info),
        content,
        certificates=certificates,
        content_types=content_types,
        allow_weak=allow_weak,
    )


def examine_parts(
    parts: SignedDataParts,
    content: bytes | None,
    *,
    certificates: Iterable[x509.Certificate] = (),
    content_types: Collection[str] = (schema.DATA,),
    allow_weak: bool = False,
) -> SignedContent:
    """Judge each signer of a message that was taken apart before; see `examine`."""
    # Two contents, of which one is shown and the other verified, are an attack (CVE-2018-18509).
    if (content is None) == (parts.content is None):
        raise DecodingError("the signed content is missing, or there are two")
    if parts.content_type not in content_types:
        raise DecodingError(f"the signed content is of type {parts.content_type}, which is not expected here")
    more = (known for known in map(from_certificate, certificates) if known is not None)
    whole = parts.content if content is None else content
    assert whole is not None
    signers = examine_signers(
        parts.signer_infos, whole, parts.content_type, (*parts.certificates, *more), allow_weak=allow_weak
    )
    return _signed_content(parts, whole, signers)


def _signed_content(parts: SignedDataParts, content: bytes, signers: tuple[SignerReport, ...]) -> SignedContent:
    return SignedContent(
        content,
        parts.content_type,
        signers,
        tuple(known.certificate for known in parts.certificates),
        parts.crls,
        parts.ocsp_responses,
    )

"""SignedData of any size at constant memory: signed, and examined while it passes by.

What is read goes out before any signature was checked: the caller keeps it apart until it has judged what `examine_stream`
returns.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from cryptography import x509

from sealwright.asn1.der import content_of, elements
from sealwright.asn1.pull_reader import MAX_ELEMENT_BYTES, Head, PullReader, SeekableSource
from sealwright.asn1.writer import tlv
from sealwright.cms import schema
from sealwright.cms.content_stream import Progress, Sink, Source, dotted, open_content_info, pieces_of
from sealwright.cms.digests import ContentDigests, digest_for
from sealwright.cms.examining import examine_signers
from sealwright.cms.known_certificates import MAX_CERTIFICATES, from_certificate, parse_certificates
from sealwright.cms.signed_data import (
    MAX_CRLS,
    MAX_SIGNERS,
    SignedDataParts,
    announced_digests,
    load_signed_data,
    parse_revocation_information,
)
from sealwright.cms.signed_source import SignedSource
from sealwright.cms.signer_info import parse_signer_info
from sealwright.cms.signer_report import SignedContent
from sealwright.cms.signers import Signer
from sealwright.errors import DecodingError

MAX_SET_BYTES = 16 * 1024 * 1024
"""Certificates or lists of a message together: they are in memory at once, and a list of 100,000 entries has 4 MiB."""
_SEQUENCE, _SET, _OCTETS = 0x30, 0x31, 0x04
_CERTIFICATES, _CRLS, _EXPLICIT = 0xA0, 0xA1, 0xA0


def sign_stream(
    source: SeekableSource,
    sink: Sink,
    signers: Sequence[Signer],
    *,
    detached: bool,
    signing_time: datetime,
    progress: Progress | None = None,
) -> None:
    """Sign a file; writes DER.

    Args:
        source: The content, all of it.
        sink: Gets the ContentInfo.
        signers: At least one.
        detached: Leave the content out.
        signing_time: Aware.
        progress: Told of the content while it is digested.

    Raises:
        InputError: If there is no signer, or the content changes while it is read; what was written is of no use then.
        UnavailableError: If a signer's key cannot be reached now.
    """
    signed = SignedSource(source, signers, detached=detached, signing_time=signing_time, progress=progress)
    for piece in pieces_of(signed):
        sink.write(piece)


def examine_stream(
    source: SeekableSource,
    sink: Sink,
    *,
    certificates: Iterable[x509.Certificate] = (),
    content_types: Collection[str] = (schema.DATA,),
    allow_weak: bool = False,
    progress: Progress | None = None,
) -> SignedContent:
    """Judge each signer of a file that holds its content; `signed.examine` for files of any size.

    Args:
        source: The ContentInfo, DER or BER, from its start; nothing may follow it.
        sink: Gets the content.
        certificates: Further ones of which a signer's may be one.
        content_types: Dotted OIDs of contents that the caller can use.
        allow_weak: Let SHA-1 and RSA keys of 1,024 to 2,047 bits hold.
        progress: Told of the content.

    Returns:
        The signers; the content, which went out, is empty.

    Raises:
        DecodingError: If it is not a signed CMS message with its content inside, or one of another type.
    """
    reader = PullReader(source)
    # 1 ContentInfo, digestAlgorithms
    kind, (data, wrapper, outer) = open_content_info(reader)
    if kind != schema.SIGNED_DATA:
        raise DecodingError("the message is not signed")
    if reader.next_tag(data) != _SET:
        raise DecodingError("the message names no digests")
    algorithms = [tlv(*each) for each in elements(content_of(_SET, reader.der(limit=4096)))]
    # 2 the content
    info = reader.head(_SEQUENCE)
    content_type = dotted(reader.raw(limit=64))
    if content_type not in content_types:
        raise DecodingError("the signed content is of a type that is not expected here")
    if reader.next_tag(info) != _EXPLICIT:
        raise DecodingError("the signature is detached: the content is missing")
    explicit = reader.head(_EXPLICIT)
    digests = ContentDigests(announced_digests(algorithms))
    for piece in reader.pieces(reader.head(_OCTETS, _OCTETS | 0x20)):
        digests.update(piece)
        sink.write(piece)
        if progress is not None:
            progress(len(piece))
    reader.finish(explicit, info)
    # 3 certificates, CRLs, signers
    found = parse_certificates(_raw_set(reader, data, _CERTIFICATES, MAX_CERTIFICATES))
    crls, ocsp_responses = parse_revocation_information(_raw_set(reader, data, _CRLS, MAX_CRLS))
    if reader.next_tag(data) != _SET:
        raise DecodingError("the message has no signers")
    infos = elements(content_of(_SET, reader.der()))
    if len(infos) > MAX_SIGNERS:
        raise DecodingError("the message has too many signers")
    reader.finish(data, wrapper, outer)
    reader.finish_file()
    # 4 judgement
    parts = SignedDataParts(
        content_type,
        None,
        found,
        crls,
        ocsp_responses,
        tuple(parse_signer_info(tag, content) for tag, content in infos),
    )
    return _judged(parts, digests, certificates, allow_weak=allow_weak)


def examine_detached_stream(
    content_info: bytes,
    source: Source,
    *,
    certificates: Iterable[x509.Certificate] = (),
    content_types: Collection[str] = (schema.DATA,),
    allow_weak: bool = False,
    progress: Progress | None = None,
) -> SignedContent:
    """Judge each signer of a file whose signature lies apart from it.

    Args:
        content_info: The signature, DER or BER.
        source: The content.
        certificates: Further ones of which a signer's may be one.
        content_types: Dotted OIDs of contents that the caller can use.
        allow_weak: Let SHA-1 and RSA keys of 1,024 to 2,047 bits hold.
        progress: Told of the content.

    Returns:
        The signers; the content is empty.

    Raises:
        DecodingError: If it is not a signature, holds a content of its own, or is over one of another type.
    """
    parts = load_signed_data(content_info)
    # Two contents, of which one is shown and the other verified, are an attack (CVE-2018-18509).
    if parts.content is not None:
        raise DecodingError("the signed content is there twice")
    if parts.content_type not in content_types:
        raise DecodingError("the signed content is of a type that is not expected here")
    found = (digest_for(info.digest_algorithm) for info in parts.signer_infos)
    digests = ContentDigests({digest for digest in found if digest is not None})
    for piece in pieces_of(source, progress):
        digests.update(piece)
    return _judged(parts, digests, certificates, allow_weak=allow_weak)


def _judged(
    parts: SignedDataParts, digests: ContentDigests, more: Iterable[x509.Certificate], *, allow_weak: bool
) -> SignedContent:
    further = (known for known in map(from_certificate, more) if known is not None)
    known = (*parts.certificates, *further)
    reports = examine_signers(parts.signer_infos, digests, parts.content_type, known, allow_weak=allow_weak)
    certificates = tuple(each.certificate for each in parts.certificates)
    return SignedContent(b"", parts.content_type, reports, certificates, parts.crls, parts.ocsp_responses)


def _raw_set(reader: PullReader, data: Head, tag: int, limit: int) -> list[bytes]:
    """Return the members of a set that may be there, as they stand: signatures cover them."""
    found: list[bytes] = []
    left = MAX_SET_BYTES
    if reader.next_tag(data) == tag:
        members = reader.head(tag)
        while reader.next_tag(members) is not None:
            if len(found) >= limit:
                raise DecodingError("the message brings too many certificates or revocation lists")
            found.append(reader.raw(limit=min(left, MAX_ELEMENT_BYTES)))
            left -= len(found[-1])
    return found

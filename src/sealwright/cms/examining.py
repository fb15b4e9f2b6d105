"""Every signature of a SignedData, with what others put over it: countersignatures and timestamps.

The content is given whole, or as digests that a streaming reader computed; both are judged in the same way.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cryptography import x509
from cryptography.hazmat import asn1

from sealwright.asn1.ber import tlv
from sealwright.asn1.der import content_of, elements
from sealwright.cms.digests import ContentDigests, Digest, digest_for, looks_like_attributes
from sealwright.cms.judging import SignedThing, judge
from sealwright.cms.known_certificates import KnownCertificate, known_certificate
from sealwright.cms.signer_info import SignerInfo, parse_signer_info
from sealwright.cms.signer_report import SignerReport
from sealwright.errors import DecodingError

MAX_SIGNERS = 16
"""Documents that circulate for signing have a few; each costs a verification."""
MAX_CERTIFICATES = 64
"""Three for each of twenty signers."""
MAX_CRLS = 64
"""One for each issuer."""
MAX_UNSIGNED_ATTRIBUTES = 64
MAX_COUNTERSIGNATURES = 8
"""Values, all attributes of a signer together."""
MAX_COUNTERSIGNATURE_DEPTH = 2
"""A countersignature may itself be countersigned (RFC 5652 section 11.4); more is kept unread."""
_COUNTERSIGNATURE = asn1.encode_der(x509.ObjectIdentifier("1.2.840.113549.1.9.6"))
_OCSP_RESPONSE = asn1.encode_der(x509.ObjectIdentifier("1.3.6.1.5.5.7.16.2"))


@dataclass(frozen=True, slots=True)
class Judge:
    """What the judgement of one message hangs on, beside the signature itself.

    Attributes:
        certificates: Where signers are looked for.
        allow_weak: Let SHA-1 and RSA keys of 1,024 to 2,047 bits hold.
    """

    certificates: tuple[KnownCertificate, ...]
    allow_weak: bool


def announced_digests(digest_algorithms: Iterable[bytes]) -> list[Digest]:
    """Return the digests of SignedData.digestAlgorithms that are read here, each once.

    Args:
        digest_algorithms: DER AlgorithmIdentifiers.
    """
    found = (digest_for(identifier) for identifier in digest_algorithms)
    return list(dict.fromkeys(digest for digest in found if digest is not None))


def parse_certificates(choices: Sequence[bytes]) -> tuple[KnownCertificate, ...]:
    """Read CertificateSet; attribute certificates and what cannot be read are left out.

    Args:
        choices: DER of each CertificateChoices.

    Raises:
        DecodingError: If there are too many.
    """
    if len(choices) > MAX_CERTIFICATES:
        raise DecodingError("the message brings too many certificates")
    found = (known_certificate(choice) for choice in choices if choice[:1] == b"\x30")
    return tuple(known for known in found if known is not None)


def parse_revocation_information(choices: Sequence[bytes]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Split RevocationInfoChoices into DER CertificateLists and DER OCSPResponses (RFC 5940 section 2.1), unread.

    Raises:
        DecodingError: If there are too many.
    """
    if len(choices) > MAX_CRLS:
        raise DecodingError("the message brings too many revocation lists")
    crls = tuple(choice for choice in choices if choice[:1] == b"\x30")
    responses = []
    for choice in choices:
        if choice[:1] == b"\xa1":
            other = elements(content_of(0xA1, choice))
            if len(other) == 2 and tlv(*other[0]) == _OCSP_RESPONSE:
                responses.append(tlv(*other[1]))
    return crls, tuple(responses)


def examine_signers(
    signer_infos: Sequence[SignerInfo],
    content: bytes | ContentDigests,
    content_type: bytes,
    certificates: Sequence[KnownCertificate],
    *,
    allow_weak: bool = False,
) -> tuple[SignerReport, ...]:
    """Judge every signature over a content, and what lies over each signature.

    Args:
        signer_infos: Of the SignedData.
        content: What was signed; or its digests, all of it taken.
        content_type: DER OBJECT IDENTIFIER.
        certificates: Where the signers' certificates may be.
        allow_weak: Let SHA-1 and RSA keys of 1,024 to 2,047 bits hold.

    Raises:
        DecodingError: If there are too many signers, or an unsigned attribute is malformed.
    """
    if len(signer_infos) > MAX_SIGNERS:
        raise DecodingError("the message has too many signers")
    return tuple(
        _examine(info, content, content_type, Judge(tuple(certificates), allow_weak), depth=0) for info in signer_infos
    )


def _examine(
    info: SignerInfo, content: bytes | ContentDigests, content_type: bytes | None, judge_by: Judge, depth: int
) -> SignerReport:
    digest = digest_for(info.digest_algorithm)
    if isinstance(content, bytes):
        wanted = digest is not None and info.signed_attributes is not None
        thing = SignedThing(
            content_type,
            digest.of(content) if digest is not None and wanted else None,
            content,
            looks_like_attributes(content[:16], len(content)),
        )
    else:
        computed = content.digest(digest) if digest is not None else None
        thing = SignedThing(content_type, computed, None, content.looks_like_attributes)
    report = judge(info, thing, judge_by.certificates, allow_weak=judge_by.allow_weak)
    if not info.unsigned_attributes:
        return report
    values = _unsigned_values(info.unsigned_attributes)
    countersignatures = values.get(_COUNTERSIGNATURE, [])
    if len(countersignatures) > MAX_COUNTERSIGNATURES:
        raise DecodingError("a signature has too many countersignatures")
    return replace(
        report,
        countersignatures=tuple(
            # RFC 5652 section 11.4: what is signed are the contents octets of the signature value
            _examine(parse_signer_info(elements(content_of(0x30, value))), info.signature, None, judge_by, depth + 1)
            for value in (countersignatures if depth < MAX_COUNTERSIGNATURE_DEPTH else [])
        ),
    )


def _unsigned_values(content: bytes) -> dict[bytes, list[bytes]]:
    """Return the values of each type of unsigned attribute; a type may come again (RFC 5652 section 11.4)."""
    attributes = elements(content)
    if len(attributes) > MAX_UNSIGNED_ATTRIBUTES:
        raise DecodingError("a signature has too many unsigned attributes")
    found: dict[bytes, list[bytes]] = {}
    for tag, attribute in attributes:
        fields = elements(attribute)
        if tag != 0x30 or len(fields) != 2 or fields[0][0] != 0x06 or fields[1][0] != 0x31:
            raise DecodingError("an unsigned attribute is malformed")
        found.setdefault(tlv(*fields[0]), []).extend(tlv(*value) for value in elements(fields[1][1]))
    return found

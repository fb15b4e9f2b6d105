"""Every signature of a SignedData, with what others put over it: countersignatures and timestamps.

The content is given whole, or as digests that a streaming reader computed; both are judged in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sealwright.asn1.der import content_of, object_identifier
from sealwright.cms.digests import ContentDigests
from sealwright.cms.judging import judge, signed_thing
from sealwright.cms.known_certificates import KnownCertificate
from sealwright.cms.signer_info import SignerInfo, parse_signer_info
from sealwright.cms.signer_report import SignerReport
from sealwright.cms.timestamp import examine_timestamp
from sealwright.cms.unsigned_attributes import COUNTERSIGNATURE, TIMESTAMP_TOKEN, parse_unsigned_attributes
from sealwright.errors import DecodingError

MAX_SIGNATURES = 64
"""Signers, countersignatures and timestamps of a message together; each costs a verification, or a few."""
MAX_COUNTERSIGNATURE_DEPTH = 2
"""A countersignature may itself be countersigned (RFC 5652 section 11.4); more is kept unread."""


@dataclass(slots=True)
class _Examination:
    """What holds for all signatures of a message, and how many were judged."""

    certificates: Sequence[KnownCertificate]
    allow_weak: bool
    judged: int = 0

    def count(self, signatures: int) -> None:
        """Take signatures into account before they are judged."""
        self.judged += signatures
        if self.judged > MAX_SIGNATURES:
            raise DecodingError("the message has too many signatures, countersignatures and timestamps")


def examine_signers(
    signer_infos: Sequence[SignerInfo],
    content: bytes | ContentDigests,
    content_type: str,
    certificates: Sequence[KnownCertificate],
    *,
    allow_weak: bool = False,
) -> tuple[SignerReport, ...]:
    """Judge every signature over a content, and what lies over each signature.

    Args:
        signer_infos: Of the SignedData.
        content: What was signed; or its digests, all of it taken.
        content_type: Dotted OID.
        certificates: Where the signers' certificates may be.
        allow_weak: Let SHA-1 and RSA keys of 1,024 to 2,047 bits hold.

    Raises:
        DecodingError: If an unsigned attribute is malformed, or there are too many.
    """
    examination = _Examination(certificates, allow_weak)
    examination.count(len(signer_infos))
    type_der = object_identifier(content_type)
    return tuple(_examine(info, content, type_der, examination, depth=0) for info in signer_infos)


def _examine(
    info: SignerInfo,
    content: bytes | ContentDigests,
    content_type: bytes | None,
    examination: _Examination,
    *,
    depth: int,
) -> SignerReport:
    certificates, allow_weak = examination.certificates, examination.allow_weak
    report = judge(info, signed_thing(info, content, content_type), certificates, allow_weak=allow_weak)
    if not info.unsigned_attributes:
        return report
    values = parse_unsigned_attributes(info.unsigned_attributes)
    countersignatures, tokens = values.get(COUNTERSIGNATURE, []), values.get(TIMESTAMP_TOKEN, [])
    if depth >= MAX_COUNTERSIGNATURE_DEPTH:
        return report
    examination.count(len(countersignatures) + len(tokens))
    over = [parse_signer_info(0x30, content_of(0x30, value)) for value in countersignatures]
    return replace(
        report,
        countersignatures=tuple(
            # RFC 5652 section 11.4: what is signed are the contents octets of the signature value
            _examine(each, info.signature, None, examination, depth=depth + 1)
            for each in over
        ),
        timestamps=tuple(
            examine_timestamp(token, info.signature, certificates, allow_weak=allow_weak) for token in tokens
        ),
    )

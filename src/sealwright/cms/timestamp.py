"""Timestamps (RFC 3161, RFC 5816): asked for, read, and judged against what they are over.

A token is a SignedData of the authority over TSTInfo. That its certificate may make timestamps (sole, critical EKU
id-kp-timeStamping) and is to be trusted is judged in `pkix.path`; the certificate and the time are in the report.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat import asn1

from sealwright.asn1.der import content_of, elements, object_identifier
from sealwright.asn1.writer import tlv
from sealwright.cms.digests import SHA1, SHA256, Digest, digest_for
from sealwright.cms.judging import judge, signed_thing
from sealwright.cms.known_certificates import KnownCertificate, from_certificate
from sealwright.cms.signed_attributes import parse_signed_attributes, parse_time
from sealwright.cms.signed_data import SignedDataParts, load_signed_data
from sealwright.cms.signer_report import SignerReport, TimestampProblem, TimestampReport
from sealwright.errors import DecodingError, InvalidSignatureError

TST_INFO = "1.2.840.113549.1.9.16.1.4"
MAX_RESPONSE_BYTES = 256 * 1024
"""A token with its chain has 3 to 10 kB, with ML-DSA three times that."""
_GRANTED = (0, 1)
"""granted and grantedWithMods; every other status comes without a token (RFC 3161 section 2.4.2)."""
_TRUE = b"\x01\x01\xff"


@dataclass(frozen=True, slots=True)
class TSTInfo:
    """TSTInfo (RFC 3161 section 2.4.2).

    Attributes:
        policy: Dotted OID.
        digest: Of the message imprint; None if it is not read here.
        hashed_message: The imprint.
        serial_number: Of the token.
        gen_time: Aware UTC.
        nonce: As in the request, or None.
        has_critical_extension: None is known, so the token cannot be understood.
    """

    policy: str
    digest: Digest | None
    hashed_message: bytes
    serial_number: int
    gen_time: datetime
    nonce: int | None
    has_critical_extension: bool


@dataclass(frozen=True, slots=True)
class TimestampResponse:
    """What an authority answered.

    Attributes:
        status: PKIStatus; 0 and 1 are yes.
        token: DER TimeStampToken; None if it was refused.
    """

    status: int
    token: bytes | None


def timestamp_request(message: bytes, *, nonce: int, digest: Digest = SHA256, policy: str | None = None) -> bytes:
    """Return a TimeStampReq (RFC 3161 section 2.4.1) that asks for the authority's certificate, too.

    Args:
        message: What is to be stamped: the signature value of a SignerInfo.
        nonce: Random, at least 64 bits.
        digest: Of the imprint.
        policy: Dotted OID that the authority shall follow, or None for its own choice.
    """
    return tlv(
        0x30,
        b"\x02\x01\x01",
        tlv(0x30, digest.identifier_der, tlv(0x04, digest.of(message))),
        object_identifier(policy) if policy is not None else b"",
        asn1.encode_der(nonce),
        _TRUE,
    )


def parse_timestamp_response(response: bytes) -> TimestampResponse:
    """Read a TimeStampResp (RFC 3161 section 2.4.2); the token is not judged.

    Raises:
        DecodingError: If it is malformed, or grants without a token.
    """
    if len(response) > MAX_RESPONSE_BYTES:
        raise DecodingError("the timestamp is too large")
    fields = elements(content_of(0x30, response))
    status = elements(fields[0][1]) if fields and fields[0][0] == 0x30 else []
    if not status or status[0][0] != 0x02 or len(fields) > 2:
        raise DecodingError("not a TimeStampResp")
    number = int.from_bytes(status[0][1], "big", signed=True)
    is_granted = number in _GRANTED
    # RFC 3161 section 2.4.2: the token MUST be there with these two, and MUST NOT with the others
    if is_granted is not (len(fields) == 2):
        raise DecodingError("the answer of the timestamp authority contradicts itself")
    return TimestampResponse(number, tlv(*fields[1]) if is_granted else None)


def verify_timestamp(
    token: bytes,
    message: bytes,
    *,
    nonce: int | None = None,
    policy: str | None = None,
    certificates: Sequence[x509.Certificate] = (),
) -> TimestampReport:
    """Verify that a token is over a message, and is the one that was asked for.

    Args:
        token: DER or BER TimeStampToken.
        message: What was stamped.
        nonce: Of the request, if there was one.
        policy: Of the request, if it named one.
        certificates: Where the authority's may be, besides the token.

    Raises:
        InvalidSignatureError: If it is malformed, does not hold, or answers another request.
    """
    known = [each for each in map(from_certificate, certificates) if each is not None]
    report = examine_timestamp(token, message, known)
    if not report.is_intact:
        raise InvalidSignatureError(report.reason)
    if nonce is not None and report.nonce != nonce:
        raise InvalidSignatureError("the timestamp answers another request")
    if policy is not None and report.policy != policy:
        raise InvalidSignatureError("the timestamp was made under another policy")
    return report


def examine_timestamp(
    token: bytes, message: bytes, certificates: Sequence[KnownCertificate], *, allow_weak: bool = False
) -> TimestampReport:
    """Judge a token; nothing is raised for a bad one.

    Args:
        token: DER or BER TimeStampToken.
        message: What it is to be over.
        certificates: Where the authority's may be, besides the token.
        allow_weak: Let SHA-1 and RSA keys of 1,024 to 2,047 bits hold.
    """
    try:
        parts, content = _load_token(token)
        info = parse_tst_info(content)
    except DecodingError as error:
        return TimestampReport(is_intact=False, problem="malformed", reason=error.message, token=token)
    (signer_info,) = parts.signer_infos
    thing = signed_thing(signer_info, content, object_identifier(TST_INFO))
    signer = judge(signer_info, thing, (*parts.certificates, *certificates), allow_weak=allow_weak)
    problem, reason = _problem(info, parts, signer, message, allow_weak=allow_weak)
    return TimestampReport(
        is_intact=not problem,
        problem=problem,
        reason=reason,
        token=token,
        gen_time=info.gen_time,
        policy=info.policy,
        serial_number=info.serial_number,
        nonce=info.nonce,
        digest=info.digest.name if info.digest is not None else "",
        signer=signer,
        certificates=tuple(known.certificate for known in parts.certificates),
        crls=parts.crls,
    )


def _load_token(token: bytes) -> tuple[SignedDataParts, bytes]:
    """Return the SignedData of a token, which MUST have one signature (RFC 3161 section 2.4.2), and its content."""
    parts = load_signed_data(token)
    if parts.content is None or parts.content_type != TST_INFO or len(parts.signer_infos) != 1:
        raise DecodingError("not a TimeStampToken")
    return parts, parts.content


def _problem(
    info: TSTInfo, parts: SignedDataParts, signer: SignerReport, message: bytes, *, allow_weak: bool
) -> tuple[TimestampProblem, str]:
    if not signer.is_intact:
        return "signature", signer.reason
    attributes = parse_signed_attributes(parts.signer_infos[0].signed_attributes or b"")
    # RFC 3161 section 2.4.2: the certificate identifier of the authority MUST be a signed attribute
    if not attributes.signing_certificates:
        return "signature", "the timestamp does not name its authority's certificate"
    if info.has_critical_extension:
        return "unsupported", "the timestamp has an extension that is not known"
    if info.digest is None or (info.digest is SHA1 and not allow_weak):
        return "unsupported", "the timestamp's digest is not safe or not known"
    if info.digest.of(message) != info.hashed_message:
        return "imprint", "the timestamp is over something else"
    return "", ""


def parse_tst_info(content: bytes) -> TSTInfo:
    """Read TSTInfo.

    Raises:
        DecodingError: If it is malformed.
    """
    fields = elements(content_of(0x30, content))
    required, optional = fields[:5], dict(fields[5:])
    order = [tag for tag in (0x30, 0x01, 0x02, 0xA0, 0xA1) if tag in optional]
    if [tag for tag, _ in required] != [0x02, 0x06, 0x30, 0x02, 0x18] or [tag for tag, _ in fields[5:]] != order:
        raise DecodingError("a TSTInfo is malformed")
    imprint = elements(required[2][1])
    if required[0][1] != b"\x01" or [tag for tag, _ in imprint] != [0x30, 0x04]:
        raise DecodingError("a TSTInfo is malformed or of an unknown version")
    try:
        policy: x509.ObjectIdentifier = asn1.decode_der(x509.ObjectIdentifier, tlv(*required[1]))
    except ValueError as error:
        raise DecodingError("a TSTInfo names no policy") from error
    extensions = elements(optional[0xA1]) if 0xA1 in optional else []
    return TSTInfo(
        policy.dotted_string,
        digest_for(tlv(*imprint[0])),
        imprint[1][1],
        int.from_bytes(required[3][1], "big", signed=True),
        parse_time(*required[4]),
        int.from_bytes(optional[0x02], "big", signed=True) if 0x02 in optional else None,
        any((0x01, b"\xff") in elements(each) for _, each in extensions),
    )

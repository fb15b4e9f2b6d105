"""The daily report for auditors: what was done on a day, by its place in the log, as one folder of signed files.

`SHA256SUMS` names every other file with its digest, as sha256sum writes it; `SHA256SUMS.sig` is the raw Ed25519 signature over
that file by the report key of the domain statement, which signs nothing else.
"""

import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from msgspec import Struct

from sealwright.errors import DecodingError, InvalidSignatureError, LogVerificationError, VerificationError
from sealwright.tlog.checkpoint import open_note
from sealwright.tlog.tree import verify_consistency
from sealwright.wire.encoding import AwareDatetime, decode_json, sha256

SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
REPORT_JSON, REPORT_CSV, REPORT_PDF = "report.json", "report.csv", "report.pdf"
REPORT_FILES = (REPORT_CSV, REPORT_JSON, REPORT_PDF)
ROUTINE = ("certificate.", "key.create", "key.certify", "person.create", "issuer.create")
"""Kinds of acts, or how they begin, that are counted and not listed."""
MAX_REPORT_BYTES = 512 * 1024 * 1024
_SUM = re.compile(r"([0-9a-f]{64})  ([A-Za-z.]{1,40})")


class ReportedAct(Struct, frozen=True, kw_only=True):
    """An act that is listed.

    Attributes:
        index: Of its leaf.
        time: Of its record.
        kind: `subject.action`.
        chain: A mailbox's id, or the organization's chain.
        fields: What else the record says.
    """

    index: int
    time: AwareDatetime
    kind: str
    chain: str
    fields: dict[str, str]


class LogPoint(Struct, frozen=True, kw_only=True):
    """The log at a time: number of leaves, and the root over them."""

    size: int
    root: bytes


class DailyReport(Struct, frozen=True, kw_only=True):
    """What is in `report.json`.

    Attributes:
        version: 1.
        organization_id: 32 hex digits.
        organization_name: For people.
        day: ISO 8601, UTC.
        start: The log when the day began; a day's leaves are those from here to `end`, so days leave no leaf out.
        end: The log when it ended.
        proof: That the end continues the start (RFC 9162 section 2.1.4); empty where one of them is of no leaves.
        checkpoint: Signed note of the log, at or after the end.
        checkpoint_proof: That it continues the end.
        counts: Acts of the day by kind.
        acts: Those of them that are no routine, in the log's order.
    """

    version: int
    organization_id: str
    organization_name: str
    day: str
    start: LogPoint
    end: LogPoint
    proof: tuple[bytes, ...]
    checkpoint: str
    checkpoint_proof: tuple[bytes, ...]
    counts: dict[str, int]
    acts: tuple[ReportedAct, ...]


def encode_sums(files: dict[str, bytes]) -> bytes:
    """Return the content of `SHA256SUMS`."""
    return "".join(f"{sha256(content).hex()}  {name}\n" for name, content in sorted(files.items())).encode("ascii")


def verify_report(
    files: dict[str, bytes], report_key: bytes, organization_id: str, log_origin: str, log_key: bytes
) -> DailyReport:
    """Verify the files of a report and return what it says.

    Args:
        files: Name -> content: `REPORT_FILES`, `SUMS` and `SIGNATURE`.
        report_key: Raw Ed25519, from the domain statement.
        organization_id: Whose report is expected.
        log_origin: From the domain statement.
        log_key: Raw Ed25519, from the domain statement.

    Raises:
        InvalidSignatureError: If the sums are not signed by the report key.
        VerificationError: If a file is missing or not the one that was signed.
        LogVerificationError: If what it says of the log is not what the log signed.
        DecodingError: If it cannot be read.
    """
    # 1 The signature, then the files.
    missing = sorted({*REPORT_FILES, SUMS, SIGNATURE} - set(files))
    if missing:
        raise VerificationError(f"the report lacks {', '.join(missing)}")
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(report_key).verify(files[SIGNATURE], files[SUMS])
    except (InvalidSignature, ValueError) as error:
        raise InvalidSignatureError("the report is not signed by the organization's report key") from error
    sums = decode_sums(files[SUMS])
    for name in REPORT_FILES:
        if sums.get(name) != sha256(files[name]):
            raise VerificationError(f"{name} is not the one that was signed")
    # 2 What it says of the log.
    report = decode_json(files[REPORT_JSON], DailyReport)
    if report.version != 1 or report.organization_id != organization_id:
        raise VerificationError("the report is about another organization")
    point = open_note(report.checkpoint, log_origin, log_key)
    start, end = report.start, report.end
    verify_consistency(start.size, end.size, report.proof, start.root, end.root)
    verify_consistency(end.size, point.size, report.checkpoint_proof, end.root, point.root)
    # 3 Every leaf of the day is counted, and those that are listed are in the day.
    indexes = [act.index for act in report.acts]
    within = all(start.size <= index < end.size for index in indexes)
    if sum(report.counts.values()) != end.size - start.size or not within or indexes != sorted(set(indexes)):
        raise LogVerificationError("the report does not count every leaf of its day")
    return report


def decode_sums(content: bytes) -> dict[str, bytes]:
    """Decode `SHA256SUMS`: name -> digest.

    Raises:
        DecodingError: If it is something else.
    """
    try:
        lines = content.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise DecodingError(f"{SUMS} cannot be read") from error
    found = [_SUM.fullmatch(line) for line in lines]
    if len(lines) > len(REPORT_FILES) or any(match is None for match in found):
        raise DecodingError(f"{SUMS} cannot be read")
    return {match[2]: bytes.fromhex(match[1]) for match in found if match is not None}


def is_routine(kind: str) -> bool:
    """Tell whether acts of a kind are counted and not listed."""
    return kind.startswith(ROUTINE)

"""Daily reports in a folder: written as they came, and verified."""

from pathlib import Path

from sealwright.errors import NotFoundError
from sealwright.files import replace_file
from sealwright.wire.report import MAX_REPORT_BYTES, REPORT_FILES, SIGNATURE, SUMS, DailyReport, verify_report
from sealwright.wire.statement import DomainStatement


def keep_report(files: dict[str, bytes], folder: Path) -> None:
    """Write the files of a report into a folder of this user's own; names that are not a report's are left out."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (*REPORT_FILES, SUMS, SIGNATURE):
        if name in files:
            replace_file(folder / name, files[name])


def check_report(files: dict[str, bytes], statement: DomainStatement) -> DailyReport:
    """Verify a report against the keys of the domain statement.

    Raises:
        VerificationError: If it is not signed, was changed, or is not what the log signed.
        DecodingError: If it cannot be read.
    """
    return verify_report(
        files, statement.report_key, statement.organization_id, statement.log_origin, statement.log_key
    )


def read_report(folder: Path) -> dict[str, bytes]:
    """Read the files of a report.

    Raises:
        NotFoundError: If the folder holds none, or a file that is no report's size.
    """
    paths = [folder / name for name in (*REPORT_FILES, SUMS, SIGNATURE)]
    if not all(path.is_file() and path.stat().st_size <= MAX_REPORT_BYTES for path in paths):
        raise NotFoundError(f"{folder} holds no daily report")
    return {path.name: path.read_bytes() for path in paths}

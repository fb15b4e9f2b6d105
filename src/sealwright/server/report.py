"""The daily report as files: JSON, CSV, PDF, their digests, and the signature over these."""

import csv
import io
from datetime import date
from pathlib import Path

import msgspec

from sealwright.audit.report import DailyReports
from sealwright.files import replace_file
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.protocol import ServiceKeystore
from sealwright.wire.report import (
    REPORT_CSV,
    REPORT_JSON,
    REPORT_PDF,
    SIGNATURE,
    SUMS,
    DailyReport,
    ReportedAct,
    encode_sums,
)

REPORT_PURPOSE = "report"
MAX_PDF_ACTS = 5000
"""The PDF is for people; the other two list every act."""
_LINES, _COLUMNS, _PAGE, _MARGIN, _FONT, _LEADING = 62, 108, (595, 842), 45, 8, 12
"""A4 in points, Courier: 0.6 of its size wide."""


class ReportWriter:
    """Makes, signs and keeps reports. Safe from any thread.

    Args:
        reports: Reads the log.
        keystore: Signs.
        key: The report key.
        folder: Gets a folder for each day.
    """

    def __init__(self, reports: DailyReports, keystore: ServiceKeystore, key: SealedRecord, folder: Path) -> None:
        self._reports, self._keystore, self._key, self._folder = reports, keystore, key, folder

    def files(self, day: date) -> dict[str, bytes]:
        """Return the files of a day's report by name.

        Raises:
            ConflictError: If the day is not over yet.
        """
        report = self._reports.report(day)
        files = {
            REPORT_JSON: msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n",
            REPORT_CSV: report_csv(report),
            REPORT_PDF: report_pdf(report),
        }
        sums = encode_sums(files)
        return {**files, SUMS: sums, SIGNATURE: self._keystore.sign(self._key, "ed25519", sums)}

    def write_newest(self) -> None:
        """Write the report of the newest day that is over, unless it is there (job)."""
        day = self._reports.newest_day()
        target = self._folder / day.isoformat()
        if (target / SIGNATURE).exists():
            return
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in self.files(day).items():  # the signature comes last
            replace_file(target / name, content)


def report_csv(report: DailyReport) -> bytes:
    """Return the acts as CSV, one a line; the counts are in the other files."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(("leaf", "time", "kind", "chain", "fields"))
    for act in report.acts:
        writer.writerow((act.index, f"{act.time:%Y-%m-%dT%H:%M:%SZ}", act.kind, act.chain, _fields(act)))
    return text.getvalue().encode("ascii", "backslashreplace")


def report_pdf(report: DailyReport) -> bytes:
    """Return the report as pages of plain text."""
    import pydyf  # noqa: PLC0415 - 13 ms, once a day

    document = pydyf.PDF()
    font = pydyf.Dictionary(
        {"Type": "/Font", "Subtype": "/Type1", "BaseFont": "/Courier", "Encoding": "/WinAnsiEncoding"}
    )
    document.add_object(font)
    lines = _lines(report)
    pages = [lines[start : start + _LINES] for start in range(0, len(lines), _LINES)]
    for number, page in enumerate(pages, 1):
        stream = pydyf.Stream(compress=True)
        stream.begin_text()
        stream.set_font_size("F1", _FONT)
        stream.set_text_matrix(1, 0, 0, 1, _MARGIN, _PAGE[1] - _MARGIN)
        for line in (*page, *[""] * (_LINES - len(page)), "", f"{report.day}, page {number} of {len(pages)}"):
            stream.show_text_string(line.encode("cp1252", "replace"))
            stream.move_text_to(0, -_LEADING)
        stream.end_text()
        document.add_object(stream)
        document.add_page(
            pydyf.Dictionary(
                {
                    "Type": "/Page",
                    "Parent": document.pages.reference,
                    "Contents": stream.reference,
                    "MediaBox": pydyf.Array([0, 0, *_PAGE]),
                    "Resources": pydyf.Dictionary({"Font": pydyf.Dictionary({"F1": font.reference})}),
                }
            )
        )
    written = io.BytesIO()
    document.write(written, compress=True)
    return written.getvalue()


def _lines(report: DailyReport) -> list[str]:
    lines = [
        f"Daily report of {report.organization_name}",
        f"Day {report.day} (UTC), organization {report.organization_id}",
        "",
        f"The log began the day with {report.start.size} leaves and ended it with {report.end.size}.",
        f"  root at the start {report.start.root.hex()}",
        f"  root at the end   {report.end.root.hex()}",
        "",
        "Acts by kind",
        *(f"  {count:>9}  {kind}" for kind, count in report.counts.items()),
        "",
        f"Acts that are no routine: {len(report.acts)}",
    ]
    for act in report.acts[:MAX_PDF_ACTS]:
        lines.append(f"  leaf {act.index}  {act.time:%H:%M:%S}  {act.kind}  {act.chain}")
        lines.append(f"      {_fields(act)}")
    if len(report.acts) > MAX_PDF_ACTS:
        lines.append(f"  and {len(report.acts) - MAX_PDF_ACTS} more: see {REPORT_CSV}")
    return [part for line in lines for part in _wrapped(line)]


def _wrapped(line: str) -> list[str]:
    return [line[start : start + _COLUMNS] for start in range(0, len(line), _COLUMNS)] or [""]


def _fields(act: ReportedAct) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(act.fields.items()))

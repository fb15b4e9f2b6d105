"""`sealwright log report` and `log verify-report`."""

from datetime import datetime
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealwright.cli.client_options import ClientOptions, client_options
from sealwright.cli.log_audit import DATA
from sealwright.cli.operator_options import ask
from sealwright.cli.output import one_line, print_json
from sealwright.client.report import check_report, keep_report, read_report
from sealwright.files import replace_file
from sealwright.wire.api import ReportAnswer
from sealwright.wire.report import DailyReport

FOLDER = click.Path(path_type=Path, file_okay=False)
KEY_FILE = "report-key.pem"


@click.command("report")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Day in UTC, such as 2026-11-24.")
@click.option("-o", "--output", type=FOLDER, required=True, help="Folder.")
@DATA
@client_options
def report_command(options: ClientOptions, day: datetime, output: Path, data: Path | None) -> None:
    """Write the signed report of a day: CSV, JSON, PDF, their digests and the signature.

    It needs the role auditor, security officer or administrator, or --data. The server writes yesterday's by itself, into the
    folder `reports` of its data folder.
    """
    path = f"log/report?day={day:%Y-%m-%d}"
    if data is not None:
        keep_report(ask(data, "GET", f"/local/{path}", None, ReportAnswer).files, output)
        click.echo(f"{output} written; an auditor checks it with `sealwright log verify-report {output}`.")
        return
    with options.open("or give --data") as context:
        files = context.session.get(f"/v1/{path}", ReportAnswer).files
        report = check_report(files, context.statement)
        keep_report(files, output)
        _keep_key(context.statement.report_key, output)
    _show(report, as_json=options.as_json)


@click.command("verify-report")
@click.argument("folder", type=FOLDER)
@client_options
def verify_report_command(options: ClientOptions, folder: Path) -> None:
    """Check a daily report: signature, files, and that it counts every leaf that the log has of its day.

    It writes the key that it was checked with into the folder, for openssl.
    """
    with options.open() as context:
        report = check_report(read_report(folder), context.statement)
        _keep_key(context.statement.report_key, folder)
    _show(report, as_json=options.as_json)


def _keep_key(report_key: bytes, folder: Path) -> None:
    key = ed25519.Ed25519PublicKey.from_public_bytes(report_key)
    replace_file(folder / KEY_FILE, key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _show(report: DailyReport, *, as_json: bool) -> None:
    if as_json:
        print_json({"day": report.day, "start": report.start.size, "end": report.end.size, "counts": report.counts})
        return
    click.echo(
        f"{one_line(report.organization_name)}, {report.day} UTC: leaves {report.start.size} to {report.end.size}."
    )
    for kind, count in sorted(report.counts.items()):
        click.echo(f"  {count:>9}  {one_line(kind)}")

"""`sealwright timestamp`: a timestamp of an authority on the signature of a file; without a device."""

from pathlib import Path

import click

from sealwright.cli.client_options import EXISTING_FILE, OUTPUT_FILE
from sealwright.cli.output import one_line, print_json
from sealwright.client.key_files import read_file
from sealwright.client.timestamps import timestamp_signatures
from sealwright.cms.enveloped import MAX_MESSAGE_BYTES
from sealwright.cms.signer_report import TimestampReport
from sealwright.files import replace_file
from sealwright.net.http import HttpClient


@click.command("timestamp")
@click.argument("file", type=EXISTING_FILE)
@click.option("-o", "--output", type=OUTPUT_FILE, required=True, help="File to write.")
@click.option("--authority", required=True, help="URL of the timestamp authority (RFC 3161), http or https.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def timestamp(file: Path, output: Path, authority: str, as_json: bool) -> None:
    """Put a timestamp on every signature in FILE, as `sign` writes it; the authority learns nothing of the content.

    The timestamp is verified: it is over this signature and by the certificate it names. Whether that certificate is to be
    trusted is for those who read it.
    """
    stamped, reports = timestamp_signatures(HttpClient(allow_plain=True), authority, read_file(file, MAX_MESSAGE_BYTES))
    replace_file(output, stamped)
    said = [_described(report) for report in reports]
    if as_json:
        print_json({"output": str(output), "timestamps": said})
        return
    for each in said:
        click.echo(one_line(f"stamped {each['gen_time']} by {each['authority']}"))


def _described(report: TimestampReport) -> dict[str, str]:
    assert report.gen_time is not None
    assert report.signer is not None
    assert report.signer.certificate is not None
    return {
        "gen_time": report.gen_time.isoformat(),
        "authority": report.signer.certificate.subject.rfc4514_string(),
        "policy": report.policy,
        "serial_number": f"{report.serial_number:x}",
    }

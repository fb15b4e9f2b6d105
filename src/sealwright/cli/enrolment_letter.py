"""`sealwright people enrolment-secret`: a secret that lets one device in, as a letter to be handed over outside mail."""

import os
from html import escape
from pathlib import Path

import click

from sealwright.cli.operator_options import DATA, JSON, ask
from sealwright.cli.output import print_json
from sealwright.errors import ConflictError
from sealwright.webui.letter import Letter, letter
from sealwright.wire.operator import EnrolmentSecret, EnrolmentSecretRequest

_STYLE = "body{font:12pt serif;margin:3cm}code{font:16pt monospace}svg{width:5cm;height:5cm}"


@click.command("enrolment-secret")
@click.argument("address")
@click.option("--days", type=click.IntRange(1, 30), default=7, show_default=True, help="How long it is valid.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Letter to write: .html or .txt.")
@DATA
@JSON
def enrolment_secret(address: str, days: int, output: Path | None, data: Path, as_json: bool) -> None:
    """Make a secret that lets one device of ADDRESS in: for the first device, a forgotten password, a lost last device.

    It replaces an earlier one, is valid once, and is not to be sent by mail. OUTPUT ending in .html is a page with a QR code.
    """
    made = ask(
        data, "POST", "/local/enrolment-secrets", EnrolmentSecretRequest(address=address, days=days), EnrolmentSecret
    )
    written = letter(made)
    if as_json:
        print_json(made)
    elif output is None:
        click.echo(written.text(), nl=False)
    if output is not None:
        _write_private(output, html_letter(written) if output.suffix.lower() in (".html", ".htm") else written.text())
        click.echo(f"{output} written; print it, hand it over, and delete the file.", err=True)


def html_letter(written: Letter) -> str:
    """Return the letter as a page of its own, without anything from elsewhere."""
    paragraphs = (
        escape(written.sender),
        escape(f"For {written.recipient}"),
        f"<code>{written.secret}</code>",
        written.qr_code(),
        escape(written.validity),
        escape(written.command),
        escape(written.warning),
    )
    body = "\n".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Enrolment secret</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _write_private(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConflictError(f"{path} exists and is not overwritten") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)

"""`sealwright people enrolment-secret`: a secret that lets one device in, as a letter to be handed over outside mail."""

import os
from html import escape
from pathlib import Path

import click
import segno

from sealwright.cli.operator_options import DATA, JSON, ask
from sealwright.cli.output import print_json
from sealwright.errors import ConflictError
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
    if as_json:
        print_json(made)
    elif output is None:
        click.echo(text_letter(made), nl=False)
    if output is not None:
        letter = html_letter(made) if output.suffix.lower() in (".html", ".htm") else text_letter(made)
        _write_private(output, letter)
        click.echo(f"{output} written; print it, hand it over, and delete the file.", err=True)


def grouped(secret: str) -> str:
    """Return a secret in groups of four, as people read and type it."""
    return "-".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def text_letter(made: EnrolmentSecret) -> str:
    """Return the letter as plain text."""
    return (
        f"{made.organization_name}\n\nFor {made.display_name or made.address} <{made.address}>\n\n"
        f"Enrolment secret:  {grouped(made.secret)}\n\n"
        f"Valid once, until {made.expires:%Y-%m-%d %H:%M} UTC. On the device that is to read your mail, run\n\n"
        f"    sealwright setup {made.address} --enrolment-secret-file FILE\n\n"
        "with the secret as the first line of FILE. Nobody will ever ask you for it, and it is never sent by mail.\n"
    )


def html_letter(made: EnrolmentSecret) -> str:
    """Return the letter as a page of its own, without anything from elsewhere; the QR code holds the secret alone."""
    code = segno.make(grouped(made.secret), error="m", micro=False)
    lines = [line for line in text_letter(made).splitlines() if line and not line.startswith("Enrolment secret")]
    paragraphs = [f"<p>{escape(line.strip())}</p>" for line in lines]
    paragraphs.insert(2, f"<p><code>{grouped(made.secret)}</code></p><p>{code.svg_inline(border=2)}</p>")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Enrolment secret</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(paragraphs) + "\n</body></html>\n"
    )


def _write_private(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConflictError(f"{path} exists and is not overwritten") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)

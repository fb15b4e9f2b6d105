"""`sealwright document`: files as CMS."""

from pathlib import Path

import click

from sealwright.cli.client_options import EXISTING_FILE, OUTPUT_FILE, ClientOptions, client_options
from sealwright.cli.output import one_line, print_json, print_warnings
from sealwright.client.atomic_file import write_atomically
from sealwright.client.documents import decrypt_document, encrypt_document, sign_document, verify_document

_FILE = click.argument("file", type=EXISTING_FILE)
_OUTPUT = click.option("-o", "--output", type=OUTPUT_FILE, required=True, help="File to write.")


@click.group("document")
def document() -> None:
    """Protect or open a file (CMS)."""


@document.command("encrypt")
@_FILE
@_OUTPUT
@click.option(
    "--to", "recipients", multiple=True, help="Address to encrypt to; again for more. You can always open it."
)
@client_options
def encrypt(options: ClientOptions, file: Path, output: Path, recipients: tuple[str, ...]) -> None:
    """Encrypt FILE to addresses and yourself."""
    with options.open() as context:
        _write(options, output, encrypt_document(context, file.read_bytes(), recipients))


@document.command("decrypt")
@_FILE
@_OUTPUT
@client_options
def decrypt(options: ClientOptions, file: Path, output: Path) -> None:
    """Decrypt FILE."""
    with options.open() as context:
        _write(options, output, decrypt_document(context, file.read_bytes()))


@document.command("sign")
@_FILE
@_OUTPUT
@click.option("--detached", is_flag=True, help="Write the signature alone.")
@client_options
def sign(options: ClientOptions, file: Path, output: Path, detached: bool) -> None:
    """Sign FILE with this device's key."""
    with options.open() as context:
        _write(options, output, sign_document(context, file.read_bytes(), detached=detached))


@document.command("verify")
@_FILE
@click.option("--content", type=EXISTING_FILE, help="The document of a detached signature.")
@click.option("-o", "--output", type=OUTPUT_FILE, help="Write the signed content here.")
@client_options
def verify(options: ClientOptions, file: Path, content: Path | None, output: Path | None) -> None:
    """Verify the signature in FILE; the exit code is 3 if it is not valid."""
    with options.open() as context:
        signed_content, view = verify_document(context, file.read_bytes(), content.read_bytes() if content else None)
    print_warnings(view.warnings)
    if output is not None:
        write_atomically(output, signed_content)
    if options.as_json:
        print_json(view)
    else:
        click.echo(one_line(f"signed by {', '.join(view.signer)} ({view.identity_level}), {view.signing_time}"))


def _write(options: ClientOptions, output: Path, content: bytes) -> None:
    write_atomically(output, content)
    if options.as_json:
        print_json({"output": str(output), "size_bytes": len(content)})

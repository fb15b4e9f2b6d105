"""`sealwright encrypt`, `decrypt`, `sign` and `verify`: files as CMS, with this device or with keys and trust from files."""

from pathlib import Path

import click

from sealwright.cli.client_options import EXISTING_FILE, OUTPUT_FILE, ClientOptions, client_options
from sealwright.cli.file_options import FileOptions, file_options
from sealwright.cli.output import one_line, print_json, print_warnings
from sealwright.client import documents
from sealwright.client.atomic_file import write_atomically
from sealwright.client.key_files import keys_in, read_file
from sealwright.client.read import trust_of
from sealwright.client.signing import ready_signer
from sealwright.cms.enveloped import MAX_MESSAGE_BYTES

_FILE = click.argument("file", type=EXISTING_FILE)
_OUTPUT = click.option("-o", "--output", type=OUTPUT_FILE, required=True, help="File to write.")


@click.command("encrypt")
@_FILE
@_OUTPUT
@click.option(
    "--to", "addresses", multiple=True, help="Address to encrypt to; again for more. You can always open it yourself."
)
@file_options("recipients")
@client_options
def encrypt(options: ClientOptions, file: Path, output: Path, addresses: tuple[str, ...], files: FileOptions) -> None:
    """Encrypt FILE to addresses and yourself; or, without a device, to the certificates that are given."""
    recipients = list(files.recipients())
    if addresses or not recipients:
        with options.open("or give --recipient-certificate") as context:
            recipients += documents.find_document_recipients(context, addresses)
    _write(options, output, documents.encrypt_document(_read(file), recipients))


@click.command("decrypt")
@_FILE
@_OUTPUT
@file_options("keys")
@client_options
def decrypt(options: ClientOptions, file: Path, output: Path, files: FileOptions) -> None:
    """Decrypt FILE with any key of this device, or with the keys that are given."""
    content_info = _read(file)
    if files.has_keys:
        content = documents.decrypt_document(content_info, keys_in(files.keys()))
    else:
        with options.open("or give --p12, or --key and --cert") as context:
            content = documents.decrypt_document(content_info, context.key_ring.find_keys)
    _write(options, output, content)


@click.command("sign")
@_FILE
@_OUTPUT
@click.option("--detached", is_flag=True, help="Write the signature alone.")
@file_options("keys")
@client_options
def sign(options: ClientOptions, file: Path, output: Path, detached: bool, files: FileOptions) -> None:
    """Sign FILE with this device's key, or with the keys that are given."""
    content = _read(file)
    if files.has_keys:
        signature = documents.sign_document(content, files.signers(), detached=detached, signing_time=files.moment())
    else:
        with options.open("or give --p12, or --key and --cert") as context:
            signers = [ready_signer(context)]
            now = context.clock.now()
            signature = documents.sign_document(content, signers, detached=detached, signing_time=now)
    _write(options, output, signature)


@click.command("verify")
@_FILE
@click.option("--content", type=EXISTING_FILE, help="The document of a detached signature.")
@click.option("-o", "--output", type=OUTPUT_FILE, help="Write the signed content here, if its signature is valid.")
@file_options("trust")
@client_options
def verify(options: ClientOptions, file: Path, content: Path | None, output: Path | None, files: FileOptions) -> None:
    """Verify the signature in FILE by what this device trusts, or by the roots that are given.

    The exit code is 3 if it is not valid, and nothing is written then.
    """
    detached = _read(content) if content is not None else None
    if files.trust_anchor:
        signed_content, view = documents.verify_document(_read(file), detached, files.trust())
    else:
        with options.open("or give --trust-anchor: without a root no signature is valid") as context:
            signed_content, view = documents.verify_document(_read(file), detached, trust_of(context))
    print_warnings(view.warnings)
    if output is not None:
        write_atomically(output, signed_content)
    if options.as_json:
        print_json(view)
    else:
        click.echo(one_line(f"signed by {', '.join(view.signer)} ({view.identity_level}), {view.signing_time}"))


def _read(file: Path) -> bytes:
    return read_file(file, MAX_MESSAGE_BYTES)


def _write(options: ClientOptions, output: Path, content: bytes) -> None:
    write_atomically(output, content)
    if options.as_json:
        print_json({"output": str(output), "size_bytes": len(content)})

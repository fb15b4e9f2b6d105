"""Files as CMS, with this device or with keys and trust from files: `sealwright encrypt`, `decrypt`, `sign`, `verify` ...."""

import sys
from contextlib import ExitStack
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import cast

import click

from sealwright.cli.client_options import ClientOptions, client_options
from sealwright.cli.file_options import FileOptions, file_options
from sealwright.cli.output import one_line, print_json, print_warnings, progress_bar
from sealwright.client import documents
from sealwright.client.document_files import InputFile, OutputFile
from sealwright.client.read import SignatureView
from sealwright.client.signing import ready_signer
from sealwright.client.trust import trust_of
from sealwright.cms.decryptors import FindKeys
from sealwright.cms.signers import Signer

_INPUT_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
_OUTPUT_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_FILE = click.argument("file", type=_INPUT_FILE)
_OUTPUT = click.option(
    "-o", "--output", type=_OUTPUT_FILE, required=True, help="File to write, or - for standard output."
)
_STANDARD = Path("-")


@click.command("encrypt")
@_FILE
@_OUTPUT
@click.option(
    "--to", "addresses", multiple=True, help="Address to encrypt to; again for more. You can always open it yourself."
)
@click.option(
    "--sign", "is_signed", is_flag=True, help="Sign it first, with this device's key or the one that is given."
)
@file_options("recipients", "keys")
@client_options
def encrypt(
    options: ClientOptions, file: Path, output: Path, addresses: tuple[str, ...], files: FileOptions, *, is_signed: bool
) -> None:
    """Encrypt FILE (- is standard input) to addresses and yourself; or, without a device, to the certificates that are given."""
    _check_output(options, output)
    if files.has_keys and not is_signed:
        raise click.UsageError("a private key is of use with --sign only")
    recipients = list(files.recipients())
    signers: list[Signer] = list(files.signers()) if files.has_keys else []
    now = files.moment()
    with ExitStack() as stack:
        if addresses or not recipients or (is_signed and not signers):
            context = stack.enter_context(
                options.open("or give --recipient-certificate, and to sign --p12, or --key and --cert")
            )
            if addresses or not recipients:
                recipients += documents.find_document_recipients(context, addresses)
            if is_signed and not signers:
                signers, now = [ready_signer(context)], context.clock.now()
        told = stack.enter_context(progress_bar("encrypting", file))
        documents.encrypt_document(_from(file), _to(output), recipients, told, signers=signers, signing_time=now)
    _report(options, output)


@click.command("decrypt")
@_FILE
@_OUTPUT
@click.option(
    "--verify", "is_verified", is_flag=True, help="It was signed before: write it only if the signature is valid."
)
@file_options("keys", "trust")
@client_options
def decrypt(options: ClientOptions, file: Path, output: Path, files: FileOptions, *, is_verified: bool) -> None:
    """Decrypt FILE (- is standard input) with any key of this device, or with the keys that are given.

    What `encrypt --sign` made is opened with --verify, by what this device trusts, or by the roots that are given; without, the
    signed file is written, which `verify` reads.
    """
    _check_output(options, output)
    if files.trust_anchor and not is_verified:
        raise click.UsageError("--trust-anchor is of use with --verify only")
    with ExitStack() as stack:
        find_keys: FindKeys
        if files.has_keys and (files.trust_anchor or not is_verified):
            find_keys, trust = files.find_keys(), files.trust()
        else:
            without = "or give --p12, or --key and --cert" + (", and --trust-anchor" if is_verified else "")
            context = stack.enter_context(options.open(without))
            find_keys = files.find_keys() if files.has_keys else context.key_ring.find_keys
            trust = files.trust() if files.trust_anchor else trust_of(context)
        told = stack.enter_context(progress_bar("decrypting", file))
        if not is_verified:
            documents.decrypt_document(_from(file), _to(output), find_keys, told)
            view = None
        else:
            view = documents.decrypt_and_verify_document(_from(file), _to(output), find_keys, trust, told)
    if view is None:
        _report(options, output)
    else:
        _say_who_signed(options, view, output)


@click.command("sign")
@_FILE
@_OUTPUT
@click.option("--detached", is_flag=True, help="Write the signature alone.")
@file_options("keys")
@client_options
def sign(options: ClientOptions, file: Path, output: Path, detached: bool, files: FileOptions) -> None:
    """Sign FILE (- is standard input) with this device's key, or with the keys that are given."""
    _check_output(options, output)
    with ExitStack() as stack:
        signers: list[Signer]
        if files.has_keys:
            signers, now = list(files.signers()), files.moment()
        else:
            context = stack.enter_context(options.open("or give --p12, or --key and --cert"))
            signers, now = [ready_signer(context)], context.clock.now()
        told = stack.enter_context(progress_bar("signing", file))
        documents.sign_document(_from(file), _to(output), signers, detached=detached, signing_time=now, progress=told)
    _report(options, output)


@click.command("countersign")
@_FILE
@_OUTPUT
@file_options("keys")
@client_options
def countersign(options: ClientOptions, file: Path, output: Path, files: FileOptions) -> None:
    """Sign every signature in FILE (- is standard input), to witness it or to agree; what was signed is not needed.

    The signatures are not verified first: `verify` does that.
    """
    _check_output(options, output)
    with ExitStack() as stack:
        signers: list[Signer]
        if files.has_keys:
            signers, now = list(files.signers()), files.moment()
        else:
            context = stack.enter_context(options.open("or give --p12, or --key and --cert"))
            signers, now = [ready_signer(context)], context.clock.now()
        documents.countersign_document(_from(file), _to(output), signers, signing_time=now)
    _report(options, output)


@click.command("verify")
@_FILE
@click.option("--content", type=_INPUT_FILE, help="The document of a detached signature.")
@click.option(
    "-o",
    "--output",
    type=_OUTPUT_FILE,
    help="Write the signed content here (- is standard output) if its signature is valid.",
)
@file_options("trust")
@client_options
def verify(options: ClientOptions, file: Path, content: Path | None, output: Path | None, files: FileOptions) -> None:
    """Verify the signature in FILE (- is standard input) by what this device trusts, or by the roots that are given.

    The exit code is 3 if it is not valid, and nothing is written then.
    """
    _check_output(options, output)
    if file == content == _STANDARD:
        raise click.UsageError("signature and content cannot both be standard input")
    with ExitStack() as stack:
        if files.trust_anchor:
            trust = files.trust()
        else:
            without = "or give --trust-anchor: without a root no signature is valid"
            trust = trust_of(stack.enter_context(options.open(without)))
        told = stack.enter_context(progress_bar("verifying", content or file))
        covered = _from(content) if content is not None else None
        view = documents.verify_document(_from(file), covered, _to(output) if output is not None else None, trust, told)
    _say_who_signed(options, view, output)


def _check_output(options: ClientOptions, output: Path | None) -> None:
    if options.as_json and output == _STANDARD:
        raise click.UsageError("--json and -o - cannot both have standard output")


def _from(file: Path) -> InputFile:
    return cast(BufferedReader, sys.stdin.buffer) if file == _STANDARD else file


def _to(output: Path) -> OutputFile:
    return cast(BufferedWriter, sys.stdout.buffer) if output == _STANDARD else output


def _report(options: ClientOptions, output: Path) -> None:
    if options.as_json:
        print_json({"output": str(output), "size_bytes": output.stat().st_size})


def _say_who_signed(options: ClientOptions, view: SignatureView, output: Path | None) -> None:
    print_warnings(view.warnings)
    if options.as_json:
        print_json(view)
        return
    over = f", countersigned by {', '.join(view.countersigned_by)}" if view.countersigned_by else ""
    said = one_line(f"signed by {', '.join(view.signer)} ({view.identity_level}), {view.signing_time}{over}")
    click.echo(said, err=output == _STANDARD)

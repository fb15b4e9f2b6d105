"""`sealwright message`: one RFC 5322 message, from standard input to standard output, with this device or with files."""

import sys
from pathlib import Path

import click

from sealwright.cli.client_options import EXISTING_FILE, ClientOptions, client_options
from sealwright.cli.file_options import FileOptions, file_options
from sealwright.cli.mail import message_document, signature_line
from sealwright.cli.output import print_json, print_warnings
from sealwright.client.copies import sign_message
from sealwright.client.read import ReadMessage, read_message, read_message_with
from sealwright.client.send import encrypt_message
from sealwright.client.signing import own_certificates
from sealwright.cms.signers import Signer
from sealwright.errors import InputError, InvalidSignatureError
from sealwright.smime.algorithm_choice import Recipient, choose
from sealwright.smime.compose import Protection, certificates_message, compressed_message, protect

_KEYS = "or give --p12, or --key and --cert"


@click.group("message")
def message() -> None:
    """Protect or open a message, from standard input to standard output."""


@message.command("encrypt")
@file_options("recipients", "keys")
@client_options
def encrypt(options: ClientOptions, files: FileOptions) -> None:
    """Sign the message and encrypt it to its recipients and yourself.

    With --recipient-certificate it is encrypted to these certificates and to nobody else, and signed with the key that is
    given; without a key it is not signed, which is a warning.
    """
    content = sys.stdin.buffer.read()
    recipients = files.recipients()
    if recipients:
        signer = _signer(files) if files.has_keys else None
        if signer is None:
            print_warnings(("the message is not signed; give the signer's key with --p12, or --key and --cert",))
        protection = Protection(algorithms=choose([Recipient(each) for each in recipients]))
        written = protect(content, signer, recipients, signing_time=files.moment(), protection=protection)
    elif files.has_keys:
        raise InputError("whom to encrypt to is not given; use --recipient-certificate")
    else:
        with options.open("or give --recipient-certificate") as context:
            written = encrypt_message(context, content)
    _write(options, written)


@message.command("sign")
@file_options("keys")
@client_options
def sign(options: ClientOptions, files: FileOptions) -> None:
    """Sign the message, without encrypting it."""
    content = sys.stdin.buffer.read()
    if files.has_keys:
        written = protect(content, _signer(files), (), signing_time=files.moment())
    else:
        with options.open(_KEYS) as context:
            written = sign_message(context, content)
    _write(options, written)


@message.command("decrypt")
@file_options("keys", "trust")
@client_options
def decrypt(options: ClientOptions, files: FileOptions) -> None:
    """Decrypt the message; the inner message is written, what its signature is worth goes to standard error."""
    content = sys.stdin.buffer.read()
    if files.has_keys:
        opened = read_message_with(content, files.find_keys(), files.trust())
    else:
        with options.open(_KEYS) as context:
            opened = read_message(context, content)
    print_warnings(opened.signature.warnings)
    if options.as_json:
        print_json(message_document(opened))
        return
    click.echo(f"sealwright: {signature_line(opened)}", err=True)
    _write(options, opened.entity)


@message.command("verify")
@file_options("trust", "keys")
@client_options
def verify(options: ClientOptions, files: FileOptions) -> None:
    """Say what the message's signature is worth; the exit code is 3 if it is not valid and by the author."""
    content = sys.stdin.buffer.read()
    opened = _judged(options, files, content)
    print_warnings(opened.signature.warnings)
    if options.as_json:
        print_json(message_document(opened))
    else:
        click.echo(signature_line(opened))
    if opened.signature.state != "valid":
        raise InvalidSignatureError("the message has no valid signature of its sender")


@message.command("compress")
@client_options
def compress(options: ClientOptions) -> None:
    """Make the message smaller; its header stays as it is, and nothing is protected. Few programs read it."""
    _write(options, compressed_message(sys.stdin.buffer.read()))


@message.command("certificates")
@click.argument("certificate_files", metavar="[FILE]...", type=EXISTING_FILE, nargs=-1)
@click.option("--crl", type=EXISTING_FILE, multiple=True, help="Revocation list to send along, PEM or DER.")
@client_options
def certificates(options: ClientOptions, certificate_files: tuple[Path, ...], crl: tuple[Path, ...]) -> None:
    """Write a message that carries the certificates in FILEs, or this device's own; standard input is its header.

    Mail programs that open it know whom to encrypt to.
    """
    files = FileOptions(certificate=certificate_files, crl=crl).trust()
    carried = list(files.certificates)
    if not carried and not files.crls:
        with options.open("or give files with certificates") as context:
            carried = own_certificates(context)
    _write(options, certificates_message(sys.stdin.buffer.read(), carried, files.crls))


def _judged(options: ClientOptions, files: FileOptions, content: bytes) -> ReadMessage:
    if files.trust_anchor:
        return read_message_with(content, files.find_keys(), files.trust())
    with options.open("or give --trust-anchor: without a root no signature is valid") as context:
        return read_message(context, content)


def _signer(files: FileOptions) -> Signer:
    signers = files.signers()
    if len(signers) != 1:
        raise InputError("a message is signed with one key; several keys or certificates were given")
    return signers[0]


def _write(options: ClientOptions, content: bytes) -> None:
    if options.as_json:
        print_json({"message": content})
        return
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()

"""`sealwright message`: one RFC 5322 message from standard input to standard output."""

import sys

import click

from sealwright.cli.client_options import ClientOptions, client_options
from sealwright.cli.mail import message_document, signature_line
from sealwright.cli.output import print_json, print_warnings
from sealwright.client.read import read_message
from sealwright.client.send import encrypt_message, protect_for
from sealwright.errors import InvalidSignatureError


@click.group("message")
def message() -> None:
    """Protect or open a message, from standard input to standard output."""


@message.command("encrypt")
@client_options
def encrypt(options: ClientOptions) -> None:
    """Sign the message and encrypt it to its recipients and yourself."""
    with options.open() as context:
        content = encrypt_message(context, sys.stdin.buffer.read())
    _write(options, content)


@message.command("sign")
@client_options
def sign(options: ClientOptions) -> None:
    """Sign the message, without encrypting it."""
    with options.open() as context:
        content = protect_for(context, sys.stdin.buffer.read(), (), None)
    _write(options, content)


@message.command("decrypt")
@client_options
def decrypt(options: ClientOptions) -> None:
    """Decrypt the message; the inner message is written, what its signature is worth goes to standard error."""
    with options.open() as context:
        opened = read_message(context, sys.stdin.buffer.read())
    print_warnings(opened.signature.warnings)
    if options.as_json:
        print_json(message_document(opened))
        return
    click.echo(f"sealwright: {signature_line(opened)}", err=True)
    _write(options, opened.entity)


@message.command("verify")
@client_options
def verify(options: ClientOptions) -> None:
    """Say what the message's signature is worth; the exit code is 3 if it is not valid."""
    with options.open() as context:
        opened = read_message(context, sys.stdin.buffer.read())
    print_warnings(opened.signature.warnings)
    if options.as_json:
        print_json(message_document(opened))
    else:
        click.echo(signature_line(opened))
    if opened.signature.state != "valid":
        raise InvalidSignatureError("the message has no valid signature of its sender")


def _write(options: ClientOptions, content: bytes) -> None:
    if options.as_json:
        print_json({"message": content})
        return
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()

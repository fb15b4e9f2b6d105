"""`sealwright inspect`: what a message is, how it is protected and what is wrong with it, without a server or a device."""

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from sealwright.cli.file_options import FileOptions, file_options
from sealwright.cli.output import one_line, print_json
from sealwright.client.inspection import inspect_message, inspection_document, recipient_name
from sealwright.client.key_files import read_file
from sealwright.smime.layers import Encryption, Layer
from sealwright.smime.signers import SignerVerdict
from sealwright.smime.verdict import MAX_MESSAGE_BYTES, Verdict

_FILE_WIDTH = 4000
"""Nothing is wrapped for a file or a pipe."""
_NEXT = {
    "not-decrypted": "give a recipient's key with --p12, or with --key and --cert",
    "no-trust-anchor": "give the root that you trust with --trust-anchor",
    "no-path": "give a missing issuer's certificate with --certificate, or a root that you trust with --trust-anchor",
    "revocation-unknown": "give the issuer's revocation list with --crl",
    "weak-signature": "if it is old mail that you trust otherwise, judge it with --allow-weak",
}
"""What helps, by the code of a warning or of a signature's problem."""
_GOOD, _BAD, _DOUBT = "green", "bold red", "yellow"


@click.command("inspect")
@click.argument("message", type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True))
@file_options("keys", "trust")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def inspect(message: Path, files: FileOptions, as_json: bool) -> None:
    """Explain a MESSAGE file (`-` for standard input): its layers, signatures, header, and the one author beyond doubt.

    The exit code is 0 whatever the verdict is, and 2 if it is no message at all.
    """
    is_standard_input = str(message) == "-"
    content = (
        sys.stdin.buffer.read(MAX_MESSAGE_BYTES + 1) if is_standard_input else read_file(message, MAX_MESSAGE_BYTES)
    )
    verdict = inspect_message(content, files.find_keys(), files.trust())
    if as_json:
        print_json(inspection_document(verdict))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    console.print(_tree(verdict, "standard input" if is_standard_input else str(message)))


def _tree(verdict: Verdict, name: str) -> Tree:
    root = Tree(_text(name, "bold"))
    root.add(_summary(verdict))
    header = root.add(_text("header: protected" if verdict.headers.protected else "header: not protected"))
    header.add(_text(f"From: {', '.join(verdict.headers.author.addresses) or 'nobody'}"))
    header.add(_text(f"Subject: {verdict.headers.subject}"))
    place = root
    for layer in verdict.layers:
        if layer.is_errant:
            place.add(_text(f"part {layer.part}: {layer.kind}, by itself; not opened", _DOUBT))
        else:
            place = place.add(_layer(layer))
            for line, style in _details(layer):
                place.add(_text(line, style))
    if verdict.body_text is not None:
        place.add(_text(f"text: {len(verdict.body_text.splitlines())} lines"))
    for part in verdict.attachments:
        place.add(_text(f"attachment: {part.file_name} ({part.content_type}, {len(part.content)} bytes)"))
    for each in verdict.cautions:
        root.add(_text(f"warning: {each.message} [{each.code}]", _DOUBT))
    problems = [signer.problem for layer in verdict.layers for signer in layer.signers]
    for code in dict.fromkeys((*(each.code for each in verdict.cautions), *problems)):
        if code in _NEXT and not (code == "weak-signature" and verdict.summary.signature_valid):
            root.add(_text(f"next: {_NEXT[code]}"))
    return root


def _summary(verdict: Verdict) -> Text:
    summary = verdict.summary
    encrypted = "encrypted" if summary.encrypted else "not encrypted"
    if summary.authentic_author is not None:
        return _text(f"{encrypted}; written by {summary.authentic_author}", _GOOD)
    if not summary.signed:
        return _text(f"{encrypted}; not signed: who wrote it is not known", _DOUBT)
    said = "a valid signature, but not of the one author" if summary.signature_valid else "no valid signature"
    return _text(f"{encrypted}; {said}: who wrote it is not known", _BAD)


def _layer(layer: Layer) -> Text:
    encryption = layer.encryption
    if encryption is None:
        return _text(f"{layer.kind} ({layer.content_type})")
    if not encryption.is_decrypted:
        return _text(f"encrypted ({layer.content_type}), and not decrypted", _BAD)
    integrity = "shows changes" if encryption.is_authenticated else "does not show changes"
    return _text(f"encrypted ({layer.content_type}) with {encryption.content_cipher}, which {integrity}")


def _details(layer: Layer) -> list[tuple[str, str]]:
    if layer.encryption is not None:
        return [(line, "") for line in _recipients(layer.encryption)]
    return [line for signer in layer.signers for line in _signer(signer)]


def _recipients(encryption: Encryption) -> list[str]:
    opened = "opened with the key of" if encryption.is_decrypted else "for"
    named = [encryption.recipient] if encryption.recipient is not None else list(encryption.recipients)
    return [f"{opened} {recipient_name(each)}" for each in named]


def _signer(signer: SignerVerdict) -> list[tuple[str, str]]:
    who = "an unknown signer"  # of a signature that does not hold, whatever certificate it names
    if signer.certificate is not None and signer.is_intact:
        who = ", ".join(signer.addresses) or "a certificate without address"
    lines = [(f"signed by {who}: {'valid' if signer.is_valid else 'NOT valid'}", _GOOD if signer.is_valid else _BAD)]
    if signer.reason:
        lines.append((f"because {signer.reason} [{signer.problem}]", _BAD))
    if signer.certificate is not None:
        certificate = signer.certificate
        named = "certificate" if signer.is_intact else "names the certificate"
        lines.append((f"{named}: {certificate.subject.rfc4514_string()}, {certificate.serial_number:x}", ""))
        valid = f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
        lines.append((f"issued by {certificate.issuer.rfc4514_string()}, valid {valid}", ""))
    if signer.path:
        lines.append((f"trusted root: {signer.path[-1].subject.rfc4514_string()}; revocation: {signer.revocation}", ""))
    if signer.signing_time is not None:
        lines.append((f"claims to be signed at {signer.signing_time.isoformat()}", ""))
    if signer.proven_time is not None:
        lines.append((f"was there at {signer.proven_time.isoformat()}, as a timestamp proves", _GOOD))
    for each in signer.countersigners:
        by = ", ".join(each.addresses) or "an unknown signer"
        reason = f" because {each.reason} [{each.problem}]" if each.reason else ""
        valid, style = ("valid", _GOOD) if each.is_valid else (f"NOT valid{reason}", _DOUBT)
        lines.append((f"countersigned by {by}: {valid}", style))
    if signer.digest:
        lines.append((f"digest {signer.digest} {signer.signature_algorithm}".rstrip(), ""))
    return lines


def _text(line: str, style: str = "") -> Text:
    return Text(one_line(line), style=style)

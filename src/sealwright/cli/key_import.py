"""`sealwright keys import`, and how a file of keys is read."""

from collections.abc import Sequence
from pathlib import Path

import click

from sealwright.cli.client_options import EXISTING_FILE, ClientOptions, client_options
from sealwright.cli.output import print_json
from sealwright.client.importing import HistoricKey, historic_keys, import_keys
from sealwright.client.key_files import (
    KeyFile,
    load_certificate_file,
    load_pkcs12_file,
    load_private_key_file,
    pair,
    read_file,
    read_password,
)
from sealwright.errors import InputError

_PRIVATE_KEY_ENDINGS = frozenset((".pem", ".key", ".p8", ".pk8"))


def read_keys(path: Path, passwords: Sequence[bytes], certificates: Sequence[Path]) -> tuple[KeyFile, ...]:
    """Read a PKCS #12 file, or a private key with its certificates from the same file or others.

    Raises:
        InputError: If it is neither, or no password opens it, or a certificate is missing.
    """
    content = read_file(path)
    if path.suffix.lower() not in _PRIVATE_KEY_ENDINGS and not content.lstrip().startswith(b"-----"):
        return load_pkcs12_file(content, passwords)
    beside = [each for file in certificates for each in load_certificate_file(read_file(file))]
    if b"BEGIN CERTIFICATE" in content:
        beside += load_certificate_file(content)
    return pair([load_private_key_file(content, passwords)], beside)


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=EXISTING_FILE)
@click.option("--password-file", "password_files", multiple=True, type=EXISTING_FILE, help="First line opens files.")
@click.option("--certificate", "certificates", multiple=True, type=EXISTING_FILE, help="Certificates of PEM keys.")
@client_options
def import_command(
    options: ClientOptions, files: tuple[Path, ...], password_files: tuple[Path, ...], certificates: tuple[Path, ...]
) -> None:
    """Add the keys in FILES (PKCS#12, or PKCS#8 with certificates) to the history, so that old mail can be read."""
    passwords = [read_password(file) for file in password_files]
    if not passwords:
        passwords = [click.prompt("Password of the files", hide_input=True, err=True, default="").encode("utf-8")]
    found = [each for file in files for each in read_keys(file, passwords, certificates)]
    keys, others = historic_keys(found)
    if not keys:
        raise InputError("the files hold no key that decrypts mail")
    with options.open() as context:
        outcomes = import_keys(context, keys)
    rows = [
        {"key_id": outcome.key_id, "outcome": outcome.outcome, "reason": outcome.reason, **_described(key)}
        for key, outcome in zip(keys, outcomes, strict=True)
    ]
    if options.as_json:
        print_json({"keys": rows, "not_for_decryption": others})
    else:
        for row in rows:
            click.echo(f"{row['outcome']:9} {row['subject']}, until {row['not_after'][:10]}  {row['reason']}".rstrip())
        if others:
            click.echo(f"{others} left out: keys that sign stay on their device and are not archived.")
    if any(outcome.outcome == "refused" for outcome in outcomes):
        raise InputError("not every key was imported")


def _described(key: HistoricKey) -> dict[str, str]:
    newest = key.certificates[0]
    return {
        "subject": newest.subject.rfc4514_string(),
        "serial_number": f"{newest.serial_number:x}",
        "not_after": newest.not_valid_after_utc.isoformat(),
    }

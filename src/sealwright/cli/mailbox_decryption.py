"""`sealwright decrypt-mailbox`: a whole mailbox decrypted for good, such as when an organization leaves S/MIME."""

from pathlib import Path

import click

from sealwright.cli.client_options import ClientOptions, client_options
from sealwright.cli.file_options import FileOptions, file_options
from sealwright.cli.output import one_line, print_json
from sealwright.client.mailbox_decryption import (
    Decryption,
    Opener,
    decrypt_imap_folder,
    decrypt_maildir,
    decrypt_mbox,
    local_kind,
)
from sealwright.clock import SystemClock
from sealwright.errors import DecryptionError, InputError
from sealwright.smime.trust import Trust

REPORT_EVERY = 100


@click.command("decrypt-mailbox")
@click.argument("path", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--imap", "folder", help="A folder of the mail server, such as INBOX, instead of PATH.")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@file_options("keys")
@client_options
def decrypt_mailbox(
    options: ClientOptions, files: FileOptions, path: Path | None, folder: str | None, yes: bool
) -> None:
    """Decrypt all messages of PATH, a Maildir or an mbox file, in place and for good.

    Each is written, read back and compared before the encrypted one goes; what cannot be opened stays. Signatures stay.
    Run it again if it is broken off.
    """
    if (path is None) == (folder is None):
        raise InputError("give a Maildir or an mbox file, or --imap FOLDER")
    if not yes:
        click.confirm(f"{path or folder}: whoever reads it from then on reads clear text. Go on?", abort=True, err=True)
    trust = Trust(now=SystemClock().now())
    if files.has_keys and path is not None:
        result = _local(path, Opener(files.find_keys(), trust))
    else:
        with options.open("or give --p12, or --key and --cert") as context:
            opener = Opener(files.find_keys() if files.has_keys else context.key_ring.find_keys, trust)
            if path is not None:
                result = _local(path, opener)
            else:
                with context.mailbox() as mailbox:
                    result = decrypt_imap_folder(mailbox, folder or "", opener, _show)
    if options.as_json:
        kept = [{"message": name, "reason": reason} for name, reason in result.kept]
        print_json({"decrypted": result.decrypted, "clear": result.clear, "kept": kept})
    else:
        click.echo(
            f"{result.decrypted} decrypted, {result.clear} were not encrypted, {len(result.kept)} stay as they were."
        )
        for name, reason in result.kept:
            click.echo(f"  {one_line(name)}: {one_line(reason)}", err=True)
    if result.kept:
        raise DecryptionError(f"{len(result.kept)} messages are still encrypted")


def _local(path: Path, opener: Opener) -> Decryption:
    if local_kind(path) == "maildir":
        return decrypt_maildir(path, opener, _show)
    return decrypt_mbox(path, opener, _show)


def _show(done: int, total: int) -> None:
    if done % REPORT_EVERY == 0 or done == total:
        click.echo(f"sealwright: {done} of {total}", err=True)

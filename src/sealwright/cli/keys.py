"""`sealwright keys`: of the mailbox on this device, and - with --data - in the custody of a running server."""

from pathlib import Path

import click

from sealwright.cli import key_custody
from sealwright.cli.client_options import EXISTING_FILE, OUTPUT_FILE, ClientOptions, client_options
from sealwright.cli.key_import import import_command
from sealwright.cli.output import print_json
from sealwright.client.export import export_key, find_mailbox_key
from sealwright.client.keys import load_certificates
from sealwright.files import replace_file


@click.group("keys")
def keys() -> None:
    """The encryption keys of the mailbox; commands with --data are the operator's, for the keys of anybody."""


keys.add_command(import_command)


@keys.command("list")
@client_options
def list_command(options: ClientOptions) -> None:
    """List all generations of the key."""
    with options.open() as context:
        rows = [
            {
                "key_id": key.key_id,
                "slot": key.slot,
                "generation": key.generation,
                "state": key.state,
                "algorithm": key.algorithm,
                "not_after": load_certificates(key.certificates)[0].not_valid_after_utc if key.certificates else None,
            }
            for key in context.store.state.mailbox_keys
        ]
    if options.as_json:
        print_json(rows)
        return
    for row in rows:
        until = f"{row['not_after']:%Y-%m-%d}" if row["not_after"] else "no certificate"
        click.echo(f"{row['generation']:>3}  {row['state']:12} {row['algorithm']:11} {until}  {row['key_id']}")


@keys.command("export")
@click.option("-o", "--output", type=OUTPUT_FILE, required=True, help="PKCS#12 file to write.")
@click.option("--key", "chosen", help="Key id or generation; the active key without.")
@click.option("--export-passphrase-file", type=EXISTING_FILE, help="First line protects the file; asked for without.")
@click.option("--legacy", is_flag=True, help="Protect it with 3DES and SHA-1 for old programs (gpgsm 2.2); weak.")
@client_options
def export_command(
    options: ClientOptions, output: Path, chosen: str | None, export_passphrase_file: Path | None, legacy: bool
) -> None:
    """Write a key to a PKCS#12 file, if the organization permits it; the log shows it."""
    if export_passphrase_file is not None:
        passphrase = (export_passphrase_file.read_text(encoding="utf-8").splitlines() or [""])[0]
    else:
        passphrase = click.prompt("Passphrase of the file", hide_input=True, confirmation_prompt=True, err=True)
    with options.open() as context:
        key = find_mailbox_key(context, chosen)
        content = export_key(context, key, passphrase, legacy=legacy)
    replace_file(output, content)
    if options.as_json:
        print_json({"output": str(output), "key_id": key.key_id, "generation": key.generation})
        return
    click.echo(f"{output} written.")


for command in (
    key_custody.history,
    key_custody.drill,
    key_custody.rotate_all,
    key_custody.suspend,
    key_custody.resume,
    key_custody.compromise,
    key_custody.destroy,
    key_custody.receipt,
    key_custody.verify_receipt,
):
    keys.add_command(command)

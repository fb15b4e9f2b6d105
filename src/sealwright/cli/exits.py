"""`sealwright exit`: an organization takes all its keys with it, once enough recovery officers approved."""

from pathlib import Path

import click

from sealwright.cli.client_options import EXISTING_FILE, ClientOptions, client_options
from sealwright.cli.output import one_line, print_json
from sealwright.client.approvals import find_proposal
from sealwright.client.exits import fetch_exit, request_exit


@click.group("exit")
def exit_group() -> None:
    """All keys of the organization, for one device, under the quorum of a recovery."""


@exit_group.command("request")
@click.option("--reason", required=True, help="Why; the officers see it, and the log keeps it.")
@click.option("--case", "case_number", default="", help="Number of your own files.")
@client_options
def request_command(options: ClientOptions, reason: str, case_number: str) -> None:
    """Ask for all keys of the organization, sealed to this device."""
    with options.open() as context:
        view = request_exit(context, reason, case_number)
    if options.as_json:
        print_json({"proposal_id": view.proposal.proposal_id, "needed": view.needed})
        return
    click.echo(f"Proposed as {view.proposal.proposal_id}; {view.needed} recovery officers have to approve it.")


@exit_group.command("fetch")
@click.argument("proposal")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder.")
@click.option("--export-passphrase-file", type=EXISTING_FILE, help="First line protects the files; asked for without.")
@client_options
def fetch_command(options: ClientOptions, proposal: str, output: Path, export_passphrase_file: Path | None) -> None:
    """Write all keys of PROPOSAL as PKCS#12 files, a folder for each mailbox; goes on where it stopped."""
    if export_passphrase_file is not None:
        passphrase = (export_passphrase_file.read_text(encoding="utf-8").splitlines() or [""])[0]
    else:
        passphrase = click.prompt("Passphrase of the files", hide_input=True, confirmation_prompt=True, err=True)
    with options.open() as context:
        proposal_id = find_proposal(context, proposal).proposal.proposal_id
        taken = fetch_exit(context, proposal_id, output, passphrase, _show)
    if options.as_json:
        print_json({name: getattr(taken, name) for name in ("mailboxes", "keys", "there", "empty")})
        return
    click.echo(
        f"{taken.keys} keys of {taken.mailboxes} mailboxes written; {taken.there} mailboxes were there already,"
        f" {taken.empty} have no keys."
    )


def _show(done: int, total: int, address: str) -> None:
    click.echo(f"sealwright: {done} of {total}: {one_line(address)}", err=True)

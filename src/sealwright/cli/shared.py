"""`sealwright shared`: shared mailboxes and their members, for the operator of a running server."""

from pathlib import Path

import click

from sealwright.cli.operator_options import DATA, JSON, ask
from sealwright.cli.output import print_json
from sealwright.wire.operator import MemberRequest, SharedMailboxRequest, SharedMailboxRows


@click.group("shared")
def shared() -> None:
    """Shared mailboxes: keys go to the devices of their members, and to nobody else."""


@shared.command("list")
@DATA
@JSON
def list_command(data: Path, as_json: bool) -> None:
    """List shared mailboxes and who is a member."""
    answer = ask(data, "GET", "/local/shared-mailboxes", None, SharedMailboxRows)
    if as_json:
        print_json(answer)
        return
    for row in answer.mailboxes:
        rule = "new key when somebody leaves" if row.rekey_on_leave else "keeps its key when somebody leaves"
        click.echo(f"{row.address}  {row.display_name}  ({rule})")
        for member in row.members:
            click.echo(f"    {member}")


@shared.command("create")
@click.argument("address")
@click.option("--name", default="", help="Shown in its certificates.")
@click.option("--rekey/--no-rekey", default=True, help="Whether it gets a new key each time a member leaves; it does.")
@DATA
def create(address: str, name: str, rekey: bool, data: Path) -> None:
    """Make the shared mailbox ADDRESS."""
    wanted = SharedMailboxRequest(address=address, display_name=name, rekey_on_leave=rekey)
    ask(data, "POST", "/local/shared-mailboxes", wanted, type(None))
    click.echo(f"{address} is a shared mailbox; let people join it. Its key is being made.")


@shared.command("join")
@click.argument("address")
@click.argument("member")
@DATA
def join(address: str, member: str, data: Path) -> None:
    """Let MEMBER join the shared mailbox ADDRESS: all its keys, old ones too, go to the member's devices."""
    wanted = MemberRequest(address=address, member=member, joins=True)
    ask(data, "POST", "/local/shared-mailboxes/members", wanted, type(None))
    click.echo(f"{member} is a member of {address}.")


@shared.command("leave")
@click.argument("address")
@click.argument("member")
@DATA
def leave(address: str, member: str, data: Path) -> None:
    """Let MEMBER leave the shared mailbox ADDRESS: nothing is released any more, and the mailbox may get a new key."""
    wanted = MemberRequest(address=address, member=member, joins=False)
    ask(data, "POST", "/local/shared-mailboxes/members", wanted, type(None))
    click.echo(f"{member} has left {address}.")

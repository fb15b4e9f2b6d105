"""`sealwright roles`: for the operator of a running server."""

from pathlib import Path

import click

from sealwright.cli.operator_options import DATA, JSON, ask
from sealwright.cli.output import print_json
from sealwright.identity.permissions import PERMISSIONS, permission_table
from sealwright.wire.operator import RoleChanged, RoleHolders, RoleRequest
from sealwright.wire.roles import ROLES

ROLE = click.argument("role", type=click.Choice(ROLES))
REASON = click.option("--reason", default="appointed by the operator", help="For whoever has to approve it.")


@click.group("roles")
def roles() -> None:
    """Who decides on keys, policy and recovery."""


@roles.command("list")
@DATA
@JSON
def list_command(data: Path, as_json: bool) -> None:
    """List everybody who has a role."""
    found = ask(data, "GET", "/local/roles", None, RoleHolders)
    if as_json:
        print_json(found)
        return
    for holder in found.holders:
        click.echo(f"{holder.address:40} {', '.join(holder.roles)}")


@roles.command("permissions")
@JSON
def permissions(as_json: bool) -> None:
    """Print who may do what, as this program has it built in."""
    if as_json:
        print_json({name: sorted(actors) for name, actors in PERMISSIONS.items()})
        return
    click.echo(permission_table(), nl=False)


@roles.command("appoint")
@click.argument("address")
@ROLE
@REASON
@DATA
def appoint(address: str, role: str, reason: str, data: Path) -> None:
    """Give ADDRESS a role; as soon as there are two security officers, two of them have to approve it."""
    request = RoleRequest(address=address, role=role, holds=True, reason=reason)
    _say(ask(data, "POST", "/local/roles", request, RoleChanged), f"{address} is {role}.")


@roles.command("dismiss")
@click.argument("address")
@ROLE
@REASON
@DATA
def dismiss(address: str, role: str, reason: str, data: Path) -> None:
    """Take a role from ADDRESS; as soon as there are two security officers, two of them have to approve it."""
    request = RoleRequest(address=address, role=role, holds=False, reason=reason)
    _say(ask(data, "POST", "/local/roles", request, RoleChanged), f"{address} is not {role} any more.")


def _say(changed: RoleChanged, done: str) -> None:
    if changed.proposal_id:
        click.echo(
            f"Proposed as {changed.proposal_id}: two security officers approve it with `sealwright approvals approve`."
        )
    else:
        click.echo(done)

"""`sealwright policy`: the release policy, for the operator of a running server."""

from pathlib import Path
from typing import Any

import click

from sealwright.cli.operator_options import DATA, JSON, ask
from sealwright.cli.output import print_json
from sealwright.wire.operator import MailboxPolicy, PolicyAnswer, PolicyChange

GROUP = click.option("--group", default="", help="Of this group of mailboxes; of the whole organization without.")
_LEVELS = {
    1: "the mailbox proof",
    2: "the mailbox proof and the protection password",
    3: "the mailbox proof and an approval",
    4: "the mailbox proof and the organization's sign-on",
}


@click.group("policy")
def policy() -> None:
    """What a device has to show before it gets keys. A weaker policy needs two security officers."""


@policy.command("show")
@DATA
@JSON
def show(data: Path, as_json: bool) -> None:
    """Show the rules of the organization, and what each group adds."""
    answer = ask(data, "GET", "/local/policy", None, PolicyAnswer)
    if as_json:
        print_json(answer)
        return
    for rules in answer.rules:
        click.echo(f"group {rules.group}" if rules.group else "organization")
        click.echo(f"  level {rules.level}: {_LEVELS[rules.level]}")
        click.echo(f"  delivery {rules.delivery}; export of keys {'allowed' if rules.export_key else 'denied'}")
        click.echo(f"  networks {', '.join(rules.networks) or 'any'}; hours {', '.join(rules.hours) or 'any'}")
        click.echo(f"  devices of a mailbox: {rules.max_devices or 'no limit of its own'}")


@policy.command("level")
@click.argument("level", type=click.IntRange(1, 4))
@GROUP
@DATA
def level(level: int, group: str, data: Path) -> None:
    """Ask for LEVEL: 1 mailbox, 2 and protection password, 3 and an approval, 4 and the organization's sign-on."""
    _change(data, group, level=level)
    click.echo(f"Level {level} is in force: {_LEVELS[level]}.")


@policy.command("export-key")
@click.argument("choice", type=click.Choice(["allow", "deny"]))
@DATA
def export_key(choice: str, data: Path) -> None:
    """Allow or deny everybody to export keys to other programs."""
    _change(data, "", export_key=choice == "allow")
    click.echo("Keys may be exported." if choice == "allow" else "Keys may not be exported.")


@policy.command("delivery")
@click.argument("choice", type=click.Choice(["sealed", "remote"]))
@GROUP
@DATA
def delivery(choice: str, group: str, data: Path) -> None:
    """Deliver keys sealed to devices, or keep them and let devices ask for content keys."""
    _change(data, group, delivery=choice)
    click.echo(f"Delivery is {choice}.")


@policy.command("networks")
@click.argument("networks", nargs=-1)
@GROUP
@DATA
def networks(networks: tuple[str, ...], group: str, data: Path) -> None:
    """Release keys only to devices in NETWORKS such as 192.0.2.0/24; without any: everywhere."""
    _change(data, group, networks=networks)
    click.echo(f"Keys are released in: {', '.join(networks) or 'any network'}.")


@policy.command("hours")
@click.argument("hours", nargs=-1)
@GROUP
@DATA
def hours(hours: tuple[str, ...], group: str, data: Path) -> None:
    """Release keys only in HOURS such as "mon-fri 07:00-19:00 Europe/Berlin"; without any: always."""
    _change(data, group, hours=hours)
    click.echo(f"Keys are released: {', '.join(hours) or 'at any time'}.")


@policy.command("devices")
@click.argument("limit", type=click.IntRange(0, 100))
@GROUP
@DATA
def devices(limit: int, group: str, data: Path) -> None:
    """Permit at most LIMIT devices of a mailbox; 0: no limit of its own."""
    _change(data, group, max_devices=limit)
    click.echo(f"Devices of a mailbox: {limit or 'no limit of its own'}.")


@policy.command("assign")
@click.argument("address")
@click.argument("group")
@DATA
def assign(address: str, group: str, data: Path) -> None:
    """Put the mailbox ADDRESS into GROUP, whose rules add to the organization's; "none" takes it out."""
    wanted = MailboxPolicy(address=address, group="" if group == "none" else group)
    ask(data, "POST", "/local/policy/mailbox", wanted, type(None))
    click.echo(f"{address} is in {'no group' if group == 'none' else group}.")


@policy.command("freeze")
@click.argument("address")
@click.option("--lift", is_flag=True, help="Release keys of this mailbox again.")
@DATA
def freeze(address: str, lift: bool, data: Path) -> None:
    """Release nothing more to any device of ADDRESS, such as for somebody who is leaving."""
    wanted = MailboxPolicy(address=address, frozen=not lift)
    ask(data, "POST", "/local/policy/mailbox", wanted, type(None))
    click.echo(f"{address}: {'keys are released again' if lift else 'no keys are released any more'}.")


def _change(data: Path, group: str, **changes: Any) -> None:
    ask(data, "POST", "/local/policy", PolicyChange(group=group, **changes), type(None))

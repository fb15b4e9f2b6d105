"""`sealwright policy`: the release policy, for the operator of a running server."""

from pathlib import Path
from typing import Any

import click

from sealwright.cli.operator_options import DATA, JSON, ask
from sealwright.cli.output import print_json
from sealwright.wire.operator import MailboxPolicy, PolicyAnswer, PolicyChange, PolicyChanged, SignOnChange

REASON = click.option("--reason", default="", help="Proposes a weaker policy to the security officers.")
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
@REASON
@DATA
def level(level: int, group: str, reason: str, data: Path) -> None:
    """Ask for LEVEL: 1 mailbox, 2 and protection password, 3 and an approval, 4 and the organization's sign-on."""
    _change(data, f"Level {level} is in force: {_LEVELS[level]}.", group=group, reason=reason, level=level)


@policy.command("export-key")
@click.argument("choice", type=click.Choice(["allow", "deny"]))
@DATA
def export_key(choice: str, data: Path) -> None:
    """Allow or deny everybody to export keys to other programs."""
    _change(
        data,
        "Keys may be exported." if choice == "allow" else "Keys may not be exported.",
        export_key=choice == "allow",
    )


@policy.command("delivery")
@click.argument("choice", type=click.Choice(["sealed", "remote"]))
@GROUP
@REASON
@DATA
def delivery(choice: str, group: str, reason: str, data: Path) -> None:
    """Deliver keys sealed to devices, or keep them and let devices ask for content keys."""
    _change(data, f"Delivery is {choice}.", group=group, reason=reason, delivery=choice)


@policy.command("networks")
@click.argument("networks", nargs=-1)
@GROUP
@REASON
@DATA
def networks(networks: tuple[str, ...], group: str, reason: str, data: Path) -> None:
    """Release keys only to devices in NETWORKS such as 192.0.2.0/24; without any: everywhere."""
    _change(
        data,
        f"Keys are released in: {', '.join(networks) or 'any network'}.",
        group=group,
        reason=reason,
        networks=networks,
    )


@policy.command("hours")
@click.argument("hours", nargs=-1)
@GROUP
@REASON
@DATA
def hours(hours: tuple[str, ...], group: str, reason: str, data: Path) -> None:
    """Release keys only in HOURS such as "mon-fri 07:00-19:00 Europe/Berlin"; without any: always."""
    _change(data, f"Keys are released: {', '.join(hours) or 'at any time'}.", group=group, reason=reason, hours=hours)


@policy.command("devices")
@click.argument("limit", type=click.IntRange(0, 100))
@GROUP
@REASON
@DATA
def devices(limit: int, group: str, reason: str, data: Path) -> None:
    """Permit at most LIMIT devices of a mailbox; 0: no limit of its own."""
    _change(
        data, f"Devices of a mailbox: {limit or 'no limit of its own'}.", group=group, reason=reason, max_devices=limit
    )


@policy.command("assign")
@click.argument("address")
@click.argument("group")
@REASON
@DATA
def assign(address: str, group: str, reason: str, data: Path) -> None:
    """Put the mailbox ADDRESS into GROUP, whose rules add to the organization's; "none" takes it out."""
    wanted = MailboxPolicy(address=address, group="" if group == "none" else group, reason=reason)
    answer = ask(data, "POST", "/local/policy/mailbox", wanted, PolicyChanged)
    _tell(answer, f"{address} is in {'no group' if group == 'none' else group}.")


@policy.command("freeze")
@click.argument("address")
@click.option("--lift", is_flag=True, help="Release keys of this mailbox again.")
@REASON
@DATA
def freeze(address: str, lift: bool, reason: str, data: Path) -> None:
    """Release nothing more to any device of ADDRESS, such as for somebody who is leaving."""
    wanted = MailboxPolicy(address=address, frozen=not lift, reason=reason)
    answer = ask(data, "POST", "/local/policy/mailbox", wanted, PolicyChanged)
    _tell(answer, f"{address}: {'keys are released again' if lift else 'no keys are released any more'}.")


@policy.command("sign-on")
@click.argument("issuer")
@click.argument("client_id")
@click.option("--claim", default="email", show_default=True, help="Claim that holds the address.")
@click.option("--device-flow", is_flag=True, help="Let sign-ons of the device flow count.")
@click.option("--pinned", is_flag=True, help="New keys of the issuer need two security officers.")
@REASON
@DATA
def sign_on(issuer: str, client_id: str, claim: str, device_flow: bool, pinned: bool, reason: str, data: Path) -> None:
    """Set where people sign on (OIDC) at level 4: ISSUER and this program's public CLIENT_ID there."""
    wanted = SignOnChange(
        issuer=issuer, client_id=client_id, claim=claim, device_flow=device_flow, pinned=pinned, reason=reason
    )
    _tell(ask(data, "POST", "/local/policy/sign-on", wanted, PolicyChanged), f"People sign on at {issuer}.")


def _change(data: Path, done: str, **changes: Any) -> None:
    _tell(ask(data, "POST", "/local/policy", PolicyChange(**changes), PolicyChanged), done)


def _tell(answer: PolicyChanged, done: str) -> None:
    if answer.proposal_id:
        done = f"Proposed to the security officers as {answer.proposal_id}; a day after two approved, it holds."
    click.echo(done)

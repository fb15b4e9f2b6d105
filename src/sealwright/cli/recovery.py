"""`sealwright recovery`: keys of somebody else, with the approval of several officers."""

from pathlib import Path

import click

from sealwright.cli.approvals import show
from sealwright.cli.client_options import EXISTING_FILE, ClientOptions, client_options
from sealwright.cli.mail import message_document, show_message
from sealwright.cli.operator_options import DATA, JSON, ask
from sealwright.cli.output import one_line, print_json
from sealwright.client.recovery import (
    drop_history,
    fetch_history,
    find_recovery,
    list_recoveries,
    read_recovered,
    request_recovery,
)
from sealwright.wire.operator import RecoveryRuleAnswer, RecoveryRuleRequest, RoleChanged
from sealwright.wire.recovery import RecoveryRule

_HOUR = 3600
_DAY = 24 * _HOUR


@click.group("recovery")
def recovery() -> None:
    """Keys of another mailbox, or single messages, with the approval of several recovery officers."""


@recovery.command("rule")
@DATA
@JSON
def show_rule(data: Path, as_json: bool) -> None:
    """Show under which conditions keys are recovered; for the operator of a running server."""
    found = ask(data, "GET", "/local/recovery-rule", None, RecoveryRuleAnswer)
    if as_json:
        print_json(found)
        return
    said = found.rule
    click.echo(f"{said.needed} of {found.officers} recovery officers, the requester not counted")
    click.echo(
        f"  a request is open for {_time(said.request_seconds)}, an approval good for {_time(said.approval_seconds)}"
    )
    click.echo(f"  keys are given out {_time(said.release_delay_seconds)} after the approval")
    click.echo(
        f"  the owner is told after {_time(said.owner_delay_seconds)}"
        if said.owner_delay_seconds
        else "  the owner is told at once"
    )
    click.echo(f"  the requester's device is of level {said.level} at least")


@recovery.command("set-rule")
@click.option("--needed", type=int, default=2, show_default=True, help="How many recovery officers must approve.")
@click.option("--request-days", type=int, default=7, show_default=True, help="Until when a request must be approved.")
@click.option("--approval-days", type=int, default=7, show_default=True, help="How long an approval is good.")
@click.option("--release-delay-hours", type=int, default=0, show_default=True, help="From the approval to the keys.")
@click.option(
    "--owner-delay-days", type=int, default=0, show_default=True, help="Legal delay; 0 tells the owner at once."
)
@click.option("--level", type=click.IntRange(1, 4), default=1, show_default=True, help="Of the requester's device.")
@click.option("--reason", default="set by the operator", help="For whoever has to approve it.")
@DATA
def set_rule(
    needed: int,
    request_days: int,
    approval_days: int,
    release_delay_hours: int,
    owner_delay_days: int,
    level: int,
    reason: str,
    data: Path,
) -> None:
    """Set the rule, as the operator; as soon as there are two security officers, two of them have to approve it."""
    wanted = RecoveryRule(
        needed=needed,
        request_seconds=request_days * _DAY,
        approval_seconds=approval_days * _DAY,
        release_delay_seconds=release_delay_hours * _HOUR,
        owner_delay_seconds=owner_delay_days * _DAY,
        level=level,
    )
    wanted.check()
    made = ask(data, "POST", "/local/recovery-rule", RecoveryRuleRequest(rule=wanted, reason=reason), RoleChanged)
    if made.proposal_id:
        click.echo(
            f"Proposed as {made.proposal_id}: two security officers approve it with `sealwright approvals approve`."
        )
    else:
        click.echo("The rule is in force.")


@recovery.command("request")
@click.argument("owner", metavar="ADDRESS")
@click.argument("messages", nargs=-1, type=EXISTING_FILE)
@click.option("--reason", required=True, help="Why; the officers and the log see it.")
@click.option("--case", "case_number", required=True, help="Number of the case in your own files.")
@click.option("--tenure", help="Beginning of the mailbox's id, where the address had several holders.")
@client_options
def request_command(
    options: ClientOptions, owner: str, messages: tuple[Path, ...], reason: str, case_number: str, tenure: str | None
) -> None:
    """Ask for the content keys of MESSAGES of ADDRESS; without messages, for its whole key history.

    Only this device will be able to open what is approved.
    """
    with options.open() as context:
        contents = [message.read_bytes() for message in messages]
        view = request_recovery(context, owner, contents, reason, case_number, tenure)
    if options.as_json:
        print_json({"proposal_id": view.proposal.proposal_id, "needed": view.needed, "expires": view.proposal.expires})
        return
    click.echo(
        f"Asked for as {view.proposal.proposal_id}; {view.needed} recovery officers approve it with `sealwright approvals`."
    )


@recovery.command("list")
@client_options
def list_command(options: ClientOptions) -> None:
    """List recoveries that were asked for, newest first."""
    with options.open() as context:
        found = list_recoveries(context)
        kept = {history.proposal_id for history in context.store.state.recovered}
    if options.as_json:
        rows = [
            {"proposal_id": view.proposal.proposal_id, "state": view.state, "requester": view.requester_address,
             "case_number": view.proposal.case_number, "is_here": view.proposal.proposal_id in kept}
            for view in found
        ]  # fmt: skip
        print_json(rows)
        return
    for view in found:
        count = f"{sum(each.decision == 'approve' for each in view.approvals)}/{view.needed}"
        here = "  keys are on this device" if view.proposal.proposal_id in kept else ""
        who, case = one_line(view.requester_address), one_line(view.proposal.case_number)
        click.echo(f"{view.proposal.proposal_id[:8]}  {view.state:8} {count:>4}  {who}  case {case}{here}")


@recovery.command("show")
@click.argument("recovery_id")
@client_options
def show_command(options: ClientOptions, recovery_id: str) -> None:
    """Show RECOVERY_ID whole, as the officers see it."""
    with options.open() as context:
        view = find_recovery(context, recovery_id)
    if options.as_json:
        print_json(view)
        return
    show(view)


@recovery.command("fetch")
@click.argument("recovery_id")
@client_options
def fetch_command(options: ClientOptions, recovery_id: str) -> None:
    """Fetch the approved key history RECOVERY_ID into this device's store, for `recovery decrypt`."""
    with options.open() as context:
        history = fetch_history(context, find_recovery(context, recovery_id))
    if options.as_json:
        print_json({"proposal_id": history.proposal_id, "address": history.address, "keys": len(history.keys)})
        return
    click.echo(f"{len(history.keys)} keys of {one_line(history.address)} are on this device; the log shows it.")


@recovery.command("drop")
@click.argument("recovery_id")
@client_options
def drop_command(options: ClientOptions, recovery_id: str) -> None:
    """Forget the key history RECOVERY_ID on this device."""
    with options.open() as context:
        history = drop_history(context, recovery_id)
    if options.as_json:
        print_json({"dropped": history.proposal_id})
        return
    click.echo(f"The keys of {one_line(history.address)} are not on this device any more.")


@recovery.command("decrypt")
@click.argument("messages", nargs=-1, required=True, type=EXISTING_FILE)
@client_options
def decrypt_command(options: ClientOptions, messages: tuple[Path, ...]) -> None:
    """Read MESSAGES with what was recovered: a history on this device, or the content keys that were approved for them."""
    with options.open() as context:
        opened = [read_recovered(context, message.read_bytes()) for message in messages]
    if options.as_json:
        print_json([message_document(mail) for mail in opened])
        return
    for mail in opened:
        show_message(mail)


def _time(seconds: int) -> str:
    return f"{seconds // _DAY} days" if seconds and seconds % _DAY == 0 else f"{seconds // _HOUR} hours"

"""`sealwright approvals`."""

import json

import click

from sealwright.cli.client_options import ClientOptions, client_options
from sealwright.cli.output import one_line, print_json
from sealwright.client.approvals import decide, find_proposal, list_proposals
from sealwright.wire.approvals import Decision, ProposalView


@click.group("approvals")
def approvals() -> None:
    """What others proposed and this person may decide on."""


@approvals.command("list")
@client_options
def list_command(options: ClientOptions) -> None:
    """List what was proposed, newest first."""
    with options.open() as context:
        found = list_proposals(context)
    if options.as_json:
        print_json([_as_json(view) for view in found])
        return
    for view in found:
        proposal = view.proposal
        count = f"{sum(each.decision == 'approve' for each in view.approvals)}/{view.needed}"
        click.echo(
            f"{proposal.proposal_id[:8]}  {view.state:8} {count:>4}  until {proposal.expires:%Y-%m-%d %H:%M}"
            f"  {proposal.kind:14} {one_line(view.requester_address)}: {one_line(proposal.reason)}"
        )


@approvals.command("show")
@click.argument("proposal")
@client_options
def show_command(options: ClientOptions, proposal: str) -> None:
    """Show PROPOSAL whole: what an approval would sign."""
    with options.open() as context:
        view = find_proposal(context, proposal)
    if options.as_json:
        print_json(_as_json(view))
        return
    show(view)


@approvals.command("approve")
@click.argument("proposal")
@click.option("--yes", is_flag=True, help="Do not show it and ask first.")
@client_options
def approve_command(options: ClientOptions, proposal: str, yes: bool) -> None:
    """Approve PROPOSAL; this device signs for it."""
    _decide(options, proposal, "approve", yes)


@approvals.command("veto")
@click.argument("proposal")
@click.option("--yes", is_flag=True, help="Do not show it and ask first.")
@client_options
def veto_command(options: ClientOptions, proposal: str, yes: bool) -> None:
    """End PROPOSAL for good; this device signs for it."""
    _decide(options, proposal, "veto", yes)


def _decide(options: ClientOptions, chosen: str, decision: Decision, yes: bool) -> None:
    with options.open() as context:
        view = find_proposal(context, chosen)
        if not yes:
            show(view)
            click.confirm("Approve this?" if decision == "approve" else "Veto this?", abort=True, err=True)
        decided = decide(context, view, decision)
    if options.as_json:
        print_json(_as_json(decided))
        return
    count = sum(each.decision == "approve" for each in decided.approvals)
    click.echo(f"{decided.state}: {count} of {decided.needed} approvals.")


def show(view: ProposalView) -> None:
    """Print a proposal for people."""
    proposal = view.proposal
    click.echo(f"Proposal   {proposal.proposal_id}  ({view.state})")
    click.echo(f"What       {proposal.kind}")
    click.echo(f"Asked by   {one_line(view.requester_address)}")
    click.echo(f"Reason     {one_line(proposal.reason)}")
    if proposal.case_number:
        click.echo(f"Case       {one_line(proposal.case_number)}")
    click.echo(f"Until      {proposal.expires:%Y-%m-%d %H:%M UTC}")
    click.echo(f"Needs      {view.needed} of role {view.approver_role}")
    for each in view.approvals:
        click.echo(f"           {each.signed_at:%Y-%m-%d %H:%M} {each.decision}: {one_line(each.approver)}")
    click.echo("Content")
    for line in json.dumps(_content(view), indent=2, ensure_ascii=True).splitlines():
        click.echo(f"  {line}")


def _content(view: ProposalView) -> object:
    try:
        return json.loads(view.proposal.content)
    except (ValueError, RecursionError):
        return "(this program cannot read it: do not approve it)"


def _as_json(view: ProposalView) -> dict[str, object]:
    proposal = view.proposal
    return {
        "proposal_id": proposal.proposal_id,
        "kind": proposal.kind,
        "state": view.state,
        "requester": view.requester_address,
        "reason": proposal.reason,
        "case_number": proposal.case_number,
        "content": _content(view),
        "digest": proposal.digest().hex(),
        "created": proposal.created,
        "expires": proposal.expires,
        "approver_role": view.approver_role,
        "needed": view.needed,
        "approvals": [
            {"approver": each.approver, "decision": each.decision, "signed_at": each.signed_at}
            for each in view.approvals
        ],
    }

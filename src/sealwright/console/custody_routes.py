"""Routes of the custody of keys: they show, and say which command changes what they show.

Whatever needs several people is signed by their own devices (`sealwright approvals`): a web page holds no key that could.
"""

from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from sealwright.console.custody import PROPOSAL_TITLES, UNDECIDED
from sealwright.console.http import HOME, AnyRequest, Console, Visitor, page, visitor
from sealwright.errors import NotFoundError
from sealwright.identity.permissions import is_permitted, permission_table


@get(f"{HOME}/custody", sync_to_thread=True)
def custody(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Show the state of custody in numbers, with the way to each page."""
    who = visitor(request, console)
    return page(console, "custody.html", who, shown=console.custody.summary(recoveries=_sees_recoveries(who)))


@get(f"{HOME}/policy", sync_to_thread=True)
def policy(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Show the release rules of the organization and its groups, and what is on its way."""
    who = visitor(request, console)
    proposed = [
        view
        for view in console.custody.proposals(recoveries=False)
        if view.proposal.kind == "policy.change" and view.state in UNDECIDED
    ]
    return page(console, "policy.html", who, rules=console.custody.policy(), proposed=proposed)


@get(f"{HOME}/approvals", sync_to_thread=True)
def approvals(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Show proposals, open and ended."""
    who = visitor(request, console)
    found = console.custody.proposals(recoveries=_sees_recoveries(who))
    return page(console, "approvals.html", who, found=found, titles=PROPOSAL_TITLES)


@get(f"{HOME}/approvals/{{proposal_id:str}}", sync_to_thread=True)
def approval(request: AnyRequest, console: NamedDependency[Console], proposal_id: FromPath[str]) -> Response[bytes]:
    """Show one proposal whole: who signed, and what an approval would sign."""
    who = visitor(request, console)
    try:
        shown = console.custody.proposal(proposal_id, recoveries=_sees_recoveries(who))
    except NotFoundError:
        return page(console, "error.html", who, 404, title="Not found", detail="There is no such proposal.")
    return page(console, "approval.html", who, shown=shown)


@get(f"{HOME}/recoveries", sync_to_thread=True)
def recoveries(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Show the recovery rule and every case."""
    return page(console, "recoveries.html", visitor(request, console), shown=console.custody.recoveries())


@get(f"{HOME}/roles", sync_to_thread=True)
def roles(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Show who has which role, and what each may do."""
    who = visitor(request, console)
    return page(console, "roles.html", who, holders=console.custody.holders(), table=permission_table())


@get(f"{HOME}/holds", sync_to_thread=True)
def holds(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Show legal holds, in force and lifted."""
    return page(console, "holds.html", visitor(request, console), found=console.custody.holds())


@get(f"{HOME}/keys", sync_to_thread=True)
def keys(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Show how the archived keys are."""
    return page(console, "keys.html", visitor(request, console), shown=console.custody.keys())


@get(f"{HOME}/seal", sync_to_thread=True)
def seal(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Show how the seal is, and how far the re-sealing under its newest storage key."""
    return page(console, "seal.html", visitor(request, console), shown=console.custody.seal())


CUSTODY_HANDLERS: list[Any] = [custody, policy, approvals, approval, recoveries, roles, holds, keys, seal]


def _sees_recoveries(who: Visitor) -> bool:
    return is_permitted("recovery.read", (who.session.role,))

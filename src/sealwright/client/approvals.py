"""Deciding on what others proposed: this device signs exactly what it shows."""

from datetime import timedelta

from sealwright.client.context import ClientContext
from sealwright.client.session import load_p256_private_key
from sealwright.errors import InputError, NotFoundError
from sealwright.wire.approvals import (
    ApprovalStatement,
    Decision,
    DecisionRequest,
    ProposalList,
    ProposalRequest,
    ProposalView,
)


def list_proposals(context: ClientContext) -> tuple[ProposalView, ...]:
    """Return what was proposed, newest first."""
    return context.session.get("/v1/proposals", ProposalList).proposals


def find_proposal(context: ClientContext, chosen: str) -> ProposalView:
    """Return a proposal by its id or the beginning of it (6 digits at least).

    Raises:
        NotFoundError: If there is none.
        InputError: If there are several, or the beginning is too short.
    """
    if len(chosen) < 6:
        raise InputError("give at least 6 digits of the proposal's id")
    found = [view for view in list_proposals(context) if view.proposal.proposal_id.startswith(chosen.lower())]
    if not found:
        raise NotFoundError(f"there is no proposal {chosen}")
    if len(found) > 1:
        raise InputError(f"several proposals begin with {chosen}")
    return found[0]


def propose(context: ClientContext, kind: str, content: bytes, reason: str, case_number: str = "") -> ProposalView:
    """Propose something.

    Raises:
        SealwrightError: What the server's problem says.
    """
    request = ProposalRequest(kind=kind, reason=reason, content=content, case_number=case_number)
    return context.session.post("/v1/proposals", request, ProposalView)


def decide(context: ClientContext, view: ProposalView, decision: Decision) -> ProposalView:
    """Sign a decision with this device's key and send it.

    Args:
        context: The mailbox.
        view: As it was shown; its digest is what is signed.
        decision: "approve" or "veto".

    Raises:
        SealwrightError: What the server's problem says.
    """
    device = context.device_keys
    proposal, now = view.proposal, context.clock.now().replace(microsecond=0)
    if proposal.organization_id != context.enrolled.organization_id:
        raise InputError("the proposal is of another organization")
    statement = ApprovalStatement(
        organization_id=proposal.organization_id,
        proposal_id=proposal.proposal_id,
        kind=proposal.kind,
        subject_sha256=proposal.digest(),
        decision=decision,
        approver=context.enrolled.mailbox_id,
        device_thumbprint=device.public.thumbprint(),
        signed_at=now,
        expires=now + timedelta(seconds=view.approval_seconds),
    )
    signature = statement.sign(load_p256_private_key(device.authentication_key_pkcs8))
    request = DecisionRequest(statement=statement, signature=signature)
    return context.session.post(f"/v1/proposals/{proposal.proposal_id}/decisions", request, ProposalView)

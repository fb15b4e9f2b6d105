"""HTTP of proposals; handlers only translate. The composition root provides `approval_service` and `token_service`."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody

from sealwright.identity.approvals import ApprovalService
from sealwright.identity.http import answer, authenticate, decode_request
from sealwright.identity.tokens import TokenService
from sealwright.wire.approvals import DecisionRequest, ProposalList, ProposalRequest

AnyRequest = Request[Any, Any, Any]
MAX_PROPOSAL_BODY = 512 * 1024
"""The largest content, in base64."""


@get("/v1/proposals", sync_to_thread=True)
def list_proposals(
    request: AnyRequest,
    approval_service: NamedDependency[ApprovalService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """List proposals, newest first: 200 ProposalList."""
    device = authenticate(request, token_service, state_changing=False)
    found = approval_service.views(device.organization_id, device.mailbox_id)
    return answer(ProposalList(proposals=found), token_service)


@get("/v1/proposals/{proposal_id:str}", sync_to_thread=True)
def show_proposal(
    request: AnyRequest,
    proposal_id: FromPath[str],
    approval_service: NamedDependency[ApprovalService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Show a proposal: 200 ProposalView."""
    device = authenticate(request, token_service, state_changing=False)
    found = approval_service.visible(device.organization_id, proposal_id, device.mailbox_id)
    return answer(found, token_service)


@post("/v1/proposals", sync_to_thread=True)
def propose(
    request: AnyRequest,
    body: RawBody,
    approval_service: NamedDependency[ApprovalService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Propose something: 201 ProposalView."""
    device = authenticate(request, token_service, state_changing=True, body=body)
    wanted = decode_request(body, ProposalRequest, MAX_PROPOSAL_BODY)
    made = approval_service.propose(device.organization_id, device.mailbox_id, wanted, device.idempotency_key)
    return answer(approval_service.view(device.organization_id, made.proposal_id), token_service, 201)


@post("/v1/proposals/{proposal_id:str}/decisions", status_code=200, sync_to_thread=True)
def decide(
    request: AnyRequest,
    body: RawBody,
    proposal_id: FromPath[str],
    approval_service: NamedDependency[ApprovalService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Approve or veto: 200 ProposalView."""
    device = authenticate(request, token_service, state_changing=True, body=body)
    wanted = decode_request(body, DecisionRequest)
    approval_service.visible(device.organization_id, proposal_id, device.mailbox_id)
    decided = approval_service.decide(device, proposal_id, wanted)
    return answer(decided, token_service)


approval_router = Router(path="/", route_handlers=[list_proposals, show_proposal, propose, decide])
"""Mounted at the root of the public application."""

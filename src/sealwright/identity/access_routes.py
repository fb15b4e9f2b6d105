"""HTTP of release levels 2 to 4; handlers only translate. The composition root provides `access_service`."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody

from sealwright.errors import NotFoundError
from sealwright.identity.access import AccessService
from sealwright.identity.http import answer, authenticate, check_empty, decode_request, no_content
from sealwright.identity.tokens import TokenService
from sealwright.wire.factors import ApprovalRequest, FactorRequest

AnyRequest = Request[Any, Any, Any]
KINDS = frozenset({"password", "new-password", "secret", "sign-on"})


@get("/v1/access", sync_to_thread=True)
def show_standing(
    request: AnyRequest, access_service: NamedDependency[AccessService], token_service: NamedDependency[TokenService]
) -> Response[bytes]:
    """Say what the device has proved and what it needs: 200 AccessAnswer."""
    asking = authenticate(request, token_service, state_changing=False)
    return answer(access_service.standing(asking), token_service)


@post("/v1/access/{kind:str}", status_code=200, sync_to_thread=True)
def show_factor(
    request: AnyRequest,
    body: RawBody,
    kind: FromPath[str],
    access_service: NamedDependency[AccessService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Take a factor: 200 AccessAnswer."""
    if kind not in KINDS:
        raise NotFoundError("there is no such factor")
    asking = authenticate(request, token_service, state_changing=True, body=body)
    return answer(access_service.show(asking, kind, decode_request(body, FactorRequest).sealed), token_service)


@get("/v1/access/approvals", sync_to_thread=True)
def list_waiting(
    request: AnyRequest, access_service: NamedDependency[AccessService], token_service: NamedDependency[TokenService]
) -> Response[bytes]:
    """List devices that wait for an approval: 200 WaitingDevices."""
    asking = authenticate(request, token_service, state_changing=False)
    return answer(access_service.waiting(asking), token_service)


@post("/v1/access/approvals", status_code=200, sync_to_thread=True)
def ask_approval(
    request: AnyRequest,
    body: RawBody,
    access_service: NamedDependency[AccessService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Ask for an approval of the asking device: 200 AccessAnswer."""
    check_empty(body)
    asking = authenticate(request, token_service, state_changing=True, body=body)
    return answer(access_service.ask_approval(asking), token_service)


@post("/v1/access/approvals/{device_id:str}", status_code=204, sync_to_thread=True)
def approve_device(
    request: AnyRequest,
    body: RawBody,
    device_id: FromPath[str],
    access_service: NamedDependency[AccessService],
    token_service: NamedDependency[TokenService],
) -> Response[None]:
    """Approve another device of the mailbox: 204."""
    asking = authenticate(request, token_service, state_changing=True, body=body)
    access_service.approve(asking, device_id, decode_request(body, ApprovalRequest))
    return no_content(token_service)


access_router = Router(
    path="/", route_handlers=[show_standing, show_factor, list_waiting, ask_approval, approve_device]
)
"""Mounted at the root of the public application."""

"""HTTP of recovery; handlers only translate. The composition root provides `recovery_service` and `token_service`."""

from typing import Any

from litestar import Request, Response, Router, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody

from sealwright.identity.http import answer, authenticate, decode_request, signed_evidence
from sealwright.identity.tokens import TokenService
from sealwright.kms.recovery import RecoveryService
from sealwright.wire.recovery import RecoveryFetch, RecoveryTargetRequest

AnyRequest = Request[Any, Any, Any]
MAX_FETCH_BODY = 1024 * 1024
"""A thousand RecipientInfos of ordinary keys stay below; of the largest ones, a client asks in parts."""


@post("/v1/recoveries/target", status_code=200, sync_to_thread=True)
def show_target(
    request: AnyRequest,
    body: RawBody,
    recovery_service: NamedDependency[RecoveryService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Say whose keys an address has, for people who may request a recovery: 200 RecoveryTarget."""
    device = authenticate(request, token_service, state_changing=True, body=body)
    wanted = decode_request(body, RecoveryTargetRequest)
    return answer(recovery_service.target(device, wanted.address), token_service)


@post("/v1/recoveries/{proposal_id:str}/fetch", status_code=200, sync_to_thread=True)
def fetch(
    request: AnyRequest,
    body: RawBody,
    proposal_id: FromPath[str],
    recovery_service: NamedDependency[RecoveryService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Give an approved recovery to the device that it names: 200 RecoveryAnswer."""
    device = authenticate(request, token_service, state_changing=True, body=body)
    wanted = decode_request(body, RecoveryFetch, MAX_FETCH_BODY)
    found = recovery_service.fetch(device, proposal_id, wanted, signed_evidence(request, body))
    return answer(found, token_service)


recovery_router = Router(path="/", route_handlers=[show_target, fetch])
"""Mounted at the root of the public application."""

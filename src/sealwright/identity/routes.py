"""HTTP of enrolment, tokens, devices and the sync feed; handlers only translate.

The composition root provides `enrolment_service`, `device_service`, `feed_watch` and `token_service`.
"""

import asyncio
from typing import Any

from litestar import Request, Response, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody

from sealwright.errors import InputError
from sealwright.identity.devices import DeviceService
from sealwright.identity.enrolment import EnrolmentService
from sealwright.identity.feed_watch import FeedWatch
from sealwright.identity.http import answer, authenticate, check_empty, decode_request, no_content, signed_evidence
from sealwright.identity.tokens import TokenService
from sealwright.wire.api import DeviceStateRequest, EnrolmentRequest, ProofRequest

AnyRequest = Request[Any, Any, Any]


@post("/v1/enrolments", sync_to_thread=True)
def begin_enrolment(
    request: AnyRequest,
    body: RawBody,
    enrolment_service: NamedDependency[EnrolmentService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Begin a mailbox proof: 201 EnrolmentAnswer."""
    wanted = decode_request(body, EnrolmentRequest)
    source_ip = request.client.host if request.client else ""
    begun = enrolment_service.begin(wanted, signed_evidence(request, body), source_ip)
    return answer(begun, token_service, 201)


@post("/v1/enrolments/{enrolment_id:str}/proof", status_code=200, sync_to_thread=True)
def prove_mailbox(
    request: AnyRequest,
    body: RawBody,
    enrolment_id: FromPath[str],
    enrolment_service: NamedDependency[EnrolmentService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Finish a mailbox proof: 200 EnrolledAnswer."""
    proof = decode_request(body, ProofRequest)
    return answer(enrolment_service.prove(enrolment_id, proof, signed_evidence(request, body)), token_service)


@post("/v1/token", status_code=200, sync_to_thread=True)
def renew_token(request: AnyRequest, body: RawBody, token_service: NamedDependency[TokenService]) -> Response[bytes]:
    """Renew the access token with a signed request: 200 AccessToken."""
    check_empty(body)
    return answer(token_service.renew(signed_evidence(request, body)), token_service)


@get("/v1/nonce", sync_to_thread=True)
def give_nonce(token_service: NamedDependency[TokenService]) -> Response[None]:
    """Give a nonce in the DPoP-Nonce header: 204."""
    return no_content(token_service)


@get("/v1/devices", sync_to_thread=True)
def list_devices(
    request: AnyRequest, device_service: NamedDependency[DeviceService], token_service: NamedDependency[TokenService]
) -> Response[bytes]:
    """List the mailbox's devices: 200 DeviceList."""
    asking = authenticate(request, token_service, state_changing=False)
    return answer(device_service.list_devices(asking), token_service)


@delete("/v1/devices/{device_id:str}", status_code=204, sync_to_thread=True)
def remove_device(
    request: AnyRequest,
    body: RawBody,
    device_id: FromPath[str],
    device_service: NamedDependency[DeviceService],
    token_service: NamedDependency[TokenService],
) -> Response[None]:
    """Remove a device of the mailbox: 204."""
    check_empty(body)
    asking = authenticate(request, token_service, state_changing=True, body=body)
    device_service.remove(asking, device_id)
    return no_content(token_service)


@post("/v1/devices/{device_id:str}/state", status_code=204, sync_to_thread=True)
def change_device_state(
    request: AnyRequest,
    body: RawBody,
    device_id: FromPath[str],
    device_service: NamedDependency[DeviceService],
    token_service: NamedDependency[TokenService],
) -> Response[None]:
    """Lock or unlock a device of the mailbox: 204."""
    asking = authenticate(request, token_service, state_changing=True, body=body)
    device_service.change_state(asking, device_id, decode_request(body, DeviceStateRequest).state)
    return no_content(token_service)


@get("/v1/sync")
async def sync_feed(
    request: AnyRequest,
    device_service: NamedDependency[DeviceService],
    token_service: NamedDependency[TokenService],
    feed_watch: NamedDependency[FeedWatch],
) -> Response[bytes]:
    """Read the sync feed: 200 SyncAnswer; a locked device learns here that it is.

    With `wait`, in seconds, an answer without news is held back until there are some, for at most 25 seconds.
    """
    asking = await asyncio.to_thread(authenticate, request, token_service, False, locked=True)
    after, wait = (_number(request, name) for name in ("after", "wait"))
    found = await asyncio.to_thread(device_service.sync, asking, after)
    if wait and not found.items and not found.locked:
        await feed_watch.wait(asking.device_id, after, wait)
        found = await asyncio.to_thread(device_service.sync, asking, after)
    return await asyncio.to_thread(answer, found, token_service)


def _number(request: AnyRequest, name: str) -> int:
    text = request.query_params.get(name, "0")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InputError(f"`{name}` is a number")
    return int(text)


identity_router = Router(
    path="/",
    route_handlers=[
        begin_enrolment,
        prove_mailbox,
        renew_token,
        give_nonce,
        list_devices,
        remove_device,
        change_device_state,
        sync_feed,
    ],
)
"""Mounted at the root of the public application."""

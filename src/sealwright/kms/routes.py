"""HTTP of key management; handlers only translate. The composition root provides `key_service` and `token_service`."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody

from sealwright.identity.http import answer, authenticate, decode_request, signed_evidence
from sealwright.identity.tokens import TokenService
from sealwright.kms.exits import ExitService
from sealwright.kms.importing import OWNER
from sealwright.kms.service import KeyService
from sealwright.wire.api import ExportRequest, ReleaseRequest
from sealwright.wire.content_keys import ContentKeyRequest
from sealwright.wire.exits import ExitKeysRequest
from sealwright.wire.key_import import ImportAnswer, ImportRequest

AnyRequest = Request[Any, Any, Any]
MAX_IMPORT_BODY = 4 * 1024 * 1024
"""Keys of the largest kind with twenty certificates each stay below."""


@post("/v1/releases", status_code=200, sync_to_thread=True)
def release_keys(
    request: AnyRequest,
    body: RawBody,
    key_service: NamedDependency[KeyService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Release the mailbox's keys to the asking device: 200 ReleaseAnswer."""
    device = authenticate(request, token_service, state_changing=True, body=body)
    wanted = decode_request(body, ReleaseRequest)
    released = key_service.release(device, wanted, signed_evidence(request, body), device.idempotency_key)
    return answer(released, token_service)


@post("/v1/exports", status_code=200, sync_to_thread=True)
def permit_export(
    request: AnyRequest,
    body: RawBody,
    key_service: NamedDependency[KeyService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Permit the export of one key: 200 ExportAnswer."""
    device = authenticate(request, token_service, state_changing=True, body=body)
    wanted = decode_request(body, ExportRequest)
    permitted = key_service.export_permission(device, wanted, signed_evidence(request, body), device.idempotency_key)
    return answer(permitted, token_service)


@get("/v1/imports/key", sync_to_thread=True)
def import_key(
    request: AnyRequest, key_service: NamedDependency[KeyService], token_service: NamedDependency[TokenService]
) -> Response[bytes]:
    """Return what keys of another system are sealed to: 200 ImportKeyAnswer."""
    device = authenticate(request, token_service, state_changing=False)
    return answer(key_service.importer.import_key(device.organization_id), token_service)


@post("/v1/imports", status_code=200, sync_to_thread=True)
def import_keys(
    request: AnyRequest,
    body: RawBody,
    key_service: NamedDependency[KeyService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Take keys of another system into the mailbox's history: 200 ImportAnswer."""
    device = authenticate(request, token_service, state_changing=True, body=body)
    wanted = decode_request(body, ImportRequest, MAX_IMPORT_BODY)
    thumbprint = device.credential.device.thumbprint().hex()
    outcomes = key_service.importer.import_keys(
        device.organization_id, device.mailbox_id, wanted.keys, OWNER, thumbprint
    )
    return answer(ImportAnswer(outcomes=outcomes), token_service)


@post("/v1/content-keys", status_code=200, sync_to_thread=True)
def unwrap_content_keys(
    request: AnyRequest,
    body: RawBody,
    key_service: NamedDependency[KeyService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Unwrap content keys with keys that stay here: 200 ContentKeyAnswer."""
    device = authenticate(request, token_service, state_changing=True, body=body)
    wanted = decode_request(body, ContentKeyRequest, MAX_IMPORT_BODY)
    unwrapped = key_service.remote.unwrap(device, wanted, signed_evidence(request, body), device.idempotency_key)
    return answer(unwrapped, token_service)


@get("/v1/exits/{proposal_id:str}/mailboxes", sync_to_thread=True)
def exit_mailboxes(
    request: AnyRequest,
    proposal_id: FromPath[str],
    exit_service: NamedDependency[ExitService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """List the mailboxes of an approved exit: 200 ExitMailboxes."""
    device = authenticate(request, token_service, state_changing=False)
    return answer(exit_service.mailboxes(device, proposal_id), token_service)


@post("/v1/exits/{proposal_id:str}/keys", status_code=200, sync_to_thread=True)
def exit_keys(
    request: AnyRequest,
    body: RawBody,
    proposal_id: FromPath[str],
    exit_service: NamedDependency[ExitService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Give out one mailbox's keys under an approved exit: 200 ReleaseAnswer."""
    device = authenticate(request, token_service, state_changing=True, body=body)
    wanted = decode_request(body, ExitKeysRequest)
    return answer(exit_service.keys(device, proposal_id, wanted, signed_evidence(request, body)), token_service)


exit_router = Router(path="/", route_handlers=[exit_mailboxes, exit_keys])
"""Mounted at the root of the public application."""

kms_router = Router(
    path="/", route_handlers=[release_keys, permit_export, import_key, import_keys, unwrap_content_keys]
)
"""Mounted at the root of the public application."""

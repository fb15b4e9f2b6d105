"""What all route handlers for devices share: who asks, the request as it was signed, JSON in and out."""

from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response
from litestar.enums import MediaType

from sealwright.errors import AuthenticationError, DecodingError, InputError
from sealwright.identity.model import AuthenticatedDevice
from sealwright.identity.permissions import PERSON, check_permission, is_permitted, permission_of
from sealwright.identity.tokens import TokenService, signature_headers
from sealwright.keystore.model import SignedRequestEvidence

MAX_BODY_BYTES = 64 * 1024
"""No request of a device to these rooms comes near."""
NONCE_HEADER = "DPoP-Nonce"
_SINGLE = ("authorization", "dpop", "content-digest", "signature-input", "signature", "idempotency-key")

T = TypeVar("T")


def authenticate(
    request: Request[Any, Any, Any],
    token_service: TokenService,
    state_changing: bool,
    body: bytes = b"",
    *,
    locked: bool = False,
) -> AuthenticatedDevice:
    """Find out which device sent a request.

    Args:
        request: The request.
        token_service: Knows tokens and devices.
        state_changing: Whether it must be signed with an idempotency key, too.
        body: The raw body; handlers declare a `body: bytes` argument to have it.
        locked: Whether a locked device may ask, too.

    Raises:
        AuthenticationError: If token, proof or signature is not right.
        NonceRequiredError: If the proof's nonce is not fresh.
        PermissionDeniedError: If the device is locked, or the route needs a role that its owner has not.
        RateLimitedError: If the device makes too many requests.
    """
    permission = permission_of(request.method, request.scope["path_template"])
    headers = request_headers(request)
    uri = str(request.url)
    asking = token_service.authenticate(
        headers, request.method, uri, body, state_changing=state_changing, locked=locked
    )
    if not is_permitted(permission, (PERSON,)):  # roles are looked up where they matter only: releases are many
        check_permission(permission, token_service.roles(asking))
    return replace(asking, source=request.client.host if request.client else "")


def signed_evidence(request: Request[Any, Any, Any], body: bytes) -> SignedRequestEvidence:
    """Return a request as the device signed it; holds no token."""
    headers = signature_headers(request_headers(request))
    return SignedRequestEvidence(str(request.method), str(request.url), headers, body)


def request_headers(request: Request[Any, Any, Any]) -> dict[str, str]:
    """Return the headers that authenticate, names in lower case.

    Raises:
        AuthenticationError: If one of them comes twice: two readers could take different ones.
    """
    headers: dict[str, str] = {}
    for name in _SINGLE:
        values = request.headers.getall(name, [])
        if len(values) > 1:
            raise AuthenticationError(f"the request has more than one {name} header")
        if values:
            headers[name] = values[0]
    return headers


def decode_request(body: bytes, kind: type[T], max_bytes: int = MAX_BODY_BYTES) -> T:
    """Decode a JSON request.

    Raises:
        DecodingError: If it is not one of this kind.
        InputError: If it is too large.
    """
    if len(body) > max_bytes:
        raise InputError("the request is too large")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodingError(f"not a {kind.__name__}") from error


def check_empty(body: bytes) -> None:
    """Check that a request has no body where it needs none.

    Raises:
        InputError: If it has one.
    """
    if body:
        raise InputError("this request has no body")


def answer(value: object, token_service: TokenService, status_code: int = 200) -> Response[bytes]:
    """Return a JSON answer that no cache keeps, with the next nonce."""
    headers = {NONCE_HEADER: token_service.nonce(), "Cache-Control": "no-store"}
    return Response(msgspec.json.encode(value), status_code=status_code, media_type=MediaType.JSON, headers=headers)


def no_content(token_service: TokenService) -> Response[None]:
    """Return 204 with the next nonce."""
    return Response(None, status_code=204, headers={NONCE_HEADER: token_service.nonce(), "Cache-Control": "no-store"})

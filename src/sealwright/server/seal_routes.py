"""The seal for those who run the server (`/local/seal`), and for people with a share at another terminal (`/v1/seal`)."""

from typing import Any

import msgspec
from litestar import Controller, MediaType, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from sealwright.identity.http import authenticate, check_empty, decode_request
from sealwright.identity.tokens import TokenService
from sealwright.server.sealing import SealService
from sealwright.wire.seal import ChangeBegun, ChangeRequest, EntryRequest, NewShares, SealStatus

HOST = "the operator"
"""Who acts in the log: whoever may open the socket."""


class SealController(Controller):
    """Routes under `/local/seal`; all are there while the server is sealed, too."""

    path = "/local/seal"

    @get("/", sync_to_thread=True)
    def status(self, seal_service: NamedDependency[SealService]) -> SealStatus:
        """Return how the seal is."""
        return seal_service.status()

    @post("/entries", sync_to_thread=True, status_code=200)
    def enter(self, body: RawBody, seal_service: NamedDependency[SealService]) -> SealStatus:
        """Take a share or the PIN of the HSM."""
        return seal_service.enter(decode_request(body, EntryRequest).sealed_entry, is_at_server=True)

    @post("/openings", sync_to_thread=True, status_code=200)
    def unseal(self, seal_service: NamedDependency[SealService]) -> SealStatus:
        """Open the seal if nobody is needed for it."""
        return seal_service.unseal()

    @post("/closings", sync_to_thread=True, status_code=200)
    def close(self, seal_service: NamedDependency[SealService]) -> SealStatus:
        """Close the seal."""
        return seal_service.close(HOST)

    @post("/rotations", sync_to_thread=True, status_code=200)
    def rotate(self, seal_service: NamedDependency[SealService]) -> SealStatus:
        """Begin to use a new storage key; what older ones sealed is re-sealed in the background."""
        return seal_service.rotate()

    @post("/changes", sync_to_thread=True, status_code=200)
    def begin_change(self, body: RawBody, seal_service: NamedDependency[SealService]) -> ChangeBegun:
        """Begin a change of the seal."""
        return seal_service.begin_change(decode_request(body, ChangeRequest))

    @post("/changes/shares", sync_to_thread=True, status_code=200)
    def take_new_shares(self, seal_service: NamedDependency[SealService]) -> NewShares:
        """Hand out the new shares, once."""
        return seal_service.take_new_shares()

    @post("/changes/cancel", sync_to_thread=True, status_code=200)
    def cancel_change(self, seal_service: NamedDependency[SealService]) -> SealStatus:
        """Forget a change that is under way."""
        return seal_service.cancel_change()


class ShareController(Controller):
    """Routes under `/v1/seal`: whoever has a share proves it by entering it."""

    path = "/v1/seal"

    @get("/", sync_to_thread=True)
    def status(self, seal_service: NamedDependency[SealService]) -> SealStatus:
        """Return how the seal is."""
        return seal_service.public_status()

    @post("/entries", sync_to_thread=True, status_code=200)
    def enter(self, body: RawBody, seal_service: NamedDependency[SealService]) -> SealStatus:
        """Take a share."""
        return seal_service.enter(decode_request(body, EntryRequest).sealed_entry, is_at_server=False)


@post("/v1/seal/closings", sync_to_thread=True, status_code=200)
def close_seal(
    request: Request[Any, Any, Any],
    body: RawBody,
    seal_service: NamedDependency[SealService],
    token_service: NamedDependency[TokenService],
) -> Response[bytes]:
    """Close the seal, for whoever has a role that may: 200 SealStatus. A closed server has no nonce to give along."""
    device = authenticate(request, token_service, state_changing=True, body=body)
    check_empty(body)
    status = seal_service.close(device.mailbox_id)
    return Response(msgspec.json.encode(status), status_code=200, media_type=MediaType.JSON)

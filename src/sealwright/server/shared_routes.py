"""GET /v1/shared-mailboxes: what the asking device's owner is a member of."""

from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from sealwright.identity.http import answer, authenticate
from sealwright.server.wiring import Services


@get("/v1/shared-mailboxes", sync_to_thread=True)
def list_shared(request: Request[Any, Any, Any], services: NamedDependency[Services]) -> Response[bytes]:
    """List shared mailboxes: 200 SharedMailboxes."""
    device = authenticate(request, services.tokens, state_changing=False)
    return answer(services.shared.of_device(device), services.tokens)

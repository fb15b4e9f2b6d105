"""The owner's chain, and the log's public face: checkpoints, tiles (C2SP tlog-tiles) and consistency proofs."""

import re
from typing import Annotated, Any

from litestar import MediaType, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from sealwright.errors import NotFoundError
from sealwright.identity.http import answer, authenticate
from sealwright.server.wiring import Services
from sealwright.tlog.tiles import TILE_WIDTH
from sealwright.wire.api import ChainAnswer, ConsistencyAnswer

_TILE = re.compile(r"/?([0-9]{1,2})/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([0-9]{1,3}))?")
_ORGANIZATION = re.compile(r"[0-9a-f]{32}")


@get("/v1/log/chain", sync_to_thread=True)
def chain(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    after: Annotated[int, QueryParameter(ge=0)] = 0,
    mailbox: Annotated[str, QueryParameter(max_length=32)] = "",
) -> Response[bytes]:
    """Return the chain of the asking device's mailbox, or of one that its owner shares, after a number."""
    device = services.shared.acting(authenticate(request, services.tokens, state_changing=False), mailbox)
    view = services.audit.chain(device.organization_id, device.mailbox_id, after)
    found = ChainAnswer(
        chain_id=device.mailbox_id,
        leaves=tuple(leaf.opening() for leaf in view.leaves),
        head_number=view.head_number,
        head_hash=view.head_hash,
        checkpoint=view.checkpoint,
        map_siblings=view.map_proof.siblings,
        map_other=view.map_proof.other,
    )
    return answer(found, services.tokens)


@get("/v1/log/consistency", sync_to_thread=True)
def consistency(
    services: NamedDependency[Services],
    first: Annotated[int, QueryParameter(ge=0)],
    second: Annotated[int, QueryParameter(ge=0)],
) -> ConsistencyAnswer:
    """Return the proof that one size of the log extends another."""
    return ConsistencyAnswer(proof=tuple(services.audit.consistency(services.organization_id, first, second)))


@get("/log/{organization:str}/checkpoint", sync_to_thread=True, media_type=MediaType.TEXT)
def checkpoint(services: NamedDependency[Services], organization: Annotated[str, PathParameter()]) -> str:
    """Return the newest signed checkpoint."""
    return services.audit.checkpoint(_organization(organization))


@get("/log/{organization:str}/tile/{tile:path}", sync_to_thread=True)
def tile(
    services: NamedDependency[Services],
    organization: Annotated[str, PathParameter()],
    tile: Annotated[str, PathParameter()],
) -> Response[bytes]:
    """Return the hashes of a tile; a full one never changes."""
    match = _TILE.fullmatch(tile)
    if match is None:
        raise NotFoundError("there is no such tile")
    index = int(match[2].replace("x", "").replace("/", ""))
    width = int(match[3]) if match[3] else TILE_WIDTH
    hashes = services.audit.tile(_organization(organization), int(match[1]), index, width)
    age = "public, max-age=31536000, immutable" if width == TILE_WIDTH else "no-store"
    return Response(hashes, media_type="application/octet-stream", headers={"cache-control": age})


def _organization(text: str) -> str:
    if not _ORGANIZATION.fullmatch(text):
        raise NotFoundError("there is no such log")
    return text

"""The owner's chain, what auditors may open, and the log's public face: a C2SP tlog-tiles log, and consistency proofs."""

import re
from datetime import date
from typing import Annotated, Any

from litestar import MediaType, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter, RawBody

from sealwright.errors import DecodingError, InputError, NotFoundError
from sealwright.identity.http import answer, authenticate, decode_request
from sealwright.server.wiring import Services
from sealwright.tlog.layout import ENTRIES, encode_bundle, parse_path
from sealwright.tlog.note import VerifierKey
from sealwright.tlog.tiles import TILE_WIDTH
from sealwright.wire.api import (
    BreaksAnswer,
    ChainAnswer,
    ConsistencyAnswer,
    CosignedAnswer,
    LeavesAnswer,
    OpenedLeaf,
    ReportAnswer,
)
from sealwright.wire.operator import LogBreakReason, LogDescription, RoleChanged

DAY = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
MAX_INDEX = 2**62
"""No log comes so far."""
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


@get("/v1/log/cosigned", sync_to_thread=True)
def cosigned(services: NamedDependency[Services]) -> CosignedAnswer:
    """Return the newest checkpoint that a quorum of witnesses cosigned."""
    return CosignedAnswer(checkpoint=services.witnessing.cosigned(services.organization_id))


@get("/v1/log/leaves", sync_to_thread=True)
def open_leaves(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    first: Annotated[int, QueryParameter(ge=0, le=MAX_INDEX)],
) -> Response[bytes]:
    """Return what the leaves from an index on say, to a device whose owner may read the log."""
    device = authenticate(request, services.tokens, state_changing=False)
    return answer(_opened(services, device.organization_id, first), services.tokens)


@get("/local/log/leaves", sync_to_thread=True)
def open_leaves_for_host(
    services: NamedDependency[Services], first: Annotated[int, QueryParameter(ge=0, le=MAX_INDEX)]
) -> LeavesAnswer:
    """Return what the leaves from an index on say, to the operator."""
    return _opened(services, services.organization_id, first)


@get("/local/log", sync_to_thread=True)
def describe(services: NamedDependency[Services]) -> LogDescription:
    """Return where the log is below this server, and the key that signs it."""
    content = services.statement_content
    key = VerifierKey(content.log_origin, content.log_key)
    return LogDescription(path=f"/log/{services.organization_id}", verifier_key=key.encode())


@get("/v1/log/report", sync_to_thread=True)
def report(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    day: Annotated[str, QueryParameter(pattern=DAY)],
) -> Response[bytes]:
    """Return the report of a day to a device whose owner may read the log."""
    authenticate(request, services.tokens, state_changing=False)
    return answer(ReportAnswer(files=services.reports.files(_day(day))), services.tokens)


@get("/local/log/report", sync_to_thread=True)
def report_for_host(
    services: NamedDependency[Services], day: Annotated[str, QueryParameter(pattern=DAY)]
) -> ReportAnswer:
    """Return the report of a day to the operator."""
    return ReportAnswer(files=services.reports.files(_day(day)))


@get("/v1/log/breaks", sync_to_thread=True)
def breaks(services: NamedDependency[Services]) -> BreaksAnswer:
    """Return the log's breaks."""
    return BreaksAnswer(breaks=services.audit.breaks(services.organization_id))


@post("/local/log/breaks", sync_to_thread=True, status_code=200)
def break_log(body: RawBody, services: NamedDependency[Services]) -> RoleChanged:
    """Have it signed that the log goes on from where it is, or propose it."""
    made = services.log_breaks.break_log(services.organization_id, decode_request(body, LogBreakReason).reason)
    return RoleChanged(proposal_id=made.proposal_id if made else "")


@post("/local/log/time", sync_to_thread=True, status_code=204)
def reset_time(services: NamedDependency[Services]) -> None:
    """Mark the time as it is now, after a clock that was ahead was set right."""
    with services.storage.transaction(services.organization_id) as tx:
        services.audit.reset_time(tx, services.organization_id, "operator")


@get("/log/{organization:str}/checkpoint", sync_to_thread=True, media_type=MediaType.TEXT)
def checkpoint(services: NamedDependency[Services], organization: Annotated[str, PathParameter()]) -> Response[str]:
    """Return the newest signed checkpoint."""
    note = services.audit.checkpoint(_organization(organization))
    return Response(note, media_type=MediaType.TEXT, headers={"cache-control": "no-store"})


@get("/log/{organization:str}/tile/{tile:path}", sync_to_thread=True)
def tile(
    services: NamedDependency[Services],
    organization: Annotated[str, PathParameter()],
    tile: Annotated[str, PathParameter()],
) -> Response[bytes]:
    """Return the hashes of a tile or the entries of a bundle; a full one never changes."""
    try:
        wanted = parse_path(f"tile/{tile.removeprefix('/')}")
    except DecodingError as error:
        raise NotFoundError("there is no such tile") from error
    organization_id = _organization(organization)
    if wanted.level == ENTRIES:
        content = encode_bundle(services.audit.entries(organization_id, wanted.index, wanted.width))
    else:
        content = services.audit.tile(organization_id, wanted.level, wanted.index, wanted.width)
    age = "public, max-age=31536000, immutable" if wanted.width == TILE_WIDTH else "no-store"
    return Response(content, media_type="application/octet-stream", headers={"cache-control": age})


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text} is no day") from error


def _opened(services: Services, organization_id: str, first: int) -> LeavesAnswer:
    leaves = services.audit.open_leaves(organization_id, first)
    return LeavesAnswer(
        leaves=tuple(OpenedLeaf(index=leaf.index, salt=leaf.salt, record=leaf.record) for leaf in leaves)
    )


def _organization(text: str) -> str:
    if not _ORGANIZATION.fullmatch(text):
        raise NotFoundError("there is no such log")
    return text

"""What a sealed server answers: how the seal is, what people enter to open it, and "unavailable, sealed" to all else."""

from typing import Any

from litestar import Controller, Litestar, Request, Response, get
from litestar.di import Provide
from litestar.exceptions import HTTPException

from sealwright.errors import SealedError, SealwrightError
from sealwright.identity.permissions import permission_of
from sealwright.server.health import healthz
from sealwright.server.problem_answers import problem_answer
from sealwright.server.sealing import SealService
from sealwright.wire.problems import problem_for

MAX_SEALED_BODY = 64 * 1024
SEALED = SealedError("the server is sealed: people have to open it before it can answer")


@get("/readyz", include_in_schema=False, sync_to_thread=False)
def readyz() -> Response[dict[str, str]]:
    """Answer 503: the server is sealed."""
    return Response({"state": "sealed"}, status_code=503)


def sealed_app(service: SealService, *controllers: type[Controller]) -> Litestar:
    """Return the application of a sealed server.

    Args:
        service: The seal.
        controllers: Routes that are there all the same; each must be in the table of permissions.
    """
    return Litestar(
        route_handlers=[*controllers, healthz, readyz],
        guards=[lambda connection, _: _check_declared(connection)],
        dependencies={"seal_service": Provide(lambda: service, sync_to_thread=False)},
        exception_handlers={SealwrightError: _problem, HTTPException: _sealed, Exception: _problem},
        openapi_config=None,
        request_max_body_size=MAX_SEALED_BODY,
        logging_config=None,
    )


def _check_declared(connection: Any) -> None:
    permission_of(str(connection.scope["method"]), connection.scope["path_template"])


def _problem(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return problem_answer(problem_for(error), {"Cache-Control": "no-store"})


def _sealed(request: Request[Any, Any, Any], _: HTTPException) -> Response[bytes]:
    return _problem(request, SEALED)

"""The console's router: overview, people, log, static files; everything under `/console`."""

from typing import Annotated, Any

from litestar import Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.params import FromPath, QueryParameter

from sealwright.console.account_routes import ACCOUNT_HANDLERS
from sealwright.console.custody_routes import CUSTODY_HANDLERS
from sealwright.console.device_routes import DEVICE_HANDLERS, person_page
from sealwright.console.http import HOME, AnyRequest, Console, failure, missing, page, visitor
from sealwright.console.sign_in_routes import SIGN_IN_HANDLERS
from sealwright.errors import SealwrightError
from sealwright.webui.guard import SECURITY_HEADERS

STATIC = f"{HOME}/static"
MAX_PAGE = 10**9


@get(HOME, sync_to_thread=True)
def overview(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Show the state of the server."""
    who = visitor(request, console)
    return page(console, "overview.html", who, state=console.service.state())


@get(f"{HOME}/people", sync_to_thread=True)
def people(
    request: AnyRequest,
    console: NamedDependency[Console],
    q: Annotated[str, QueryParameter()] = "",
    number: Annotated[int, QueryParameter(name="page", ge=1, le=MAX_PAGE)] = 1,
) -> Response[bytes]:
    """Show people; to htmx the list alone."""
    who = visitor(request, console)
    partial = request.headers.get("hx-request") == "true" and "hx-history-restore-request" not in request.headers
    template = "people_list.html" if partial else "people.html"
    return page(console, template, who, found=console.service.people(q, number))


@get(f"{HOME}/people/{{mailbox_id:str}}", sync_to_thread=True)
def person(request: AnyRequest, console: NamedDependency[Console], mailbox_id: FromPath[str]) -> Response[bytes]:
    """Show one person: devices, keys, certificates, newest leaves."""
    return person_page(console, visitor(request, console), mailbox_id)


@get(f"{HOME}/shared", sync_to_thread=True)
def shared(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Show the shared mailboxes and their members."""
    who = visitor(request, console)
    return page(console, "shared.html", who, found=console.service.shared())


@get(f"{HOME}/log", sync_to_thread=True)
def log(
    request: AnyRequest,
    console: NamedDependency[Console],
    before: Annotated[int, QueryParameter(ge=0, le=2**62)] = 0,
) -> Response[bytes]:
    """Show the organization's leaves and the checkpoint."""
    who = visitor(request, console)
    return page(console, "log.html", who, shown=console.service.log(before))


@get(f"{STATIC}/{{name:str}}", sync_to_thread=False)
def static(console: NamedDependency[Console], name: FromPath[str]) -> Response[bytes]:
    """Return a file that pages load; its address changes with it."""
    found = console.pages.static(name)
    headers = {**SECURITY_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
    return Response(found.content, media_type=found.media_type, headers=headers)


def console_router(console: Console) -> Router:
    """Return the router to mount at the root of the public application."""

    def for_error(request: AnyRequest, error: SealwrightError) -> Response[bytes]:
        return failure(request, error, console)

    def for_http(request: AnyRequest, error: HTTPException) -> Response[bytes]:
        if error.status_code in (400, 404):  # an address with a page number that is none
            return missing(request, console)
        return page(console, "error.html", None, error.status_code, title="Refused", detail=str(error.detail))

    def give() -> Any:
        return console

    return Router(
        path="/",
        route_handlers=[
            overview,
            people,
            person,
            shared,
            log,
            static,
            *SIGN_IN_HANDLERS,
            *ACCOUNT_HANDLERS,
            *DEVICE_HANDLERS,
            *CUSTODY_HANDLERS,
        ],
        dependencies={"console": Provide(give, sync_to_thread=False)},
        exception_handlers={SealwrightError: for_error, HTTPException: for_http},
        include_in_schema=False,
        signature_types=[Console],
    )

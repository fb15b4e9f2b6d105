"""What all of the console's handlers share: the session, the guards of posts, pages, redirects, errors."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response

from sealwright.clock import Clock
from sealwright.console.custody import LEVELS, CustodyService
from sealwright.console.service import ConsoleService
from sealwright.errors import AuthenticationError, SealwrightError
from sealwright.identity.access import AccessService
from sealwright.identity.administrators import AdministratorService
from sealwright.identity.devices import DeviceService
from sealwright.identity.model import Administrator, ConsoleSession, NewSession
from sealwright.identity.passkeys import PasskeyService
from sealwright.identity.people import Mailboxes
from sealwright.identity.permissions import check_permission, is_permitted, permission_of
from sealwright.webui.forms import form_fields
from sealwright.webui.guard import (
    SECURITY_HEADERS,
    check_form_token,
    check_origin,
    form_token,
    read_cookie,
    set_cookie,
)
from sealwright.webui.render import SOON, Pages
from sealwright.wire.problems import problem_for

AnyRequest = Request[Any, Any, Any]
PATH = "/console"
HOME, SIGN_IN, SET_UP = PATH, f"{PATH}/sign-in", f"{PATH}/set-up"
PASSKEYS = f"{PATH}/passkeys"
FORM_TOKEN_HEADER = "x-form-token"  # noqa: S105 - a header's name


@dataclass(frozen=True, slots=True)
class Console:
    """Everything that the handlers use.

    Attributes:
        organization_id: 32 hex digits.
        organization_name: For the pages' head.
        service: What pages show.
        custody: What pages show of the custody of keys.
        mailboxes: Tenures.
        devices: Are locked and removed.
        access: Makes enrolment secrets.
        administrators: Who may see them.
        passkeys: How they sign in.
        pages: Templates.
        clock: The time.
        origins: Where the console is served, such as "https://keys.example.test".
    """

    organization_id: str
    organization_name: str
    service: ConsoleService
    custody: CustodyService
    mailboxes: Mailboxes
    devices: DeviceService
    access: AccessService
    administrators: AdministratorService
    passkeys: PasskeyService
    pages: Pages
    clock: Clock
    origins: Collection[str]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks.

    Attributes:
        session: Of the browser.
        token: Of the session's forms, hex.
    """

    session: ConsoleSession
    token: str

    @property
    def administrator(self) -> Administrator:
        """Whoever is signed in.

        Raises:
            AuthenticationError: If the session only sets an administrator up.
        """
        if self.session.administrator is None:
            raise AuthenticationError("Please finish your set-up first.")
        return self.session.administrator

    @property
    def signature(self) -> str:
        """Role and name, for the log."""
        return f"{self.administrator.role} {self.administrator.name}"


class SetUpFirstError(AuthenticationError):
    """The session is that of a link: nothing but the set-up page is for it."""


def visitor(request: AnyRequest, console: Console, *, setting_up: bool = False) -> Visitor:
    """Return who asks.

    Args:
        request: The request.
        console: The console.
        setting_up: Whether the session of a link is enough.

    Raises:
        AuthenticationError: If nobody is signed in.
        SetUpFirstError: If the administrator has no credential yet.
        PermissionDeniedError: If the role is not one for this page.
    """
    cookie = read_cookie(request.headers.get("cookie"))
    if not cookie:
        raise AuthenticationError("Please sign in.")
    session = console.administrators.session(console.organization_id, cookie)
    if session.administrator is None and not setting_up:
        raise SetUpFirstError("Please finish your set-up first.")
    if not setting_up:
        check_permission(permission_of(request.method, request.scope["path_template"]), (session.role,))
    return Visitor(session, form_token(cookie))


def check_post(request: AnyRequest, console: Console, given: str | None = None) -> None:
    """Check that a post comes from a page of this console, and - given a form's token - of this session.

    Raises:
        PermissionDeniedError: If it does not.
    """
    check_origin(request.headers.get("origin"), console.origins)
    if given is not None:
        check_form_token(read_cookie(request.headers.get("cookie")), given)


def posted(request: AnyRequest, console: Console, body: bytes) -> dict[str, str]:
    """Return the fields of a form of this session.

    Raises:
        PermissionDeniedError: If it comes from elsewhere.
        InputError: If it is no form.
    """
    fields = form_fields(body)
    check_post(request, console, fields.get("form_token", ""))
    return fields


def page(
    console: Console, template: str, who: Visitor | None = None, status_code: int = 200, **context: Any
) -> Response[bytes]:
    """Return a page that no cache keeps."""
    common = {
        "administrator": who.session.administrator if who else None,
        "form_token": who.token if who else "",
        "may": lambda permission: who is not None and is_permitted(permission, (who.session.role,)),
        "organization_name": console.organization_name,
        "now": console.clock.now(),
        "soon": console.clock.now() + SOON,
        "error": "",
        "levels": LEVELS,
    }
    content = console.pages.render(template, {**common, **context})
    headers = {**SECURITY_HEADERS, "Cache-Control": "no-store", "Vary": "HX-Request"}
    return Response(content, status_code=status_code, media_type="text/html; charset=utf-8", headers=headers)


def go(console: Console, path: str, session: NewSession | None = None, *, forget: bool = False) -> Response[bytes]:
    """Send the browser to a page, with the cookie of a new session or without one."""
    headers = {**SECURITY_HEADERS, "Cache-Control": "no-store", "Location": path}
    return Response(b"", status_code=303, headers=headers | _cookie(console, session, forget=forget))


def answer(console: Console, value: object, session: NewSession | None = None, status: int = 200) -> Response[bytes]:
    """Return JSON for the page's own script."""
    headers = {**SECURITY_HEADERS, "Cache-Control": "no-store", **_cookie(console, session)}
    return Response(json.dumps(value).encode(), status_code=status, media_type="application/json", headers=headers)


def failure(request: AnyRequest, error: SealwrightError, console: Console) -> Response[bytes]:
    """Answer an error: JSON to the script, the sign-in page to whoever is not signed in, a page to all others."""
    problem = problem_for(error)
    if str(request.scope["path"]).startswith(PASSKEYS):
        return answer(console, {"error": problem.detail}, status=problem.status)
    if isinstance(error, SetUpFirstError):
        return go(console, SET_UP)
    if isinstance(error, AuthenticationError) and request.method in ("GET", "HEAD"):
        if request.headers.get("hx-request"):
            headers = {**SECURITY_HEADERS, "Cache-Control": "no-store", "HX-Redirect": SIGN_IN}
            return Response(b"", status_code=200, headers=headers)
        return go(console, SIGN_IN)
    if isinstance(error, AuthenticationError):
        return sign_in_page(console, problem.detail, problem.status)
    return page(console, "error.html", None, problem.status, detail=problem.detail, title=problem.title)


def is_console_path(path: str) -> bool:
    """Tell whether an address is in the console's part of the server."""
    return path == PATH or path.startswith(f"{PATH}/")


def missing(request: AnyRequest, console: Console) -> Response[bytes]:
    """Answer an address that is none of the console's, with the menu for whoever is signed in."""
    try:
        who: Visitor | None = visitor(request, console, setting_up=True)
    except SealwrightError:
        who = None
    return page(console, "error.html", who, 404, detail="There is no such page.", title="Not found")


def sign_in_page(console: Console, error: str = "", status_code: int = 200, name: str = "") -> Response[bytes]:
    """Return the sign-in page."""
    are_possible = console.passkeys.are_possible
    return page(console, "sign_in.html", None, status_code, error=error, name=name, passkeys_are_possible=are_possible)


def _cookie(console: Console, session: NewSession | None, *, forget: bool = False) -> dict[str, str]:
    now = console.clock.now()
    if session is not None:
        return {"Set-Cookie": set_cookie(session.token, session.expires, now)}
    return {"Set-Cookie": set_cookie("", now, now)} if forget else {}

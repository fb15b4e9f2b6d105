"""Routes of credentials and accounts: one's own passkeys and password, and all administrators."""

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody

from sealwright.console.http import HOME, SIGN_IN, AnyRequest, Console, Visitor, go, page, posted, visitor
from sealwright.errors import ConflictError, InputError, NotFoundError, PermissionDeniedError

ACCOUNT = f"{HOME}/account"
ADMINISTRATORS = f"{HOME}/administrators"


@get(ACCOUNT, sync_to_thread=True)
def show_account(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Show one's own credentials."""
    return _account_page(console, visitor(request, console))


@post(f"{ACCOUNT}/password", sync_to_thread=True)
def change_password(request: AnyRequest, body: RawBody, console: NamedDependency[Console]) -> Response[bytes]:
    """Set one's own password; other browsers are signed out."""
    who = visitor(request, console)
    fields = posted(request, console, body)
    try:
        session = set_password(console, who, "", fields)
    except InputError as error:
        return _account_page(console, who, error.message, 400)
    return go(console, ACCOUNT, session)


@post(f"{ACCOUNT}/passkeys/{{passkey_id:str}}/remove", sync_to_thread=True)
def remove_passkey(
    request: AnyRequest, body: RawBody, console: NamedDependency[Console], passkey_id: FromPath[str]
) -> Response[bytes]:
    """Remove one of one's own passkeys; other browsers are signed out."""
    who = visitor(request, console)
    posted(request, console, body)
    try:
        session = console.administrators.remove_passkey(console.organization_id, who.session, passkey_id)
    except ConflictError as error:
        return _account_page(console, who, error.message, 409)
    except PermissionDeniedError as error:
        return _account_page(console, who, error.message, 403)
    return go(console, ACCOUNT, session)


@get(ADMINISTRATORS, sync_to_thread=True)
def show_administrators(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Show everybody who may see these pages."""
    return _administrators_page(console, visitor(request, console))


@post(f"{ADMINISTRATORS}/{{administrator_id:str}}/remove", sync_to_thread=True)
def remove_administrator(
    request: AnyRequest, body: RawBody, console: NamedDependency[Console], administrator_id: FromPath[str]
) -> Response[bytes]:
    """Remove an administrator; whoever removes his own account is signed out."""
    who = visitor(request, console)
    posted(request, console, body)
    try:
        console.administrators.remove(console.organization_id, who.administrator, administrator_id)
    except (ConflictError, NotFoundError) as error:
        return _administrators_page(console, who, error.message, 409)
    if administrator_id == who.administrator.administrator_id:
        return go(console, SIGN_IN, forget=True)
    return go(console, ADMINISTRATORS)


ACCOUNT_HANDLERS: list[Any] = [
    show_account,
    change_password,
    remove_passkey,
    show_administrators,
    remove_administrator,
]


def set_password(console: Console, who: Visitor, name: str, fields: dict[str, str]) -> Any:
    """Set the password of a form.

    Raises:
        InputError: If name or password cannot be used, or the two passwords differ.
        ConflictError: If the name is taken.
    """
    password = fields.get("password", "")
    if password != fields.get("again", ""):
        raise InputError("The two passwords are not the same.")
    return console.administrators.set_password(console.organization_id, who.session, name, password)


def _account_page(console: Console, who: Visitor, error: str = "", status_code: int = 200) -> Response[bytes]:
    passkeys = console.administrators.passkeys(console.organization_id, who.administrator)
    are_possible = console.passkeys.are_possible
    return page(
        console, "account.html", who, status_code, error=error, passkeys=passkeys, passkeys_are_possible=are_possible
    )


def _administrators_page(console: Console, who: Visitor, error: str = "", status_code: int = 200) -> Response[bytes]:
    found = console.administrators.everybody(console.organization_id)
    return page(console, "administrators.html", who, status_code, error=error, found=found)

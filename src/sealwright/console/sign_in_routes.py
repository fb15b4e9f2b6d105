"""Routes of signing in and out: one-time link, set-up, password, passkey."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from sealwright.console.account_routes import ACCOUNT, set_password
from sealwright.console.http import (
    FORM_TOKEN_HEADER,
    HOME,
    PASSKEYS,
    SET_UP,
    SIGN_IN,
    AnyRequest,
    Console,
    Visitor,
    answer,
    check_post,
    go,
    page,
    posted,
    sign_in_page,
    visitor,
)
from sealwright.errors import AuthenticationError, ConflictError, DecodingError, InputError, RateLimitedError
from sealwright.webui.forms import form_fields

MAX_JSON_BYTES = 64 * 1024


class PasskeyAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the page's script sends: the challenge's identifier, the browser's answer to it, and a new name."""

    challenge_id: str = ""
    credential: msgspec.Raw = msgspec.Raw(b"{}")
    name: str = ""


@get(SIGN_IN, sync_to_thread=True)
def show_sign_in(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Show the sign-in page; whoever is signed in goes on."""
    try:
        visitor(request, console)
    except AuthenticationError:
        return sign_in_page(console)
    return go(console, HOME)


@post(SIGN_IN, sync_to_thread=True)
def sign_in(request: AnyRequest, body: RawBody, console: NamedDependency[Console]) -> Response[bytes]:
    """Sign in with name and password."""
    check_post(request, console)
    fields = form_fields(body)
    name = fields.get("name", "")
    try:
        session = console.administrators.sign_in(
            console.organization_id, name, fields.get("password", ""), _source(request)
        )
    except AuthenticationError:
        return sign_in_page(console, "Name and password do not fit.", 401, name)
    except RateLimitedError:
        return sign_in_page(console, "Too many tries. Wait five minutes.", 429, name)
    return go(console, HOME, session)


@post(f"{SIGN_IN}/link", sync_to_thread=True)
def redeem_link(request: AnyRequest, body: RawBody, console: NamedDependency[Console]) -> Response[bytes]:
    """Use a one-time link up."""
    check_post(request, console)
    try:
        session = console.administrators.redeem_link(console.organization_id, form_fields(body).get("link", ""))
    except AuthenticationError:
        text = "This link was used already or has expired. Make a new one on the server: sealwright sign-in-link"
        return sign_in_page(console, text, 401)
    return go(console, SET_UP, session)


@get(SET_UP, sync_to_thread=True)
def show_set_up(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Show the page where an administrator chooses name and credential."""
    who = visitor(request, console, setting_up=True)
    if who.session.administrator is not None:
        return go(console, ACCOUNT)
    return _set_up_page(console, who)


@post(SET_UP, sync_to_thread=True)
def set_up(request: AnyRequest, body: RawBody, console: NamedDependency[Console]) -> Response[bytes]:
    """Choose name and password."""
    who = visitor(request, console, setting_up=True)
    fields = posted(request, console, body)
    if who.session.administrator is not None:
        return go(console, ACCOUNT)
    name = fields.get("name", "")
    try:
        session = set_password(console, who, name, fields)
    except (InputError, ConflictError) as error:
        return _set_up_page(console, who, name, error.message, 400)
    return go(console, HOME, session)


@post(f"{HOME}/sign-out", sync_to_thread=True)
def sign_out(request: AnyRequest, body: RawBody, console: NamedDependency[Console]) -> Response[bytes]:
    """End the session."""
    who = visitor(request, console, setting_up=True)
    posted(request, console, body)
    console.administrators.sign_out(console.organization_id, who.session)
    return go(console, SIGN_IN, forget=True)


@post(f"{PASSKEYS}/register/options", sync_to_thread=True, status_code=200)
def begin_registration(request: AnyRequest, body: RawBody, console: NamedDependency[Console]) -> Response[bytes]:
    """Give the challenge for a new passkey."""
    who = _script(request, console)
    name = _decode(body).name
    challenge_id, options = console.passkeys.begin_registration(console.organization_id, who.session, name)
    return _challenge(console, challenge_id, options)


@post(f"{PASSKEYS}/register", sync_to_thread=True, status_code=200)
def register(request: AnyRequest, body: RawBody, console: NamedDependency[Console]) -> Response[bytes]:
    """Store a new passkey."""
    who, given = _script(request, console), _decode(body)
    credential = bytes(given.credential).decode()
    session = console.passkeys.register(
        console.organization_id, who.session, given.name, given.challenge_id, credential
    )
    target = HOME if who.session.administrator is None else ACCOUNT
    return answer(console, {"location": target}, session)


@post(f"{PASSKEYS}/sign-in/options", sync_to_thread=True, status_code=200)
def begin_passkey_sign_in(request: AnyRequest, console: NamedDependency[Console]) -> Response[bytes]:
    """Give the challenge for a sign-in."""
    check_post(request, console)
    challenge_id, options = console.passkeys.begin_sign_in(console.organization_id, _source(request))
    return _challenge(console, challenge_id, options)


@post(f"{PASSKEYS}/sign-in", sync_to_thread=True, status_code=200)
def passkey_sign_in(request: AnyRequest, body: RawBody, console: NamedDependency[Console]) -> Response[bytes]:
    """Sign in with a passkey."""
    check_post(request, console)
    given = _decode(body)
    session = console.passkeys.sign_in(console.organization_id, given.challenge_id, bytes(given.credential).decode())
    return answer(console, {"location": HOME}, session)


SIGN_IN_HANDLERS: list[Any] = [
    show_sign_in,
    sign_in,
    redeem_link,
    show_set_up,
    set_up,
    sign_out,
    begin_registration,
    register,
    begin_passkey_sign_in,
    passkey_sign_in,
]


def _script(request: AnyRequest, console: Console) -> Visitor:
    who = visitor(request, console, setting_up=True)
    check_post(request, console, request.headers.get(FORM_TOKEN_HEADER, ""))
    return who


def _set_up_page(
    console: Console, who: Visitor, name: str = "", error: str = "", status_code: int = 200
) -> Response[bytes]:
    are_possible = console.passkeys.are_possible
    return page(console, "set_up.html", who, status_code, error=error, name=name, passkeys_are_possible=are_possible)


def _challenge(console: Console, challenge_id: str, options: str) -> Response[bytes]:
    return answer(console, {"challenge_id": challenge_id, "options": msgspec.json.decode(options)})


def _decode(body: bytes) -> PasskeyAnswer:
    if len(body) > MAX_JSON_BYTES:
        raise InputError("The answer is too large.")
    try:
        return msgspec.json.decode(body, type=PasskeyAnswer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodingError("This is not the answer of a passkey.") from error


def _source(request: AnyRequest) -> str:
    return request.client.host if request.client else ""

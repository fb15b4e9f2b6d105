"""Routes that change a person's devices: lock, unlock, remove, and the letter that lets a first or a last one in."""

from typing import Any

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath, RawBody

from sealwright.console.http import HOME, AnyRequest, Console, Visitor, go, page, posted, visitor
from sealwright.errors import ConflictError, NotFoundError, PermissionDeniedError
from sealwright.webui.letter import letter
from sealwright.wire.operator import EnrolmentSecret

PERSON = f"{HOME}/people/{{mailbox_id:str}}"
DEVICE = f"{PERSON}/devices/{{device_id:str}}"
LETTER_DAYS = 7


@post(f"{DEVICE}/lock", sync_to_thread=True)
def lock(
    request: AnyRequest,
    body: RawBody,
    console: NamedDependency[Console],
    mailbox_id: FromPath[str],
    device_id: FromPath[str],
) -> Response[bytes]:
    """Lock a device: it gets nothing from now on, and its next contact takes its keys away."""
    return _change(request, body, console, mailbox_id, device_id, "locked")


@post(f"{DEVICE}/unlock", sync_to_thread=True)
def unlock(
    request: AnyRequest,
    body: RawBody,
    console: NamedDependency[Console],
    mailbox_id: FromPath[str],
    device_id: FromPath[str],
) -> Response[bytes]:
    """Let a locked device in again."""
    return _change(request, body, console, mailbox_id, device_id, "active")


@post(f"{DEVICE}/remove", sync_to_thread=True)
def remove(
    request: AnyRequest,
    body: RawBody,
    console: NamedDependency[Console],
    mailbox_id: FromPath[str],
    device_id: FromPath[str],
) -> Response[bytes]:
    """Remove a device for good; its certificates are revoked."""
    return _change(request, body, console, mailbox_id, device_id, "removed")


@post(f"{PERSON}/letter", sync_to_thread=True, status_code=200)
def make_letter(
    request: AnyRequest, body: RawBody, console: NamedDependency[Console], mailbox_id: FromPath[str]
) -> Response[bytes]:
    """Make an enrolment secret and show its letter, this once."""
    who = visitor(request, console)
    posted(request, console, body)
    try:
        _check_passkey(who)
        mailbox = console.mailboxes.mailbox(console.organization_id, mailbox_id)
        secret, expires = console.access.make_secret(console.organization_id, mailbox_id, LETTER_DAYS, who.signature)
    except (ConflictError, NotFoundError, PermissionDeniedError) as error:
        return person_page(console, who, mailbox_id, error)
    made = EnrolmentSecret(
        address=mailbox.address,
        display_name=mailbox.display_name,
        organization_name=console.organization_name,
        secret=secret,
        expires=expires,
    )
    return page(console, "letter.html", who, letter=letter(made), mailbox_id=mailbox_id)


DEVICE_HANDLERS: list[Any] = [lock, unlock, remove, make_letter]


def person_page(
    console: Console,
    who: Visitor,
    mailbox_id: str,
    error: ConflictError | NotFoundError | PermissionDeniedError | None = None,
) -> Response[bytes]:
    """Show one person, with what went wrong if something did."""
    try:
        shown, custody = console.service.person(mailbox_id), console.custody.of_mailbox(mailbox_id)
    except NotFoundError:
        return page(console, "error.html", who, 404, title="Not found", detail="There is no such person.")
    status_code = 200 if error is None else 403 if isinstance(error, PermissionDeniedError) else 409
    return page(
        console,
        "person.html",
        who,
        status_code,
        shown=shown,
        custody=custody,
        error=error.message if error else "",
        with_passkey=who.session.with_passkey,
        passkeys_are_possible=console.passkeys.are_possible,
        letter_days=LETTER_DAYS,
    )


def _change(
    request: AnyRequest, body: bytes, console: Console, mailbox_id: str, device_id: str, state: str
) -> Response[bytes]:
    who, organization_id = visitor(request, console), console.organization_id
    posted(request, console, body)
    try:
        if state == "active":
            _check_passkey(who)
        if state == "removed":
            console.devices.remove_of(organization_id, mailbox_id, device_id, who.signature)
        else:
            console.devices.change_state_of(organization_id, mailbox_id, device_id, state, who.signature)
    except (ConflictError, NotFoundError, PermissionDeniedError) as error:
        return person_page(console, who, mailbox_id, error)
    return go(console, f"{HOME}/people/{mailbox_id}")


def _check_passkey(who: Visitor) -> None:
    """Check that a passkey opened the session: whoever lets a device in is somebody whom no stolen password makes.

    Raises:
        PermissionDeniedError: If a password did.
    """
    if not who.session.with_passkey:
        raise PermissionDeniedError(
            "This needs a sign-in with a passkey: add one to your account, then sign in with it."
        )

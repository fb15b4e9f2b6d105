"""What keeps pages to their own origin: headers, the origin of posts, the token in forms, the session's cookie."""

import hmac
from collections.abc import Collection
from datetime import datetime
from http.cookies import CookieError, SimpleCookie

from sealwright.errors import PermissionDeniedError

COOKIE = "__Host-sealwright"
"""The prefix makes browsers insist on Secure, Path=/ and no Domain."""
MAX_COOKIE_CHARACTERS = 8192
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers hide the origin of posts
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_LABEL = b"sealwright form token"


def check_origin(origin: str | None, origins: Collection[str]) -> None:
    """Check that a post comes from a page of this server.

    Raises:
        PermissionDeniedError: If its Origin header is missing or another's.
    """
    if origin is None or origin not in origins:
        raise PermissionDeniedError(
            f"Open the console at {' or '.join(sorted(origins))}: this page came from another address."
        )


def form_token(session_token: str) -> str:
    """Return the token that the forms of a session carry, hex."""
    return hmac.digest(session_token.encode(), _LABEL, "sha256").hex()


def check_form_token(session_token: str, given: str) -> None:
    """Check the token of a form.

    Raises:
        PermissionDeniedError: If it is not of this session.
    """
    if not hmac.compare_digest(form_token(session_token).encode(), given.encode("utf-8", "replace")):
        raise PermissionDeniedError("The page is older than the session: go back and load it again.")


def read_cookie(header: str | None) -> str:
    """Return the session's token out of a Cookie header; empty if there is none."""
    if not header or len(header) > MAX_COOKIE_CHARACTERS:
        return ""
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def set_cookie(token: str, expires: datetime, now: datetime) -> str:
    """Return the Set-Cookie header of a session; an empty token takes the cookie away."""
    seconds = max(0, int((expires - now).total_seconds())) if token else 0
    return f"{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={seconds}"

"""Signing on at the organization's OIDC issuer: authorization code with PKCE (RFC 8252, 7636), or the device flow (RFC 8628)."""

import hmac
import secrets
import threading
import time
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from sealwright.errors import AuthenticationError, PermissionDeniedError, UnavailableError
from sealwright.net.http import HttpClient
from sealwright.net.sign_on import fetch_issuer, fetch_json
from sealwright.wire.encoding import b64u_encode, sha256
from sealwright.wire.factors import SignOnView

SIGN_ON_SECONDS = 600.0
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
_SCOPE = "openid email"
_DONE = b"<!DOCTYPE html><title>Signed on</title><p>You can close this window.</p>"

Progress = Callable[[str], None]


def sign_on(view: SignOnView, nonce: str, http: HttpClient, progress: Progress, *, by_device_flow: bool) -> bytes:
    """Have the person sign on; return the ID token, which the keystore judges.

    Args:
        view: Where.
        nonce: That binds the token to this device.
        http: Verifies TLS.
        progress: Told where to sign on.
        by_device_flow: Whether in a browser elsewhere.

    Raises:
        AuthenticationError: If the issuer refuses.
        PermissionDeniedError: If the device flow is not permitted.
        UnavailableError: If nobody signs on in time, or the issuer does not answer.
    """
    issuer = fetch_issuer(http, view.issuer)
    if not by_device_flow:
        return _by_browser(issuer, view, nonce, http, progress)
    if not view.device_flow:
        raise PermissionDeniedError("the organization does not permit the device flow; sign on with --sign-on browser")
    return _by_device(issuer, view, nonce, http, progress)


def _by_browser(issuer: dict[str, Any], view: SignOnView, nonce: str, http: HttpClient, progress: Progress) -> bytes:
    verifier, state = b64u_encode(secrets.token_bytes(32)), b64u_encode(secrets.token_bytes(32))
    with _Loopback(state) as loopback:
        asked = {
            "response_type": "code",
            "client_id": view.client_id,
            "redirect_uri": loopback.redirect_uri,
            "scope": _SCOPE,
            "state": state,
            "nonce": nonce,
            "code_challenge": b64u_encode(sha256(verifier.encode("ascii"))),
            "code_challenge_method": "S256",
        }
        url = f"{_endpoint(issuer, 'authorization_endpoint')}?{urlencode(asked)}"
        progress(f"    sign on in your browser: {url}")
        webbrowser.open(url)
        code = loopback.wait(SIGN_ON_SECONDS)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": asked["redirect_uri"],
        "client_id": view.client_id,
        "code_verifier": verifier,
    }
    return _id_token(fetch_json(http, _endpoint(issuer, "token_endpoint"), urlencode(form).encode("ascii")))


def _by_device(issuer: dict[str, Any], view: SignOnView, nonce: str, http: HttpClient, progress: Progress) -> bytes:
    asked = {"client_id": view.client_id, "scope": _SCOPE, "nonce": nonce}
    where = _endpoint(issuer, "device_authorization_endpoint")
    begun = fetch_json(http, where, urlencode(asked).encode("ascii"))
    if not isinstance(begun.get("device_code"), str) or not isinstance(begun.get("verification_uri"), str):
        raise AuthenticationError("the issuer refuses the device flow")
    progress(f"    sign on at {begun['verification_uri']} with the code {begun.get('user_code')}")
    interval = begun.get("interval", 5)
    seconds = float(interval) if isinstance(interval, int) and 0 < interval <= 60 else 5.0
    form = {"grant_type": DEVICE_CODE, "device_code": begun["device_code"], "client_id": view.client_id}
    deadline = time.monotonic() + SIGN_ON_SECONDS
    while time.monotonic() < deadline:
        time.sleep(seconds)
        answer = fetch_json(http, _endpoint(issuer, "token_endpoint"), urlencode(form).encode("ascii"))
        if answer.get("error") == "slow_down":
            seconds += 5
        elif answer.get("error") != "authorization_pending":
            return _id_token(answer)
    raise UnavailableError("nobody signed on in time; run the same command again")


def _endpoint(issuer: dict[str, Any], name: str) -> str:
    found = issuer.get(name)
    if not isinstance(found, str):
        raise AuthenticationError(f"the issuer has no {name}")
    return found


def _id_token(answer: dict[str, Any]) -> bytes:
    token = answer.get("id_token")
    if not isinstance(token, str) or not token.isascii():
        raise AuthenticationError("the issuer did not sign on this person")
    return token.encode("ascii")


class _Loopback:
    """Waits on a port of 127.0.0.1 for the browser to come back (RFC 8252 section 7.3)."""

    def __init__(self, state: str) -> None:
        self._code, self._said = "", threading.Event()
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fields = parse_qs(urlsplit(self.path).query)
                shown = fields.get("state", [""])[0].encode("utf-8", "replace")
                if not hmac.compare_digest(shown, state.encode("ascii")):
                    self.send_error(400)  # not what we asked for: go on waiting
                    return
                loopback._code = fields.get("code", [""])[0]
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(_DONE)
                loopback._said.set()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing: the address holds the code."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    @property
    def redirect_uri(self) -> str:
        """Where the browser comes back to."""
        return f"http://127.0.0.1:{self._server.server_port}/callback"

    def wait(self, seconds: float) -> str:
        """Return the authorization code.

        Raises:
            UnavailableError: If nobody comes in time.
            AuthenticationError: If the issuer refused.
        """
        if not self._said.wait(seconds):
            raise UnavailableError("nobody signed on in time; run the same command again")
        if not self._code:
            raise AuthenticationError("the issuer did not sign on this person")
        return self._code

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

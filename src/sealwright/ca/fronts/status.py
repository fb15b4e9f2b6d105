"""Status over plain HTTP: issuers' certificates and revocation lists as ready bytes, a plain ASGI application.

    GET /ca/{organization}/{issuer}.crt      application/pkix-cert
    GET /crl/{organization}/{issuer}.crl     application/pkix-crl

Answers come from memory and are read again at most once a second per path.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from sealwright.ca.model import ISSUERS
from sealwright.ca.service import CertificateAuthority
from sealwright.errors import NotFoundError, SealwrightError

CACHE_SECONDS = 1.0
MAX_CACHED = 10_000
_PATH = re.compile(rf"/(ca|crl)/([0-9a-f]{{32}})/({'|'.join(ISSUERS)})\.(crt|crl)")
_TYPES = {"ca": ("crt", b"application/pkix-cert"), "crl": ("crl", b"application/pkix-crl")}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class StatusFront:
    """The ASGI application; mount it where plain http is served."""

    def __init__(self, authority: CertificateAuthority) -> None:
        self._authority = authority
        self._cache: dict[str, tuple[float, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Answer one request."""
        match = _PATH.fullmatch(scope["path"])
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, b"text/plain", b"only GET\n")
            return
        if match is None or _TYPES[match[1]][0] != match[4]:
            await _answer(send, 404, b"text/plain", b"not here\n")
            return
        try:
            body = await self._body(match[0], match[1], match[2], match[3])
        except NotFoundError:
            await _answer(send, 404, b"text/plain", b"not here\n")
            return
        except SealwrightError:
            await _answer(send, 503, b"text/plain", b"try again later\n")
            return
        await _answer(send, 200, _TYPES[match[1]][1], body, is_head=scope["method"] == "HEAD")

    async def _body(self, path: str, kind: str, organization_id: str, issuer_name: str) -> bytes:
        cached = self._cache.get(path)
        now = time.monotonic()
        if cached is not None and now - cached[0] < CACHE_SECONDS:
            return cached[1]
        read = self._authority.crl if kind == "crl" else self._authority.issuer_certificate
        body = await asyncio.to_thread(read, organization_id, issuer_name)
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        self._cache[path] = (now, body)
        return body


async def _answer(send: Send, status: int, content_type: bytes, body: bytes, *, is_head: bool = False) -> None:
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", b"max-age=60"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else body})

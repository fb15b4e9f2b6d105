"""The directory over HTTPS.

    POST /v1/directory/search                     DirectoryQuery -> DirectoryAnswer
    GET  /v1/directory/certificates?address=A     one DirectoryEntry; a plain ASGI application beside the framework

Look-ups are exact; whoever asks too often from one address waits.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import msgspec
from litestar import Controller, Request, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from sealwright.directory.service import Directory
from sealwright.errors import InputError, RateLimitedError, SealwrightError
from sealwright.identity.http import decode_request
from sealwright.identity.network import network_of
from sealwright.wire.api import DirectoryAnswer, DirectoryQuery
from sealwright.wire.problems import problem_for

LOOKUP_PATH = "/v1/directory/certificates"
CACHE_SECONDS = 1.0
MAX_QUERY_BYTES = 256 * 1024
"""500 addresses of 320 octets stay below."""
MAX_CACHED = 20_000
ADDRESSES_PER_MINUTE = 3000
"""What one source may look up; a busy mail gateway stays below, a harvester does not."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class LookupQuota:
    """Counts look-ups per source and minute; safe from any thread."""

    def __init__(self, per_minute: int = ADDRESSES_PER_MINUTE) -> None:
        self._per_minute = per_minute
        self._lock = threading.Lock()
        self._minute = 0
        self._counts: dict[str, int] = {}

    def spend(self, source: str, addresses: int) -> None:
        """Count look-ups of a source.

        Args:
            source: IP address; of an IPv6 address the /64 counts, which one host has to itself.
            addresses: How many.

        Raises:
            RateLimitedError: If it has none left this minute.
        """
        source = network_of(source)
        minute = int(time.monotonic() // 60)
        with self._lock:
            if minute != self._minute:
                self._minute, self._counts = minute, {}
            count = self._counts.get(source, 0) + addresses
            if count > self._per_minute:
                raise RateLimitedError("too many look-ups: wait a minute", 60)
            self._counts[source] = count


class DirectoryController(Controller):
    """The routes under Litestar."""

    path = "/v1/directory"

    @post("/search", sync_to_thread=True, status_code=200)
    def search(
        self,
        body: RawBody,
        directory: NamedDependency[Directory],
        lookup_quota: NamedDependency[LookupQuota],
        request: Request[Any, Any, Any],
    ) -> DirectoryAnswer:
        """Look up the recipients of one mail."""
        query = decode_request(body, DirectoryQuery, MAX_QUERY_BYTES)
        lookup_quota.spend(request.client.host if request.client else "", max(1, len(query.addresses)))
        return DirectoryAnswer(entries=directory.search(query.addresses))


class LookupFront:
    """The plain ASGI application of the single look-up."""

    def __init__(self, directory: Directory, quota: LookupQuota) -> None:
        self._directory, self._quota = directory, quota
        self._cache: dict[bytes, tuple[float, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Answer one request."""
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, b"text/plain", b"only GET\n")
            return
        try:
            self._quota.spend((scope.get("client") or ("",))[0], 1)
            body = await self._body(scope["query_string"])
        except SealwrightError as error:
            problem = problem_for(error)
            await _answer(send, problem.status, b"application/problem+json", msgspec.json.encode(problem))
            return
        await _answer(send, 200, b"application/json", body, is_head=scope["method"] == "HEAD")

    async def _body(self, query_string: bytes) -> bytes:
        now = time.monotonic()
        cached = self._cache.get(query_string)
        if cached is not None and now - cached[0] < CACHE_SECONDS:
            return cached[1]
        address = _address(query_string)
        if self._directory.answers_at_once:
            entry = self._directory.look_up(address)
        else:
            entry = await asyncio.to_thread(self._directory.look_up, address)
        body = msgspec.json.encode(entry)
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        self._cache[query_string] = (now, body)
        return body


def _address(query_string: bytes) -> str:
    try:
        values = parse_qs(query_string.decode("ascii"), strict_parsing=True, max_num_fields=4).get("address", [])
    except ValueError as error:
        raise InputError("the query names no address") from error
    if len(values) != 1 or len(values[0]) > 320:
        raise InputError("the query names exactly one address")
    return values[0]


async def _answer(send: Send, status: int, content_type: bytes, body: bytes, *, is_head: bool = False) -> None:
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode("ascii"))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_head else body})

"""Load on a server over TLS: ready requests on several connections, one outstanding on each, every answer checked.

Requests are made before the clock starts: what a device signs costs its own time, not the server's.
"""

import asyncio
import ssl
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import uvloop

from bench.measure import Timing

CONNECTIONS = 16
_HEADER_END = b"\r\n\r\n"


class Load:
    """What sends to one server.

    Args:
        port: On 127.0.0.1.
        anchor: PEM of what the server's certificate is checked against.
    """

    def __init__(self, port: int, anchor: Path) -> None:
        self.port = port
        self._context = ssl.create_default_context(cafile=str(anchor))

    def send(self, requests: Sequence[bytes], connections: int = CONNECTIONS) -> Timing:
        """Send all requests, spread over the connections, and wait for all answers.

        Each connection comes from an address of its own (127.0.0.2 and up), as so many devices would.

        Raises:
            RuntimeError: If an answer is not 200.
        """
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._send(requests, min(connections, len(requests))))

    async def _send(self, requests: Sequence[bytes], connections: int) -> Timing:
        loop = asyncio.get_running_loop()
        senders = [_Sender(loop, requests[number::connections]) for number in range(connections)]
        for number, sender in enumerate(senders):
            await loop.create_connection(
                partial(_itself, sender),
                "127.0.0.1",
                self.port,
                ssl=self._context,
                local_addr=(f"127.0.0.{number + 2}", 0),
            )
        started = time.perf_counter()
        for sender in senders:
            sender.next()
        await asyncio.gather(*(sender.done for sender in senders))
        seconds = max(sender.ended for sender in senders) - started
        latencies = [latency for sender in senders for latency in sender.latencies]
        return Timing(len(latencies) / seconds, tuple(latencies))


class _Sender(asyncio.Protocol):
    """One connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, requests: Sequence[bytes]) -> None:
        self.latencies: list[float] = []
        self.done: asyncio.Future[None] = loop.create_future()
        self._requests = iter(requests)
        self._answer = b""
        self.ended = self._sent = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio's callback)."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's has no common base

    def next(self) -> None:
        """Send the next request, or end."""
        assert self._transport is not None
        request = next(self._requests, None)
        if request is None:
            self.ended = time.perf_counter()
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer (asyncio's callback)."""
        self._answer += data
        end = self._answer.find(_HEADER_END)
        if end < 0 or len(self._answer) < end + len(_HEADER_END) + _content_length(self._answer[:end]):
            return
        if not self._answer.startswith(b"HTTP/1.1 200 "):
            self._fail(self._answer[-400:].decode(errors="replace"))
            return
        self.latencies.append(time.perf_counter() - self._sent)
        self._answer = b""
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        """Notice a connection that ended too early (asyncio's callback)."""
        if self.done.done():
            return
        if self.ended:
            self.done.set_result(None)
        else:
            self.done.set_exception(RuntimeError(f"the server closed the connection: {exc}"))

    def _fail(self, reason: str) -> None:
        self.done.set_exception(RuntimeError(reason))
        assert self._transport is not None
        self._transport.close()


def _itself(sender: _Sender) -> _Sender:
    return sender


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise RuntimeError("the server's answer has no length")


def request_bytes(method: str, port: int, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body

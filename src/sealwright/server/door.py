"""One ASGI application for each listener, with another one inside while the server is sealed."""

import asyncio
import contextlib
from typing import Any

from sealwright.ca.fronts.status import Receive, Scope, Send

App = Any
"""An ASGI application; frameworks type theirs in ways of their own."""


class _Inside:
    """An application and how many requests it has under way."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.idle = asyncio.Event()
        self.idle.set()
        self._under_way = 0

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._under_way += 1
        self.idle.clear()
        try:
            await self.app(scope, receive, send)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self.idle.set()


class Door:
    """An ASGI application that passes on to the one that is inside now.

    Args:
        app: Inside at first; what is inside is sent no lifespan.
    """

    def __init__(self, app: App) -> None:
        self._inside = _Inside(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            await self._inside.answer(scope, receive, send)

    async def exchange(self, app: App, wait_seconds: float) -> None:
        """Put another application inside and wait until the old one has answered what it was asked, or the time is over."""
        old, self._inside = self._inside, _Inside(app)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                await old.idle.wait()


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return

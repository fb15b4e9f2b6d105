"""The plain http service: issuers' certificates and revocation lists, nothing else."""

import asyncio

from sealwright.ca.fronts.status import Receive, Scope, Send, StatusFront
from sealwright.ca.service import CertificateAuthority


class StatusApp:
    """An ASGI application around the CA's status front, with what a server asks of one at start and end."""

    def __init__(self, authority: CertificateAuthority) -> None:
        self._front = StatusFront(authority)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; refuse anything that is not http."""
        if scope["type"] == "http":
            await self._front(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            await asyncio.sleep(0)
            await send({"type": "websocket.close", "code": 1000})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return

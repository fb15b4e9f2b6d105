"""The plain http service: issuers' certificates and revocation lists, nothing else."""

import asyncio

from sealwright.ca.fronts.status import Receive, Scope, Send, StatusFront
from sealwright.ca.service import CertificateAuthority


class StatusApp:
    """An ASGI application around the CA's status front."""

    def __init__(self, authority: CertificateAuthority) -> None:
        self._front = StatusFront(authority)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; refuse anything that is not http."""
        if scope["type"] == "http":
            await self._front(scope, receive, send)
        else:
            await asyncio.sleep(0)
            await send({"type": "websocket.close", "code": 1000})

"""Numbers for Prometheus; no addresses, no organizations, no paths with identifiers."""

import time
from typing import Any

from litestar import Response, get
from litestar.types import ASGIApp, Message, Receive, Send
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()
REQUESTS = Counter("sealwright_requests", "Answered requests.", ["method", "status"], registry=REGISTRY)
DURATION = Histogram("sealwright_request_seconds", "Time to answer.", ["method"], registry=REGISTRY)
JOBS = Counter("sealwright_job_runs", "Runs of jobs.", ["job", "outcome"], registry=REGISTRY)
DELEGATION_ENDS = Gauge(
    "sealwright_statement_delegation_end_seconds",
    "End of the statement key's delegation, Unix time.",
    registry=REGISTRY,
)

FAILING_KEYS = Gauge(
    "sealwright_failing_keys", "Archived keys that failed the last fire drill: somebody has to look.", registry=REGISTRY
)


class Counting:
    """An ASGI application around another that counts its requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass on, and count what is http."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "DELETE") else "other"

        async def counted_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                REQUESTS.labels(method, str(message["status"])).inc()
                DURATION.labels(method).observe(time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, counted_send)


@get("/metrics", include_in_schema=False, sync_to_thread=False)
def metrics() -> Response[bytes]:
    """Return all numbers in Prometheus's text format."""
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

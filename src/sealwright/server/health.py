"""Whether the server lives and whether it can work; async, so that busy threads do not hide it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from litestar import MediaType, Response, get
from litestar.datastructures import State
from sqlalchemy import text

from sealwright.errors import SealwrightError
from sealwright.storage.engine import Storage

CHECK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """Checks by name; each raises a `SealwrightError` when it does not hold."""

    checks: Mapping[str, Callable[[], object]]

    async def failures(self) -> dict[str, str]:
        """Run all checks at once and return what does not hold."""
        names = list(self.checks)
        results = await asyncio.gather(*(self._run(self.checks[name]) for name in names))
        return {name: result for name, result in zip(names, results, strict=True) if result}

    async def _run(self, check: Callable[[], object]) -> str:
        try:
            await asyncio.wait_for(asyncio.to_thread(check), CHECK_SECONDS)
        except SealwrightError as error:
            return error.message
        except TimeoutError:
            return "no answer in time"
        return ""


def check_database(storage: Storage) -> None:
    """Ask the database for one row.

    Raises:
        UnavailableError: If it does not answer.
    """
    with storage.read(None) as tx:
        tx.fetch_value(text("SELECT 1"))


@get("/healthz", media_type=MediaType.TEXT, include_in_schema=False)
async def healthz() -> str:
    """Answer as long as the event loop turns."""
    return "ok\n"


@get("/readyz", include_in_schema=False)
async def readyz(state: State) -> Response[dict[str, str]]:
    """Answer 200 when the server can work, else 503 with what is missing."""
    readiness: Readiness = state.readiness
    failures = await readiness.failures()
    return Response(
        {"state": "not ready", **failures} if failures else {"state": "ready"}, status_code=503 if failures else 200
    )

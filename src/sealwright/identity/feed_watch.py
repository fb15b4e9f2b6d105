"""Answers to devices that wait for news are held back until there are some: one look at the database for all who wait.

The looks go on while somebody waits, so news that another process or node writes is found, too.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

import structlog

from sealwright.errors import RateLimitedError, SealwrightError
from sealwright.identity.device_store import DeviceStore
from sealwright.storage.engine import Storage

LOOK_SECONDS = 0.5
MAX_WAIT_SECONDS = 25
"""Below the time after which proxies give up on an answer."""
MAX_WAITING = 1000
"""Half of the connections of a server: who comes later is told to ask again later, not at once."""
MAX_WAITING_OF_DEVICE = 4
"""Programs of one device that wait: so no device takes the room of all others."""
LOG = structlog.get_logger("sealwright.identity")


@dataclass(eq=False, slots=True)
class _Waiting:
    """A device that waits.

    Attributes:
        device_id: 32 hex digits.
        after: Number of the last item that it has seen.
        news: Set when there is more, or the device is not active any more.
    """

    device_id: str
    after: int
    news: asyncio.Event = field(default_factory=asyncio.Event)


class FeedWatch:
    """Used in the event loop only.

    Args:
        storage: The database.
        store: SQL of devices.
    """

    def __init__(self, storage: Storage, store: DeviceStore) -> None:
        self._storage, self._store = storage, store
        self._waiting: set[_Waiting] = set()
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False

    async def wait(self, device_id: str, after: int, seconds: int) -> None:
        """Return when a device's feed has more than it has seen, when it is not active any more, or after some seconds.

        Raises:
            RateLimitedError: If there is no room for another one who waits.
        """
        if self._is_closed:
            return
        of_device = sum(each.device_id == device_id for each in self._waiting)
        if len(self._waiting) >= MAX_WAITING or of_device >= MAX_WAITING_OF_DEVICE:
            raise RateLimitedError("too many wait for news already: ask again in a minute")
        one = _Waiting(device_id, after)
        self._waiting.add(one)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        try:
            await asyncio.wait_for(one.news.wait(), min(seconds, MAX_WAIT_SECONDS))
        except TimeoutError:
            return
        finally:
            self._waiting.discard(one)

    def close(self) -> None:
        """Let everybody go; the server stops."""
        self._is_closed = True
        for one in self._waiting:
            one.news.set()

    async def _look(self) -> None:
        while self._waiting:
            asked = tuple(self._waiting)
            try:
                numbers = await asyncio.to_thread(self._numbers, {one.device_id for one in asked})
            except SealwrightError as error:
                LOG.warning("feed.watch.failed", reason=error.message)
            else:
                for one in asked:
                    if numbers.get(one.device_id, one.after + 1) > one.after:
                        one.news.set()
            await asyncio.sleep(LOOK_SECONDS)

    def _numbers(self, device_ids: Collection[str]) -> dict[str, int]:
        with self._storage.read(None) as tx:
            return self._store.sync_numbers(tx, device_ids)

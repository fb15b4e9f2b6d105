"""Counts failures in memory, so that nobody tries passwords at leisure."""

import threading
from collections import deque
from datetime import datetime, timedelta

from sealwright.errors import RateLimitedError

WINDOW = timedelta(minutes=5)
MAX_KEYS = 10_000


class Throttle:
    """Refuses after too many tries under one key within `WINDOW`. Safe from any thread."""

    def __init__(self) -> None:
        self._tries: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()

    def count(self, key: str, limit: int, now: datetime) -> None:
        """Count one try.

        Raises:
            RateLimitedError: If there were `limit` within the window already.
        """
        with self._lock:
            if key not in self._tries and len(self._tries) >= MAX_KEYS:
                self._forget(now)
            tries = self._tries.get(key, deque())
            while tries and tries[0] <= now - WINDOW:
                tries.popleft()
            if len(tries) >= limit or (key not in self._tries and len(self._tries) >= MAX_KEYS):
                raise RateLimitedError("too many tries: wait some minutes", int(WINDOW.total_seconds()))
            tries.append(now)
            self._tries[key] = tries

    def clear(self, key: str) -> None:
        """Forget the tries under a key, because one succeeded."""
        with self._lock:
            self._tries.pop(key, None)

    def _forget(self, now: datetime) -> None:
        ended = [key for key, tries in self._tries.items() if not tries or tries[-1] <= now - WINDOW]
        for key in ended:
            del self._tries[key]

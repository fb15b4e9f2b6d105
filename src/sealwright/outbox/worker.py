"""The worker: claims due items, hands each to its topic's handler, deletes what was done and puts off what failed.

At least once: a handler may see an item again after a crash or a claim that ran out, so handlers are idempotent. No
transaction is open while a handler runs.
"""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, select, update

from sealwright.clock import Clock
from sealwright.errors import SealwrightError
from sealwright.outbox.queue import CHANNEL, DUE_AT_ONCE
from sealwright.outbox.tables import outbox_item
from sealwright.storage.engine import Storage
from sealwright.storage.schema import new_id

BATCH = 50
CLAIM_SECONDS = 300
"""How long a handler has an item for itself; a worker that died gives it up after that."""
FIRST_RETRY_SECONDS = 2
LAST_RETRY_SECONDS = 3600
POLL_SECONDS = 1.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """What a handler gets.

    Attributes:
        organization_id: Whose item.
        topic: Names the handler.
        payload: As put.
        attempts: 1 for the first try.
    """

    organization_id: str
    topic: str
    payload: dict[str, str]
    attempts: int


Handler = Callable[[OutboxItem], None]


def retry_seconds(attempts: int) -> int:
    """Return how long to wait after the given number of failed tries: doubling from 2 s up to one hour."""
    return min(FIRST_RETRY_SECONDS << min(attempts - 1, 16), LAST_RETRY_SECONDS)


class OutboxWorker:
    """Handles items in one thread; several workers, also on several nodes, never have the same item at once.

    Args:
        storage: The database.
        clock: Decides what is due.
        handlers: Topic -> idempotent handler. Items of other topics are left alone.
    """

    def __init__(self, storage: Storage, clock: Clock, handlers: dict[str, Handler]) -> None:
        self._storage, self._clock, self._handlers = storage, clock, dict(handlers)
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._end_listening: Callable[[], None] | None = None

    def start(self) -> None:
        """Start the worker's thread; it wakes on each commit that put an item, and every second."""
        if self._thread is not None:
            return
        self._stopping.clear()
        self._end_listening = self._storage.listen(CHANNEL, self._wake.set)
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """End the thread after the item it is at; what is not done stays queued."""
        if self._thread is None or self._end_listening is None:
            return
        self._end_listening()
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout_seconds)
        self._thread = None

    def run_once(self) -> int:
        """Handle what is due now, up to one batch.

        Returns:
            How many items were tried.

        Raises:
            UnavailableError: If the database does not answer.
        """
        due = (
            select(outbox_item.c.organization_id, outbox_item.c.item_id)
            .where(outbox_item.c.due <= self._clock.now(), outbox_item.c.topic.in_(list(self._handlers)))
            .order_by(outbox_item.c.due)
            .limit(BATCH)
        )
        with self._storage.read(None) as tx:
            rows = tx.fetch_all(due)
        tried = 0
        for row in rows:
            if self._stopping.is_set():
                break
            tried += self._handle(row.organization_id, row.item_id)
        return tried

    def _handle(self, organization_id: str, item_id: str) -> bool:
        of_item = (outbox_item.c.organization_id == organization_id) & (outbox_item.c.item_id == item_id)
        # 1 Claim: only one worker's update finds the item still due.
        token, now = new_id(), self._clock.now()
        claim = update(outbox_item).where(of_item, outbox_item.c.due <= now)
        with self._storage.transaction(organization_id) as tx:
            until = now + timedelta(seconds=CLAIM_SECONDS)
            if tx.execute(claim.values(due=until, claim=token, attempts=outbox_item.c.attempts + 1)) != 1:
                return False
            row = tx.fetch_one(select(outbox_item).where(of_item))
        if row is None:
            return False
        # 2 Do it, outside any transaction.
        item = OutboxItem(organization_id, row.topic, json.loads(row.payload), row.attempts)
        failure = ""
        try:
            self._handlers[row.topic](item)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is tried again; its text may hold addresses
            failure = type(error).__name__[:64]
            _logger.warning("outbox.handle.failed topic=%s attempts=%d error=%s", row.topic, row.attempts, failure)
        # 3 Record the outcome, if the claim is still ours.
        self._finish(organization_id, of_item & (outbox_item.c.claim == token), row, failure)
        return True

    def _finish(self, organization_id: str, claimed: ColumnElement[bool], row: Row[Any], failure: str) -> None:
        same_revision = claimed & (outbox_item.c.revision == row.revision)
        later = self._clock.now() + timedelta(seconds=retry_seconds(row.attempts))
        with self._storage.transaction(organization_id) as tx:
            if failure:
                done = tx.execute(update(outbox_item).where(same_revision).values(due=later, last_error=failure))
            else:
                done = tx.execute(delete(outbox_item).where(same_revision))
            if not done:  # put again meanwhile: once more, at once
                tx.execute(update(outbox_item).where(claimed).values(due=DUE_AT_ONCE, attempts=0))

    def _end_claims(self) -> None:
        """Make due what a worker that was killed held; SQLite serves one process only, so no other worker lives."""
        with self._storage.transaction(None) as tx:
            tx.execute(update(outbox_item).where(outbox_item.c.claim != "").values(due=DUE_AT_ONCE, claim=""))

    def _run(self) -> None:
        has_old_claims = self._storage.dialect == "sqlite"
        while not self._stopping.is_set():
            try:
                if has_old_claims:
                    self._end_claims()
                    has_old_claims = False
                worked = self.run_once()
            except SealwrightError as error:
                _logger.warning("outbox.run.failed error=%s", type(error).__name__)
                worked = 0
            if not worked:
                self._wake.wait(POLL_SECONDS)
            self._wake.clear()

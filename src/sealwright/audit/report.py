"""What was done on a day, read from the log: the leaves between two places, found in O(log n) reads, counted in one pass."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta

from sealwright.audit import store
from sealwright.clock import Clock
from sealwright.errors import ConflictError
from sealwright.storage.engine import Storage, Transaction
from sealwright.tlog.leaf import LeafRecord, decode_leaf_record
from sealwright.tlog.tree import HashReader, consistency_proof, root_hash
from sealwright.wire.report import DailyReport, LogPoint, ReportedAct, is_routine

PAGE = 1000
"""Leaves in one read."""
SETTLED_AFTER = timedelta(minutes=10)
"""A day is reported when it is over for so long: an act that began in it has its leaf by then."""


class DailyReports:
    """Makes reports. Safe from any thread.

    Args:
        storage: The database.
        clock: The time.
        organization_id: 32 hex digits.
        organization_name: For people.
    """

    def __init__(self, storage: Storage, clock: Clock, organization_id: str, organization_name: str) -> None:
        self._storage, self._clock = storage, clock
        self._organization_id, self._organization_name = organization_id, organization_name

    def newest_day(self) -> date:
        """Return the newest day that can be reported, UTC."""
        return (self._clock.now() - SETTLED_AFTER).astimezone(UTC).date() - timedelta(days=1)

    def report(self, day: date) -> DailyReport:
        """Return the report of a day, UTC.

        A leaf counts for the day in which it stands in the log: the day begins at the first leaf that is not of an earlier time.

        Raises:
            ConflictError: If the day is not over yet, or its leaves are not signed yet.
        """
        if day > self.newest_day():
            raise ConflictError(f"{day} can be reported from {_midnight(day, 1) + SETTLED_AFTER:%Y-%m-%d %H:%M} UTC on")
        organization_id = self._organization_id
        with self._storage.read(organization_id) as tx:
            state = store.get_state(tx, organization_id)
            size, read = state.signed_size, store.hash_reader(tx, organization_id)
            start = self._boundary(tx, size, _midnight(day))
            end = self._boundary(tx, size, _midnight(day, 1))
            if end == size < state.size:  # what is numbered and not signed may be of this day
                raise ConflictError("the newest leaves of the log are not signed yet; ask again")
            counts, acts = self._acts(tx, start, end)
            return DailyReport(
                version=1,
                organization_id=organization_id,
                organization_name=self._organization_name,
                day=day.isoformat(),
                start=LogPoint(size=start, root=root_hash(start, read)),
                end=LogPoint(size=end, root=root_hash(end, read)),
                proof=_proof(start, end, read),
                checkpoint=state.checkpoint,
                checkpoint_proof=_proof(end, size, read),
                counts=dict(sorted(counts.items())),
                acts=tuple(acts),
            )

    def _boundary(self, tx: Transaction, size: int, when: datetime) -> int:
        """Return how many leaves stand before the first that is not earlier than a time; times grow with the log."""
        low, high = 0, size
        while low < high:
            middle = (low + high) // 2
            (leaf,) = store.leaves_between(tx, self._organization_id, middle, middle + 1)
            if decode_leaf_record(leaf.record).time < when:
                low = middle + 1
            else:
                high = middle
        return low

    def _acts(self, tx: Transaction, start: int, end: int) -> tuple[Counter[str], list[ReportedAct]]:
        counts: Counter[str] = Counter()
        acts: list[ReportedAct] = []
        for first in range(start, end, PAGE):
            for leaf in store.leaves_between(tx, self._organization_id, first, min(first + PAGE, end)):
                record = decode_leaf_record(leaf.record)
                counts[record.kind] += 1
                if not is_routine(record.kind):
                    acts.append(_reported(leaf.leaf_index, record))
        return counts, acts


def _reported(index: int, record: LeafRecord) -> ReportedAct:
    return ReportedAct(index=index, time=record.time, kind=record.kind, chain=record.chain_id, fields=record.fields)


def _proof(first: int, second: int, read: HashReader) -> tuple[bytes, ...]:
    return consistency_proof(first, second, read) if 0 < first < second else ()


def _midnight(day: date, later_days: int = 0) -> datetime:
    return datetime.combine(day + timedelta(days=later_days), time(), UTC)

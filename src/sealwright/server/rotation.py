"""Storage key rotation while the server works: every sealed record of the database is re-sealed, in batches.

What is done stands in the database alone - in each record's version, and in a row for each version - so that whatever ends
the process, the next start goes on where this one stopped.
"""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import structlog

from sealwright.audit.log import Act, AuditLog
from sealwright.clock import Clock
from sealwright.errors import ConflictError, PermissionDeniedError, VerificationError
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.protocol import Keystore
from sealwright.server import store
from sealwright.server.sealed_records import SEALED_COLUMNS
from sealwright.storage.engine import Storage, Transaction
from sealwright.storage.sealed import SealedColumns
from sealwright.tlog.leaf import ORGANIZATION_CHAIN
from sealwright.wire.seal import RotationStatus

LOG = structlog.get_logger("sealwright.seal")
BATCH = 500
"""Records in one transaction: some megabytes, and the writer lock is held for some hundredths of a second."""
SETTLING = timedelta(minutes=15)
"""A record that was sealed just before a rotation is stored by then; until then passes are repeated."""
PAUSE = timedelta(minutes=3)
"""Between those: a pass reads every leaf of the log."""


class StorageKeyRotation:
    """Rotates, re-seals and tells how far it is; safe from any thread.

    Args:
        storage: The database.
        keystore: Re-seals.
        audit: Every version is a leaf, and the end of its re-sealing another one.
        clock: The time.
        organization_id: Whose records.
    """

    def __init__(
        self, storage: Storage, keystore: Keystore, audit: AuditLog, clock: Clock, organization_id: str
    ) -> None:
        self._storage, self._keystore, self._audit, self._clock = storage, keystore, audit, clock
        self._organization_id = organization_id
        self._running = threading.Lock()
        self._last_pass: datetime | None = None

    def rotate(self) -> int:
        """Begin to use a new storage key and return its version; `run` re-seals what older ones sealed."""
        self._keystore.rotate_storage_key()
        return self._note_version()

    def run(self) -> int:
        """Re-seal everything that an older storage key seals; return how many records that were."""
        with self._running:
            # 1 A rotation that ended before its leaf was written gets it now.
            version = self._note_version()
            with self._storage.read(self._organization_id) as tx:
                noted = store.find_storage_key(tx, self._organization_id, version)
            if noted is None or (noted.rewrapped is not None and not self._is_settling(noted.introduced)):
                return 0
            # 2 The keystore's own records, then the database's.
            self._keystore.rewrap(())
            replaced = unreadable = 0
            for columns in SEALED_COLUMNS:
                for old, new in self._rewrapped(columns, version):
                    unreadable += len(old) - len(new)
                    with self._storage.transaction(self._organization_id) as tx:
                        replaced += columns.replace_sealed(tx, new)
                        store.count_rewrapped(tx, self._organization_id, version, len(new))
            self._last_pass = self._clock.now()
            # 3 A pass that finds nothing more ends it.
            if not replaced and noted.rewrapped is None:
                self._end(version, unreadable)
            if unreadable:
                LOG.error("seal.rewrap.failed", version=version, unreadable=unreadable)
            return replaced

    def finish(self) -> None:
        """Run until nothing is left."""
        while self.run():
            pass

    def status(self) -> RotationStatus:
        """Return how far it is."""
        version = self._keystore.storage_key_version()
        with self._storage.read(self._organization_id) as tx:
            remaining = sum(columns.count_older(tx, self._organization_id, version) for columns in SEALED_COLUMNS)
            noted = store.find_storage_key(tx, self._organization_id, version)
        return RotationStatus(
            storage_key_version=version,
            introduced=None if noted is None else noted.introduced,
            rewrapped_records=0 if noted is None else noted.records,
            remaining_records=remaining,
            rewrapped=None if noted is None else noted.rewrapped,
        )

    def _note_version(self) -> int:
        version, now = self._keystore.storage_key_version(), self._clock.now()
        with self._storage.read(self._organization_id) as tx:
            if store.newest_storage_key(tx, self._organization_id) >= version:
                return version
        with self._storage.transaction(self._organization_id) as tx:
            newest = store.newest_storage_key(tx, self._organization_id)
            for added in range(newest + 1, version + 1):
                if store.add_storage_key(tx, self._organization_id, added, now) and added > 1:
                    self._append(tx, "storage-key.rotate", {"version": str(added)})
        return version

    def _is_settling(self, introduced: datetime) -> bool:
        now = self._clock.now()
        is_due = self._last_pass is None or now - self._last_pass > PAUSE
        return is_due and now - introduced <= SETTLING

    def _end(self, version: int, unreadable: int) -> None:
        now: datetime = self._clock.now()
        try:
            with self._storage.transaction(self._organization_id) as tx:
                records = store.end_rewrapping(tx, self._organization_id, version, now)
                fields = {"version": str(version), "records": str(records), "unreadable": str(unreadable)}
                if version > 1:
                    self._append(tx, "storage-key.rewrap", fields)
        except ConflictError:
            return  # another node ended it
        LOG.info("seal.rewrap.done", version=version, records=records)

    def _append(self, tx: Transaction, kind: str, fields: dict[str, str]) -> None:
        self._audit.append(tx, Act(self._organization_id, ORGANIZATION_CHAIN, kind, fields))

    def _rewrapped(
        self, columns: SealedColumns, version: int
    ) -> Iterator[tuple[list[SealedRecord], list[tuple[SealedRecord, SealedRecord]]]]:
        after = ""
        while True:
            with self._storage.read(self._organization_id) as tx:
                old = columns.sealed_records(tx, self._organization_id, version, BATCH, after)
            if not old:
                return
            after = old[-1].identity.record_id
            yield old, self._rewrap(old)

    def _rewrap(self, records: list[SealedRecord]) -> list[tuple[SealedRecord, SealedRecord]]:
        """Re-seal a batch; where one record cannot be read, the others are re-sealed all the same."""
        try:
            return list(zip(records, self._keystore.rewrap(tuple(records)), strict=True))
        except (VerificationError, PermissionDeniedError):
            if len(records) == 1:
                LOG.warning("seal.record.unreadable", kind=records[0].identity.kind, id=records[0].identity.record_id)
                return []
            half = len(records) // 2
            return self._rewrap(records[:half]) + self._rewrap(records[half:])

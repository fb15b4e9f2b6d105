"""Ready keys: made ahead on idle cores, so that nobody who is provisioned waits for RSA."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from sealwright.clock import Clock
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.protocol import Keystore
from sealwright.kms.model import CLASSICAL, KmsSettings
from sealwright.kms.store import KeyStore
from sealwright.storage.engine import Storage

ROUND = 64
"""Keys for each core before the need is looked at again; cores wait for each other only at the end of a round."""


class KeyPool:
    """Keys in the state PRE_ACTIVATION, which belong to no mailbox yet.

    Args:
        storage: The database.
        store: Its SQL.
        keystore: Makes keys, in processes of low priority.
        clock: The time.
        settings: Which algorithms, and how many keys of each.
        makers: How many keys are made at once; one per core.
    """

    def __init__(
        self, storage: Storage, store: KeyStore, keystore: Keystore, clock: Clock, settings: KmsSettings, makers: int
    ) -> None:
        self._storage, self._store, self._keystore, self._clock = storage, store, keystore, clock
        self._settings, self._makers = settings, makers

    def refill(self, organization_id: str, wanted: int = 0) -> int:
        """Make ready keys, one on each core at a time, until there are enough; return how many were made.

        Args:
            organization_id: 32 hex digits.
            wanted: How many are needed now, of each algorithm. Else as many as mailboxes wait for their first key, and the
                pool's size more.
        """
        made = 0
        with ThreadPoolExecutor(self._makers, "key-maker") as makers:
            for slot, algorithm in self._settings.algorithms.items():
                while (missing := self._missing(organization_id, slot, algorithm, wanted)) > 0:
                    count = min(missing, ROUND * self._makers)
                    made += sum(makers.map(partial(self._add, organization_id, algorithm), range(count)))
        return made

    def ready(self, organization_id: str, algorithm: str) -> int:
        """Return how many ready keys of an algorithm there are."""
        with self._storage.read(organization_id) as tx:
            return self._store.pool_ready(tx, organization_id, algorithm)

    def find(self, organization_id: str, algorithm: str) -> SealedRecord:
        """Return a ready key; where there is none it is made. Whoever uses it takes it out in the same transaction."""
        with self._storage.read(organization_id) as tx:
            pooled = self._store.oldest_pooled(tx, organization_id, algorithm)
        return pooled or self._make(organization_id, algorithm)

    def _missing(self, organization_id: str, slot: str, algorithm: str, wanted: int) -> int:
        with self._storage.read(organization_id) as tx:
            # keys of slot kem take no time to make, and never wait for one
            waiting = self._store.waiting(tx, organization_id) if slot == CLASSICAL else 0
            ready = self._store.pool_ready(tx, organization_id, algorithm)
        return max(wanted, self._settings.pool_size + waiting) - ready

    def _add(self, organization_id: str, algorithm: str, _number: int) -> int:
        self._make(organization_id, algorithm)
        return 1

    def _make(self, organization_id: str, algorithm: str) -> SealedRecord:
        # never inside a transaction: RSA-4096 takes seconds
        record = self._keystore.generate_encryption_key(organization_id, algorithm)
        with self._storage.transaction(organization_id) as tx:
            self._store.add_pooled(tx, record, self._clock.now())
        return record

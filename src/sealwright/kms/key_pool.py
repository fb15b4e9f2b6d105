"""Ready keys: made ahead on idle cores, so that nobody who is provisioned waits for RSA."""

from concurrent.futures import ThreadPoolExecutor

from sealwright.clock import Clock
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.protocol import Keystore
from sealwright.kms.model import KmsSettings
from sealwright.kms.store import KeyStore
from sealwright.storage.engine import Storage


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

    def refill(self, organization_id: str) -> int:
        """Make ready keys until the pool is full; return how many were made."""
        made = 0
        for algorithm in self._settings.algorithms.values():
            while missing := self._settings.pool_size - self.ready(organization_id, algorithm):
                if missing < 0:
                    break
                count = min(missing, self._makers)
                with ThreadPoolExecutor(count) as makers:
                    list(makers.map(lambda _: self._make(organization_id, algorithm), range(count)))  # noqa: B023 - used in this round only
                made += count
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

    def _make(self, organization_id: str, algorithm: str) -> SealedRecord:
        # never inside a transaction: RSA-4096 takes seconds
        record = self._keystore.generate_encryption_key(organization_id, algorithm)
        with self._storage.transaction(organization_id) as tx:
            self._store.add_pooled(tx, record, self._clock.now())
        return record

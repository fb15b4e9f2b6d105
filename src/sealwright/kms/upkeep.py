"""The upkeep of archived keys: the fire drill, which proves that each can still be opened, and rotation when its time has come.

Both work through the database in batches, oldest first, and what is done is written at each key: whoever stops them, or
whatever stops the server, they go on where they were.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sealwright.audit.log import AuditLog
from sealwright.clock import Clock
from sealwright.errors import ConflictError, NotFoundError, SealedError, UnavailableError
from sealwright.keystore.protocol import Keystore
from sealwright.kms.acts import KeyActs
from sealwright.kms.key_pool import KeyPool
from sealwright.kms.model import KmsSettings, MailboxKey
from sealwright.kms.provisioning import Provisioner
from sealwright.kms.store import KeyStore
from sealwright.storage.engine import Storage

BATCH = 50
"""Keys of one round: with RSA-4096 keys a round takes a second."""
DRILL_FAILED = "key.drill-failed"


@dataclass(frozen=True, slots=True)
class DrillRound:
    """What one round of the fire drill found.

    Attributes:
        examined: How many keys were opened in this round.
        left: How many still wait.
        failing: Ids of all keys whose last examination failed.
    """

    examined: int
    left: int
    failing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyHealth:
    """How the archived keys are.

    Attributes:
        states: How many keys are in each state that there is.
        unexamined: Not opened within the period of the fire drill.
        failing: Whose last examination failed, up to 1,000.
        drill_every: The period.
        active_for: How long a generation protects new mail.
    """

    states: dict[str, int]
    unexamined: int
    failing: tuple[MailboxKey, ...]
    drill_every: timedelta
    active_for: timedelta


class KeyUpkeep:
    """Examines and rotates keys.

    Args:
        storage: The database.
        store: Its SQL.
        keystore: Opens keys, and tells only whether they fit.
        audit: The owner-visible log.
        acts: Leaves of acts on keys.
        pool: Makes the new keys of a batch on all cores.
        provisioner: Rotates.
        clock: The time.
        settings: How often.
    """

    def __init__(
        self,
        storage: Storage,
        store: KeyStore,
        keystore: Keystore,
        audit: AuditLog,
        acts: KeyActs,
        pool: KeyPool,
        provisioner: Provisioner,
        clock: Clock,
        settings: KmsSettings,
    ) -> None:
        self._storage, self._store, self._keystore, self._audit = storage, store, keystore, audit
        self._acts, self._pool, self._provisioner, self._clock, self._settings = (
            acts,
            pool,
            provisioner,
            clock,
            settings,
        )

    def drill_due(self, organization_id: str) -> DrillRound:
        """Examine a batch of the keys that were not examined for `drill_every` (job)."""
        return self.drill(organization_id, self._clock.now() - self._settings.drill_every)

    def drill(self, organization_id: str, before: datetime) -> DrillRound:
        """Open up to `BATCH` keys that were not examined since a time, and match each to its newest certificate.

        A key that does not open or fit is marked, and the first time it is a leaf in its owner's chain.

        Raises:
            SealedError: If the keystore does not answer: that says nothing about a key.
        """
        with self._storage.read(organization_id) as tx:
            due = self._store.due_for_examination(tx, organization_id, before, BATCH)
            certificates = {
                key.mailbox_id: self._store.certificates(tx, organization_id, key.mailbox_id) for key, _ in due
            }
        for key, was_well in due:
            newest = certificates[key.mailbox_id].get(key.key_id)
            is_well = self._keystore.examine(key.record, newest.certificate if newest else b"")
            self._note(organization_id, key, is_well=is_well, was_well=was_well)
        with self._storage.read(organization_id) as tx:
            left = self._store.count_due_for_examination(tx, organization_id, before)
            return DrillRound(len(due), left, self._store.failing_keys(tx, organization_id))

    def failing(self, organization_id: str) -> tuple[str, ...]:
        """Return the ids of the keys whose last examination failed."""
        with self._storage.read(organization_id) as tx:
            return self._store.failing_keys(tx, organization_id)

    def health(self, organization_id: str) -> KeyHealth:
        """Return how the keys are."""
        drill_every = self._settings.drill_every
        with self._storage.read(organization_id) as tx:
            found = (
                self._store.key(tx, organization_id, key_id) for key_id in self._store.failing_keys(tx, organization_id)
            )
            return KeyHealth(
                states=self._store.count_states(tx, organization_id),
                unexamined=self._store.count_due_for_examination(tx, organization_id, self._clock.now() - drill_every),
                failing=tuple(key for key in found if key is not None),
                drill_every=drill_every,
                active_for=self._settings.active_for,
            )

    def rotate_due(self, organization_id: str) -> tuple[int, int]:
        """Rotate a batch of the keys that have protected new mail for `active_for` (job); see `rotate_older`."""
        return self.rotate_older(organization_id, self._clock.now() - self._settings.active_for)

    def rotate_older(self, organization_id: str, before: datetime) -> tuple[int, int]:
        """Put a new generation in the place of up to `BATCH` keys that became active before a time.

        Returns:
            How many mailboxes were rotated, and how many still wait.
        """
        with self._storage.read(organization_id) as tx:
            due = self._store.due_for_rotation(tx, organization_id, before, BATCH)
        if due:
            self._pool.refill(organization_id, wanted=len(due))
        rotated = 0
        for mailbox_id in due:
            try:
                self._provisioner.rotate(organization_id, mailbox_id)
            except SealedError:
                raise
            except (NotFoundError, ConflictError, UnavailableError):
                continue  # withdrawn, somebody else was faster, or a decision on its key is half-done: the others go on
            rotated += 1
        with self._storage.read(organization_id) as tx:
            return rotated, self._store.count_due_for_rotation(tx, organization_id, before)

    def _note(self, organization_id: str, key: MailboxKey, *, is_well: bool, was_well: bool) -> None:
        salt = None if is_well or not was_well else self._audit.seal_salt(organization_id)
        with self._storage.transaction(organization_id) as tx:
            if not self._store.note_examination(tx, key, self._clock.now(), is_well=is_well):
                return  # its state was changed meanwhile: the next round looks again
            if salt is not None:
                self._acts.log(tx, key, DRILL_FAILED, salt)

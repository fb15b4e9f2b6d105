"""The life of a mailbox's keys by itself: first keys, rotation, end of the tenure. Every step can be repeated."""

from collections.abc import Sequence
from datetime import datetime

from sealwright.audit.log import Act, AuditLog
from sealwright.clock import Clock
from sealwright.errors import ConflictError, NotFoundError, UnavailableError
from sealwright.identity.model import Mailbox
from sealwright.identity.people import PROVISION_TOPIC
from sealwright.identity.ports import PutOutbox
from sealwright.keystore.protocol import Keystore
from sealwright.kms import policy
from sealwright.kms.acts import KeyActs
from sealwright.kms.certification import Certifier
from sealwright.kms.key_pool import KeyPool
from sealwright.kms.model import KEM, KmsSettings, MailboxKey
from sealwright.kms.ports import MailboxReader
from sealwright.kms.store import KeyStore
from sealwright.storage.engine import Storage, Transaction

_CLAIM_ATTEMPTS = 5


class Provisioner:
    """Makes, certifies, rotates and retires encryption keys; `kms.service.KeyService` shows it to others.

    Args:
        storage: The database.
        store: Its SQL.
        keystore: Re-seals pooled keys for a mailbox.
        audit: The owner-visible log.
        acts: Leaf, directory and notice of each act.
        pool: Ready keys.
        certifier: Gets certificates.
        clock: The time.
        settings: Which keys a mailbox has.
        mailboxes: Who owns a mailbox.
        put_outbox: Queues "mailbox.provision".
    """

    def __init__(
        self,
        storage: Storage,
        store: KeyStore,
        keystore: Keystore,
        audit: AuditLog,
        acts: KeyActs,
        pool: KeyPool,
        certifier: Certifier,
        clock: Clock,
        settings: KmsSettings,
        *,
        mailboxes: MailboxReader,
        put_outbox: PutOutbox,
    ) -> None:
        self._storage, self._store, self._keystore, self._audit = storage, store, keystore, audit
        self._acts, self._pool, self._certifier, self._clock = acts, pool, certifier, clock
        self._settings, self._mailboxes, self._put_outbox = settings, mailboxes, put_outbox

    def provision(self, organization_id: str, mailbox_id: str) -> None:
        """Give a mailbox a key in each slot that it has, and certificates that last; what is there already stays.

        A slot whose key is suspended waits for the decision; one that it has no more is given up (`policy.wanted_slots`).
        """
        try:
            mailbox = self._mailboxes.mailbox(organization_id, mailbox_id)
        except NotFoundError:
            return  # withdrawn before its turn came
        in_use = self._in_use(organization_id, mailbox_id)
        wanted = policy.wanted_slots(self._settings.algorithms, in_use)
        for slot in wanted:
            self._provision_slot(mailbox, slot)
        for key in in_use:
            if key.slot not in wanted:
                self._give_up(mailbox, key)

    def note_export(self, tx: Transaction, keys: Sequence[MailboxKey]) -> None:
        """Remember in the export's own transaction that keys leave for other programs; a pair ends with that."""
        for key in keys:
            identity = key.record.identity
            self._store.mark_exported(tx, identity.organization_id, key.key_id)
            payload = {"mailbox_id": key.mailbox_id}
            self._put_outbox(tx, identity.organization_id, PROVISION_TOPIC, payload, key.mailbox_id)

    def rotate(self, organization_id: str, mailbox_id: str, *, made_until: datetime | None = None) -> None:
        """Deactivate the keys in use, withdraw their certificates and put new generations in their place.

        Args:
            organization_id: 32 hex digits.
            mailbox_id: 32 hex digits.
            made_until: Keys that were made later stay; None rotates all.

        Raises:
            NotFoundError: If the mailbox is withdrawn or has no key in use.
            ConflictError: If it was rotated meanwhile.
        """
        self._mailboxes.mailbox(organization_id, mailbox_id)
        old = self._in_use(organization_id, mailbox_id)
        if not old:
            raise NotFoundError("the mailbox has no active key yet")
        for key in old:
            if made_until is None or key.created <= made_until:
                self.rotate_key(key)
        self.provision(organization_id, mailbox_id)

    def rotate_key(self, old: MailboxKey) -> None:
        """Put a new generation in the place of one key in use, without a certificate yet.

        Raises:
            ConflictError: If it was rotated meanwhile, or the mailbox is withdrawn.
        """
        if old.slot in self._settings.algorithms:
            self._new_generation(old.record.identity.organization_id, old.mailbox_id, old.slot, old)

    def withdraw(self, organization_id: str, mailbox_id: str) -> None:
        """Deactivate and freeze the keys of an ended tenure, and withdraw its certificates."""
        mailbox = self._mailboxes.tenure(organization_id, mailbox_id)
        if mailbox.state == "active":
            raise ConflictError("the mailbox is still in use")
        now = self._clock.now()
        with self._storage.transaction(organization_id) as tx:
            keys = self._store.keys(tx, organization_id, mailbox_id)
            for key in keys:
                if key.state in ("ACTIVE", "SUSPENDED"):
                    self._acts.change_state(tx, key, "DEACTIVATED", now)
                    self._acts.unpublish(tx, mailbox, key)
            if self._store.freeze(tx, organization_id, mailbox_id):
                fields = {"keys": ",".join(key.key_id for key in keys)}
                self._audit.append(tx, Act(organization_id, mailbox_id, "key.freeze", fields))

    def renew_due(self, organization_id: str) -> int:
        """Queue renewal of certificates that end soon, and pairs as the settings want them; return for how many mailboxes."""
        before = self._clock.now() + policy.RENEW_BEFORE
        with self._storage.transaction(organization_id) as tx:
            ending = self._store.ending_certificates(tx, organization_id, before)
            find = self._store.incomplete_pairs if KEM in self._settings.algorithms else self._store.pairs
            due = dict.fromkeys((*ending, *find(tx, organization_id)))
            for mailbox_id in due:
                self._put_outbox(tx, organization_id, PROVISION_TOPIC, {"mailbox_id": mailbox_id}, mailbox_id)
        return len(due)

    def _provision_slot(self, mailbox: Mailbox, slot: str) -> None:
        organization_id, mailbox_id = mailbox.organization_id, mailbox.mailbox_id
        key = self._key_in_use(organization_id, mailbox_id, slot)
        if key is None:
            self._new_generation(organization_id, mailbox_id, slot, old=None)
            key = self._key_in_use(organization_id, mailbox_id, slot)
        if key is None:
            raise ConflictError("the mailbox was withdrawn while its key was made")
        if key.state == "SUSPENDED":
            return
        with self._storage.read(organization_id) as tx:
            certificate = self._store.certificates(tx, organization_id, mailbox_id).get(key.key_id)
        if not policy.is_certificate_usable(certificate, self._clock.now()):
            self._certifier.certify(mailbox, key, certificate)

    def _give_up(self, mailbox: Mailbox, key: MailboxKey) -> None:
        with self._storage.transaction(mailbox.organization_id) as tx:
            self._acts.change_state(tx, key, "DEACTIVATED", self._clock.now())
            self._acts.unpublish(tx, mailbox, key)
            leaf = self._acts.log(tx, key, "key.deactivate")
            self._acts.tell(tx, key, "key-rotated", leaf)

    def _in_use(self, organization_id: str, mailbox_id: str) -> list[MailboxKey]:
        with self._storage.read(organization_id) as tx:
            keys = self._store.keys(tx, organization_id, mailbox_id)
        return [key for key in keys if key.state in ("ACTIVE", "SUSPENDED")]

    def _key_in_use(self, organization_id: str, mailbox_id: str, slot: str) -> MailboxKey | None:
        """Return the slot's ACTIVE key, else the SUSPENDED one whose place nobody has taken."""
        keys = [key for key in self._in_use(organization_id, mailbox_id) if key.slot == slot]
        return next((key for key in keys if key.state == "ACTIVE"), keys[-1] if keys else None)

    def _new_generation(self, organization_id: str, mailbox_id: str, slot: str, old: MailboxKey | None) -> None:
        for _ in range(_CLAIM_ATTEMPTS):
            # 1 A ready key, sealed anew for the mailbox; nobody waits for the keystore inside a transaction.
            pooled = self._pool.find(organization_id, self._settings.algorithms[slot])
            with self._storage.read(organization_id) as tx:
                history = self._store.keys(tx, organization_id, mailbox_id)
            generation = 1 + max((key.generation for key in history if key.slot == slot), default=0)
            record = self._keystore.assign_encryption_key(pooled, mailbox_id, generation)
            key = MailboxKey(record, slot, "ACTIVE", frozen=False, created=self._clock.now())
            # 2 One transaction: out of the pool, the old one down, the new one up, leaves, the certificate's order.
            try:
                self._install(key, old)
            except ConflictError:
                now_in_use = self._key_in_use(organization_id, mailbox_id, slot)
                if (now_in_use and now_in_use.key_id) != (old and old.key_id):
                    if old is None:
                        return  # another worker was faster, which is as good
                    raise
                self._mailboxes.mailbox(organization_id, mailbox_id)
                continue
            return
        raise UnavailableError("no key could be claimed: try again")

    def _install(self, key: MailboxKey, old: MailboxKey | None) -> None:
        identity = key.record.identity
        organization_id, mailbox_id = identity.organization_id, identity.owner
        salt = self._acts.seal_salt(organization_id)
        with self._storage.transaction(organization_id) as tx:
            self._mailboxes.hold(tx, organization_id, mailbox_id)
            self._store.take_pooled(tx, organization_id, key.key_id)
            if old is not None:
                self._acts.change_state(tx, old, "DEACTIVATED", key.created)
                self._acts.unpublish(tx, self._mailboxes.tenure(organization_id, mailbox_id), old)
            self._store.add_key(tx, key)
            leaf = self._acts.log(tx, key, "key.create", salt)
            if old is not None:
                leaf = self._acts.log(tx, key, "key.rotate", old_key=old.key_id)
                self._acts.tell(tx, key, "key-rotated", leaf)
                # a first key is made by the outbox, which comes back until it has its certificate
                self._put_outbox(tx, organization_id, PROVISION_TOPIC, {"mailbox_id": mailbox_id}, mailbox_id)

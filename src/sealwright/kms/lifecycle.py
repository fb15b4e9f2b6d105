"""What people decide about a key: suspend, resume, report as compromised, destroy. Provisioning does the rest by itself."""

from sealwright.audit.log import AuditLog
from sealwright.clock import Clock
from sealwright.errors import InputError, NotFoundError
from sealwright.identity.people import PROVISION_TOPIC
from sealwright.identity.ports import PutOutbox
from sealwright.keystore.protocol import Keystore
from sealwright.kms.acts import KeyActs
from sealwright.kms.model import Destruction, MailboxKey
from sealwright.kms.ports import MailboxReader
from sealwright.kms.store import KeyStore
from sealwright.storage.engine import Storage, Transaction
from sealwright.wire.destruction import DESTROY_LEAF, DestructionReceipt, SignedDestruction
from sealwright.wire.manifest import KeyState

REVOKE_TOPIC = "key.revoke"
"""Outbox: revoke whatever certificates a key has; payload {spki_sha256, reason}."""
MAX_REASON_CHARACTERS = 500


class KeyLifecycle:
    """Changes the state of keys.

    Args:
        storage: The database.
        store: Its SQL.
        keystore: Signs destruction receipts and forgets destroyed keys.
        audit: The owner-visible log.
        acts: Leaf, directory and notice of each act.
        clock: The time.
        mailboxes: Who owns a mailbox.
        put_outbox: Queues "mailbox.provision" and "key.revoke".
    """

    def __init__(
        self,
        storage: Storage,
        store: KeyStore,
        keystore: Keystore,
        audit: AuditLog,
        acts: KeyActs,
        clock: Clock,
        *,
        mailboxes: MailboxReader,
        put_outbox: PutOutbox,
    ) -> None:
        self._storage, self._store, self._keystore, self._audit = storage, store, keystore, audit
        self._acts, self._clock, self._mailboxes, self._put_outbox = acts, clock, mailboxes, put_outbox

    def suspend(self, organization_id: str, key_id: str, reason: str, by: str) -> None:
        """Stop the use of an ACTIVE key for a while: it is not released, and nobody finds its certificate.

        The certificate is not revoked, because a revocation is for ever.

        Raises:
            NotFoundError: If there is no such key.
            ConflictError: If it is not ACTIVE.
            InputError: If the reason is empty or too long.
        """
        check_reason(reason)
        with self._storage.transaction(organization_id) as tx:
            key = self._changed(tx, organization_id, key_id, "SUSPENDED")
            self._acts.unpublish(tx, self._mailboxes.tenure(organization_id, key.mailbox_id), key)
            leaf = self._acts.log(tx, key, "key.suspend", reason=reason, by=by)
            self._acts.tell(tx, key, "key-suspended", leaf)

    def resume(self, organization_id: str, key_id: str, reason: str, by: str) -> None:
        """Put a SUSPENDED key to use again.

        Raises:
            NotFoundError: If there is no such key.
            ConflictError: If it is not SUSPENDED, another key is ACTIVE, or the mailbox is withdrawn.
            InputError: If the reason is empty or too long.
        """
        check_reason(reason)
        with self._storage.transaction(organization_id) as tx:
            key = self._changed(tx, organization_id, key_id, "ACTIVE")
            self._mailboxes.hold(tx, organization_id, key.mailbox_id)
            self._acts.republish(tx, self._mailboxes.tenure(organization_id, key.mailbox_id), key)
            leaf = self._acts.log(tx, key, "key.resume", reason=reason, by=by)
            self._acts.tell(tx, key, "key-resumed", leaf)
            self._provision(tx, key)

    def compromise(self, organization_id: str, key_id: str, reason: str, by: str) -> None:
        """Report a key as compromised: certificates are revoked, and a new generation takes the place of the active one.

        It is still released, marked as compromised: what was encrypted for it must stay readable.

        Raises:
            NotFoundError: If there is no such key.
            ConflictError: If it is compromised or destroyed already.
            InputError: If the reason is empty or too long.
        """
        check_reason(reason)
        with self._storage.transaction(organization_id) as tx:
            key = self._changed(tx, organization_id, key_id, "COMPROMISED")
            self._acts.unpublish(tx, self._mailboxes.tenure(organization_id, key.mailbox_id), key)
            leaf = self._acts.log(tx, key, "key.compromise", reason=reason, by=by)
            self._acts.tell(tx, key, "key-compromised", leaf)
            self._revoke(tx, key, "keyCompromise")
            self._provision(tx, key)

    def destroy(self, organization_id: str, key_id: str, reason: str, by: str) -> SignedDestruction:
        """Erase a key for ever and return the receipt. Mail that only this key opens is lost.

        Raises:
            NotFoundError: If there is no such key.
            ConflictError: If it is ACTIVE or destroyed already.
            PermissionDeniedError: If a legal hold is on the mailbox.
            InputError: If the reason is empty or too long.
            UnavailableError: If the leaf is not signed in time; the key is destroyed, ask for the receipt again.
        """
        check_reason(reason)
        with self._storage.transaction(organization_id) as tx:
            now = self._clock.now()
            key = self._find(tx, organization_id, key_id)
            # whoever sets a hold locks the same row, so one of the two sees what the other did
            self._mailboxes.lock(tx, organization_id, key.mailbox_id)
            self._store.destroy(tx, key, now)
            self._acts.unpublish(tx, self._mailboxes.tenure(organization_id, key.mailbox_id), key)
            leaf = self._acts.log(tx, key, DESTROY_LEAF, reason=reason, by=by)
            self._store.add_destruction(tx, organization_id, Destruction(key_id, reason, now, leaf.leaf_id))
            self._acts.tell(tx, key, "key-destroyed", leaf)
            self._revoke(tx, key, "cessationOfOperation")
        return self.receipt(organization_id, key_id)

    def receipt(self, organization_id: str, key_id: str) -> SignedDestruction:
        """Return the signed receipt of a destroyed key; can be repeated.

        Raises:
            NotFoundError: If there is no such key, or it is not destroyed.
            UnavailableError: If the leaf is not signed in time.
        """
        with self._storage.read(organization_id) as tx:
            key = self._find(tx, organization_id, key_id)
            destruction = self._store.destruction(tx, organization_id, key_id)
        if destruction is None:
            raise NotFoundError("the key is not destroyed")
        included = self._audit.wait_included(organization_id, destruction.leaf_id)
        receipt = DestructionReceipt(
            organization_id=organization_id,
            mailbox_id=key.mailbox_id,
            key_id=key_id,
            slot=key.slot,
            generation=key.generation,
            algorithm=key.record.algorithm,
            spki_sha256=key.spki_sha256,
            destroyed=destruction.destroyed,
            reason=destruction.reason,
            leaf_hash=included.leaf_hash,
        )
        signature = self._keystore.sign_destruction(receipt)
        return SignedDestruction(
            receipt=receipt, signature=signature, leaf=included.opening(), checkpoint=included.checkpoint
        )

    def _find(self, tx: Transaction, organization_id: str, key_id: str) -> MailboxKey:
        key = self._store.key(tx, organization_id, key_id)
        if key is None:
            raise NotFoundError("there is no such key")
        return key

    def _changed(self, tx: Transaction, organization_id: str, key_id: str, state: KeyState) -> MailboxKey:
        key = self._find(tx, organization_id, key_id)
        self._store.change_state(tx, key, state, self._clock.now())
        return key

    def _revoke(self, tx: Transaction, key: MailboxKey, reason: str) -> None:
        payload = {"spki_sha256": key.spki_sha256.hex(), "reason": reason}
        self._put_outbox(tx, key.record.identity.organization_id, REVOKE_TOPIC, payload, f"{key.key_id}/{reason}")

    def _provision(self, tx: Transaction, key: MailboxKey) -> None:
        payload = {"mailbox_id": key.mailbox_id}
        self._put_outbox(tx, key.record.identity.organization_id, PROVISION_TOPIC, payload, key.mailbox_id)


def check_reason(reason: str) -> None:
    """Check a reason, which goes into the log.

    Raises:
        InputError: If it is empty, too long or not printable.
    """
    if not reason.strip() or len(reason) > MAX_REASON_CHARACTERS or not reason.isprintable():
        raise InputError(f"a reason is one line of at most {MAX_REASON_CHARACTERS} characters")

"""What every act on a key does: its leaf, its certificates' place in the directory, and the word to the owner's devices."""

from datetime import datetime

from sealwright.audit.log import Act, AuditLog, LeafSalt, PendingLeaf
from sealwright.identity.devices import DeviceService
from sealwright.identity.model import Mailbox
from sealwright.keystore.key_states import check_transition
from sealwright.keystore.model import ApprovalEvidence
from sealwright.keystore.protocol import Keystore
from sealwright.kms.model import MailboxKey
from sealwright.kms.ports import CertificatePublisher
from sealwright.kms.store import KeyStore
from sealwright.storage.engine import Transaction
from sealwright.wire.manifest import KeyState


class KeyActs:
    """Works within the act's own transaction.

    Args:
        store: SQL of key management.
        keystore: Vouches for states that people decided on.
        audit: The owner-visible log.
        directory: Where certificates are published.
        devices: Tells a mailbox's devices.
    """

    def __init__(
        self,
        store: KeyStore,
        keystore: Keystore,
        audit: AuditLog,
        directory: CertificatePublisher,
        devices: DeviceService,
    ) -> None:
        self._store, self._keystore, self._audit = store, keystore, audit
        self._directory, self._devices = directory, devices

    def seal_salt(self, organization_id: str) -> LeafSalt:
        """Make the salt of one leaf before the act's transaction, so that nobody waits for the keystore in it."""
        return self._audit.seal_salt(organization_id)

    def change_state(
        self,
        tx: Transaction,
        key: MailboxKey,
        state: KeyState,
        now: datetime,
        evidence: ApprovalEvidence | None = None,
    ) -> None:
        """Bring a key from the state that it was read in to another, with the keystore's word where people decide.

        The caller has locked the mailbox and checked what else could refuse the act: what the keystore has written down holds,
        and the same act must be repeated if the transaction is lost.

        Args:
            tx: The act's.
            key: As it was read.
            state: The next one.
            now: Aware UTC.
            evidence: Approvals, where the next state needs them.

        Raises:
            ConflictError: If there is no such transition, the key is in another state meanwhile, or another is ACTIVE.
            ApprovalsMissingError: If the keystore wants approvals.
            PermissionDeniedError: If a legal hold forbids a destruction.
        """
        check_transition(key.state, state)
        organization_id, version = key.record.identity.organization_id, key.state_row.version if key.state_row else 0
        row = self._keystore.vouch_key_state(organization_id, key.key_id, key.state, state, version, evidence)
        if state == "DESTROYED" and row is not None:
            self._store.destroy(tx, key, now, row)
        else:
            self._store.change_state(tx, key, state, now, row)

    def log(
        self, tx: Transaction, key: MailboxKey, kind: str, salt: LeafSalt | None = None, **more: str
    ) -> PendingLeaf:
        """Append the leaf of an act on one key to its mailbox's chain."""
        identity = key.record.identity
        fields = {
            "key": key.key_id,
            "slot": key.slot,
            "generation": str(key.generation),
            "spki_sha256": key.spki_sha256.hex(),
            **more,
        }
        return self._audit.append(tx, Act(identity.organization_id, identity.owner, kind, fields), salt)

    def tell(self, tx: Transaction, key: MailboxKey, kind: str, leaf: PendingLeaf) -> None:
        """Put a notice about a key into the feed of each device of its mailbox."""
        identity = key.record.identity
        notice = self._devices.notice(kind, key.key_id, leaf)
        self._devices.notify(tx, identity.organization_id, identity.owner, notice)

    def unpublish(self, tx: Transaction, mailbox: Mailbox, key: MailboxKey) -> None:
        """Withdraw a key's certificate from the directory."""
        certificate = self._store.certificates(tx, mailbox.organization_id, mailbox.mailbox_id).get(key.key_id)
        if certificate is not None:
            for address in mailbox.addresses:
                self._directory.unpublish(tx, mailbox.organization_id, address, certificate.certificate)

    def republish(self, tx: Transaction, mailbox: Mailbox, key: MailboxKey) -> None:
        """Show a key's certificate in the directory again."""
        certificate = self._store.certificates(tx, mailbox.organization_id, mailbox.mailbox_id).get(key.key_id)
        if certificate is not None:
            for address in mailbox.addresses:
                self._directory.republish(tx, mailbox.organization_id, address, certificate.certificate)

"""What every act on a key does: its leaf, its certificates' place in the directory, and the word to the owner's devices."""

from sealwright.audit.log import Act, AuditLog, LeafSalt, PendingLeaf
from sealwright.identity.devices import DeviceService
from sealwright.identity.model import Mailbox
from sealwright.kms.model import MailboxKey
from sealwright.kms.ports import CertificatePublisher
from sealwright.kms.store import KeyStore
from sealwright.storage.engine import Transaction


class KeyActs:
    """Works within the act's own transaction.

    Args:
        store: SQL of key management.
        audit: The owner-visible log.
        directory: Where certificates are published.
        devices: Tells a mailbox's devices.
    """

    def __init__(
        self, store: KeyStore, audit: AuditLog, directory: CertificatePublisher, devices: DeviceService
    ) -> None:
        self._store, self._audit, self._directory, self._devices = store, audit, directory, devices

    def seal_salt(self, organization_id: str) -> LeafSalt:
        """Make the salt of one leaf before the act's transaction, so that nobody waits for the keystore in it."""
        return self._audit.seal_salt(organization_id)

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

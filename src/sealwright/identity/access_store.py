"""SQL of protection passwords and of devices that wait for an approval."""

from datetime import datetime

from sqlalchemy import delete, insert, select

from sealwright.identity.tables import protection_password, waiting_device
from sealwright.keystore.factors import PASSWORD
from sealwright.keystore.model import RecordIdentity, SealedRecord
from sealwright.storage.engine import Transaction


class AccessStore:
    """Reads and writes within the caller's transaction."""

    def password(self, tx: Transaction, organization_id: str, mailbox_id: str) -> SealedRecord | None:
        """Return the protection password of a mailbox, None if it has none."""
        columns = protection_password.c
        own = (columns.organization_id == organization_id, columns.mailbox_id == mailbox_id)
        row = tx.fetch_one(select(protection_password).where(*own))
        if row is None:
            return None
        identity = RecordIdentity(PASSWORD, organization_id, row.record_id, mailbox_id)
        return SealedRecord(identity, PASSWORD, row.storage_version, bytes(row.ciphertext))

    def put_password(self, tx: Transaction, record: SealedRecord) -> None:
        """Store a protection password in place of the one before; the keystore knows which is the newest."""
        identity, columns = record.identity, protection_password.c
        own = (columns.organization_id == identity.organization_id, columns.mailbox_id == identity.owner)
        tx.execute(delete(protection_password).where(*own))
        tx.execute(
            insert(protection_password).values(
                organization_id=identity.organization_id,
                mailbox_id=identity.owner,
                record_id=identity.record_id,
                storage_version=record.storage_key_version,
                ciphertext=record.ciphertext,
            )
        )

    def wait(self, tx: Transaction, organization_id: str, mailbox_id: str, device_id: str, expires: datetime) -> None:
        """Note that a device waits for an approval, from now on until `expires`."""
        self.stop_waiting(tx, organization_id, device_id)
        key = {"organization_id": organization_id, "device_id": device_id, "mailbox_id": mailbox_id}
        tx.execute(insert(waiting_device).values(**key, expires=expires))

    def waiting(
        self, tx: Transaction, organization_id: str, mailbox_id: str | None, now: datetime
    ) -> dict[str, datetime]:
        """Return the devices of a mailbox, or of the whole organization, that wait, with the end of each."""
        columns = waiting_device.c
        own = [columns.organization_id == organization_id, columns.expires > now]
        if mailbox_id is not None:
            own.append(columns.mailbox_id == mailbox_id)
        rows = tx.fetch_all(select(waiting_device).where(*own).order_by(columns.expires))
        return {row.device_id: row.expires for row in rows}

    def stop_waiting(self, tx: Transaction, organization_id: str, device_id: str) -> None:
        """Forget that a device waits."""
        columns = waiting_device.c
        own = (columns.organization_id == organization_id, columns.device_id == device_id)
        tx.execute(delete(waiting_device).where(*own))

"""Devices of a mailbox: the list, removal, and the sync feed that tells the others."""

import msgspec

from sealwright.audit.log import Act, AuditLog, PendingLeaf
from sealwright.clock import Clock
from sealwright.errors import AuthenticationError, InputError, NotFoundError
from sealwright.identity.device_store import DeviceStore
from sealwright.identity.model import AuthenticatedDevice, Device
from sealwright.identity.ports import PutOutbox
from sealwright.keystore.model import DeviceCredential
from sealwright.keystore.protocol import Keystore
from sealwright.storage.engine import Storage, Transaction
from sealwright.tlog.tree import leaf_hash
from sealwright.wire.api import DeviceList, DeviceView, SyncAnswer, SyncNotice
from sealwright.wire.hpke import hpke_seal
from sealwright.wire.sync import sync_item_info

REMOVED_TOPIC = "device.removed"
_STATE_WORDS = {"locked": "lock", "active": "unlock"}


class DeviceService:
    """Lists and removes devices, and seals notices to them.

    Args:
        storage: The database.
        store: Its SQL.
        keystore: Vouches for a device's state.
        audit: The owner-visible log.
        clock: The time.
        put_outbox: Queues "device.removed", payload {mailbox_id, device_id}: what the device signs with has to go, too.
    """

    def __init__(
        self,
        storage: Storage,
        store: DeviceStore,
        keystore: Keystore,
        audit: AuditLog,
        clock: Clock,
        *,
        put_outbox: PutOutbox,
    ) -> None:
        self._storage, self._store, self._keystore = storage, store, keystore
        self._audit, self._clock, self._put_outbox = audit, clock, put_outbox

    def list_devices(self, asking: AuthenticatedDevice) -> DeviceList:
        """Return the devices of the asking device's mailbox."""
        with self._storage.read(asking.organization_id) as tx:
            found = self._store.devices(tx, asking.organization_id, asking.mailbox_id)
        return DeviceList(devices=tuple(_view(device, asking.device_id) for device in found))

    def of_mailbox(self, organization_id: str, mailbox_id: str) -> tuple[DeviceView, ...]:
        """Return the devices of any mailbox, for administrators."""
        with self._storage.read(organization_id) as tx:
            found = self._store.devices(tx, organization_id, mailbox_id)
        return tuple(_view(device, "") for device in found)

    def credential(self, organization_id: str, device_id: str) -> DeviceCredential:
        """Return what the keystore vouches for, in the device's state now.

        Raises:
            NotFoundError: If there is no such device.
        """
        with self._storage.read(organization_id) as tx:
            return self._store.device(tx, organization_id, device_id).credential

    def credential_in(self, tx: Transaction, organization_id: str, device_id: str) -> DeviceCredential:
        """Return the same within a transaction."""
        return self._store.device(tx, organization_id, device_id).credential

    def remove(self, asking: AuthenticatedDevice, device_id: str) -> None:
        """Remove a device of the same mailbox; one that is removed already stays so.

        Raises:
            NotFoundError: If the mailbox has no such device.
            ConflictError: If it changed meanwhile.
        """
        self.remove_of(
            asking.organization_id, asking.mailbox_id, device_id, asking.credential.device.thumbprint().hex()
        )

    def remove_of(self, organization_id: str, mailbox_id: str, device_id: str, by: str) -> None:
        """Do the same for whoever may; `by` as in `change_state_of`."""
        with self._storage.transaction(organization_id) as tx:
            device = self._store.device(tx, organization_id, device_id)
            if device.credential.mailbox_id != mailbox_id:
                raise NotFoundError("there is no such device")
            if device.credential.state != "removed":
                self.remove_in(tx, device, by)

    def change_state(self, asking: AuthenticatedDevice, device_id: str, state: str) -> None:
        """Lock another device of the same mailbox, or unlock it; what is so already stays so.

        Raises:
            InputError: If the state is another, or the device is the asking one.
            NotFoundError: If the mailbox has no such device.
            ConflictError: If it was removed or changed meanwhile.
        """
        if device_id == asking.device_id:
            raise InputError("a device does not lock itself: nothing could unlock it")
        by = asking.credential.device.thumbprint().hex()
        self.change_state_of(asking.organization_id, asking.mailbox_id, device_id, state, by)

    def change_state_of(self, organization_id: str, mailbox_id: str, device_id: str, state: str, by: str) -> None:
        """Do the same for whoever may: `by` is a thumbprint in hex, "operator", or role and name of an account."""
        if state not in _STATE_WORDS:
            raise InputError('a device is made "locked" or "active"')
        with self._storage.transaction(organization_id) as tx:
            device = self._store.device(tx, organization_id, device_id)
            old = device.credential
            if old.mailbox_id != mailbox_id:
                raise NotFoundError("there is no such device")
            if old.state == state:
                return
            self._store.replace_credential(tx, old, self._keystore.change_device(old, state))
            word, thumbprint = _STATE_WORDS[state], old.device.thumbprint()
            fields = {"device": thumbprint.hex(), "device_id": device_id, "by": by}
            leaf = self._audit.append(tx, Act(organization_id, mailbox_id, f"device.{word}", fields))
            notice = self.notice(f"device-{word}ed", device.name, leaf, thumbprint)
            self.notify(tx, organization_id, mailbox_id, notice, except_device=device_id)

    def remove_all(self, tx: Transaction, organization_id: str, mailbox_id: str) -> int:
        """Remove every device of a mailbox, locked ones too, within the act that ends the tenure; return how many."""
        found = self._store.devices(tx, organization_id, mailbox_id)
        here = [device for device in found if device.credential.state != "removed"]
        for device in here:
            self.remove_in(tx, device, "administrator", tell=False)
        return len(here)

    def remove_in(self, tx: Transaction, device: Device, by: str, *, tell: bool = True) -> PendingLeaf:
        """Remove a device: credential, tokens, leaf, notices; its certificates through the outbox."""
        old = device.credential
        thumbprint = old.device.thumbprint()
        self._store.replace_credential(tx, old, self._keystore.change_device(old, "removed"))
        self._store.delete_tokens(tx, old)
        fields = {"device": thumbprint.hex(), "device_id": old.device_id, "by": by}
        leaf = self._audit.append(tx, Act(old.organization_id, old.mailbox_id, "device.remove", fields))
        payload = {"mailbox_id": old.mailbox_id, "device_id": old.device_id}
        self._put_outbox(tx, old.organization_id, REMOVED_TOPIC, payload, old.device_id)
        if tell:
            self.notify(
                tx,
                old.organization_id,
                old.mailbox_id,
                self.notice("device-removed", device.name, leaf, thumbprint),
                except_device=old.device_id,
            )
        return leaf

    def notice(self, kind: str, subject: str, leaf: PendingLeaf, thumbprint: bytes = b"") -> SyncNotice:
        """Return a notice that a leaf backs."""
        backing = leaf_hash(leaf.commitment)
        return SyncNotice(kind=kind, time=self._clock.now(), subject=subject, thumbprint=thumbprint, leaf_hash=backing)

    def notify(
        self,
        tx: Transaction,
        organization_id: str,
        mailbox_id: str,
        notice: SyncNotice,
        except_device: str | None = None,
    ) -> int:
        """Seal a notice to each active device of a mailbox but one; return to how many.

        Devices of a shared mailbox's members are told that something happened there, each in its own feed.
        """
        of_members = msgspec.structs.replace(notice, kind="shared-mailbox", subject=notice.kind)
        told = 0
        for device in self._store.devices(tx, organization_id, mailbox_id, with_members=True):
            credential = device.credential
            if credential.state != "active" or credential.device_id == except_device:
                continue
            number = self._store.next_sync_number(tx, credential)
            said = notice if credential.mailbox_id == mailbox_id else of_members
            info = sync_item_info(organization_id, credential.mailbox_id, credential.device_id, number)
            sealed = hpke_seal(credential.device.hpke_public_key, info, msgspec.json.encode(said))
            self._store.add_sync_item(tx, credential, number, sealed)
            told += 1
        return told

    def sync(self, asking: AuthenticatedDevice, after: int) -> SyncAnswer:
        """Return the next items of the asking device's feed, as it is now.

        Raises:
            AuthenticationError: If the device was removed since it asked.
        """
        with self._storage.read(asking.organization_id) as tx:
            state = self._store.device(tx, asking.organization_id, asking.device_id).credential.state
            if state == "removed":
                raise AuthenticationError("this device was removed")
            if state != "active":
                return SyncAnswer(items=(), locked=True)
            return SyncAnswer(items=self._store.sync_items(tx, asking.organization_id, asking.device_id, after))


def _view(device: Device, this_device_id: str) -> DeviceView:
    credential = device.credential
    return DeviceView(
        device_id=credential.device_id,
        name=device.name,
        platform=device.platform,
        thumbprint=credential.device.thumbprint(),
        enrolled=device.enrolled,
        state=credential.state,
        this_device=credential.device_id == this_device_id,
        level=credential.level,
    )

"""SQL of enrolments, devices, access tokens and the sync feed."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, delete, func, insert, select, update

from sealwright.errors import ConflictError, NotFoundError
from sealwright.identity.model import MAX_WRONG_PROOFS, Device, Enrolment
from sealwright.identity.tables import access_token, device, enrolment, shared_member, sync_item
from sealwright.keystore.memberships import JOINED
from sealwright.keystore.model import DeviceCredential, RecordIdentity, SealedRecord
from sealwright.storage.engine import Transaction
from sealwright.storage.schema import new_id
from sealwright.wire.api import SyncItem
from sealwright.wire.device import DevicePublicKeys
from sealwright.wire.encoding import sha256

MAX_DEVICES = 100
"""Of one mailbox, removed ones not counted."""
MAX_IDS = 500
"""In one statement."""
MAX_SYNC_ITEMS = 200
"""In one answer."""

_DEVICE = select(device).where(
    device.c.organization_id == bindparam("organization_id"), device.c.id == bindparam("device_id")
)
_SAME_DEVICE = (access_token.c.organization_id == device.c.organization_id) & (access_token.c.device_id == device.c.id)
_DEVICE_OF_TOKEN = (
    select(device)
    .select_from(device.join(access_token, _SAME_DEVICE))
    .where(access_token.c.token_sha256 == bindparam("token_sha256"), access_token.c.expires > bindparam("now"))
    .where(device.c.state != "removed")
)


class DeviceStore:
    """Reads and writes within the caller's transaction."""

    def add_enrolment(self, tx: Transaction, added: Enrolment) -> None:
        """Add an open enrolment."""
        tx.execute(
            insert(enrolment).values(
                organization_id=added.organization_id,
                id=added.enrolment_id,
                mailbox_id=added.mailbox_id,
                address=added.address,
                source=added.source,
                device_name=added.device_name,
                platform=added.platform,
                authentication_key_spki=added.device.authentication_key_spki,
                hpke_public_key=added.device.hpke_public_key,
                state=added.state,
                attempts=added.attempts,
                created=added.created,
                expires=added.expires,
                proof_record_id=added.proof.identity.record_id,
                proof_owner=added.proof.identity.owner,
                proof_algorithm=added.proof.algorithm,
                proof_storage_version=added.proof.storage_key_version,
                proof_ciphertext=added.proof.ciphertext,
            )
        )

    def enrolment(self, tx: Transaction, enrolment_id: str) -> Enrolment | None:
        """Return an enrolment of any organization."""
        row = tx.fetch_one(select(enrolment).where(enrolment.c.id == enrolment_id))
        return None if row is None else _enrolment(row)

    def enrolments_since(
        self, tx: Transaction, organization_id: str, address: str, source: str, since: datetime
    ) -> tuple[int, int]:
        """Return how many enrolments were begun for an address, and how many from a network."""
        counted = select(func.count()).select_from(enrolment).where(enrolment.c.created > since)
        of_address = (enrolment.c.organization_id == organization_id) & (enrolment.c.address == address)
        return (
            int(tx.fetch_value(counted.where(of_address))),
            int(tx.fetch_value(counted.where(enrolment.c.source == source))),
        )

    def count_attempt(self, tx: Transaction, tried: Enrolment) -> None:
        """Count one answer.

        Raises:
            ConflictError: If the enrolment is used, or all answers were tried.
        """
        tx.change_one(
            update(enrolment)
            .where(*_open(tried), enrolment.c.attempts < MAX_WRONG_PROOFS)
            .values(attempts=enrolment.c.attempts + 1),
            "the enrolment is not open any more",
        )

    def use_enrolment(self, tx: Transaction, used: Enrolment, device_id: str, idempotency_key: str) -> None:
        """Turn OPEN into USED.

        Raises:
            ConflictError: If it is not OPEN any more.
        """
        tx.change_one(
            update(enrolment)
            .where(*_open(used))
            .values(state="USED", device_id=device_id, idempotency_key=idempotency_key),
            "the enrolment was used meanwhile",
        )

    def purge_enrolments(self, tx: Transaction, organization_id: str, expired_before: datetime) -> int:
        """Delete enrolments that expired before a time; return how many."""
        own = enrolment.c.organization_id == organization_id
        return tx.execute(delete(enrolment).where(own, enrolment.c.expires < expired_before))

    def add_device(self, tx: Transaction, added: Device, max_devices: int = 0) -> None:
        """Add a device.

        Args:
            tx: The transaction, which holds the mailbox's row.
            added: The device.
            max_devices: What the release policy permits; 0 for `MAX_DEVICES`.

        Raises:
            ConflictError: If its authentication key is enrolled already, or the mailbox has too many devices.
        """
        credential = added.credential
        own = _of_mailbox(credential.organization_id, credential.mailbox_id)
        counted = select(func.count()).select_from(device).where(*own, device.c.state != "removed")
        if int(tx.fetch_value(counted)) >= (max_devices or MAX_DEVICES):
            raise ConflictError("the mailbox has too many devices: remove one first")
        tx.execute(
            insert(device).values(
                organization_id=credential.organization_id,
                id=credential.device_id,
                mailbox_id=credential.mailbox_id,
                name=added.name,
                platform=added.platform,
                authentication_key_spki=credential.device.authentication_key_spki,
                authentication_key_sha256=sha256(credential.device.authentication_key_spki).hex(),
                hpke_public_key=credential.device.hpke_public_key,
                state=credential.state,
                level=credential.level,
                version=credential.version,
                mac=credential.mac,
                address=credential.address,
                enrolled=added.enrolled,
                sync_number=0,
            )
        )

    def device(self, tx: Transaction, organization_id: str, device_id: str) -> Device:
        """Return a device in any state.

        Raises:
            NotFoundError: If there is none.
        """
        row = tx.fetch_one(_DEVICE, {"organization_id": organization_id, "device_id": device_id})
        if row is None:
            raise NotFoundError("there is no such device")
        return _device(row)

    def device_of_key(self, tx: Transaction, authentication_key_sha256: str) -> Device | None:
        """Return the active or locked device with an authentication key, of any organization."""
        own = (device.c.authentication_key_sha256 == authentication_key_sha256) & (device.c.state != "removed")
        row = tx.fetch_one(select(device).where(own))
        return None if row is None else _device(row)

    def device_of_token(self, tx: Transaction, token_sha256: str, now: datetime) -> Device | None:
        """Return the active or locked device that a token which is not expired was issued to."""
        row = tx.fetch_one(_DEVICE_OF_TOKEN, {"token_sha256": token_sha256, "now": now})
        return None if row is None else _device(row)

    def devices(
        self, tx: Transaction, organization_id: str, mailbox_id: str, *, with_members: bool = False
    ) -> list[Device]:
        """Return the newest 1,000 devices of a mailbox in any state, oldest first; on request with its members'."""
        condition = device.c.mailbox_id == mailbox_id
        if with_members:
            joined = select(shared_member.c.member_id).where(
                shared_member.c.organization_id == organization_id,
                shared_member.c.mailbox_id == mailbox_id,
                shared_member.c.state == JOINED,
            )
            condition |= device.c.mailbox_id.in_(joined)
        own = select(device).where(device.c.organization_id == organization_id, condition)
        rows = tx.fetch_all(own.order_by(device.c.enrolled.desc(), device.c.id).limit(1000))
        return [_device(row) for row in reversed(rows)]

    def replace_credential(self, tx: Transaction, old: DeviceCredential, new: DeviceCredential) -> None:
        """Store a device's next state.

        Raises:
            ConflictError: If the state is not `old` any more.
        """
        tx.change_one(
            update(device)
            .where(
                device.c.organization_id == old.organization_id,
                device.c.id == old.device_id,
                device.c.state == old.state,
                device.c.version == old.version,
            )
            .values(state=new.state, level=new.level, version=new.version, mac=new.mac),
            "the device was changed meanwhile",
        )

    def add_token(self, tx: Transaction, credential: DeviceCredential, token_sha256: str, expires: datetime) -> None:
        """Add an access token."""
        key = {"organization_id": credential.organization_id, "id": new_id(), "device_id": credential.device_id}
        tx.execute(insert(access_token).values(**key, token_sha256=token_sha256, expires=expires))

    def delete_tokens(self, tx: Transaction, credential: DeviceCredential, before: datetime | None = None) -> None:
        """Delete a device's tokens: all, or those that expired before a time."""
        own = (access_token.c.organization_id == credential.organization_id) & (
            access_token.c.device_id == credential.device_id
        )
        late = () if before is None else (access_token.c.expires < before,)
        tx.execute(delete(access_token).where(own, *late))

    def next_sync_number(self, tx: Transaction, credential: DeviceCredential) -> int:
        """Take the next number of an active device's feed; the row lock keeps two writers apart.

        Raises:
            ConflictError: If the device is not active any more.
        """
        own = (device.c.organization_id == credential.organization_id) & (device.c.id == credential.device_id)
        tx.change_one(
            update(device).where(own, device.c.state == "active").values(sync_number=device.c.sync_number + 1),
            "the device was removed meanwhile",
        )
        return int(tx.fetch_value(select(device.c.sync_number).where(own)))

    def add_sync_item(self, tx: Transaction, credential: DeviceCredential, number: int, sealed: bytes) -> None:
        """Add an item to a device's feed."""
        key = {"organization_id": credential.organization_id, "id": new_id(), "device_id": credential.device_id}
        tx.execute(insert(sync_item).values(**key, number=number, sealed=sealed))

    def sync_numbers(self, tx: Transaction, device_ids: Collection[str]) -> dict[str, int]:
        """Return the number of the newest item of each of these devices that is active, of any organization."""
        found: dict[str, int] = {}
        ids, chosen = sorted(device_ids), select(device.c.id, device.c.sync_number).where(device.c.state == "active")
        for start in range(0, len(ids), MAX_IDS):
            part = chosen.where(device.c.id.in_(ids[start : start + MAX_IDS]))
            found |= {row.id: row.sync_number for row in tx.fetch_all(part)}
        return found

    def sync_items(self, tx: Transaction, organization_id: str, device_id: str, after: int) -> tuple[SyncItem, ...]:
        """Return the next items of a device's feed."""
        own = (sync_item.c.organization_id == organization_id) & (sync_item.c.device_id == device_id)
        listed = select(sync_item.c.number, sync_item.c.sealed).where(own, sync_item.c.number > after)
        rows = tx.fetch_all(listed.order_by(sync_item.c.number).limit(MAX_SYNC_ITEMS))
        return tuple(SyncItem(number=row.number, sealed=bytes(row.sealed)) for row in rows)


def _open(of: Enrolment) -> tuple[ColumnElement[bool], ...]:
    own = (enrolment.c.organization_id == of.organization_id, enrolment.c.id == of.enrolment_id)
    return (*own, enrolment.c.state == "OPEN")


def _of_mailbox(organization_id: str, mailbox_id: str) -> tuple[ColumnElement[bool], ...]:
    return (device.c.organization_id == organization_id, device.c.mailbox_id == mailbox_id)


def _enrolment(row: Row[Any]) -> Enrolment:
    identity = RecordIdentity("proof", row.organization_id, row.proof_record_id, row.proof_owner)
    return Enrolment(
        organization_id=row.organization_id,
        enrolment_id=row.id,
        mailbox_id=row.mailbox_id,
        address=row.address,
        source=row.source,
        device=DevicePublicKeys(bytes(row.authentication_key_spki), bytes(row.hpke_public_key)),
        device_name=row.device_name,
        platform=row.platform,
        state=row.state,
        attempts=row.attempts,
        created=row.created,
        expires=row.expires,
        proof=SealedRecord(identity, row.proof_algorithm, row.proof_storage_version, bytes(row.proof_ciphertext)),
        device_id=row.device_id,
        idempotency_key=row.idempotency_key,
    )


def _device(row: Row[Any]) -> Device:
    keys = DevicePublicKeys(bytes(row.authentication_key_spki), bytes(row.hpke_public_key))
    credential = DeviceCredential(
        row.organization_id,
        row.mailbox_id,
        row.id,
        keys,
        row.state,
        row.version,
        bytes(row.mac),
        row.level,
        row.address,
    )
    return Device(credential, row.name, row.platform, row.enrolled)

"""SQL of key management; rows stop here, frozen dataclasses go up."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update

from sealwright.errors import ConflictError, PermissionDeniedError
from sealwright.identity.model import KeySummary
from sealwright.identity.tables import mailbox
from sealwright.keystore.key_states import KEY_STATE
from sealwright.keystore.model import POOL, RecordIdentity, SealedRecord, VouchedRow
from sealwright.kms.model import CLASSICAL, KEM, Destruction, KeyCertificateRow, KeyRelease, LegalHold, MailboxKey
from sealwright.kms.tables import key_certificate, key_destruction, key_release, legal_hold, mailbox_key, pooled_key
from sealwright.storage.engine import Transaction
from sealwright.storage.schema import new_id
from sealwright.wire.encoding import decode_fields, encode_fields, sha256
from sealwright.wire.manifest import KeyState

MAX_GENERATIONS = 1000
MAX_SUMMARIES = 100_000
MAX_HOLDS = 10_000
_CHAIN = "sealwright certificate chain"


class KeyStore:
    """Reads and writes within the caller's transaction."""

    def pool_ready(self, tx: Transaction, organization_id: str, algorithm: str) -> int:
        """Return how many ready keys of an algorithm an organization has."""
        own = (pooled_key.c.organization_id == organization_id) & (pooled_key.c.algorithm == algorithm)
        return int(tx.fetch_value(select(func.count()).select_from(pooled_key).where(own)))

    def waiting(self, tx: Transaction, organization_id: str) -> int:
        """Return how many active mailboxes have no classical key in use."""
        columns = mailbox_key.c
        in_use = select(columns.id).where(
            columns.organization_id == mailbox.c.organization_id,
            columns.mailbox_id == mailbox.c.id,
            columns.slot == CLASSICAL,
            columns.state.in_(("ACTIVE", "SUSPENDED")),
        )
        own = (mailbox.c.organization_id == organization_id) & (mailbox.c.state == "active")
        return int(tx.fetch_value(select(func.count()).select_from(mailbox).where(own, ~in_use.exists())))

    def add_pooled(self, tx: Transaction, record: SealedRecord, now: datetime) -> None:
        """Add a ready key."""
        tx.execute(insert(pooled_key).values(**_sealed(record), created=now))

    def oldest_pooled(self, tx: Transaction, organization_id: str, algorithm: str) -> SealedRecord | None:
        """Return the oldest ready key of an algorithm."""
        own = (pooled_key.c.organization_id == organization_id) & (pooled_key.c.algorithm == algorithm)
        row = tx.fetch_one(select(pooled_key).where(own).order_by(pooled_key.c.created, pooled_key.c.id).limit(1))
        if row is None:
            return None
        return _record(row, RecordIdentity("encryption-key", organization_id, row.id, POOL))

    def take_pooled(self, tx: Transaction, organization_id: str, key_id: str) -> None:
        """Take a ready key out of the pool.

        Raises:
            ConflictError: If somebody else took it.
        """
        own = (pooled_key.c.organization_id == organization_id) & (pooled_key.c.id == key_id)
        tx.change_one(delete(pooled_key).where(own), "the ready key was taken meanwhile")

    def add_key(self, tx: Transaction, key: MailboxKey) -> None:
        """Add a generation.

        Raises:
            ConflictError: If the generation or the public key exists, or another key is ACTIVE.
        """
        identity = key.record.identity
        tx.execute(
            insert(mailbox_key).values(
                **_sealed(key.record),
                mailbox_id=identity.owner,
                slot=key.slot,
                generation=identity.generation,
                origin=key.origin,
                spki_sha256=key.spki_sha256.hex(),
                state=key.state,
                state_version=0,
                state_mac=b"",
                frozen=key.frozen,
                exported=key.exported,
                created=key.created,
            )
        )

    def keys(self, tx: Transaction, organization_id: str, mailbox_id: str) -> list[MailboxKey]:
        """Return the whole history, ordered by slot and generation, imported keys first."""
        columns = mailbox_key.c
        own = (columns.organization_id == organization_id) & (columns.mailbox_id == mailbox_id)
        ordered = select(mailbox_key).where(own).order_by(columns.slot, columns.generation, columns.created, columns.id)
        return [_key(row) for row in tx.fetch_all(ordered.limit(MAX_GENERATIONS))]

    def key(self, tx: Transaction, organization_id: str, key_id: str) -> MailboxKey | None:
        """Return one key of any mailbox."""
        own = (mailbox_key.c.organization_id == organization_id) & (mailbox_key.c.id == key_id)
        row = tx.fetch_one(select(mailbox_key).where(own))
        return None if row is None else _key(row)

    def change_state(
        self, tx: Transaction, key: MailboxKey, state: KeyState, now: datetime, row: VouchedRow | None
    ) -> None:
        """Bring a key from the state that it was read in to another, which is not DESTROYED.

        Args:
            tx: The act's.
            key: As it was read.
            state: The next one.
            now: Aware UTC.
            row: The keystore's word for it, where there is one.

        Raises:
            ConflictError: If the key is in another state meanwhile, or another is ACTIVE.
        """
        values: dict[str, Any] = {"state": state} | _vouched(row)
        if state not in ("ACTIVE", "SUSPENDED"):
            values["deactivated"] = now
        tx.change_one(
            update(mailbox_key).where(*_in_state(key)).values(**values), "the key's state was changed meanwhile"
        )

    def due_for_examination(
        self, tx: Transaction, organization_id: str, before: datetime, limit: int
    ) -> list[tuple[MailboxKey, bool]]:
        """Return keys that were not examined since a time, oldest examination first, and whether the last one went well."""
        ordered = select(mailbox_key).where(*_unexamined(organization_id, before))
        ordered = ordered.order_by(mailbox_key.c.examined.is_not(None), mailbox_key.c.examined, mailbox_key.c.id)
        return [(_key(row), row.examined_well is not False) for row in tx.fetch_all(ordered.limit(limit))]

    def count_due_for_examination(self, tx: Transaction, organization_id: str, before: datetime) -> int:
        """Return how many keys were not examined since a time."""
        counted = select(func.count()).select_from(mailbox_key).where(*_unexamined(organization_id, before))
        return int(tx.fetch_value(counted))

    def note_examination(self, tx: Transaction, key: MailboxKey, now: datetime, *, is_well: bool) -> bool:
        """Write down how an examination went; return whether the key is still in the state that it was read in."""
        noted = update(mailbox_key).where(*_in_state(key)).values(examined=now, examined_well=is_well)
        return tx.execute(noted) == 1

    def failing_keys(self, tx: Transaction, organization_id: str) -> tuple[str, ...]:
        """Return the ids of up to 1,000 keys whose last examination failed."""
        own = (mailbox_key.c.organization_id == organization_id) & (mailbox_key.c.state != "DESTROYED")
        failing = select(mailbox_key.c.id).where(own, mailbox_key.c.examined_well.is_(False)).order_by(mailbox_key.c.id)
        return tuple(row.id for row in tx.fetch_all(failing.limit(1000)))

    def count_states(self, tx: Transaction, organization_id: str) -> dict[str, int]:
        """Return how many keys of mailboxes are in each state that there is."""
        counted = select(mailbox_key.c.state, func.count().label("keys"))
        own = counted.where(mailbox_key.c.organization_id == organization_id).group_by(mailbox_key.c.state)
        return {row.state: int(row.keys) for row in tx.fetch_all(own.order_by(mailbox_key.c.state))}

    def due_for_rotation(self, tx: Transaction, organization_id: str, before: datetime, limit: int) -> list[str]:
        """Return mailboxes with a key that became active before a time, oldest first."""
        oldest = func.min(mailbox_key.c.created)
        grouped = select(mailbox_key.c.mailbox_id).where(*_active_since(organization_id, before))
        rows = tx.fetch_all(grouped.group_by(mailbox_key.c.mailbox_id).order_by(oldest).limit(limit))
        return [row.mailbox_id for row in rows]

    def count_due_for_rotation(self, tx: Transaction, organization_id: str, before: datetime) -> int:
        """Return how many mailboxes have such a key."""
        counted = select(func.count(func.distinct(mailbox_key.c.mailbox_id)))
        return int(tx.fetch_value(counted.where(*_active_since(organization_id, before))))

    def check_no_hold(self, tx: Transaction, organization_id: str, mailbox_id: str) -> None:
        """Check that no legal hold is on a mailbox.

        Raises:
            PermissionDeniedError: If there is one.
        """
        holds = legal_hold.c
        own = (holds.organization_id == organization_id) & (holds.mailbox_id == mailbox_id)
        if tx.fetch_one(select(holds.id).where(own, holds.lifted.is_(None)).limit(1)) is not None:
            raise PermissionDeniedError("a legal hold is on this mailbox: its keys cannot be destroyed")

    def destroy(self, tx: Transaction, key: MailboxKey, now: datetime, row: VouchedRow) -> None:
        """Erase a key's record; the statement itself touches nothing while a legal hold is on the mailbox.

        Args:
            tx: The act's.
            key: As it was read.
            now: Aware UTC.
            row: The keystore's word that it is DESTROYED.

        Raises:
            ConflictError: If the key's state was changed meanwhile.
            PermissionDeniedError: If there is a hold.
        """
        columns, holds = mailbox_key.c, legal_hold.c
        on_mailbox = select(holds.id).where(
            holds.organization_id == columns.organization_id,
            holds.mailbox_id == columns.mailbox_id,
            holds.lifted.is_(None),
        )
        erased = {"state": "DESTROYED", "destroyed": now, "ciphertext": b""} | _vouched(row)
        try:
            tx.change_one(
                update(mailbox_key).where(*_in_state(key), ~on_mailbox.exists()).values(**erased),
                "the key's state was changed meanwhile",
            )
        except ConflictError:
            self.check_no_hold(tx, key.record.identity.organization_id, key.mailbox_id)
            raise

    def add_destruction(self, tx: Transaction, organization_id: str, destruction: Destruction) -> None:
        """Book a destruction."""
        tx.execute(
            insert(key_destruction).values(
                organization_id=organization_id,
                key_id=destruction.key_id,
                reason=destruction.reason,
                destroyed=destruction.destroyed,
                leaf_id=destruction.leaf_id,
            )
        )

    def destruction(self, tx: Transaction, organization_id: str, key_id: str) -> Destruction | None:
        """Return the destruction of a key."""
        columns = key_destruction.c
        own = (columns.organization_id == organization_id) & (columns.key_id == key_id)
        row = tx.fetch_one(select(key_destruction).where(own))
        return None if row is None else Destruction(row.key_id, row.reason, row.destroyed, row.leaf_id)

    def add_hold(self, tx: Transaction, organization_id: str, hold: LegalHold) -> None:
        """Add a hold that is in force."""
        tx.execute(
            insert(legal_hold).values(
                organization_id=organization_id,
                id=hold.hold_id,
                mailbox_id=hold.mailbox_id,
                reason=hold.reason,
                set_by=hold.set_by,
                created=hold.created,
                lifted=None,
            )
        )

    def lift_hold(self, tx: Transaction, organization_id: str, hold_id: str, now: datetime) -> None:
        """Lift a hold.

        Raises:
            ConflictError: If none is in force under this id.
        """
        columns = legal_hold.c
        own = (columns.organization_id == organization_id) & (columns.id == hold_id)
        in_force = update(legal_hold).where(own, columns.lifted.is_(None))
        tx.change_one(in_force.values(lifted=now), "there is no such hold in force")

    def holds(self, tx: Transaction, organization_id: str) -> list[LegalHold]:
        """Return holds, newest first."""
        columns = legal_hold.c
        own = select(legal_hold).where(columns.organization_id == organization_id)
        rows = tx.fetch_all(own.order_by(columns.created.desc(), columns.id).limit(MAX_HOLDS))
        return [LegalHold(row.id, row.mailbox_id, row.reason, row.set_by, row.created, row.lifted) for row in rows]

    def freeze(self, tx: Transaction, organization_id: str, mailbox_id: str) -> int:
        """Freeze all keys of a mailbox; return how many were not."""
        columns = mailbox_key.c
        own = (columns.organization_id == organization_id) & (columns.mailbox_id == mailbox_id)
        return tx.execute(update(mailbox_key).where(own, columns.frozen.is_(False)).values(frozen=True))

    def mark_exported(self, tx: Transaction, organization_id: str, key_id: str) -> None:
        """Remember that other programs may have a key."""
        own = (mailbox_key.c.organization_id == organization_id) & (mailbox_key.c.id == key_id)
        tx.execute(update(mailbox_key).where(own).values(exported=True))

    def incomplete_pairs(self, tx: Transaction, organization_id: str) -> list[str]:
        """Return up to 1,000 mailboxes that have a classical key of our programs alone, and no key of slot kem in use."""
        columns = mailbox_key.c
        in_use = (columns.organization_id == organization_id) & columns.state.in_(("ACTIVE", "SUSPENDED"))
        paired = select(columns.mailbox_id).where(in_use, columns.slot == KEM).scalar_subquery()
        unpaired = select(columns.mailbox_id).where(in_use, columns.slot == CLASSICAL, columns.exported.is_(False))
        rows = tx.fetch_all(unpaired.where(columns.mailbox_id.not_in(paired)).limit(1000))
        return [row.mailbox_id for row in rows]

    def pairs(self, tx: Transaction, organization_id: str) -> list[str]:
        """Return up to 1,000 mailboxes with a key of slot kem in use."""
        columns = mailbox_key.c
        in_use = (columns.organization_id == organization_id) & columns.state.in_(("ACTIVE", "SUSPENDED"))
        rows = tx.fetch_all(select(columns.mailbox_id).where(in_use, columns.slot == KEM).limit(1000))
        return [row.mailbox_id for row in rows]

    def add_certificate(self, tx: Transaction, organization_id: str, row: KeyCertificateRow) -> None:
        """Associate a certificate with a key.

        Raises:
            ConflictError: If it is associated already.
        """
        tx.execute(
            insert(key_certificate).values(
                organization_id=organization_id,
                id=new_id(),
                key_id=row.key_id,
                certificate=row.certificate,
                certificate_sha256=sha256(row.certificate).hex(),
                chain=encode_fields(_CHAIN, 1, *row.chain),
                not_after=row.not_after,
                created=row.created,
            )
        )

    def certificates(self, tx: Transaction, organization_id: str, mailbox_id: str) -> dict[str, KeyCertificateRow]:
        """Return the newest certificate of each key of a mailbox, by key id."""
        newest_first = self.all_certificates(tx, organization_id, mailbox_id)
        return {row.key_id: row for row in reversed(newest_first)}

    def all_certificates(self, tx: Transaction, organization_id: str, mailbox_id: str) -> list[KeyCertificateRow]:
        """Return every certificate of a mailbox's keys, newest first: old mail names the old ones."""
        columns, keys = key_certificate.c, mailbox_key.c
        joined = key_certificate.join(
            mailbox_key, (columns.organization_id == keys.organization_id) & (columns.key_id == keys.id)
        )
        own = (keys.organization_id == organization_id) & (keys.mailbox_id == mailbox_id)
        ordered = select(key_certificate).select_from(joined).where(own)
        ordered = ordered.order_by(columns.not_after.desc(), columns.created.desc())
        return [_certificate(row) for row in tx.fetch_all(ordered)]

    def summaries(self, tx: Transaction, organization_id: str) -> dict[str, KeySummary]:
        """Return generation and end of certificate of each ACTIVE key of slot classical, by mailbox id."""
        columns, keys = key_certificate.c, mailbox_key.c
        joined = mailbox_key.outerjoin(
            key_certificate, (columns.organization_id == keys.organization_id) & (columns.key_id == keys.id)
        )
        chosen = (
            keys.mailbox_id,
            keys.generation,
            func.max(columns.not_after, type_=columns.not_after.type).label("end"),
        )
        own = (keys.organization_id == organization_id) & (keys.state == "ACTIVE") & (keys.slot == CLASSICAL)
        grouped = select(*chosen).select_from(joined).where(own).group_by(keys.mailbox_id, keys.generation)
        rows = tx.fetch_all(grouped.limit(MAX_SUMMARIES))
        return {row.mailbox_id: KeySummary(row.generation, row.end) for row in rows}

    def ending_certificates(self, tx: Transaction, organization_id: str, before: datetime) -> list[str]:
        """Return up to 1,000 mailboxes whose ACTIVE key has no certificate that lasts until a time."""
        columns, keys = key_certificate.c, mailbox_key.c
        lasting = (
            select(columns.key_id)
            .where(columns.organization_id == organization_id, columns.not_after > before)
            .scalar_subquery()
        )
        own = (keys.organization_id == organization_id) & (keys.state == "ACTIVE")
        rows = tx.fetch_all(select(keys.mailbox_id).where(own, keys.id.not_in(lasting)).limit(1000))
        return [row.mailbox_id for row in rows]

    def add_release(self, tx: Transaction, release: KeyRelease) -> None:
        """Add a release.

        Raises:
            ConflictError: If the device used the idempotency key already.
        """
        tx.execute(
            insert(key_release).values(
                organization_id=release.organization_id,
                id=new_id(),
                device_id=release.device_id,
                idempotency_key=release.idempotency_key,
                kind=release.kind,
                request_sha256=release.request_sha256,
                key_ids=",".join(release.key_ids),
                leaf_id=release.leaf_id,
                created=release.created,
            )
        )

    def release(self, tx: Transaction, organization_id: str, device_id: str, idempotency_key: str) -> KeyRelease | None:
        """Return the release that a device asked for under an idempotency key."""
        columns = key_release.c
        own = (columns.organization_id == organization_id) & (columns.device_id == device_id)
        row = tx.fetch_one(select(key_release).where(own, columns.idempotency_key == idempotency_key))
        if row is None:
            return None
        return KeyRelease(
            organization_id=row.organization_id,
            device_id=row.device_id,
            idempotency_key=row.idempotency_key,
            kind=row.kind,
            request_sha256=row.request_sha256,
            key_ids=tuple(row.key_ids.split(",")),
            leaf_id=row.leaf_id,
            created=row.created,
        )


def _in_state(key: MailboxKey) -> tuple[ColumnElement[bool], ...]:
    identity, columns = key.record.identity, mailbox_key.c
    return (
        columns.organization_id == identity.organization_id,
        columns.id == identity.record_id,
        columns.state == key.state,
    )


def _sealed(record: SealedRecord) -> dict[str, Any]:
    return {
        "organization_id": record.identity.organization_id,
        "id": record.identity.record_id,
        "algorithm": record.algorithm,
        "storage_version": record.storage_key_version,
        "ciphertext": record.ciphertext,
        "spki": record.spki,
    }


def _record(row: Row[Any], identity: RecordIdentity) -> SealedRecord:
    return SealedRecord(identity, row.algorithm, row.storage_version, bytes(row.ciphertext), bytes(row.spki))


def _unexamined(organization_id: str, before: datetime) -> tuple[ColumnElement[bool], ...]:
    columns = mailbox_key.c
    return (
        columns.organization_id == organization_id,
        columns.state != "DESTROYED",
        columns.examined.is_(None) | (columns.examined < before),
    )


def _active_since(organization_id: str, before: datetime) -> tuple[ColumnElement[bool], ...]:
    columns = mailbox_key.c
    return (columns.organization_id == organization_id, columns.state == "ACTIVE", columns.created < before)


def _key(row: Row[Any]) -> MailboxKey:
    identity = RecordIdentity("encryption-key", row.organization_id, row.id, row.mailbox_id, row.generation)
    state_row = None
    if row.state_version:
        content, mac = row.state.encode("ascii"), bytes(row.state_mac)
        state_row = VouchedRow(KEY_STATE, row.organization_id, row.id, row.state_version, content, mac)
    record, frozen, exported = _record(row, identity), bool(row.frozen), bool(row.exported)
    return MailboxKey(record, row.slot, row.state, frozen, row.created, row.origin, exported, state_row)


def _vouched(row: VouchedRow | None) -> dict[str, Any]:
    return {} if row is None else {"state_version": row.version, "state_mac": row.mac}


def _certificate(row: Row[Any]) -> KeyCertificateRow:
    chain = decode_fields(_CHAIN, 1, bytes(row.chain))
    return KeyCertificateRow(row.key_id, bytes(row.certificate), chain, row.not_after, row.created)

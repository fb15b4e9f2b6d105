"""The SQL of the composition root."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, insert, select, update

from sealwright.errors import ConfigurationError
from sealwright.keystore.model import RecordIdentity, SealedRecord
from sealwright.server.tables import (
    domain_statement,
    seal_change,
    service_key,
    sign_in_link,
    statement_delegation,
    storage_key,
)
from sealwright.storage.engine import Transaction
from sealwright.storage.schema import new_id
from sealwright.wire.encoding import sha256
from sealwright.wire.roles import ADMINISTRATOR
from sealwright.wire.statement import SignedStatement


def add_service_key(tx: Transaction, key: SealedRecord) -> None:
    """Store the sealed record of a service key under its purpose.

    Raises:
        ConflictError: If the organization has a key for this purpose.
    """
    tx.execute(
        insert(service_key).values(
            organization_id=key.identity.organization_id,
            purpose=key.identity.owner,
            record_id=key.identity.record_id,
            algorithm=key.algorithm,
            storage_key_version=key.storage_key_version,
            ciphertext=key.ciphertext,
            spki=key.spki,
        )
    )


def load_service_key(tx: Transaction, organization_id: str, purpose: str) -> SealedRecord:
    """Return the sealed record of a service key.

    Raises:
        ConfigurationError: If there is none: database and data folder do not belong together.
    """
    row = tx.fetch_one(
        select(service_key).where(service_key.c.organization_id == organization_id, service_key.c.purpose == purpose)
    )
    if row is None:
        raise ConfigurationError(f"the database has no {purpose} key of this organization: is it the right database?")
    identity = RecordIdentity("service-key", organization_id, row.record_id, purpose)
    return SealedRecord(identity, row.algorithm, row.storage_key_version, row.ciphertext, row.spki)


def add_delegation(
    tx: Transaction, organization_id: str, not_after: datetime, payload: bytes, signature: bytes, root_key: bytes
) -> None:
    """Store a delegation of the statement key."""
    tx.execute(
        insert(statement_delegation).values(
            organization_id=organization_id,
            not_after=not_after,
            payload=payload,
            signature=signature,
            root_key=root_key,
        )
    )


def newest_delegation(tx: Transaction, organization_id: str) -> tuple[bytes, bytes, bytes, datetime] | None:
    """Return payload, signature, root key and end of the newest delegation."""
    table = statement_delegation
    statement = select(table).where(table.c.organization_id == organization_id).order_by(table.c.not_after.desc())
    row = tx.fetch_one(statement.limit(1))
    return None if row is None else (row.payload, row.signature, row.root_key, row.not_after)


def newest_statement(tx: Transaction, organization_id: str) -> tuple[int, bytes, bytes] | None:
    """Return sequence, payload and signature of the newest domain statement."""
    table = domain_statement
    statement = select(table).where(table.c.organization_id == organization_id).order_by(table.c.sequence.desc())
    row = tx.fetch_one(statement.limit(1))
    return None if row is None else (row.sequence, row.payload, row.signature)


def add_statement(
    tx: Transaction, organization_id: str, sequence: int, expires: datetime, signed: SignedStatement
) -> None:
    """Store a domain statement.

    Raises:
        ConflictError: If somebody else issued this sequence number.
    """
    tx.execute(
        insert(domain_statement).values(
            organization_id=organization_id,
            sequence=sequence,
            expires=expires,
            payload=signed.payload,
            signature=signed.signature,
        )
    )


def add_sign_in_link(
    tx: Transaction, organization_id: str, token: bytes, expires: datetime, role: str = ADMINISTRATOR
) -> None:
    """Store the hash of a sign-in link's token, and the role of whoever uses it."""
    tx.execute(
        insert(sign_in_link).values(
            organization_id=organization_id,
            id=new_id(),
            token_sha256=sha256(token).hex(),
            role=role,
            expires=expires,
            used=None,
        )
    )


def use_sign_in_link(tx: Transaction, token: bytes, now: datetime) -> str:
    """Use a sign-in link up; return the role that it gives.

    Raises:
        ConflictError: If there is none, it has expired or was used.
    """
    table = sign_in_link
    unused = (table.c.token_sha256 == sha256(token).hex()) & table.c.used.is_(None) & (table.c.expires > now)
    tx.change_one(
        update(table).where(unused).values(used=now), "the sign-in link was used or has expired: make another"
    )
    return str(tx.fetch_value(select(table.c.role).where(table.c.token_sha256 == sha256(token).hex())))


@dataclass(frozen=True, slots=True)
class StorageKeyRow:
    """A version of the storage key.

    Attributes:
        introduced: When the server first saw it, aware UTC.
        records: Re-sealed under it.
        rewrapped: When no record under an older version was left, or None.
    """

    introduced: datetime
    records: int
    rewrapped: datetime | None


def newest_storage_key(tx: Transaction, organization_id: str) -> int:
    """Return the newest version that was written down, 0 if none was."""
    own = storage_key.c.organization_id == organization_id
    return int(tx.fetch_value(select(func.coalesce(func.max(storage_key.c.version), 0)).where(own)))


def add_storage_key(tx: Transaction, organization_id: str, version: int, now: datetime) -> bool:
    """Write a version down; return whether it was not yet."""
    values = {"organization_id": organization_id, "version": version, "introduced": now, "records": 0}
    return tx.insert_missing(storage_key, values)


def find_storage_key(tx: Transaction, organization_id: str, version: int) -> StorageKeyRow | None:
    """Return a version, or None if it was not written down."""
    row = tx.fetch_one(select(storage_key).where(_version(organization_id, version)))
    return None if row is None else StorageKeyRow(row.introduced, row.records, row.rewrapped)


def count_rewrapped(tx: Transaction, organization_id: str, version: int, records: int) -> None:
    """Count re-sealed records."""
    counted = storage_key.c.records + records
    tx.execute(update(storage_key).where(_version(organization_id, version)).values(records=counted))


def end_rewrapping(tx: Transaction, organization_id: str, version: int, now: datetime) -> int:
    """Write down that no record under an older version is left; return how many were re-sealed.

    Raises:
        ConflictError: If it is written down already.
    """
    going_on = _version(organization_id, version) & storage_key.c.rewrapped.is_(None)
    tx.change_one(update(storage_key).where(going_on).values(rewrapped=now), "the re-sealing has ended already")
    return int(tx.fetch_value(select(storage_key.c.records).where(_version(organization_id, version))))


def newest_seal_change(tx: Transaction, organization_id: str) -> int | None:
    """Return the number of the newest change of the seal that was written down, or None if none was."""
    own = seal_change.c.organization_id == organization_id
    number = tx.fetch_value(select(func.max(seal_change.c.number)).where(own))
    return None if number is None else int(number)


def add_seal_change(tx: Transaction, organization_id: str, number: int, kind: str, now: datetime) -> bool:
    """Write a change of the seal down; return whether it was not yet."""
    values = {"organization_id": organization_id, "number": number, "kind": kind, "noted": now}
    return tx.insert_missing(seal_change, values)


def _version(organization_id: str, version: int) -> ColumnElement[bool]:
    return (storage_key.c.organization_id == organization_id) & (storage_key.c.version == version)

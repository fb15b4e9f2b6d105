"""Where a table keeps sealed records: which columns make one up, so that all can be re-sealed under a newer storage key."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Row, Table, bindparam, func, select, update

from sealwright.keystore.model import RecordIdentity, SealedRecord
from sealwright.storage.engine import Transaction


@dataclass(frozen=True, slots=True)
class SealedColumns:
    """The sealed records of one table. What is the same in all rows is given as a value, the rest as a column.

    Attributes:
        table: Has `organization_id`.
        kind: Of the identity.
        record_id: Unique within an organization; what passes are ordered by.
        owner: Of the identity; a text with "{}" is filled with `owner_part`.
        version: Storage key version.
        ciphertext: Of the record; empty where the content was destroyed.
        algorithm: Of the content.
        spki: None if the content is no key.
        generation: Of the identity.
        owner_part: See `owner`.
    """

    table: Table
    kind: str
    record_id: Column[Any]
    owner: Column[Any] | str
    version: Column[Any]
    ciphertext: Column[Any]
    algorithm: Column[Any] | str = "secret"
    spki: Column[Any] | None = None
    generation: Column[Any] | int = 0
    owner_part: Column[Any] | None = None

    def sealed_records(
        self, tx: Transaction, organization_id: str, older_than_version: int, limit: int, after_record_id: str = ""
    ) -> list[SealedRecord]:
        """Return records that an older storage key seals, by their ids.

        Args:
            tx: A transaction.
            organization_id: Whose.
            older_than_version: Records of this storage key version and newer ones are left out.
            limit: At most so many.
            after_record_id: The last one of the batch before.
        """
        statement = select(self.table).where(
            self.table.c.organization_id == organization_id,
            self.version < older_than_version,
            self.record_id > after_record_id,
            func.length(self.ciphertext) > 0,
        )
        return [self._record(row) for row in tx.fetch_all(statement.order_by(self.record_id).limit(limit))]

    def count_older(self, tx: Transaction, organization_id: str, than_version: int) -> int:
        """Count the records that an older storage key seals."""
        statement = select(func.count()).where(
            self.table.c.organization_id == organization_id,
            self.version < than_version,
            func.length(self.ciphertext) > 0,
        )
        return int(tx.fetch_value(statement))

    def replace_sealed(self, tx: Transaction, pairs: Sequence[tuple[SealedRecord, SealedRecord]]) -> int:
        """Put re-sealed records in place of old ones; a row that changed or went meanwhile stays as it is.

        Args:
            tx: A transaction.
            pairs: Old and new record, of one identity each.

        Returns:
            How many were replaced.
        """
        statement = (
            update(self.table)
            .where(
                self.table.c.organization_id == bindparam("old_organization"),
                self.record_id == bindparam("old_record"),
                self.version == bindparam("old_version"),
                self.ciphertext == bindparam("old_ciphertext"),
            )
            .values({self.version: bindparam("new_version"), self.ciphertext: bindparam("new_ciphertext")})
        )
        rows = [
            {
                "old_organization": old.identity.organization_id,
                "old_record": old.identity.record_id,
                "old_version": old.storage_key_version,
                "old_ciphertext": old.ciphertext,
                "new_version": new.storage_key_version,
                "new_ciphertext": new.ciphertext,
            }
            for old, new in pairs
        ]
        return tx.execute(statement, rows) if rows else 0

    def _record(self, row: Row[Any]) -> SealedRecord:
        values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for access by column
        owner = self.owner if isinstance(self.owner, str) else values[self.owner]
        if self.owner_part is not None:
            owner = owner.format(values[self.owner_part])
        generation = self.generation if isinstance(self.generation, int) else values[self.generation]
        identity = RecordIdentity(self.kind, row.organization_id, values[self.record_id], owner, generation)
        algorithm = self.algorithm if isinstance(self.algorithm, str) else values[self.algorithm]
        spki = b"" if self.spki is None else bytes(values[self.spki])
        return SealedRecord(identity, algorithm, values[self.version], bytes(values[self.ciphertext]), spki)

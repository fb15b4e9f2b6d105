"""SQL of vouched rows and of the groups that release policies are made for."""

from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from sealwright.errors import ConflictError
from sealwright.identity.tables import release_group, vouched_row
from sealwright.keystore.model import VouchedRow
from sealwright.storage.engine import Transaction

MAX_GROUPS = 1000
_ROW = select(vouched_row).where(
    vouched_row.c.organization_id == bindparam("organization_id"),
    vouched_row.c.kind == bindparam("kind"),
    vouched_row.c.row_id == bindparam("row_id"),
)


class VouchedRowStore:
    """Reads and writes within the caller's transaction."""

    def row(self, tx: Transaction, organization_id: str, kind: str, row_id: str) -> VouchedRow | None:
        """Return a row, None if there is none."""
        found = tx.fetch_one(_ROW, {"organization_id": organization_id, "kind": kind, "row_id": row_id})
        return None if found is None else _vouched(found)

    def rows(self, tx: Transaction, organization_id: str, kind: str) -> list[VouchedRow]:
        """Return all rows of a kind, by row id."""
        columns = vouched_row.c
        own = (columns.organization_id == organization_id, columns.kind == kind)
        return [_vouched(row) for row in tx.fetch_all(select(vouched_row).where(*own).order_by(columns.row_id))]

    def put(self, tx: Transaction, row: VouchedRow, from_version: int) -> None:
        """Store a row after the one of `from_version`; 0 for the first.

        Raises:
            ConflictError: If another one was stored meanwhile.
        """
        columns = vouched_row.c
        said = {"version": row.version, "content": row.content, "mac": row.mac}
        key = {"organization_id": row.organization_id, "kind": row.kind, "row_id": row.row_id}
        if from_version == 0:
            tx.execute(insert(vouched_row).values(**key, **said))
            return
        own = [columns[name] == value for name, value in key.items()]
        changed = update(vouched_row).where(*own, columns.version == from_version).values(**said)
        tx.change_one(changed, f"the {row.kind} row was changed meanwhile")


class GroupStore:
    """Reads and writes within the caller's transaction."""

    def add(self, tx: Transaction, organization_id: str, group_id: str, name: str) -> None:
        """Add a group.

        Raises:
            ConflictError: If there is one of this name, or there are too many.
        """
        if len(self.names(tx, organization_id)) >= MAX_GROUPS:
            raise ConflictError(f"an organization has at most {MAX_GROUPS} groups")
        tx.execute(insert(release_group).values(organization_id=organization_id, id=group_id, name=name))

    def names(self, tx: Transaction, organization_id: str) -> dict[str, str]:
        """Return the groups' names by id, sorted by name."""
        listed = select(release_group).where(release_group.c.organization_id == organization_id)
        return {row.id: row.name for row in tx.fetch_all(listed.order_by(release_group.c.name))}

    def find(self, tx: Transaction, organization_id: str, name: str) -> str | None:
        """Return the id of a group, None if there is none."""
        own = (release_group.c.organization_id == organization_id, release_group.c.name == name)
        found: str | None = tx.fetch_value(select(release_group.c.id).where(*own))
        return found


def _vouched(row: Row[Any]) -> VouchedRow:
    return VouchedRow(row.kind, row.organization_id, row.row_id, row.version, bytes(row.content), bytes(row.mac))

"""SQL of shared mailboxes and their members."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from sealwright.errors import NotFoundError
from sealwright.identity.tables import mailbox, shared_mailbox, shared_member
from sealwright.keystore.memberships import JOINED, MEMBERSHIP, membership_content, membership_row_id
from sealwright.keystore.model import VouchedRow
from sealwright.storage.engine import Transaction

MAX_MEMBERS = 1000
MAX_SHARED = 10_000


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who is, or was, a member of a shared mailbox.

    Attributes:
        organization_id: 32 hex digits.
        mailbox_id: The shared mailbox.
        member_id: The person's own mailbox.
        state: "joined" or "left".
        version: Of the row that the keystore vouched for.
        mac: By the keystore.
        changed: When the state changed, aware UTC.
    """

    organization_id: str
    mailbox_id: str
    member_id: str
    state: str
    version: int
    mac: bytes
    changed: datetime

    def row(self) -> VouchedRow:
        """Return it as the keystore wants it."""
        return VouchedRow(
            MEMBERSHIP,
            self.organization_id,
            membership_row_id(self.mailbox_id, self.member_id),
            self.version,
            membership_content(self.mailbox_id, self.member_id, self.state),
            self.mac,
        )


class SharedStore:
    """Reads and writes within the caller's transaction."""

    def add(self, tx: Transaction, organization_id: str, mailbox_id: str, *, rekey_on_leave: bool) -> None:
        """Make a mailbox that was just added a shared one.

        Raises:
            ConflictError: If it is one.
        """
        values = {"organization_id": organization_id, "mailbox_id": mailbox_id, "rekey_on_leave": rekey_on_leave}
        tx.execute(insert(shared_mailbox).values(**values))

    def rekeys(self, tx: Transaction, organization_id: str, mailbox_id: str) -> bool:
        """Return whether a shared mailbox gets a new key when somebody leaves.

        Raises:
            NotFoundError: If the mailbox is not shared.
        """
        own = (shared_mailbox.c.organization_id == organization_id, shared_mailbox.c.mailbox_id == mailbox_id)
        found = tx.fetch_one(select(shared_mailbox).where(*own))
        if found is None:
            raise NotFoundError("there is no such shared mailbox")
        return bool(found.rekey_on_leave)

    def is_shared(self, tx: Transaction, organization_id: str, mailbox_id: str) -> bool:
        """Tell whether a mailbox is shared."""
        own = (shared_mailbox.c.organization_id == organization_id, shared_mailbox.c.mailbox_id == mailbox_id)
        return tx.fetch_one(select(shared_mailbox.c.mailbox_id).where(*own)) is not None

    def all_active(self, tx: Transaction, organization_id: str) -> dict[str, bool]:
        """Return the shared mailboxes in use: whether each gets a new key when somebody leaves, by mailbox id."""
        same = (mailbox.c.organization_id == shared_mailbox.c.organization_id) & (
            mailbox.c.id == shared_mailbox.c.mailbox_id
        )
        own = (shared_mailbox.c.organization_id == organization_id, mailbox.c.state == "active")
        listed = select(shared_mailbox).select_from(shared_mailbox.join(mailbox, same)).where(*own)
        return {row.mailbox_id: bool(row.rekey_on_leave) for row in tx.fetch_all(listed.limit(MAX_SHARED))}

    def member(self, tx: Transaction, organization_id: str, mailbox_id: str, member_id: str) -> Member | None:
        """Return a member in any state, None if this person never was one."""
        columns = shared_member.c
        own = (columns.organization_id == organization_id, columns.mailbox_id == mailbox_id)
        row = tx.fetch_one(select(shared_member).where(*own, columns.member_id == member_id))
        return None if row is None else _member(row)

    def members(self, tx: Transaction, organization_id: str, mailbox_id: str) -> list[Member]:
        """Return who is a member now."""
        columns = shared_member.c
        own = (columns.organization_id == organization_id, columns.mailbox_id == mailbox_id, columns.state == JOINED)
        return [_member(row) for row in tx.fetch_all(select(shared_member).where(*own).limit(MAX_MEMBERS))]

    def memberships(self, tx: Transaction, organization_id: str, member_id: str) -> list[Member]:
        """Return what a person is a member of now."""
        columns = shared_member.c
        own = (columns.organization_id == organization_id, columns.member_id == member_id, columns.state == JOINED)
        return [_member(row) for row in tx.fetch_all(select(shared_member).where(*own).limit(MAX_SHARED))]

    def put(self, tx: Transaction, changed: Member, from_version: int) -> None:
        """Store a member's next state; `from_version` is 0 for the first.

        Raises:
            ConflictError: If it was changed meanwhile.
        """
        said = {"state": changed.state, "version": changed.version, "mac": changed.mac, "changed": changed.changed}
        key = {
            "organization_id": changed.organization_id,
            "mailbox_id": changed.mailbox_id,
            "member_id": changed.member_id,
        }
        if from_version == 0:
            tx.execute(insert(shared_member).values(**key, **said))
            return
        own = [shared_member.c[name] == value for name, value in key.items()]
        statement = update(shared_member).where(*own, shared_member.c.version == from_version).values(**said)
        tx.change_one(statement, "the membership was changed meanwhile")


def _member(row: Row[Any]) -> Member:
    return Member(
        row.organization_id, row.mailbox_id, row.member_id, row.state, row.version, bytes(row.mac), row.changed
    )

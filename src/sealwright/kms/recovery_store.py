"""SQL of recoveries."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from sealwright.errors import NotFoundError
from sealwright.kms.tables import key_recovery
from sealwright.storage.engine import Transaction

MAX_LISTED = 200


@dataclass(frozen=True, slots=True)
class Recovery:
    """An approved recovery in the books.

    Attributes:
        organization_id: 32 hex digits.
        proposal_id: What was approved.
        mailbox_id: Whose keys.
        release_at: Before this nothing is given out.
        owner_at: When the owner is told; `told` says whether that has been done.
        notice_leaf_id: Of the announcement.
        key_ids: Of a history, fixed with the first leaf; in the manifest's order.
        leaf_id: Of the newest "key.recover" leaf; empty before.
        leaf_chain: Where that leaf is.
        told: When the owner was told.
    """

    organization_id: str
    proposal_id: str
    mailbox_id: str
    release_at: datetime
    owner_at: datetime
    notice_leaf_id: str
    key_ids: tuple[str, ...] = ()
    leaf_id: str = ""
    leaf_chain: str = ""
    told: datetime | None = None


class RecoveryStore:
    """Reads and writes within the caller's transaction."""

    def add(self, tx: Transaction, added: Recovery) -> None:
        """Add an announced recovery.

        Raises:
            ConflictError: If it was announced already.
        """
        tx.execute(
            insert(key_recovery).values(
                organization_id=added.organization_id,
                id=added.proposal_id,
                mailbox_id=added.mailbox_id,
                release_at=added.release_at,
                owner_at=added.owner_at,
                notice_leaf_id=added.notice_leaf_id,
                key_ids=",".join(added.key_ids),
                leaf_id=added.leaf_id,
                leaf_chain=added.leaf_chain,
                told=added.told,
            )
        )

    def recovery(self, tx: Transaction, organization_id: str, proposal_id: str) -> Recovery:
        """Return a recovery.

        Raises:
            NotFoundError: If it was not announced.
        """
        own = (key_recovery.c.organization_id == organization_id) & (key_recovery.c.id == proposal_id)
        row = tx.fetch_one(select(key_recovery).where(own))
        if row is None:
            raise NotFoundError("there is no such recovery, or it is not approved yet")
        return _recovery(row)

    def recoveries(self, tx: Transaction, organization_id: str) -> list[Recovery]:
        """Return announced recoveries, those that were released last first."""
        own = select(key_recovery).where(key_recovery.c.organization_id == organization_id)
        return [
            _recovery(row) for row in tx.fetch_all(own.order_by(key_recovery.c.release_at.desc()).limit(MAX_LISTED))
        ]

    def is_announced(self, tx: Transaction, organization_id: str, proposal_id: str) -> bool:
        """Tell whether a recovery was announced."""
        own = (key_recovery.c.organization_id == organization_id) & (key_recovery.c.id == proposal_id)
        return tx.fetch_one(select(key_recovery.c.id).where(own)) is not None

    def set_leaf(self, tx: Transaction, of: Recovery, leaf_id: str, leaf_chain: str, key_ids: tuple[str, ...]) -> None:
        """Note the newest "key.recover" leaf.

        Raises:
            ConflictError: If another one was written meanwhile.
        """
        own = (key_recovery.c.organization_id == of.organization_id) & (key_recovery.c.id == of.proposal_id)
        tx.change_one(
            update(key_recovery)
            .where(own, key_recovery.c.leaf_id == of.leaf_id)
            .values(leaf_id=leaf_id, leaf_chain=leaf_chain, key_ids=",".join(key_ids)),
            "the recovery was fetched meanwhile: fetch it again",
        )

    def untold(self, tx: Transaction, organization_id: str, now: datetime) -> list[Recovery]:
        """Return recoveries whose legal delay is over and whose owner was not told yet."""
        own = (key_recovery.c.organization_id == organization_id) & key_recovery.c.told.is_(None)
        rows = tx.fetch_all(select(key_recovery).where(own, key_recovery.c.owner_at <= now).limit(MAX_LISTED))
        return [_recovery(row) for row in rows]

    def set_told(self, tx: Transaction, of: Recovery, now: datetime) -> None:
        """Note that the owner is told.

        Raises:
            ConflictError: If that was done meanwhile.
        """
        own = (key_recovery.c.organization_id == of.organization_id) & (key_recovery.c.id == of.proposal_id)
        tx.change_one(
            update(key_recovery).where(own, key_recovery.c.told.is_(None)).values(told=now),
            "the owner was told meanwhile",
        )


def _recovery(row: Row[Any]) -> Recovery:
    return Recovery(
        organization_id=row.organization_id,
        proposal_id=row.id,
        mailbox_id=row.mailbox_id,
        release_at=row.release_at,
        owner_at=row.owner_at,
        notice_leaf_id=row.notice_leaf_id,
        key_ids=tuple(row.key_ids.split(",")) if row.key_ids else (),
        leaf_id=row.leaf_id,
        leaf_chain=row.leaf_chain,
        told=row.told,
    )

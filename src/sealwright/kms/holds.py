"""Legal holds: while one is on a mailbox, none of its keys can be destroyed (`kms.store.destroy` asks the table itself)."""

from sealwright.audit.log import Act, AuditLog
from sealwright.clock import Clock
from sealwright.kms.lifecycle import check_reason
from sealwright.kms.model import LegalHold
from sealwright.kms.ports import MailboxReader
from sealwright.kms.store import KeyStore
from sealwright.storage.engine import Storage
from sealwright.storage.schema import new_id
from sealwright.tlog.leaf import ORGANIZATION_CHAIN


class LegalHolds:
    """Sets and lifts holds. Their leaves are in the organization's chain: auditors see them, the mailbox's owner does not.

    Args:
        storage: The database.
        store: Its SQL.
        audit: The log.
        clock: The time.
        mailboxes: Which mailboxes there are.
    """

    def __init__(
        self, storage: Storage, store: KeyStore, audit: AuditLog, clock: Clock, mailboxes: MailboxReader
    ) -> None:
        self._storage, self._store, self._audit, self._clock = storage, store, audit, clock
        self._mailboxes = mailboxes

    def set_hold(self, organization_id: str, mailbox_id: str, reason: str, by: str) -> LegalHold:
        """Put a hold on a mailbox, whether it is in use or withdrawn; a mailbox can have several.

        Raises:
            NotFoundError: If there is no such mailbox.
            InputError: If the reason is empty or too long.
        """
        check_reason(reason)
        hold = LegalHold(new_id(), mailbox_id, reason, by, self._clock.now(), None)
        with self._storage.transaction(organization_id) as tx:
            self._mailboxes.lock(tx, organization_id, mailbox_id)  # as whoever destroys a key does
            self._store.add_hold(tx, organization_id, hold)
            fields = {"hold": hold.hold_id, "mailbox": mailbox_id, "reason": reason, "by": by}
            self._audit.append(tx, Act(organization_id, ORGANIZATION_CHAIN, "hold.set", fields))
        return hold

    def lift_hold(self, organization_id: str, hold_id: str, reason: str, by: str) -> None:
        """Take a hold away; others on the same mailbox stay.

        Raises:
            ConflictError: If there is no such hold, or it was lifted already.
            InputError: If the reason is empty or too long.
        """
        check_reason(reason)
        with self._storage.transaction(organization_id) as tx:
            self._store.lift_hold(tx, organization_id, hold_id, self._clock.now())
            fields = {"hold": hold_id, "reason": reason, "by": by}
            self._audit.append(tx, Act(organization_id, ORGANIZATION_CHAIN, "hold.lift", fields))

    def holds(self, organization_id: str) -> list[LegalHold]:
        """Return all holds, lifted ones too, newest first; at most 10,000."""
        with self._storage.read(organization_id) as tx:
            return self._store.holds(tx, organization_id)

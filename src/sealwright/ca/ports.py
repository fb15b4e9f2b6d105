"""What the CA needs from elsewhere; the composition root satisfies it."""

from typing import TYPE_CHECKING, Any, Protocol

from sealwright.ca.model import Subject
from sealwright.storage.engine import Transaction

if TYPE_CHECKING:
    from sealwright.audit.log import Act, LeafSalt


class AuditPort(Protocol):
    """The owner-visible log."""

    def seal_salt(self, organization_id: str) -> "LeafSalt":
        """Make the salt of one leaf ahead, so that no keystore call holds up the act's transaction."""
        ...

    def append(self, tx: Transaction, act: "Act", salt: "LeafSalt | None" = None) -> Any:
        """Add a leaf within the act's own transaction."""
        ...


class SubjectReader(Protocol):
    """Who owns a mailbox."""

    def subject(self, organization_id: str, mailbox_id: str) -> Subject:
        """Return the subject of a mailbox.

        Raises:
            NotFoundError: If there is no such mailbox, or it is withdrawn.
        """
        ...


class PutOutbox(Protocol):
    """Writes a side effect into the act's transaction (`outbox.queue.put`)."""

    def __call__(
        self, tx: Transaction, organization_id: str, topic: str, payload: dict[str, str], key: str | None = None
    ) -> Any:
        """Queue `payload` for the handler of `topic`; the same `key` is queued once."""
        ...

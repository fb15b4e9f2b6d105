"""What identity needs from elsewhere; the composition root satisfies it."""

from datetime import datetime
from typing import Any, Protocol

from sealwright.identity.model import KeySummary
from sealwright.storage.engine import Transaction


class PutOutbox(Protocol):
    """Writes a side effect into the act's transaction (`outbox.queue.put`)."""

    def __call__(
        self, tx: Transaction, organization_id: str, topic: str, payload: dict[str, str], key: str | None = None
    ) -> Any:
        """Queue `payload` for the handler of `topic`; the same `key` is queued once."""
        ...


class KeySummaryReader(Protocol):
    """What key management knows of the mailboxes."""

    def summaries(self, organization_id: str) -> dict[str, KeySummary]:
        """Return the summary of each mailbox that has an active key, by mailbox id."""
        ...


class MembershipEnder(Protocol):
    """Ends memberships of shared mailboxes (`identity.shared_mailboxes`)."""

    def leave_all_in(self, tx: Transaction, organization_id: str, member_id: str) -> None:
        """End all memberships of a person, within the act that ends the person's tenure."""
        ...


class UseSignInLink(Protocol):
    """Uses a sign-in link up within the caller's transaction (`server.store.use_sign_in_link`)."""

    def __call__(self, tx: Transaction, token: bytes, now: datetime) -> str:
        """Mark the link used and return the role that it gives; ConflictError if there is none, it was used or has expired."""
        ...

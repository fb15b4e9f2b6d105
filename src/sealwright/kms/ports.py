"""What key management needs from elsewhere; the composition root satisfies it."""

from datetime import datetime
from typing import Any, Protocol

from sealwright.identity.model import AuthenticatedDevice, Mailbox
from sealwright.keystore.model import ReleasePolicy, SealedRecord, VouchedRow
from sealwright.storage.engine import Transaction


class IssuedCertificate(Protocol):
    """A certificate as the CA hands it out."""

    @property
    def certificate(self) -> bytes:
        """DER."""
        ...

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER of the intermediates, without the root."""
        ...

    @property
    def not_after(self) -> datetime:
        """Aware UTC."""
        ...


class CertificateIssuer(Protocol):
    """A CA that believes this key management's escrow statements."""

    def issue_encryption(self, statement_payload: bytes, signature: bytes) -> IssuedCertificate:
        """Issue the certificate of an archived key; idempotent by key."""
        ...


class CertificatePublisher(Protocol):
    """The directory."""

    def publish(
        self, tx: Transaction, organization_id: str, address: str, certificate: bytes, chain: tuple[bytes, ...]
    ) -> Any:
        """Show a certificate under an address, instead of the older ones."""
        ...

    def unpublish(self, tx: Transaction, organization_id: str, address: str, certificate: bytes = b"") -> Any:
        """Withdraw one certificate of an address, or all."""
        ...

    def republish(self, tx: Transaction, organization_id: str, address: str, certificate: bytes) -> Any:
        """Show a certificate that was withdrawn again."""
        ...


class MailboxReader(Protocol):
    """Who owns a mailbox (`identity.people.Mailboxes`)."""

    def mailbox(self, organization_id: str, mailbox_id: str) -> Mailbox:
        """Return an active mailbox, or raise `NotFoundError`."""
        ...

    def tenure(self, organization_id: str, mailbox_id: str) -> Mailbox:
        """Return a mailbox in any state, or raise `NotFoundError`."""
        ...

    def hold(self, tx: Transaction, organization_id: str, mailbox_id: str) -> None:
        """Keep a mailbox active until the transaction ends, or raise `ConflictError`."""
        ...

    def lock(self, tx: Transaction, organization_id: str, mailbox_id: str) -> None:
        """Lock a mailbox in any state until the transaction ends, or raise `NotFoundError`."""
        ...


class TenureReader(Protocol):
    """Who had an address, and when (`identity.people.Mailboxes`)."""

    def tenure(self, organization_id: str, mailbox_id: str) -> Mailbox:
        """Return a mailbox in any state, or raise `NotFoundError`."""
        ...

    def tenures(self, organization_id: str, address: str) -> list[Mailbox]:
        """Return every mailbox that has or had an address, the newest first."""
        ...


class EscrowKeyReader(Protocol):
    """Where the key that signs escrow statements is found."""

    def __call__(self, organization_id: str) -> SealedRecord:
        """Return the service key, or raise `NotFoundError`."""
        ...


class SharedMailboxReader(Protocol):
    """Who may act for a shared mailbox (`identity.shared_mailboxes.SharedMailboxService`)."""

    def acting(self, device: AuthenticatedDevice, mailbox_id: str) -> AuthenticatedDevice:
        """Return a device as one of a shared mailbox, or raise `NotFoundError`."""
        ...


class MailboxLister(Protocol):
    """All mailboxes (`identity.people.Mailboxes`)."""

    def everybody(self, organization_id: str) -> list[Mailbox]:
        """Return all mailboxes in any state, by address."""
        ...


class RoleReader(Protocol):
    """Vouched rows of roles (`identity.roles.RoleService`)."""

    def role(self, organization_id: str, mailbox_id: str) -> VouchedRow:
        """Return a person's row, or raise `NotFoundError`."""
        ...


class PolicyReader(Protocol):
    """Release policies (`identity.policy.PolicyService`)."""

    def policy(self, organization_id: str, mailbox_id: str) -> ReleasePolicy:
        """Return what holds for a mailbox."""
        ...

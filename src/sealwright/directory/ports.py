"""What the directory needs from its store; the composition root satisfies it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sealwright.storage.engine import Storage, Transaction


@dataclass(frozen=True, slots=True)
class Publication:
    """One certificate under one address.

    Attributes:
        organization_id: Who publishes it, 32 hex digits.
        address: Canonical addr-spec.
        slot: "classical" or "kem"; a certificate displaces the older ones of its own slot.
        certificate: DER.
        chain: DER of the intermediates, without the root.
        capabilities: SMIMECapabilities DER, or empty.
        not_before: Aware UTC.
        not_after: Aware UTC.
        published: Aware UTC.
    """

    organization_id: str
    address: str
    slot: str
    certificate: bytes = field(repr=False)
    chain: tuple[bytes, ...] = field(repr=False)
    capabilities: bytes = field(repr=False)
    not_before: datetime
    not_after: datetime
    published: datetime


@dataclass(frozen=True, slots=True)
class UsableCertificate:
    """A certificate that mail can be encrypted for now.

    Attributes:
        address: Canonical addr-spec.
        certificate: DER.
        chain: DER of the intermediates, without the root.
        capabilities: SMIMECapabilities DER, or empty.
    """

    address: str
    certificate: bytes = field(repr=False)
    chain: tuple[bytes, ...] = field(repr=False)
    capabilities: bytes = field(repr=False)


class DirectoryStore(Protocol):
    """The SQL of the directory."""

    def publish(self, tx: Transaction, publication: Publication) -> bool:
        """Insert a publication and withdraw the older ones of its address and slot; False if it was published before."""
        ...

    def withdraw(self, tx: Transaction, organization_id: str, address: str, certificate: bytes, now: datetime) -> int:
        """Withdraw one certificate of an address, or all where `certificate` is empty; return how many."""
        ...

    def restore(self, tx: Transaction, organization_id: str, address: str, certificate: bytes) -> int:
        """Show a certificate that was withdrawn again; return how many rows that changed."""
        ...

    def usable(self, tx: Transaction, addresses: Sequence[str], now: datetime) -> list[UsableCertificate]:
        """Return the certificates of addresses that are not withdrawn and valid now, newest first."""
        ...

    def usable_at(self, storage: Storage, address: str, now: datetime) -> list[UsableCertificate]:
        """Return the same for one address, in a transaction of its own, as fast as can be."""
        ...

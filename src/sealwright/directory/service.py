"""The directory: recipients' encryption certificates by exact address. Unknown and hidden look the same."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import mlkem

from sealwright.clock import Clock
from sealwright.directory.ports import DirectoryStore, Publication, UsableCertificate
from sealwright.errors import DecodingError, InputError
from sealwright.pkix.extensions import UNDECODABLE
from sealwright.pkix.names import canonical_address
from sealwright.storage.engine import Storage, Transaction
from sealwright.wire.api import DirectoryCertificate, DirectoryEntry

MAX_ADDRESSES = 500
"""The recipients of one mail."""


class Directory:
    """One service for all organizations of this server.

    Args:
        storage: The database.
        store: Its SQL.
        clock: The time.
    """

    def __init__(self, storage: Storage, store: DirectoryStore, clock: Clock) -> None:
        self._storage, self._store, self._clock = storage, store, clock

    def publish(
        self,
        tx: Transaction,
        organization_id: str,
        address: str,
        certificate: bytes,
        chain: tuple[bytes, ...],
        capabilities: bytes = b"",
    ) -> None:
        """Publish an encryption certificate under an address in place of older ones of its slot.

        Publishing again changes nothing.

        Raises:
            InputError: If the address is none.
            DecodingError: If the certificate is none.
        """
        try:
            parsed = x509.load_der_x509_certificate(certificate)
        except UNDECODABLE as error:
            raise DecodingError("not a certificate") from error
        publication = Publication(
            organization_id=organization_id,
            address=canonical_address(address),
            slot=_slot(parsed),
            certificate=certificate,
            chain=chain,
            capabilities=capabilities,
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
            published=self._clock.now(),
        )
        self._store.publish(tx, publication)

    def republish(self, tx: Transaction, organization_id: str, address: str, certificate: bytes) -> int:
        """Show a certificate that was withdrawn again; only for who knows that it is in force.

        Returns:
            How many rows that changed; 0 is no error.
        """
        return self._store.restore(tx, organization_id, canonical_address(address), certificate)

    def unpublish(self, tx: Transaction, organization_id: str, address: str, certificate: bytes = b"") -> int:
        """Withdraw a certificate, or every certificate of the address where none is named.

        Returns:
            How many were withdrawn; 0 is no error.
        """
        now = self._clock.now()
        return self._store.withdraw(tx, organization_id, canonical_address(address), certificate, now)

    def search(self, addresses: Sequence[str]) -> tuple[DirectoryEntry, ...]:
        """Look addresses up, exactly; entries come in the order of the query and carry the address as it was asked.

        Raises:
            InputError: If there are more than 500, or one is no addr-spec.
        """
        if len(addresses) > MAX_ADDRESSES:
            raise InputError(f"at most {MAX_ADDRESSES} addresses can be looked up at once")
        canonical = [canonical_address(address) for address in addresses]
        found: dict[str, list[DirectoryCertificate]] = {}
        with self._storage.read(None) as tx:
            certificates = self._store.usable(tx, sorted(set(canonical)), self._clock.now()) if canonical else []
        for usable in certificates:
            found.setdefault(usable.address, []).append(_answer(usable))
        return tuple(
            DirectoryEntry(address=asked, certificates=tuple(found.get(name, ())))
            for asked, name in zip(addresses, canonical, strict=True)
        )

    def look_up(self, address: str) -> DirectoryEntry:
        """Look one address up, exactly, as fast as can be.

        Raises:
            InputError: If it is no addr-spec.
            UnavailableError: If the database does not answer.
        """
        usable = self._store.usable_at(self._storage, canonical_address(address), self._clock.now())
        return DirectoryEntry(address=address, certificates=tuple(map(_answer, usable)))

    @property
    def answers_at_once(self) -> bool:
        """Whether `look_up` may run in an event loop: SQLite answers in microseconds, and no writer holds it up."""
        return self._storage.dialect == "sqlite"


def _slot(certificate: x509.Certificate) -> str:
    """Return which key of a pair a certificate is for; mail programs of today read the classical one."""
    is_kem = isinstance(certificate.public_key(), mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey)
    return "kem" if is_kem else "classical"


def _answer(usable: UsableCertificate) -> DirectoryCertificate:
    return DirectoryCertificate(certificate=usable.certificate, chain=usable.chain, capabilities=usable.capabilities)

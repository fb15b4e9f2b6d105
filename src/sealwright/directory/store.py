"""The SQL of the directory."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, insert, select, update

from sealwright.directory.ports import Publication, UsableCertificate
from sealwright.directory.tables import directory_certificate as table
from sealwright.storage.compiled import CompiledQuery
from sealwright.storage.engine import Storage, Transaction
from sealwright.storage.schema import UtcDateTime, new_id
from sealwright.wire.encoding import decode_fields, encode_fields, sha256

_CHAIN_PURPOSE = "sealwright directory chain"
_MAX_OF_ADDRESS = 8
_MAX_ROWS = 500 * _MAX_OF_ADDRESS
"""The addresses of one query and a handful of certificates each."""


class SqlDirectoryStore:
    """Implements `ports.DirectoryStore`, over one storage."""

    def __init__(self) -> None:
        self._exact: CompiledQuery | None = None

    def publish(self, tx: Transaction, publication: Publication) -> bool:
        """Insert a publication; older ones of its address and slot are withdrawn, and a late one does not displace a newer."""
        digest = sha256(publication.certificate).hex()
        of_address = (table.c.organization_id == publication.organization_id) & (table.c.address == publication.address)
        known = tx.fetch_one(select(table.c.id).where(of_address, table.c.certificate_sha256 == digest))
        if known is not None:
            return False
        of_slot = of_address & (table.c.slot == publication.slot)
        newer = tx.fetch_one(
            select(table.c.id)
            .where(of_slot, table.c.withdrawn.is_(None), table.c.not_before > publication.not_before)
            .limit(1)
        )
        if newer is None:
            live = of_slot & table.c.withdrawn.is_(None)
            tx.execute(update(table).where(live).values(withdrawn=publication.published))
        tx.execute(
            insert(table).values(
                organization_id=publication.organization_id,
                id=new_id(),
                address=publication.address,
                slot=publication.slot,
                certificate_sha256=digest,
                certificate=publication.certificate,
                chain=encode_fields(_CHAIN_PURPOSE, 1, *publication.chain),
                capabilities=publication.capabilities,
                not_before=publication.not_before,
                not_after=publication.not_after,
                published=publication.published,
                withdrawn=None if newer is None else publication.published,
            )
        )
        return True

    def withdraw(self, tx: Transaction, organization_id: str, address: str, certificate: bytes, now: datetime) -> int:
        """Withdraw one certificate of an address, or all where `certificate` is empty; return how many."""
        statement = update(table).where(
            table.c.organization_id == organization_id, table.c.address == address, table.c.withdrawn.is_(None)
        )
        if certificate:
            statement = statement.where(table.c.certificate_sha256 == sha256(certificate).hex())
        return tx.execute(statement.values(withdrawn=now))

    def restore(self, tx: Transaction, organization_id: str, address: str, certificate: bytes) -> int:
        """Show a certificate that was withdrawn again; return how many rows that changed."""
        withdrawn = update(table).where(
            table.c.organization_id == organization_id,
            table.c.address == address,
            table.c.certificate_sha256 == sha256(certificate).hex(),
            table.c.withdrawn.is_not(None),
        )
        return tx.execute(withdrawn.values(withdrawn=None))

    def usable(self, tx: Transaction, addresses: Sequence[str], now: datetime) -> list[UsableCertificate]:
        """Return the certificates of addresses that are not withdrawn and valid now, newest first."""
        rows = tx.fetch_all(_usable(now).where(table.c.address.in_(list(addresses))).limit(_MAX_ROWS))
        return [_certificate(*tuple(row)) for row in rows]

    def usable_at(self, storage: Storage, address: str, now: datetime) -> list[UsableCertificate]:
        """Return the same for one address, in a transaction of its own, as fast as can be."""
        if self._exact is None:
            statement = _usable(bindparam("now", type_=UtcDateTime)).where(table.c.address == bindparam("address"))
            self._exact = CompiledQuery(storage, statement.limit(_MAX_OF_ADDRESS))
        return [_certificate(*row) for row in self._exact.fetch_all(now=now, address=address)]


def _usable(now: Any) -> Select[Any]:
    columns = (table.c.address, table.c.certificate, table.c.chain, table.c.capabilities)
    live = table.c.withdrawn.is_(None) & (table.c.not_before <= now) & (table.c.not_after >= now)
    return select(*columns).where(live).order_by(table.c.not_before.desc(), table.c.id)


def _certificate(address: str, certificate: bytes, chain: bytes, capabilities: bytes) -> UsableCertificate:
    return UsableCertificate(address, certificate, decode_fields(_CHAIN_PURPOSE, 1, chain), capabilities)

"""The CA's SQL, with that of its issuers. Rows stay here; frozen dataclasses go up."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from sealwright.ca.issuer_store import IssuerStore
from sealwright.ca.model import CertificateRecord, CertifiedKey
from sealwright.ca.policy import SPKI_REUSE_LIMIT
from sealwright.ca.tables import ca_certificate, certified_key
from sealwright.errors import ConflictError, NotFoundError
from sealwright.pkix.crl import RevokedEntry
from sealwright.storage.engine import Transaction

MAX_CRL_ENTRIES = 200_000
"""About 10 MB; an organization beyond this needs its lists in shards."""


class CaStore(IssuerStore):
    """Reads and writes within the caller's transaction."""

    def add_certificate(self, tx: Transaction, record: CertificateRecord) -> None:
        """Add a certificate.

        Raises:
            ConflictError: If the same request was taken up by somebody else.
        """
        tx.execute(
            insert(ca_certificate).values(
                organization_id=record.organization_id,
                id=record.certificate_id,
                issuer_id=record.issuer_id,
                serial_number=f"{record.serial_number:x}",
                mailbox_id=record.mailbox_id,
                address=record.address,
                spki_sha256=record.spki_sha256,
                request_key=record.request_key,
                renewal=record.renewal,
                tbs_certificate=record.tbs_certificate,
                certificate=record.certificate,
                state=record.state,
                not_before=record.not_before,
                not_after=record.not_after,
                device_id=record.device_id,
            )
        )

    def claim_key(self, tx: Transaction, record: CertificateRecord, usage: str) -> CertifiedKey:
        """Note whose a key is, unless that is known, and return what is known. Nobody else claims it until the end of `tx`.

        Raises:
            ConflictError: If it cannot be told now: ask again.
        """
        self._add_key(tx, record.organization_id, record.spki_sha256, CertifiedKey(usage, record.mailbox_id))
        columns = certified_key.c
        row = tx.fetch_one(
            select(certified_key)
            .where(columns.organization_id == record.organization_id, columns.spki_sha256 == record.spki_sha256)
            .with_for_update()
        )
        if row is None:
            raise ConflictError("the key is being certified by somebody else: ask again")
        return CertifiedKey(row.usage, row.mailbox_id, row.compromised)

    def mark_compromised(self, tx: Transaction, organization_id: str, spki_sha256: str) -> None:
        """Note that a key is compromised, also one that was never certified."""
        self._add_key(tx, organization_id, spki_sha256, CertifiedKey("", "", compromised=True))
        columns = certified_key.c
        tx.execute(
            update(certified_key)
            .where(columns.organization_id == organization_id, columns.spki_sha256 == spki_sha256)
            .values(compromised=True)
        )

    def _add_key(self, tx: Transaction, organization_id: str, spki_sha256: str, key: CertifiedKey) -> None:
        values = {
            "organization_id": organization_id,
            "spki_sha256": spki_sha256,
            "usage": key.usage,
            "mailbox_id": key.mailbox_id,
            "compromised": key.compromised,
        }
        tx.insert_missing(certified_key, values)

    def complete_certificate(self, tx: Transaction, record: CertificateRecord, certificate: bytes) -> None:
        """Turn PENDING into ISSUED.

        Raises:
            ConflictError: If it is not PENDING any more.
        """
        columns = ca_certificate.c
        tx.change_one(
            update(ca_certificate)
            .where(
                columns.organization_id == record.organization_id,
                columns.id == record.certificate_id,
                columns.state == "PENDING",
            )
            .values(state="ISSUED", certificate=certificate),
            "the certificate was finished meanwhile",
        )

    def revoke_certificate(self, tx: Transaction, record: CertificateRecord, when: datetime, reason: str) -> None:
        """Turn ISSUED into REVOKED.

        Raises:
            ConflictError: If it is not ISSUED.
        """
        columns = ca_certificate.c
        tx.change_one(
            update(ca_certificate)
            .where(
                columns.organization_id == record.organization_id,
                columns.id == record.certificate_id,
                columns.state == "ISSUED",
            )
            .values(state="REVOKED", revocation_date=when, revocation_reason=reason),
            "the certificate is revoked already, or was never issued",
        )

    def abandon_certificate(self, tx: Transaction, record: CertificateRecord) -> None:
        """Turn PENDING into ABANDONED: whoever is about to sign it finds that out before it is handed over.

        Raises:
            ConflictError: If it is not PENDING any more.
        """
        columns = ca_certificate.c
        tx.change_one(
            update(ca_certificate)
            .where(
                columns.organization_id == record.organization_id,
                columns.id == record.certificate_id,
                columns.state == "PENDING",
            )
            .values(state="ABANDONED"),
            "the certificate was finished meanwhile",
        )

    def unrevoked(
        self, tx: Transaction, organization_id: str, mailbox_id: str, device_id: str | None
    ) -> list[CertificateRecord]:
        """Return up to 100 certificates of a mailbox, or of one device of it, that are PENDING or ISSUED."""
        columns = ca_certificate.c
        own = (columns.organization_id == organization_id) & (columns.mailbox_id == mailbox_id)
        if device_id is not None:
            own &= columns.device_id == device_id
        found = select(ca_certificate).where(own, columns.state.in_(("PENDING", "ISSUED")))
        return [_certificate(row) for row in tx.fetch_all(found.order_by(columns.id).limit(100))]

    def latest_by_request(self, tx: Transaction, organization_id: str, request_key: str) -> CertificateRecord | None:
        """Return the newest certificate of a request key."""
        columns = ca_certificate.c
        row = tx.fetch_one(
            select(ca_certificate)
            .where(columns.organization_id == organization_id, columns.request_key == request_key)
            .order_by(columns.renewal.desc())
            .limit(1)
        )
        return None if row is None else _certificate(row)

    def by_spki(self, tx: Transaction, organization_id: str, spki_sha256: str) -> list[CertificateRecord]:
        """Return the certificates of a key, newest first."""
        columns = ca_certificate.c
        rows = tx.fetch_all(
            select(ca_certificate)
            .where(columns.organization_id == organization_id, columns.spki_sha256 == spki_sha256)
            .order_by(columns.not_before.desc())
            .limit(SPKI_REUSE_LIMIT)
        )
        return [_certificate(row) for row in rows]

    def by_serial(self, tx: Transaction, organization_id: str, serial_number: int) -> CertificateRecord:
        """Return a certificate by serial number.

        Raises:
            NotFoundError: If there is none.
        """
        columns = ca_certificate.c
        row = tx.fetch_one(
            select(ca_certificate).where(
                columns.organization_id == organization_id, columns.serial_number == f"{serial_number:x}"
            )
        )
        if row is None:
            raise NotFoundError("there is no certificate with this serial number")
        return _certificate(row)

    def list_certificates(
        self, tx: Transaction, organization_id: str, mailbox_id: str | None = None, limit: int = 1000
    ) -> list[CertificateRecord]:
        """Return certificates, newest first; of one mailbox, or of all and the servers."""
        columns = ca_certificate.c
        statement = select(ca_certificate).where(columns.organization_id == organization_id)
        if mailbox_id is not None:
            statement = statement.where(columns.mailbox_id == mailbox_id)
        rows = tx.fetch_all(statement.order_by(columns.not_before.desc(), columns.id).limit(limit))
        return [_certificate(row) for row in rows]

    def revoked_entries(self, tx: Transaction, organization_id: str, issuer_id: str) -> Sequence[RevokedEntry]:
        """Return all that stands on an issuer's list, expired certificates too: old signatures are still checked."""
        columns = ca_certificate.c
        rows = tx.fetch_all(
            select(columns.serial_number, columns.revocation_date, columns.revocation_reason)
            .where(
                columns.organization_id == organization_id,
                columns.issuer_id == issuer_id,
                columns.state == "REVOKED",
            )
            .order_by(columns.revocation_date, columns.serial_number)
            .limit(MAX_CRL_ENTRIES)
        )
        return [RevokedEntry(int(row.serial_number, 16), row.revocation_date, row.revocation_reason) for row in rows]


def _certificate(row: Row[Any]) -> CertificateRecord:
    return CertificateRecord(
        certificate_id=row.id,
        organization_id=row.organization_id,
        issuer_id=row.issuer_id,
        serial_number=int(row.serial_number, 16),
        mailbox_id=row.mailbox_id,
        address=row.address,
        spki_sha256=row.spki_sha256,
        request_key=row.request_key,
        renewal=row.renewal,
        tbs_certificate=bytes(row.tbs_certificate),
        certificate=bytes(row.certificate),
        state=row.state,
        not_before=row.not_before,
        not_after=row.not_after,
        revocation_date=row.revocation_date,
        revocation_reason=row.revocation_reason,
        device_id=row.device_id,
    )

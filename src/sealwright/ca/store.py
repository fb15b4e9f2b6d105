"""The CA's SQL. Rows stay here; frozen dataclasses go up."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from sealwright.ca.model import CertificateRecord, Issuer, Organization
from sealwright.ca.policy import SPKI_REUSE_LIMIT
from sealwright.ca.tables import ca_certificate, ca_issuer, ca_organization
from sealwright.errors import NotFoundError
from sealwright.keystore.model import RecordIdentity, SealedRecord
from sealwright.pkix.crl import RevokedEntry
from sealwright.storage.engine import Transaction

MAX_CRL_ENTRIES = 200_000
"""About 10 MB; an organization beyond this needs its lists in shards."""


class CaStore:
    """Reads and writes within the caller's transaction."""

    def add_organization(self, tx: Transaction, organization: Organization) -> None:
        """Add an organization.

        Raises:
            ConflictError: If it has a CA already.
        """
        tx.execute(
            insert(ca_organization).values(
                organization_id=organization.organization_id,
                name=organization.name,
                country=organization.country,
                organization_identifier=organization.organization_identifier,
                kms_key=organization.kms_key,
            )
        )

    def organization(self, tx: Transaction, organization_id: str) -> Organization:
        """Return an organization.

        Raises:
            NotFoundError: If it has no CA.
        """
        row = tx.fetch_one(select(ca_organization).where(ca_organization.c.organization_id == organization_id))
        if row is None:
            raise NotFoundError("the organization has no certification authority")
        return Organization(row.organization_id, row.name, row.country, row.organization_identifier, bytes(row.kms_key))

    def add_issuer(self, tx: Transaction, issuer: Issuer) -> None:
        """Add an issuer."""
        tx.execute(
            insert(ca_issuer).values(
                organization_id=issuer.organization_id,
                id=issuer.issuer_id,
                name=issuer.name,
                certificate=issuer.certificate,
                key_record_id=issuer.key.identity.record_id,
                key_algorithm=issuer.key.algorithm,
                key_storage_version=issuer.key.storage_key_version,
                key_ciphertext=issuer.key.ciphertext,
                key_spki=issuer.key.spki,
                crl_number=issuer.crl_number,
                crl=issuer.crl,
                crl_next_update=issuer.crl_next_update,
            )
        )

    def issuer(self, tx: Transaction, organization_id: str, name: str) -> Issuer:
        """Return an issuer by name.

        Raises:
            NotFoundError: If there is none.
        """
        columns = ca_issuer.c
        row = tx.fetch_one(select(ca_issuer).where(columns.organization_id == organization_id, columns.name == name))
        return _issuer(row)

    def issuer_by_id(self, tx: Transaction, organization_id: str, issuer_id: str) -> Issuer:
        """Return an issuer by identifier.

        Raises:
            NotFoundError: If there is none.
        """
        columns = ca_issuer.c
        return _issuer(
            tx.fetch_one(select(ca_issuer).where(columns.organization_id == organization_id, columns.id == issuer_id))
        )

    def replace_crl(self, tx: Transaction, issuer: Issuer, crl: bytes, next_update: datetime) -> None:
        """Store the list after `issuer.crl_number`.

        Raises:
            ConflictError: If another list was stored meanwhile.
        """
        columns = ca_issuer.c
        tx.change_one(
            update(ca_issuer)
            .where(
                columns.organization_id == issuer.organization_id,
                columns.id == issuer.issuer_id,
                columns.crl_number == issuer.crl_number,
            )
            .values(crl_number=issuer.crl_number + 1, crl=crl, crl_next_update=next_update),
            "another revocation list was made meanwhile",
        )

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
            )
        )

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


def _issuer(row: Row[Any] | None) -> Issuer:
    if row is None:
        raise NotFoundError("the organization has no such issuer")
    identity = RecordIdentity("service-key", row.organization_id, row.key_record_id, f"issuer/{row.name}")
    key = SealedRecord(
        identity, row.key_algorithm, row.key_storage_version, bytes(row.key_ciphertext), bytes(row.key_spki)
    )
    return Issuer(
        issuer_id=row.id,
        organization_id=row.organization_id,
        name=row.name,
        certificate=bytes(row.certificate),
        key=key,
        crl_number=row.crl_number,
        crl=bytes(row.crl),
        crl_next_update=row.crl_next_update,
    )


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
    )

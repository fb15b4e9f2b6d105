"""The SQL of organizations and issuers. Rows stay here; frozen dataclasses go up."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from sealwright.ca.model import Issuer, Organization
from sealwright.ca.tables import ca_issuer, ca_organization
from sealwright.errors import NotFoundError
from sealwright.keystore.model import RecordIdentity, SealedRecord
from sealwright.storage.engine import Transaction


class IssuerStore:
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

    def expire_crl(self, tx: Transaction, issuer: Issuer) -> None:
        """Give up an issuer's list: the next one is made before any is handed out."""
        columns = ca_issuer.c
        own = (columns.organization_id == issuer.organization_id) & (columns.id == issuer.issuer_id)
        tx.execute(update(ca_issuer).where(own).values(crl_number=columns.crl_number + 1, crl_next_update=None))


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

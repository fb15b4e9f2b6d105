"""The CA's tables."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from sealwright.storage.schema import UtcDateTime, id_column, metadata

ca_organization = Table(
    "ca_organization",
    metadata,
    id_column("organization_id", primary_key=True),
    Column("name", Text, nullable=False),
    Column("country", String(2)),
    Column("organization_identifier", String(128)),
    Column("kms_key", LargeBinary, nullable=False),
)

ca_issuer = Table(
    "ca_issuer",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    Column("name", String(32), nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    id_column("key_record_id"),
    Column("key_algorithm", String(32), nullable=False),
    Column("key_storage_version", Integer, nullable=False),
    Column("key_ciphertext", LargeBinary, nullable=False),
    Column("key_spki", LargeBinary, nullable=False),
    Column("crl_number", BigInteger, nullable=False),
    Column("crl", LargeBinary, nullable=False),
    Column("crl_next_update", UtcDateTime),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "name"),
    ForeignKeyConstraint(["organization_id"], ["ca_organization.organization_id"]),
)

certified_key = Table(
    "certified_key",
    metadata,
    id_column("organization_id"),
    Column("spki_sha256", String(64), nullable=False),
    Column("usage", String(32), nullable=False),
    Column("mailbox_id", String(32), nullable=False),
    Column("compromised", Boolean, nullable=False),
    PrimaryKeyConstraint("organization_id", "spki_sha256"),
    ForeignKeyConstraint(["organization_id"], ["ca_organization.organization_id"]),
)

ca_certificate = Table(
    "ca_certificate",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("issuer_id"),
    Column("serial_number", String(40), nullable=False),
    Column("mailbox_id", String(32), nullable=False, index=True),
    Column("address", Text, nullable=False),
    Column("spki_sha256", String(64), nullable=False, index=True),
    Column("request_key", String(64), nullable=False),
    Column("renewal", Integer, nullable=False),
    Column("tbs_certificate", LargeBinary, nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("not_after", UtcDateTime, nullable=False),
    Column("revocation_date", UtcDateTime),
    Column("revocation_reason", String(32)),
    Column("device_id", String(32), nullable=False, server_default=""),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "serial_number"),
    UniqueConstraint("organization_id", "request_key", "renewal"),
    ForeignKeyConstraint(["organization_id", "issuer_id"], ["ca_issuer.organization_id", "ca_issuer.id"]),
)

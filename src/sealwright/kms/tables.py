"""The tables of key management."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

import sealwright.identity.tables  # noqa: F401 - the tables that foreign keys name
from sealwright.storage.schema import UtcDateTime, id_column, metadata

pooled_key = Table(
    "pooled_key",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    Column("algorithm", String(32), nullable=False),
    Column("storage_version", Integer, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("spki", LargeBinary, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id"], ["organization.organization_id"]),
)

mailbox_key = Table(
    "mailbox_key",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("mailbox_id"),
    Column("slot", String(16), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_version", Integer, nullable=False),
    Column("state_mac", LargeBinary, nullable=False),
    Column("frozen", Boolean, nullable=False),
    Column("exported", Boolean, nullable=False),
    Column("algorithm", String(32), nullable=False),
    Column("storage_version", Integer, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("spki", LargeBinary, nullable=False),
    Column("spki_sha256", String(64), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("deactivated", UtcDateTime),
    Column("destroyed", UtcDateTime),
    Column("examined", UtcDateTime),
    Column("examined_well", Boolean),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "mailbox_id", "spki_sha256"),
    ForeignKeyConstraint(["organization_id", "mailbox_id"], ["mailbox.organization_id", "mailbox.id"]),
    Index(
        "uq_mailbox_key_generation",
        "organization_id",
        "mailbox_id",
        "slot",
        "generation",
        unique=True,
        sqlite_where=text("generation > 0"),
        postgresql_where=text("generation > 0"),
    ),
    Index(
        "uq_mailbox_key_active",
        "organization_id",
        "mailbox_id",
        "slot",
        unique=True,
        sqlite_where=text("state = 'ACTIVE'"),
        postgresql_where=text("state = 'ACTIVE'"),
    ),
)

key_certificate = Table(
    "key_certificate",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("key_id"),
    Column("certificate", LargeBinary, nullable=False),
    Column("certificate_sha256", String(64), nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("not_after", UtcDateTime, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "key_id", "certificate_sha256"),
    ForeignKeyConstraint(["organization_id", "key_id"], ["mailbox_key.organization_id", "mailbox_key.id"]),
)

key_release = Table(
    "key_release",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("device_id"),
    Column("idempotency_key", String(128), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("request_sha256", String(64), nullable=False),
    Column("key_ids", Text, nullable=False),
    id_column("leaf_id"),
    Column("created", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "device_id", "idempotency_key"),
    ForeignKeyConstraint(["organization_id", "device_id"], ["device.organization_id", "device.id"]),
)

key_destruction = Table(
    "key_destruction",
    metadata,
    id_column("organization_id"),
    id_column("key_id"),
    Column("reason", Text, nullable=False),
    Column("destroyed", UtcDateTime, nullable=False),
    id_column("leaf_id"),
    PrimaryKeyConstraint("organization_id", "key_id"),
    ForeignKeyConstraint(["organization_id", "key_id"], ["mailbox_key.organization_id", "mailbox_key.id"]),
)

legal_hold = Table(
    "legal_hold",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    id_column("mailbox_id"),
    Column("reason", Text, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("lifted", UtcDateTime),
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id", "mailbox_id"], ["mailbox.organization_id", "mailbox.id"]),
    Index("ix_legal_hold_mailbox", "organization_id", "mailbox_id"),
)
"""Lifted holds stay as rows."""

key_recovery = Table(
    "key_recovery",
    metadata,
    id_column("organization_id"),
    id_column("id"),  # the proposal's
    id_column("mailbox_id"),
    Column("release_at", UtcDateTime, nullable=False),
    Column("owner_at", UtcDateTime, nullable=False),
    id_column("notice_leaf_id"),
    Column("key_ids", Text, nullable=False),
    Column("leaf_id", String(32), nullable=False),
    Column("leaf_chain", Text, nullable=False),
    Column("told", UtcDateTime),
    PrimaryKeyConstraint("organization_id", "id"),
    ForeignKeyConstraint(["organization_id", "id"], ["proposal.organization_id", "proposal.id"]),
    ForeignKeyConstraint(["organization_id", "mailbox_id"], ["mailbox.organization_id", "mailbox.id"]),
    Index("ix_key_recovery_told", "organization_id", "told", "owner_at"),
)

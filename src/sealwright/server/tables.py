"""Tables of the composition root: service keys, the domain statement's history, one-time sign-in links."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint, String, Table, Text

from sealwright.storage.schema import UtcDateTime, id_column, metadata

service_key = Table(
    "service_key",
    metadata,
    id_column("organization_id"),
    Column("purpose", Text, nullable=False),
    id_column("record_id"),
    Column("algorithm", String(32), nullable=False),
    Column("storage_key_version", Integer, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("spki", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization_id", "purpose"),
)
"""Sealed records of the keys "release", "log/<origin>", "statement" and "escrow"."""

storage_key = Table(
    "storage_key",
    metadata,
    id_column("organization_id"),
    Column("version", Integer, nullable=False),
    Column("introduced", UtcDateTime, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("rewrapped", UtcDateTime),
    PrimaryKeyConstraint("organization_id", "version"),
)
"""Versions of the storage key: how many records were re-sealed under each, and when none was left."""

seal_change = Table(
    "seal_change",
    metadata,
    id_column("organization_id"),
    Column("number", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("noted", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("organization_id", "number"),
)
"""Changes of the seal that are leaves."""

statement_delegation = Table(
    "statement_delegation",
    metadata,
    id_column("organization_id"),
    Column("not_after", UtcDateTime, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("root_key", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization_id", "not_after"),
)

domain_statement = Table(
    "domain_statement",
    metadata,
    id_column("organization_id"),
    Column("sequence", BigInteger, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization_id", "sequence"),
)
"""Every statement ever issued; the primary key decides who issues the next one."""

sign_in_link = Table(
    "sign_in_link",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    Column("token_sha256", String(64), nullable=False, unique=True),
    Column("role", String(32), nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    Column("used", UtcDateTime, nullable=True),
    PrimaryKeyConstraint("organization_id", "id"),
)

"""Tables of the log."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from sealwright.storage.schema import UtcDateTime, id_column, metadata

log_state = Table(
    "log_state",
    metadata,
    id_column("organization_id", primary_key=True),
    Column("origin", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("checkpoint", Text, nullable=False),
    Column("key_record_id", String(32), nullable=False),
    Column("key_owner", Text, nullable=False),
    Column("key_storage_version", Integer, nullable=False),
    Column("key_ciphertext", LargeBinary, nullable=False),
    Column("key_spki", LargeBinary, nullable=False),
)
"""One row per log; `size` and `checkpoint` change together."""

log_tile = Table(
    "log_tile",
    metadata,
    id_column("organization_id"),
    Column("level", Integer, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization_id", "level", "number"),
)

log_leaf = Table(
    "log_leaf",
    metadata,
    id_column("organization_id"),
    id_column("leaf_id"),
    Column("created", UtcDateTime, nullable=False),
    Column("leaf_index", BigInteger, nullable=True),
    Column("chain_id", Text, nullable=False),
    Column("chain_number", BigInteger, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("salt_ciphertext", LargeBinary, nullable=False),
    Column("salt_storage_version", Integer, nullable=False),
    PrimaryKeyConstraint("organization_id", "leaf_id"),
    UniqueConstraint("organization_id", "leaf_index"),
    UniqueConstraint("organization_id", "chain_id", "chain_number"),
    Index("ix_log_leaf_pending", "organization_id", "leaf_index", "created"),
)
"""A leaf is pending while `leaf_index` is null; the act's own transaction writes it, the sequencer numbers it."""

chain_head = Table(
    "chain_head",
    metadata,
    id_column("organization_id"),
    Column("chain_id", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization_id", "chain_id"),
)

"""Tables of the log."""

from sqlalchemy import (
    BigInteger,
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
)

from sealwright.storage.schema import UtcDateTime, id_column, metadata

log_state = Table(
    "log_state",
    metadata,
    id_column("organization_id", primary_key=True),
    Column("origin", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("signed_size", BigInteger, nullable=False),
    Column("checkpoint", Text, nullable=False),
    Column("cosigned", Text, nullable=False),
    Column("latest_time", UtcDateTime, nullable=False),
    Column("key_record_id", String(32), nullable=False),
    Column("key_owner", Text, nullable=False),
    Column("key_storage_version", Integer, nullable=False),
    Column("key_ciphertext", LargeBinary, nullable=False),
    Column("key_spki", LargeBinary, nullable=False),
    Column("lease_holder", String(32), nullable=False),
    Column("lease_expires", UtcDateTime, nullable=False),
)
"""One row per log: `size` leaves have an index, the first `signed_size` of them stand under `checkpoint`, which changes
together with it and the map's pages; `cosigned` is the newest one with witnesses' cosignatures, or empty. The lease says which
process numbers leaves. `latest_time` is the high-water mark of the clock."""

pending_leaf = Table(
    "pending_leaf",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    id_column("organization_id"),
    id_column("leaf_id"),
    Column("chain_id", Text, nullable=False),
    Column("chain_number", BigInteger, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("salt_ciphertext", LargeBinary, nullable=False),
    Column("salt_storage_version", Integer, nullable=False),
    UniqueConstraint("organization_id", "leaf_id"),
    UniqueConstraint("organization_id", "chain_id", "chain_number"),
    ForeignKeyConstraint(["organization_id"], ["log_state.organization_id"]),
    Index("ix_pending_leaf_order", "organization_id", "number"),
)
"""A queue in the order of insertion, which the database counts: clocks go back, and within a chain the order counts."""

log_leaf = Table(
    "log_leaf",
    metadata,
    id_column("organization_id"),
    Column("leaf_index", BigInteger, nullable=False),
    id_column("leaf_id"),
    Column("chain_id", Text, nullable=False),
    Column("chain_number", BigInteger, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("salt_ciphertext", LargeBinary, nullable=False),
    Column("salt_storage_version", Integer, nullable=False),
    PrimaryKeyConstraint("organization_id", "leaf_index"),
    UniqueConstraint("organization_id", "leaf_id"),
    UniqueConstraint("organization_id", "chain_id", "chain_number"),
    ForeignKeyConstraint(["organization_id"], ["log_state.organization_id"]),
)
"""Numbered leaves; rows are inserted, never changed."""

log_tile = Table(
    "log_tile",
    metadata,
    id_column("organization_id"),
    Column("level", Integer, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization_id", "level", "number"),
    ForeignKeyConstraint(["organization_id"], ["log_state.organization_id"]),
)

log_break = Table(
    "log_break",
    metadata,
    id_column("organization_id"),
    Column("number", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    PrimaryKeyConstraint("organization_id", "number"),
    ForeignKeyConstraint(["organization_id"], ["log_state.organization_id"]),
)
"""Signed notes of log breaks (`wire.log_break`), by the time at which the keystore signed them."""

log_map_page = Table(
    "log_map_page",
    metadata,
    id_column("organization_id"),
    Column("prefix", String(64), nullable=False),
    Column("slots", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization_id", "prefix"),
    ForeignKeyConstraint(["organization_id"], ["log_state.organization_id"]),
)
"""Pages of the map under the newest checkpoint (`tlog.map`)."""

chain_head = Table(
    "chain_head",
    metadata,
    id_column("organization_id"),
    Column("chain_id", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    PrimaryKeyConstraint("organization_id", "chain_id"),
    ForeignKeyConstraint(["organization_id"], ["log_state.organization_id"]),
)
"""The newest record of each chain, pending ones too; its row keeps two acts on one chain apart."""

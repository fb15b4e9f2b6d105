"""Table of the outbox."""

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, String, Table, Text, UniqueConstraint

from sealwright.storage.schema import UtcDateTime, id_column, metadata

outbox_item = Table(
    "outbox_item",
    metadata,
    id_column("organization_id"),
    id_column("item_id"),
    Column("topic", String(64), nullable=False),
    Column("item_key", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("due", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claim", String(32), nullable=False),
    Column("last_error", String(64), nullable=False),
    PrimaryKeyConstraint("organization_id", "item_id"),
    UniqueConstraint("organization_id", "topic", "item_key"),
    Index("ix_outbox_item_due", "due"),
)
"""One row per side effect that is still to be done. `due` is also the end of a worker's claim; `claim` is its token.
`revision` grows when the same key is put again, so that a worker never deletes what it has not seen."""

"""The directory's table."""

from sqlalchemy import Column, Index, LargeBinary, PrimaryKeyConstraint, String, Table, Text, UniqueConstraint

from sealwright.storage.schema import UtcDateTime, id_column, metadata

directory_certificate = Table(
    "directory_certificate",
    metadata,
    id_column("organization_id"),
    id_column("id"),
    Column("address", Text, nullable=False),
    Column("slot", String(16), nullable=False),
    Column("certificate_sha256", String(64), nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("capabilities", LargeBinary, nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("not_after", UtcDateTime, nullable=False),
    Column("published", UtcDateTime, nullable=False),
    Column("withdrawn", UtcDateTime, nullable=True),
    PrimaryKeyConstraint("organization_id", "id"),
    UniqueConstraint("organization_id", "address", "certificate_sha256", name="uq_directory_certificate_address"),
    Index("ix_directory_certificate_address", "address"),
)
"""One row per address and certificate; a withdrawn row stays as tombstone, so that a late publication revives nothing."""

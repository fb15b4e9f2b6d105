"""The one `MetaData`, the column types, and the helper columns that every tenant's table has."""

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, String
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables; names of constraints are the same on SQLite and PostgreSQL, so that migrations can name them."""

ID_LENGTH = 32


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, stored as microseconds since 1970 (BIGINT) on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Refuse naive datetimes; they are bugs."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        delta = value - datetime(1970, 1, 1, tzinfo=UTC)
        return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return an aware datetime in UTC."""
        if value is None:
            return None
        seconds, microseconds = divmod(value, 1_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds)


def new_id() -> str:
    """Return a fresh identifier: 128 random bits as 32 lower-case hex digits."""
    return secrets.token_hex(16)


def id_column(name: str, *arguments: Any, **options: Any) -> Column[str]:
    """Return a column for an identifier; not null unless said otherwise."""
    options.setdefault("nullable", False)
    return Column(name, String(ID_LENGTH), *arguments, **options)

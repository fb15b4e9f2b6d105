"""A SELECT that is compiled once and runs on the raw driver: for look-ups so small that SQLAlchemy is most of their cost."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

from sqlalchemy import Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sealwright.errors import UnavailableError
from sealwright.storage.engine import ALL_ORGANIZATIONS, ORGANIZATION_SETTING, Storage

_SEE_ALL = f"SELECT set_config('{ORGANIZATION_SETTING}', '{ALL_ORGANIZATIONS}', true)"


class CompiledQuery:
    """One query of the whole server, over all organizations; safe from any thread.

    A single SELECT sees one state of the database by itself, so that no transaction is begun for it on SQLite.

    Args:
        storage: The database.
        statement: Its parameters are `bindparam`s; no IN lists. Columns come back as the driver gives them: only text,
            octets and integers.
    """

    def __init__(self, storage: Storage, statement: Select[Any]) -> None:
        dialect = storage.engine.dialect
        compiled = statement.compile(dialect=dialect)
        self._engine, self._sql, self._order = storage.engine, str(compiled), compiled.positiontup
        self._is_postgresql = storage.dialect == "postgresql"
        self._error: type[Exception] = dialect.loaded_dbapi.Error
        self._fixed = dict(compiled.params)
        self._processors: dict[str, Callable[[Any], Any]] = {}
        for name, parameter in compiled.binds.items():
            processor = parameter.type.dialect_impl(dialect).bind_processor(dialect)
            if processor is not None:
                self._processors[name] = processor

    def fetch_all(self, **values: Any) -> list[tuple[Any, ...]]:
        """Run the query.

        Args:
            values: Of its parameters.

        Raises:
            UnavailableError: If the database cannot be reached.
        """
        given = {**self._fixed, **values}
        for name, processor in self._processors.items():
            given[name] = processor(given[name])
        parameters = given if self._order is None else [given[name] for name in self._order]
        try:
            with closing(self._engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
                if self._is_postgresql:
                    cursor.execute(_SEE_ALL)
                cursor.execute(self._sql, parameters)
                return list(cursor.fetchall())
        except (self._error, DBAPIError, PoolTimeoutError) as error:
            raise UnavailableError("the database did not answer") from error

"""The unit of work over SQLAlchemy Core: SQLite for one process, PostgreSQL for pairs.

    with storage.transaction(organization_id) as tx:
        tx.execute(...)

SQLite runs WAL with `synchronous=FULL`; writers queue on one in-process lock and begin IMMEDIATE, so that no writer fails
half-way with "database is locked". PostgreSQL runs SERIALIZABLE only where a statement asks for it: races are decided by
constraints and by `UPDATE ... WHERE <old state>` with a checked row count (`Transaction.change_one`).
A transaction names its organization (PostgreSQL's row-level security sees it) or None for the system's own jobs.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, Executable, Row, Table, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sealwright.errors import ConflictError, UnavailableError

ORGANIZATION_SETTING = "sealwright.organization_id"
ALL_ORGANIZATIONS = "*"


class Transaction:
    """One open transaction; never leaves the `with` block that made it."""

    def __init__(self, connection: Connection, organization_id: str | None) -> None:
        self.connection = connection
        self.organization_id = organization_id
        self.actions_after_commit: list[Callable[[], None]] = []
        self.channels: set[str] = set()

    def execute(
        self, statement: Executable, rows: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None
    ) -> int:
        """Run a statement and return how many rows it touched.

        Raises:
            ConflictError: If a constraint refuses it.
        """
        try:
            options = {"preserve_rowcount": True}  # else INSERT on PostgreSQL counts -1
            result = self.connection.execute(statement, rows, execution_options=options)
        except IntegrityError as error:
            raise ConflictError("the same thing exists already, or what it belongs to is gone") from error
        return result.rowcount

    # What every request asks is built once, with `bindparam` for its values: building it takes longer than running it.

    def fetch_one(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Row[Any] | None:
        """Return the first row, or None."""
        return self.connection.execute(statement, values).first()

    def fetch_all(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Return all rows; the statement has a LIMIT wherever the table can grow."""
        return self.connection.execute(statement, values).all()

    def fetch_value(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Any:
        """Return the first column of the first row, or None."""
        return self.connection.execute(statement, values).scalar()

    def change_one(self, statement: Executable, otherwise: str, values: Mapping[str, Any] | None = None) -> None:
        """Run an `UPDATE ... WHERE <old state>` that must touch exactly one row.

        Args:
            statement: The update or delete.
            otherwise: Message of the error when the state had changed meanwhile.
            values: Of the statement's parameters.

        Raises:
            ConflictError: If it touched no row, or more than one.
        """
        if self.execute(statement, values) != 1:
            raise ConflictError(otherwise)

    def insert_missing(self, table: Table, values: Mapping[str, Any]) -> bool:
        """Insert a row unless one with the same key exists; unlike a refused `execute`, the transaction goes on.

        Returns:
            Whether the row was inserted.
        """
        if self.connection.dialect.name == "sqlite":
            statement: Executable = sqlite.insert(table).values(**values).on_conflict_do_nothing()
        else:
            statement = postgresql.insert(table).values(**values).on_conflict_do_nothing()
        return self.execute(statement) == 1

    def announce(self, channel: str) -> None:
        """Wake whoever listens on `channel` (`Storage.listen`) once the transaction is durable."""
        self.channels.add(channel)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run `action` once the transaction is durable; not at all if it is rolled back."""
        self.actions_after_commit.append(action)


class Storage:
    """An open database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self._writer = threading.Lock()
        self._writing = threading.local()
        self._listeners: dict[str, list[Callable[[], None]]] = {}

    def listen(self, channel: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after each commit in this process that announced `channel`.

        Args:
            channel: Such as "outbox".
            wake: Returns at once and never raises; it runs in the thread that committed.

        Returns:
            Ends the listening.
        """
        self._listeners[channel] = [*self._listeners.get(channel, []), wake]

        def end() -> None:
            self._listeners[channel] = [other for other in self._listeners[channel] if other is not wake]

        return end

    @contextmanager
    def transaction(self, organization_id: str | None) -> Iterator[Transaction]:
        """Open a writing transaction; commit at the end of the block, roll back on any exception.

        Raises:
            UnavailableError: If the database cannot be reached or is full; the outcome is then rolled back, or - when
                the connection broke in the commit itself - unknown: look again, never assume.
        """
        with self._serialized_writer(), self._connected("IMMEDIATE", organization_id) as tx:
            yield tx
        for channel in tx.channels:
            for wake in self._listeners.get(channel, []):
                wake()
        for action in tx.actions_after_commit:
            action()

    @contextmanager
    def read(self, organization_id: str | None) -> Iterator[Transaction]:
        """Open a reading transaction: one consistent view, never blocks a writer."""
        with self._connected("DEFERRED", organization_id) as tx:
            yield tx

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _serialized_writer(self) -> Iterator[None]:
        if self.dialect != "sqlite":
            yield
            return
        if getattr(self._writing, "open", False):
            raise RuntimeError("a transaction is open in this thread already; a second one would wait for it for ever")
        with self._writer:
            self._writing.open = True
            try:
                yield
            finally:
                self._writing.open = False

    @contextmanager
    def _connected(self, mode: str, organization_id: str | None) -> Iterator[Transaction]:
        try:
            with self.engine.connect() as connection:
                if self.dialect == "sqlite":
                    connection.exec_driver_sql(f"BEGIN {mode}")
                else:
                    if mode == "DEFERRED":
                        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                    setting = text("SELECT set_config(:name, :value, true)")
                    value = organization_id or ALL_ORGANIZATIONS
                    connection.execute(setting, {"name": ORGANIZATION_SETTING, "value": value})
                transaction = Transaction(connection, organization_id)
                yield transaction
                connection.commit()
        except (DBAPIError, PoolTimeoutError) as error:
            raise UnavailableError(
                "the database did not answer or could not write; look again before retrying"
            ) from error


def open_storage(url: str, pool_size: int = 8) -> Storage:
    """Open a database.

    Args:
        url: "sqlite:////path/to/file" or "postgresql+psycopg://...".
        pool_size: Connections kept; as many as there are threads that serve requests.
    """
    if url.startswith("sqlite"):
        # autocommit at the driver, so that BEGIN IMMEDIATE is ours to say
        engine = sqlalchemy.create_engine(
            url,
            pool_size=pool_size,
            max_overflow=4,
            hide_parameters=True,  # a traceback in the event log never shows what a statement was about
            connect_args={"timeout": 30, "isolation_level": None},
        )
        event.listen(engine, "connect", _prepare_sqlite)
    else:
        engine = sqlalchemy.create_engine(
            url, pool_size=pool_size, max_overflow=4, pool_pre_ping=True, hide_parameters=True
        )
    return Storage(engine)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()

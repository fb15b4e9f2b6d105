"""What the unit of work refuses in one process."""

import pytest
from sqlalchemy import text

from sealwright.errors import UnavailableError
from sealwright.storage.engine import open_storage


@pytest.fixture
def storage(tmp_path):
    opened = open_storage(f"sqlite:///{tmp_path / 'test.db'}", pool_size=1)
    yield opened
    opened.close()


def test_a_transaction_inside_a_transaction_is_a_bug_and_not_a_dead_lock(storage):
    with storage.transaction(None), pytest.raises(RuntimeError, match="open in this thread"), storage.transaction(None):
        pass
    with storage.transaction(None) as tx:
        assert tx.fetch_value(text("SELECT 1")) == 1


def test_sqlite_is_durable(storage):
    with storage.read(None) as tx:
        assert tx.fetch_value(text("PRAGMA journal_mode")) == "wal"
        assert tx.fetch_value(text("PRAGMA synchronous")) == 2
        assert tx.fetch_value(text("PRAGMA foreign_keys")) == 1


def test_a_broken_statement_is_unavailable_and_names_no_data(storage):
    with pytest.raises(UnavailableError) as caught, storage.read(None) as tx:
        tx.fetch_all(text("SELECT 'alice@example.test' FROM nowhere"))
    assert "alice" not in str(caught.value)

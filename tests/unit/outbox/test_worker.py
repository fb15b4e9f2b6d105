"""The worker's thread: it survives what goes wrong around it, and its log lines hold no data."""

import logging
import threading

import pytest

from sealwright.clock import SystemClock
from sealwright.outbox.queue import put
from sealwright.outbox.worker import OutboxWorker
from sealwright.storage.engine import open_storage
from sealwright.storage.schema import metadata, new_id


@pytest.fixture
def storage(tmp_path):
    opened = open_storage(f"sqlite:///{tmp_path / 'test.db'}")
    metadata.create_all(opened.engine)
    yield opened
    opened.close()


def test_a_failing_handler_stops_nothing_and_its_words_are_not_logged(storage, caplog):
    done = threading.Event()

    def fail(item):
        raise ValueError(item.payload["to"])

    worker = OutboxWorker(storage, SystemClock(), {"fail": fail, "work": lambda item: done.set()})
    worker.start()
    worker.start()
    with caplog.at_level(logging.DEBUG):
        with storage.transaction(None) as tx:
            put(tx, new_id(), "fail", {"to": "alice@example.test"})
            put(tx, new_id(), "work", {})
        assert done.wait(5)
        worker.stop()
    assert "error=ValueError" in caplog.text
    assert "alice" not in caplog.text


def test_a_database_that_fails_does_not_end_the_thread(storage):
    done = threading.Event()
    worker = OutboxWorker(storage, SystemClock(), {"work": lambda item: done.set()})
    metadata.drop_all(storage.engine)
    worker.start()
    metadata.create_all(storage.engine)
    with storage.transaction(None) as tx:
        put(tx, new_id(), "work", {})
    assert done.wait(5)
    worker.stop()
    worker.stop()


def test_what_a_killed_worker_held_is_done_at_once_after_a_restart(storage):
    done = threading.Event()

    def die(item):
        raise SystemExit

    with storage.transaction(None) as tx:
        put(tx, new_id(), "work", {})
    with pytest.raises(SystemExit):
        OutboxWorker(storage, SystemClock(), {"work": die}).run_once()
    assert OutboxWorker(storage, SystemClock(), {"work": lambda item: done.set()}).run_once() == 0
    restarted = OutboxWorker(storage, SystemClock(), {"work": lambda item: done.set()})
    restarted.start()
    assert done.wait(5)
    restarted.stop()

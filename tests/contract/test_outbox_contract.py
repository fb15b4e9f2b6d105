"""The outbox on every database: with the act or not at all, at least once, never two workers on one item."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from sealwright.outbox.queue import count_waiting, put
from sealwright.outbox.worker import CLAIM_SECONDS, OutboxWorker, retry_seconds
from sealwright.storage.schema import new_id

ORGANIZATION = new_id()


class MovedClock:
    def __init__(self):
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self):
        return self.time

    def move(self, seconds):
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return MovedClock()


def queue(storage, *payloads, topic="mail.send", key=None):
    with storage.transaction(ORGANIZATION) as tx:
        for payload in payloads:
            put(tx, ORGANIZATION, topic, payload, key)


def waiting(storage):
    with storage.read(None) as tx:
        return count_waiting(tx)


def test_an_item_is_handled_once_and_gone(storage, clock):
    seen = []
    worker = OutboxWorker(storage, clock, {"mail.send": seen.append})
    queue(storage, {"to": "alice"}, {"to": "bob"})
    queue(storage, {"of": "another worker"}, topic="crl.publish")
    assert worker.run_once() == 2
    assert worker.run_once() == 0
    assert sorted(item.payload["to"] for item in seen) == ["alice", "bob"]
    assert {(item.organization_id, item.topic, item.attempts) for item in seen} == {(ORGANIZATION, "mail.send", 1)}
    assert waiting(storage) == 1


def test_an_act_that_is_rolled_back_queues_nothing(storage):
    with pytest.raises(RuntimeError), storage.transaction(ORGANIZATION) as tx:
        put(tx, ORGANIZATION, "mail.send", {})
        raise RuntimeError
    assert waiting(storage) == 0


def test_a_failure_is_tried_again_later_and_later(storage, clock):
    attempts = []

    def handle(item):
        attempts.append(item.attempts)
        if item.attempts < 4:
            raise ValueError("not yet")

    worker = OutboxWorker(storage, clock, {"mail.send": handle})
    queue(storage, {})
    for tries in (1, 2, 3):
        assert worker.run_once() == 1
        clock.move(retry_seconds(tries) - 1)
        assert worker.run_once() == 0
        clock.move(1)
    assert worker.run_once() == 1
    assert attempts == [1, 2, 3, 4]
    assert waiting(storage) == 0
    assert [retry_seconds(n) for n in (1, 2, 11, 12, 500)] == [2, 4, 2048, 3600, 3600]


def test_a_key_that_waits_is_queued_once_with_its_newest_payload(storage, clock, race):
    seen = []
    worker = OutboxWorker(storage, clock, {"mail.send": seen.append})
    assert [error for error in race(lambda n: queue(storage, {"n": str(n)}, key="same")) if error] == []
    queue(storage, {"n": "last"}, key="same")
    assert worker.run_once() == 1
    assert [item.payload for item in seen] == [{"n": "last"}]
    queue(storage, {"n": "after"}, key="same")
    assert worker.run_once() == 1


def test_a_key_put_while_it_is_handled_is_handled_again(storage, clock):
    seen = []

    def handle(item):
        seen.append(item.payload["n"])
        if len(seen) == 1:
            queue(storage, {"n": "2"}, key="same")

    worker = OutboxWorker(storage, clock, {"mail.send": handle})
    queue(storage, {"n": "1"}, key="same")
    worker.run_once()
    worker.run_once()
    assert seen == ["1", "2"]
    assert waiting(storage) == 0


def test_eight_workers_never_have_one_item_twice(storage, clock, race):
    handled, lock = Counter(), threading.Lock()

    def handle(item):
        with lock:
            handled[item.payload["n"]] += 1

    queue(storage, *({"n": str(number)} for number in range(40)))
    race(lambda _: OutboxWorker(storage, clock, {"mail.send": handle}).run_once())
    assert len(handled) == 40
    assert set(handled.values()) == {1}
    assert waiting(storage) == 0


def test_what_a_dead_worker_held_comes_back(storage, clock):
    class PowerCut(BaseException):
        pass

    def die(item):
        raise PowerCut

    queue(storage, {})
    with pytest.raises(PowerCut):
        OutboxWorker(storage, clock, {"mail.send": die}).run_once()
    seen = []
    worker = OutboxWorker(storage, clock, {"mail.send": seen.append})
    assert worker.run_once() == 0
    clock.move(CLAIM_SECONDS)
    assert worker.run_once() == 1
    assert seen[0].attempts == 2


def test_the_thread_wakes_on_a_commit(storage, clock):
    done = threading.Event()
    worker = OutboxWorker(storage, clock, {"mail.send": lambda item: done.set()})
    worker.start()
    try:
        queue(storage, {})
        assert done.wait(5)
    finally:
        worker.stop()
    queue(storage, {})
    assert waiting(storage) >= 1

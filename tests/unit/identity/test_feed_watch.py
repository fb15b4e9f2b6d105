"""Devices that wait for news: told when there are some, when they are locked or removed, and when the server stops."""

import asyncio
import threading

import pytest
from support.people_world import ORGANIZATION, World
from support.served import Served

from sealwright.errors import RateLimitedError, UnavailableError
from sealwright.identity import feed_watch
from sealwright.identity.feed_watch import FeedWatch

LONG = 25


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.storage.close()


@pytest.fixture
def device(world):
    """Alice's, with the number of the newest item of its feed."""
    _, enrolled = world.enrol()
    return enrolled.device_id, 0


def lock(world, device):
    world.devices.change_state_of(ORGANIZATION, world.alice.mailbox_id, device[0], "locked", "operator")


def remove(world, device):
    world.devices.remove_of(ORGANIZATION, world.alice.mailbox_id, device[0], "operator")


def add_another(world, _):
    world.enrol()


@pytest.mark.parametrize("happens", [add_another, lock, remove])
def test_a_waiting_device_is_told_at_once_and_not_before(world, device, happens):
    watch = FeedWatch(world.storage, world.device_store)

    async def run():
        waiting = [asyncio.create_task(watch.wait(*device, LONG)) for _ in range(3)]
        await asyncio.sleep(3 * feed_watch.LOOK_SECONDS)
        assert not any(each.done() for each in waiting)
        await asyncio.to_thread(happens, world, device)
        done, _ = await asyncio.wait(waiting, timeout=LONG / 2)
        assert len(done) == 3

    asyncio.run(run())


def test_who_has_seen_less_than_there_is_does_not_wait(world, device):
    world.enrol()
    watch = FeedWatch(world.storage, world.device_store)
    asyncio.run(asyncio.wait_for(watch.wait(*device, LONG), LONG / 2))


def test_everybody_is_let_go_when_the_server_stops_and_nobody_waits_after(world, device):
    watch = FeedWatch(world.storage, world.device_store)

    async def run():
        waiting = asyncio.create_task(watch.wait(*device, LONG))
        await asyncio.sleep(0)
        watch.close()
        await asyncio.wait_for(waiting, LONG / 2)
        await asyncio.wait_for(watch.wait(*device, LONG), LONG / 2)

    asyncio.run(run())


@pytest.mark.parametrize("limit", ["MAX_WAITING", "MAX_WAITING_OF_DEVICE"])
def test_no_more_wait_than_there_is_room_for_and_none_longer_than_asked(world, device, monkeypatch, limit):
    monkeypatch.setattr(feed_watch, limit, 1)
    watch = FeedWatch(world.storage, world.device_store)

    async def run():
        first = asyncio.create_task(watch.wait(*device, 2))
        await asyncio.sleep(0)
        with pytest.raises(RateLimitedError):
            await watch.wait(*device, LONG)
        assert not first.done()
        await asyncio.wait_for(first, LONG / 2)
        await watch.wait(*device, 1)  # its place is free again

    asyncio.run(run())


def test_a_device_takes_no_room_of_another(world, device, monkeypatch):
    monkeypatch.setattr(feed_watch, "MAX_WAITING_OF_DEVICE", 1)
    _, other = world.enrol()
    watch = FeedWatch(world.storage, world.device_store)

    async def run():
        first = asyncio.create_task(watch.wait(*device, 2))
        await asyncio.sleep(0)
        await asyncio.wait_for(watch.wait(other.device_id, 0, 1), LONG / 2)
        await first

    asyncio.run(run())


def test_a_database_that_does_not_answer_ends_no_wait(world, device, monkeypatch):
    watch, numbers, failures = FeedWatch(world.storage, world.device_store), FeedWatch._numbers, []

    def fail_first(self, ids):
        if len(failures) < 2:
            failures.append(1)
            raise UnavailableError("the database does not answer")
        return numbers(self, ids)

    monkeypatch.setattr(FeedWatch, "_numbers", fail_first)
    world.enrol()
    asyncio.run(asyncio.wait_for(watch.wait(*device, LONG), LONG / 2))
    assert len(failures) == 2


def test_a_request_that_waits_is_answered_with_the_news(tmp_path):
    served = Served(tmp_path)
    try:
        device, token = served.enrol()
        answers = []

        def ask():
            answers.append(served.ask(f"/v1/sync?after=0&wait={LONG}", device, token, method="GET"))

        asking = threading.Thread(target=ask)
        asking.start()
        served.enrol()
        asking.join(LONG / 2)
        assert [len(answer.json()["items"]) for answer in answers] == [1]
        assert served.ask("/v1/sync?after=x&wait=1", device, token, method="GET").status_code == 400
        assert served.ask("/v1/sync?after=0&wait=-1", device, token, method="GET").status_code == 400
    finally:
        served.close()

"""After a restored backup a device refuses the log, until its officers have said that it is the true one; and once only."""

from datetime import timedelta

import pytest
from support.log_owner import ORIGIN, LogServer, OwnersDevice, RestoredServer

from sealwright.client.log_check import check_new_records, verify_log
from sealwright.client.sync import describe
from sealwright.clock import SystemClock
from sealwright.errors import DecodingError, LogVerificationError
from sealwright.identity.log_breaks import LogBreakService
from sealwright.wire.log_break import LogBreak, log_break_note, open_log_break


class Approvals:
    """Lets the operator act alone, as an organization without security officers does."""

    def register(self, _kind):
        pass

    def do_or_propose(self, _organization_id, _requester, _asked, at_once):
        at_once()


class Later(SystemClock):
    """An hour from now."""

    def now(self):
        return super().now() + timedelta(hours=1)


def break_log(server, reason="the disk broke"):
    service = LogBreakService(server.storage, server.keystore, server.audit, approvals=Approvals())
    service.break_log(server.organization_id, reason)
    server.audit.sequence(server.organization_id)


class World:
    """A device that saw five records, and a server that has three of them."""

    def __init__(self, folder):
        self.folder, self.first = folder, LogServer(folder / "first")
        for _ in range(3):
            self.first.act()
        self.copy = folder / "copy.db"
        self.first.storage.close()
        self.copy.write_bytes((folder / "first" / "log.db").read_bytes())
        for _ in range(2):
            self.first.act()
        self.device = OwnersDevice(self.first)
        check_new_records(self.device)
        self.restored = self.restore("restored")

    def restore(self, name):
        return RestoredServer(self.first, self.folder / name, self.copy)

    def meets(self, server):
        self.device.server = self.device.session = server
        return check_new_records(self.device)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


@pytest.mark.parametrize("more", [0, 1, 2, 3])
def test_a_restored_log_is_refused_and_taken_after_a_break(world, more):
    for _ in range(more):
        world.restored.act()
    with pytest.raises(LogVerificationError):
        world.meets(world.restored)
    assert world.device.state.chain_number == 5
    break_log(world.restored)
    report = world.meets(world.restored)
    assert len(report.records) == 3 + more
    assert world.device.state.chain_number == 3 + more
    (notice,) = world.device.state.notices
    assert "the disk broke" in describe(notice)
    assert "officers" in describe(notice)
    world.restored.act()
    assert len(world.meets(world.restored).records) == 1
    assert len(verify_log(world.device).records) == 4 + more
    assert len(world.device.state.notices) == 1


def test_a_device_that_saw_nothing_newer_takes_no_break(world):
    break_log(world.restored)
    other = OwnersDevice(world.restored)
    assert len(check_new_records(other).records) == 3
    assert (other.state.log_break, other.state.notices) == (0, ())


def test_a_break_serves_once(world):
    break_log(world.restored)
    world.meets(world.restored)
    again = world.restore("again")
    with again.storage.transaction(again.organization_id) as tx:
        for note in world.restored.audit.breaks(again.organization_id):
            again.audit.add_break(tx, again.organization_id, 1, note)
    for _ in range(4):
        again.act(chain_id="c" * 32)
    with pytest.raises(LogVerificationError):
        world.meets(again)
    again.keystore._clock = Later()
    break_log(again, "and again")
    assert len(world.meets(again).records) == 3
    assert len(world.device.state.notices) == 2


def test_a_break_of_another_history_or_key_helps_nobody(world):
    stranger = LogServer(world.folder / "stranger", organization_id=world.first.organization_id)
    for _ in range(3):
        stranger.act()
    break_log(stranger)
    (foreign,) = stranger.audit.breaks(stranger.organization_id)
    with world.restored.storage.transaction(world.restored.organization_id) as tx:
        world.restored.audit.add_break(tx, world.restored.organization_id, 1, foreign)
    with pytest.raises(LogVerificationError):
        world.meets(world.restored)
    fork = world.restore("fork")
    for _ in range(4):
        fork.act()
    break_log(fork)
    (of_fork,) = fork.audit.breaks(fork.organization_id)
    other = world.restore("other")
    with other.storage.transaction(other.organization_id) as tx:
        other.audit.add_break(tx, other.organization_id, 1, of_fork)
    for _ in range(6):
        other.act()
    with pytest.raises(LogVerificationError):
        world.meets(other)
    assert world.device.state.log_break == 0


def test_the_note_has_one_spelling(world):
    signing = world.first.keystore
    sign = lambda text: signing.sign(world.first.log_key, "ed25519", text.encode())  # noqa: E731
    known = LogBreak(origin=ORIGIN, number=1795600000, size=7, root=bytes(32), reason="because")
    good = known.encode()
    key = world.first.public_key
    assert open_log_break(log_break_note(good, key, sign(good)), ORIGIN, key) == known
    assert known.time.year == 2026
    for bad in (
        good.replace("v1", "v2"),
        good.replace("\n7\n", "\n07\n"),
        good.replace("\n7\n", "\n-7\n"),
        good.replace("1795600000", "9" * 12),
        good.replace("AAAA", "AA", 1),
        good + "more\n",
        good.replace("because\n", ""),
    ):
        with pytest.raises(DecodingError):
            open_log_break(log_break_note(bad, key, sign(bad)), ORIGIN, key)
    other = good.replace(ORIGIN, "example.org/log")
    for text, signature in ((good, bytes(64)), (other, sign(other))):
        with pytest.raises(LogVerificationError):
            open_log_break(log_break_note(text, key, signature), ORIGIN, key)

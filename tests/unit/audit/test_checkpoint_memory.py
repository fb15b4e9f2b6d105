"""A node refuses a database that does not continue what the node signed before."""

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from support.memory_keystore import MemoryKeystore

from sealwright.audit import store
from sealwright.audit.log import Act, AuditLog
from sealwright.audit.memory import CheckpointMemory
from sealwright.clock import SystemClock
from sealwright.errors import InputError, LogVerificationError, NotFoundError, UnavailableError, VerificationError
from sealwright.storage.engine import open_storage
from sealwright.storage.schema import metadata, new_id

ORGANIZATION = new_id()


class Node:
    """A node over the database file of `folder`, with its checkpoints in `folder`/local."""

    def __init__(self, folder, keystore):
        self.folder = folder
        self.storage = open_storage(f"sqlite:///{folder / 'node.db'}")
        metadata.create_all(self.storage.engine)
        self.keystore = keystore
        self.log = AuditLog(self.storage, keystore, SystemClock(), folder / "local")

    def create(self):
        key = self.keystore.generate_service_key(ORGANIZATION, "log", "ed25519")
        with self.storage.transaction(ORGANIZATION) as tx:
            self.log.create_log(tx, ORGANIZATION, "log.example.test", key)

    def act(self, count=1):
        for _ in range(count):
            with self.storage.transaction(ORGANIZATION) as tx:
                pending = self.log.append(tx, Act(ORGANIZATION, "mailbox", "key.create", {}))
        return self.log.wait_included(ORGANIZATION, pending.leaf_id)

    def close(self):
        self.log.stop()
        self.storage.close()


@pytest.fixture
def keystore():
    return MemoryKeystore()


@pytest.fixture
def node(tmp_path, keystore):
    made = Node(tmp_path, keystore)
    made.create()
    made.act(3)
    yield made
    made.close()


def again(node):
    return Node(node.folder, node.keystore)


def change(node, statement, *values):
    with closing(sqlite3.connect(node.folder / "node.db")) as connection, connection:
        connection.execute(statement, values)


def killed_before_publishing(node, monkeypatch):
    """One act more, whose checkpoint this node signed and remembers, and nobody else has seen."""

    def killed(*_):
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(store, "publish", killed)
        with pytest.raises(RuntimeError):
            node.act()


def refuses_to_start(node):
    other = again(node)
    with pytest.raises(LogVerificationError):
        other.log.start()
    other.close()


def test_a_killed_process_leaves_no_lease_to_wait_for(node):
    node.log.start()
    node.act()
    with closing(sqlite3.connect(node.folder / "node.db")) as database:
        killed = database.execute("SELECT lease_holder, lease_expires FROM log_state").fetchone()
    node.log.stop()
    change(node, "UPDATE log_state SET lease_holder = ?, lease_expires = ?", killed[0], killed[1] + 3600 * 10**6)
    other = again(node)
    assert other.act().tree_size == 5  # the same node takes over at once
    other.close()
    change(node, "UPDATE log_state SET lease_holder = ?, lease_expires = ?", "f" * 32, killed[1] + 3600 * 10**6)
    other = again(node)
    with other.storage.transaction(ORGANIZATION) as tx:
        other.log.append(tx, Act(ORGANIZATION, "mailbox", "key.create", {}))
    assert other.log.sequence(ORGANIZATION) == 0  # another node's lease counts
    other.close()


def test_a_node_keeps_its_name_and_makes_a_new_one_where_it_is_lost(node):
    name = CheckpointMemory(node.folder / "local").node_id()
    assert name == CheckpointMemory(node.folder / "local").node_id() != CheckpointMemory(None).node_id()
    (node.folder / "local" / "node-id").write_bytes(b"")
    fresh = CheckpointMemory(node.folder / "local").node_id()
    assert fresh == CheckpointMemory(node.folder / "local").node_id() != name
    (node.folder / "local" / "node-id").write_bytes(b"\xff")
    with pytest.raises(UnavailableError):
        CheckpointMemory(node.folder / "local").node_id()


def test_an_honest_restart_goes_on(node):
    node.log.start()
    node.act(2)
    node.close()
    other = again(node)
    other.log.start()
    assert other.act().tree_size == 6
    text = (node.folder / "local" / f"{ORGANIZATION}.checkpoint").read_text()
    assert text == other.log.checkpoint(ORGANIZATION)
    other.close()


def test_a_crash_before_the_file_is_written_is_no_fork(node):
    local = node.folder / "local" / f"{ORGANIZATION}.checkpoint"
    old = local.read_bytes()
    node.act()
    local.write_bytes(old)
    other = again(node)
    other.log.start()
    other.close()


def test_a_crash_between_remembering_and_publishing_is_no_rollback(node, monkeypatch):
    """The numbered leaves are durable before the file is: the same checkpoint is signed again."""
    killed_before_publishing(node, monkeypatch)
    remembered = (node.folder / "local" / f"{ORGANIZATION}.checkpoint").read_text()
    assert remembered != node.log.checkpoint(ORGANIZATION)
    other = again(node)
    other.log.start()
    with closing(sqlite3.connect(node.folder / "node.db")) as database:
        ((leaf_id,),) = database.execute("SELECT leaf_id FROM log_leaf WHERE leaf_index = 3").fetchall()
    assert other.log.wait_included(ORGANIZATION, leaf_id).checkpoint == remembered
    assert other.act().tree_size == 5
    other.close()


def test_a_process_whose_database_fails_before_publishing_goes_on(node, monkeypatch):
    killed_before_publishing(node, monkeypatch)
    assert node.act().tree_size == 5


def test_after_such_a_crash_other_leaves_or_fewer_are_refused(node, monkeypatch):
    killed_before_publishing(node, monkeypatch)
    with closing(sqlite3.connect(node.folder / "node.db")) as database:
        ((hashes,),) = database.execute("SELECT hashes FROM log_tile WHERE level = 0").fetchall()
    change(node, "UPDATE log_tile SET hashes = ? WHERE level = 0", hashes[:96] + bytes(32))
    refuses_to_start(node)
    change(node, "UPDATE log_tile SET hashes = ? WHERE level = 0", hashes)
    change(node, "UPDATE log_state SET size = 3")
    refuses_to_start(node)


def roll_back(node):
    """Put the database of a node back to before its last two acts."""
    node.storage.close()
    shutil.copy(node.folder / "node.db", node.folder / "backup")
    later = again(node)
    later.act(2)
    later.close()
    shutil.copy(node.folder / "backup", node.folder / "node.db")


def test_a_rolled_back_database_is_refused(node):
    roll_back(node)
    refuses_to_start(node)
    other = again(node)
    with pytest.raises(LogVerificationError):
        other.act()
    with pytest.raises(LogVerificationError):  # from then on no act at all
        other.act()
    other.close()


def test_a_rewritten_history_is_refused_though_it_is_signed(node, keystore, tmp_path):
    node.close()
    local = (node.folder / "local" / f"{ORGANIZATION}.checkpoint").read_bytes()
    (tmp_path / "node.db").unlink()
    shutil.rmtree(tmp_path / "local")
    forged = Node(tmp_path, keystore.forgetful())
    forged.create()
    forged.act(5)
    forged.close()
    (tmp_path / "local" / f"{ORGANIZATION}.checkpoint").write_bytes(local)
    refuses_to_start(node)


def test_a_lost_log_a_changed_tile_and_a_garbled_file_are_refused(node):
    node.close()
    local = node.folder / "local" / f"{ORGANIZATION}.checkpoint"
    saved = local.read_bytes()
    local.write_bytes(b"\xff garbage")
    refuses_to_start(node)
    local.write_bytes(saved.replace(b"\n3\n", b"\n2\n"))
    refuses_to_start(node)
    local.write_bytes(saved)
    stranger = local.with_name(f"{new_id()}.checkpoint")
    stranger.write_bytes(saved)
    refuses_to_start(node)
    stranger.unlink()
    change(node, "UPDATE log_tile SET hashes = ?", bytes(96))
    refuses_to_start(node)


def test_a_changed_map_is_refused(node):
    node.close()
    with closing(sqlite3.connect(node.folder / "node.db")) as connection:
        (good,) = connection.execute("SELECT slots FROM log_map_page WHERE prefix = ''").fetchone()
    for bad in (good[:-1] + bytes((good[-1] ^ 1,)), good[:-1], b""):
        change(node, "UPDATE log_map_page SET slots = ? WHERE prefix = ''", bad)
        refuses_to_start(node)
    change(node, "DELETE FROM log_map_page")
    refuses_to_start(node)


def test_what_is_not_signed_yet_is_not_shown(node, monkeypatch):
    def killed(*_):
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(node.keystore, "sign_checkpoint", killed)
        with pytest.raises(RuntimeError):
            node.act()
    with node.storage.read(ORGANIZATION) as tx:
        assert store.get_state(tx, ORGANIZATION).size == 4
        assert store.included_head(tx, ORGANIZATION, "mailbox", 3)[0] == 3
    with pytest.raises(NotFoundError):
        node.log.consistency(ORGANIZATION, 3, 4)
    with pytest.raises(NotFoundError):
        node.log.tile(ORGANIZATION, 0, 0, 4)
    assert node.log.chain(ORGANIZATION, "mailbox").head_number == 4  # asking has it signed


def test_a_full_disk_answers_unavailable_and_loses_nothing(node):
    shutil.rmtree(node.folder / "local")
    (node.folder / "local").write_text("in the way")
    with pytest.raises(UnavailableError):
        node.act()
    (node.folder / "local").unlink()
    assert node.act().tree_size == 5


def test_nothing_waits_for_ever(node):
    with pytest.raises(UnavailableError):
        node.log.wait_included(ORGANIZATION, new_id(), timeout_seconds=0.05)


def test_a_record_too_large_and_a_changed_salt_are_refused(node):
    with pytest.raises(InputError), node.storage.transaction(ORGANIZATION) as tx:
        node.log.append(tx, Act(ORGANIZATION, "mailbox", "key.create", {"note": "x" * 70_000}))
    change(node, "UPDATE log_leaf SET salt_ciphertext = ?", bytes(60))
    with pytest.raises(VerificationError):
        node.log.chain(ORGANIZATION, "mailbox")


def test_the_thread_numbers_without_being_asked(node):
    node.log.start()
    with node.storage.transaction(ORGANIZATION) as tx:
        pending = node.log.append(tx, Act(ORGANIZATION, "mailbox", "key.create", {}))
    leaf = node.log.wait_included(ORGANIZATION, pending.leaf_id, timeout_seconds=5)
    assert leaf.index == 3
    view = node.log.chain(ORGANIZATION, "mailbox", after=2, limit=1)
    assert [entry.index for entry in view.leaves] == [2]
    assert view.head_number == 4


def test_a_node_that_lost_its_memory_still_has_the_keystores(node):
    """The database is rolled back and the node's own file is gone: another disk, another machine."""
    roll_back(node)
    shutil.rmtree(node.folder / "local")
    refuses_to_start(node)
    other = again(node)
    with pytest.raises(LogVerificationError, match="shorter"):
        other.act()
    for _ in range(3):
        with pytest.raises(LogVerificationError), other.storage.transaction(ORGANIZATION) as tx:
            other.log.append(tx, Act(ORGANIZATION, "mailbox", "key.create", {}))
    other.close()


def test_a_rollback_that_has_grown_again_is_not_signed(node, monkeypatch):
    """As many leaves as before, and more, but others."""
    roll_back(node)
    shutil.rmtree(node.folder / "local")
    other = again(node)
    for _ in range(4):
        with other.storage.transaction(ORGANIZATION) as tx:
            other.log.append(tx, Act(ORGANIZATION, "mailbox", "key.create", {}))
    with pytest.raises(LogVerificationError, match="does not sign"):
        other.log.sequence(ORGANIZATION)
    other.close()


class SetClock(SystemClock):
    """A clock that is ahead or behind."""

    ahead = timedelta(0)

    def now(self):
        return super().now() + self.ahead


def test_a_clock_that_goes_back_stops_every_act_also_after_a_restart(node):
    clock = SetClock()
    node.log._clock = clock
    node.log.mark_time(ORGANIZATION)
    clock.ahead = -timedelta(minutes=1)
    node.act()  # within what clocks are corrected by
    clock.ahead = timedelta(days=3)
    node.log.mark_time(ORGANIZATION)
    node.close()
    other = again(node)
    for refused in (other.act, lambda: other.log.mark_time(ORGANIZATION)):
        with pytest.raises(UnavailableError, match="clock"):
            refused()
    with other.storage.transaction(ORGANIZATION) as tx:
        other.log.reset_time(tx, ORGANIZATION, "operator")
    assert other.act().tree_size == 6
    assert other.log.newest(ORGANIZATION, "organization")[0].record.count(b"time.reset") == 1
    other.close()

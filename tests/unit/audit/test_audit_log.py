"""The log over a database: no leaf, no act; chains without gaps; proofs to signed checkpoints; racing sequencers."""

import threading

import pytest
from support.memory_keystore import MemoryKeystore

from sealwright.audit.log import Act, AuditLog
from sealwright.audit.tables import log_leaf
from sealwright.clock import SystemClock
from sealwright.errors import ConflictError, LogVerificationError, NotFoundError
from sealwright.storage.engine import open_storage
from sealwright.storage.schema import metadata, new_id
from sealwright.tlog.checkpoint import open_note
from sealwright.tlog.leaf import commit, decode_leaf_record
from sealwright.tlog.tree import leaf_hash, verify_consistency, verify_inclusion

ORIGIN = "log.example.test"


class World:
    def __init__(self, folder):
        self.keystore = MemoryKeystore()
        self.storage = open_storage(f"sqlite:///{folder / 'test.db'}")
        metadata.create_all(self.storage.engine)
        self.log = AuditLog(self.storage, self.keystore, SystemClock())
        self.organization_id = new_id()
        key = self.keystore.generate_service_key(self.organization_id, "log", "ed25519")
        self.public_key = key.spki[-32:]
        with self.storage.transaction(self.organization_id) as tx:
            self.log.create_log(tx, self.organization_id, ORIGIN, key)

    def act(self, chain_id="mailbox", kind="key.create"):
        with self.storage.transaction(self.organization_id) as tx:
            return self.log.append(tx, Act(self.organization_id, chain_id, kind, {"key": "1"}))


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.storage.close()


def test_a_leaf_is_included_under_a_signed_checkpoint(world):
    pending = [world.act() for _ in range(5)]
    leaf = world.log.wait_included(world.organization_id, pending[3].leaf_id)
    point = open_note(leaf.checkpoint, ORIGIN, world.public_key)
    assert leaf.leaf_hash == leaf_hash(commit(leaf.salt, leaf.record))
    verify_inclusion(leaf.leaf_hash, leaf.index, leaf.tree_size, leaf.inclusion_proof, point.root)
    assert point.size == leaf.tree_size == 5
    with pytest.raises(LogVerificationError):
        verify_inclusion(leaf_hash(b"x"), leaf.index, leaf.tree_size, leaf.inclusion_proof, point.root)


def test_an_act_that_is_rolled_back_leaves_no_leaf(world):
    world.act()
    with pytest.raises(RuntimeError), world.storage.transaction(world.organization_id) as tx:
        world.log.append(tx, Act(world.organization_id, "mailbox", "key.create", {}))
        raise RuntimeError
    world.act()
    view = world.log.chain(world.organization_id, "mailbox")
    assert [decode_leaf_record(leaf.record).chain_number for leaf in view.leaves] == [1, 2]


def test_a_chain_links_each_record_to_the_one_before(world):
    for number in range(12):
        world.act("mailbox" if number % 3 else "organization")
    view = world.log.chain(world.organization_id, "mailbox")
    previous = bytes(32)
    for number, leaf in enumerate(view.leaves, start=1):
        record = decode_leaf_record(leaf.record)
        assert (record.chain_number, record.previous) == (number, previous)
        previous = commit(leaf.salt, leaf.record)
    assert (view.head_number, view.head_hash) == (8, previous)
    assert len(world.log.chain(world.organization_id, "mailbox", after=6).leaves) == 2


def test_every_checkpoint_continues_the_one_before_over_a_full_tile(world):
    points = []
    for count in (1, 3, 251, 1, 1, 40):
        for _ in range(count):
            world.act()
        world.log.sequence(world.organization_id)
        points.append(open_note(world.log.checkpoint(world.organization_id), ORIGIN, world.public_key))
    assert [point.size for point in points] == [1, 4, 255, 256, 257, 297]
    for first in points:
        for second in points[points.index(first) :]:
            proof = world.log.consistency(world.organization_id, first.size, second.size)
            verify_consistency(first.size, second.size, proof, first.root, second.root)
    with pytest.raises(NotFoundError):
        world.log.consistency(world.organization_id, 1, 298)


def test_eight_threads_number_every_leaf_once(world):
    def work():
        for _ in range(10):
            pending = world.act()
            world.log.wait_included(world.organization_id, pending.leaf_id)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with world.storage.read(world.organization_id) as tx:
        indexes = sorted(row.leaf_index for row in tx.fetch_all(log_leaf.select()))
    assert indexes == list(range(80))
    assert world.log.chain(world.organization_id, "mailbox").head_number == 80


def test_an_organization_has_one_log(world):
    key = world.keystore.generate_service_key(world.organization_id, "log", "ed25519")
    with pytest.raises(ConflictError), world.storage.transaction(world.organization_id) as tx:
        world.log.create_log(tx, world.organization_id, "other", key)
    with pytest.raises(NotFoundError):
        world.log.chain(world.organization_id, "nobody")

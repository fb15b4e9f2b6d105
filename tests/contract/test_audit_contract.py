"""The log on every database: each act's leaf once, in its chain's order, also when two nodes and eight threads race."""

from itertools import pairwise

import pytest
from sqlalchemy import select
from support.memory_keystore import MemoryKeystore

from sealwright.audit.log import Act, AuditLog
from sealwright.audit.tables import log_leaf, pending_leaf
from sealwright.clock import SystemClock
from sealwright.errors import ConflictError, NotFoundError
from sealwright.storage.schema import new_id
from sealwright.tlog.checkpoint import open_note
from sealwright.tlog.leaf import commit, decode_leaf_record
from sealwright.tlog.tree import verify_consistency
from sealwright.wire.leaf_check import check_leaf

ORIGIN = "log.example.test"


class World:
    def __init__(self, storage):
        self.storage, self.keystore, self.organization_id = storage, MemoryKeystore(), new_id()
        self.log = self.node()
        key = self.keystore.generate_service_key(self.organization_id, "log", "ed25519")
        self.public_key = key.spki[-32:]
        with storage.transaction(self.organization_id) as tx:
            self.log.create_log(tx, self.organization_id, ORIGIN, key)

    def node(self, folder=None):
        return AuditLog(self.storage, self.keystore, SystemClock(), folder)

    def act(self, log, chain_id):
        salt = log.seal_salt(self.organization_id)
        with self.storage.transaction(self.organization_id) as tx:
            return log.append(tx, Act(self.organization_id, chain_id, "key.create", {"key": "1"}), salt)

    def check(self, leaf):
        return check_leaf(leaf.opening(), leaf.checkpoint, ORIGIN, self.public_key)

    def rows(self, table):
        with self.storage.read(self.organization_id) as tx:
            return tx.fetch_all(select(table))


@pytest.fixture
def world(storage):
    return World(storage)


def check_chain(world, chain_id, length):
    view = world.log.chain(world.organization_id, chain_id)
    previous, index = bytes(32), -1
    for number, leaf in enumerate(view.leaves, start=1):
        record = world.check(leaf)
        assert (record.chain_number, record.previous) == (number, previous)
        assert leaf.index > index
        previous, index = commit(leaf.salt, leaf.record), leaf.index
    assert (view.head_number, view.head_hash) == (length, previous)


def test_two_nodes_with_four_threads_each_number_every_leaf_once(world, race):
    nodes = [world.node(), world.node()]
    for node in nodes:
        node.start()

    def work(number):
        node = nodes[number % 2]
        for turn in range(10):
            pending = world.act(node, f"mailbox-{turn % 3}")
            leaf = node.wait_included(world.organization_id, pending.leaf_id)
            assert decode_leaf_record(leaf.record).chain_number == pending.chain_number
            world.check(leaf)

    try:
        assert [error for error in race(work) if error is not None] == []
    finally:
        for node in nodes:
            node.stop()
    assert sorted(row.leaf_index for row in world.rows(log_leaf)) == list(range(80))
    assert world.rows(pending_leaf) == []
    for chain_id, length in (("mailbox-0", 32), ("mailbox-1", 24), ("mailbox-2", 24)):
        check_chain(world, chain_id, length)


def test_eight_callers_without_a_thread_number_every_leaf_once(world, race):
    pending = [world.act(world.log, "mailbox") for _ in range(30)]
    numbered = race(lambda _: world.log.sequence(world.organization_id))
    assert [outcome for outcome in numbered if isinstance(outcome, Exception)] == []
    assert sum(numbered) == len(pending)
    check_chain(world, "mailbox", 30)


def test_checkpoints_continue_each_other_and_tiles_answer(world):
    points = []
    for count in (1, 254, 1, 1, 300):
        for _ in range(count):
            world.act(world.log, "mailbox")
        world.log.sequence(world.organization_id)
        points.append(open_note(world.log.checkpoint(world.organization_id), ORIGIN, world.public_key))
    assert [point.size for point in points] == [1, 255, 256, 257, 557]
    for first, second in pairwise(points):
        proof = world.log.consistency(world.organization_id, first.size, second.size)
        verify_consistency(first.size, second.size, proof, first.root, second.root)
    assert len(world.log.tile(world.organization_id, 0, 1, 256)) == 256 * 32
    assert len(world.log.tile(world.organization_id, 1, 0, 2)) == 2 * 32
    for tile in ((0, 2, 46), (1, 0, 3), (0, 3, 1), (0, 0, 0), (0, 0, 257), (-1, 0, 1)):
        with pytest.raises(NotFoundError):
            world.log.tile(world.organization_id, *tile)


def test_no_log_no_act(world):
    with pytest.raises(ConflictError), world.storage.transaction(None) as tx:
        world.log.append(tx, Act(new_id(), "mailbox", "key.create", {}))
    assert world.rows(pending_leaf) == []

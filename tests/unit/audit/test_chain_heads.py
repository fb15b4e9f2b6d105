"""The map over chain heads: every checkpoint says where every chain ends, so that nothing newer can be kept back."""

import msgspec
import pytest
from sqlalchemy import update
from unit.audit.test_audit_log import ORIGIN, World

from sealwright.audit.log import AuditLog
from sealwright.audit.tables import log_map_page, log_state
from sealwright.clock import SystemClock
from sealwright.errors import LogVerificationError, NotFoundError, SealedError
from sealwright.tlog.checkpoint import open_note
from sealwright.wire.api import ChainAnswer
from sealwright.wire.leaf_check import check_head


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.storage.close()


def shown(world, chain_id="mailbox"):
    """Return what a server would answer, and the checkpoint in it."""
    view = world.log.chain(world.organization_id, chain_id)
    answer = ChainAnswer(
        chain_id=chain_id,
        leaves=(),
        head_number=view.head_number,
        head_hash=view.head_hash,
        checkpoint=view.checkpoint,
        map_siblings=view.map_proof.siblings,
        map_other=view.map_proof.other,
    )
    return answer, open_note(answer.checkpoint, ORIGIN, world.public_key)


def test_every_chain_ends_where_the_checkpoint_says(world):
    for chain_id, count in {"mailbox": 3, "another": 1, "organization": 2}.items():
        for _ in range(count):
            world.act(chain_id)
    while world.log.sequence(world.organization_id):
        pass
    for chain_id, count in {"mailbox": 3, "another": 1, "organization": 2}.items():
        answer, point = shown(world, chain_id)
        assert answer.head_number == count
        check_head(answer, point)


def test_a_record_that_is_kept_back_is_noticed(world):
    world.act()
    world.log.sequence(world.organization_id)
    older, _ = shown(world)
    world.act(kind="key.recover")
    world.log.sequence(world.organization_id)
    newer, point = shown(world)
    check_head(newer, point)
    hidden = {"head_number": older.head_number, "head_hash": older.head_hash}
    for lie in (
        hidden,
        {**hidden, "map_siblings": older.map_siblings, "map_other": older.map_other},
        {"head_number": 0, "head_hash": bytes(32)},
        {"head_hash": bytes(32)},
        {"chain_id": "another"},
    ):
        answer = msgspec.structs.replace(newer, **lie)
        with pytest.raises(LogVerificationError):
            check_head(answer, point)


def test_an_older_checkpoint_shows_an_older_end_and_the_client_sees_that_it_is_older(world):
    world.act()
    world.log.sequence(world.organization_id)
    older, point = shown(world)
    world.act()
    world.log.sequence(world.organization_id)
    check_head(older, point)
    assert point.size < shown(world)[1].size, "remembering the newest checkpoint is what refuses it"


def test_a_chain_that_nobody_began_is_absent(world):
    world.act("another")
    world.log.sequence(world.organization_id)
    with pytest.raises(NotFoundError):
        world.log.chain(world.organization_id, "nobody")


def test_a_map_that_was_changed_in_the_database_stops_the_log(world):
    world.act()
    world.log.sequence(world.organization_id)
    with world.storage.transaction(world.organization_id) as tx:
        assert tx.execute(update(log_map_page).values(slots=b"")) == 1
    world.act()
    with pytest.raises(LogVerificationError):
        world.log.sequence(world.organization_id)


def test_what_was_numbered_and_not_signed_is_signed_by_the_next_round(world):
    world.act()
    sign, world.keystore.sign = world.keystore.sign, fail
    with pytest.raises(SealedError):
        world.log.sequence(world.organization_id)
    with world.storage.read(world.organization_id) as tx:
        state = tx.fetch_one(log_state.select())
    assert (state.size, state.signed_size) == (1, 0)
    world.keystore.sign = sign
    again = AuditLog(world.storage, world.keystore, SystemClock())  # after a crash
    world.act()
    while again.sequence(world.organization_id):
        pass
    answer, point = shown(world)
    assert (answer.head_number, point.size) == (2, 2)
    check_head(answer, point)


def fail(*_):
    raise SealedError("the keystore is gone")

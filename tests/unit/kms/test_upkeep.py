"""The fire drill finds the key that does not open; rotation comes when its time has come; both go on where they were."""

import pytest
from sqlalchemy import update
from support.people_world import ORGANIZATION, World

from sealwright.errors import SealedError
from sealwright.kms import upkeep
from sealwright.kms.tables import key_certificate, mailbox_key
from sealwright.tlog.leaf import decode_leaf_record


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.bob = made.people.find_mailbox(ORGANIZATION, "bob@example.test")
    for mailbox in (made.alice, made.bob):
        made.keys.provision(ORGANIZATION, mailbox.mailbox_id)
    yield made
    made.storage.close()


def spoil(world, mailbox, **values):
    """Change a key behind the server's back."""
    with world.storage.transaction(ORGANIZATION) as tx:
        own = mailbox_key.c.mailbox_id == mailbox.mailbox_id
        assert tx.execute(update(mailbox_key).where(own).values(**values)) == 1


def failures(world, mailbox):
    chain = world.audit.chain(ORGANIZATION, mailbox.mailbox_id)
    return [decode_leaf_record(leaf.record).kind for leaf in chain.leaves].count(upkeep.DRILL_FAILED)


def key_id(world, mailbox):
    return world.keys.history(ORGANIZATION, mailbox.mailbox_id)[0].key_id


def test_every_key_is_examined_once_in_its_time(world):
    first = world.keys.upkeep.drill_due(ORGANIZATION)
    assert (first.examined, first.left, first.failing) == (2, 0, ())
    assert world.keys.upkeep.drill_due(ORGANIZATION).examined == 0
    world.clock.move(days=31)
    assert world.keys.upkeep.drill_due(ORGANIZATION).examined == 2


def test_it_goes_on_where_it_was(world, monkeypatch):
    monkeypatch.setattr(upkeep, "BATCH", 1)
    begun = world.clock.now()
    world.clock.move(seconds=1)
    rounds = [world.keys.upkeep.drill(ORGANIZATION, begun) for _ in range(3)]
    assert [(each.examined, each.left) for each in rounds] == [(1, 1), (1, 0), (0, 0)]


@pytest.mark.parametrize(
    "damage", [{"ciphertext": b"x" * 200}, {"algorithm": "rsa-2048"}, {"spki": b"another", "spki_sha256": "0" * 64}]
)
def test_a_key_that_does_not_open_is_told_once_and_stays_failing(world, damage):
    spoil(world, world.alice, **damage)
    found = world.keys.upkeep.drill_due(ORGANIZATION)
    assert found.examined == 2
    assert found.failing == (key_id(world, world.alice),)
    world.clock.move(days=31)
    world.keys.upkeep.drill_due(ORGANIZATION)
    assert failures(world, world.alice) == 1
    assert failures(world, world.bob) == 0
    assert world.keys.upkeep.failing(ORGANIZATION) == (key_id(world, world.alice),)


def test_a_key_that_is_not_its_certificates_is_found(world):
    with world.storage.transaction(ORGANIZATION) as tx:
        rows = tx.fetch_all(key_certificate.select())
        ids = [row.key_id for row in rows]
        assert len(ids) == 2
        for row, other in zip(rows, reversed(ids), strict=True):
            tx.execute(update(key_certificate).where(key_certificate.c.id == row.id).values(key_id=other))
    assert len(world.keys.upkeep.drill_due(ORGANIZATION).failing) == 2


def test_a_repaired_key_is_well_again(world):
    with world.storage.read(ORGANIZATION) as tx:
        (good,) = [row for row in tx.fetch_all(mailbox_key.select()) if row.mailbox_id == world.alice.mailbox_id]
    spoil(world, world.alice, ciphertext=b"x" * 200)
    assert world.keys.upkeep.drill_due(ORGANIZATION).failing
    spoil(world, world.alice, ciphertext=good.ciphertext)
    world.clock.move(days=31)
    assert world.keys.upkeep.drill_due(ORGANIZATION).failing == ()


def test_a_sealed_keystore_says_nothing_about_keys(world):
    world.keystore.sealed = True
    with pytest.raises(SealedError):
        world.keys.upkeep.drill_due(ORGANIZATION)
    world.keystore.sealed = False
    assert world.keys.upkeep.failing(ORGANIZATION) == ()
    assert world.keys.upkeep.drill_due(ORGANIZATION).examined == 2


def test_a_generation_is_followed_by_the_next_when_its_time_is_over(world):
    assert world.keys.upkeep.rotate_due(ORGANIZATION) == (0, 0)
    world.clock.move(days=1095)
    assert world.keys.upkeep.rotate_due(ORGANIZATION) == (0, 0)
    world.clock.move(days=2)
    assert world.keys.upkeep.rotate_due(ORGANIZATION) == (2, 0)
    assert world.keys.upkeep.rotate_due(ORGANIZATION) == (0, 0)
    history = world.keys.history(ORGANIZATION, world.alice.mailbox_id)
    assert [(key.generation, key.state) for key in history] == [(1, "DEACTIVATED"), (2, "ACTIVE")]


def test_a_whole_organization_is_rotated_in_batches_each_mailbox_once(world, monkeypatch):
    monkeypatch.setattr(upkeep, "BATCH", 1)
    world.clock.move(seconds=1)
    before = world.clock.now()
    world.clock.move(seconds=1)
    assert [world.keys.upkeep.rotate_older(ORGANIZATION, before) for _ in range(3)] == [(1, 1), (1, 0), (0, 0)]
    assert [key.generation for key in world.keys.history(ORGANIZATION, world.bob.mailbox_id)] == [1, 2]

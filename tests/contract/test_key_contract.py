"""Keys of mailboxes on every database: raced, no key is forked, and what people decide is decided once."""

import pytest
from support.people_world import ORGANIZATION, World

from sealwright.errors import ConflictError, PermissionDeniedError, SealwrightError
from sealwright.storage.schema import new_id
from tests.unit.kms.test_key_service import ask
from tests.unit.kms.test_pairs import configure, export, states, work

PAIR = [("classical", 1, "ACTIVE"), ("kem", 1, "ACTIVE")]


@pytest.fixture
def world(storage, tmp_path):
    return World(tmp_path, storage, kem="ml-kem-768")


@pytest.fixture
def pair(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    return world


def refusals(outcomes):
    return [each for each in outcomes if isinstance(each, Exception)]


def keys(world):
    return world.keys.history(ORGANIZATION, world.alice.mailbox_id)


def test_eight_threads_provision_a_mailbox_and_it_has_one_pair(world, race):
    outcomes = race(lambda _: world.keys.provision(ORGANIZATION, world.alice.mailbox_id))
    assert all(isinstance(each, SealwrightError) for each in refusals(outcomes)), outcomes
    assert states(world) == PAIR
    assert len(world.directory.published) == len(world.directory.kem) == 1


def test_two_threads_rotate_and_no_generation_is_missing_or_there_twice(pair, race):
    outcomes = race(lambda _: pair.keys.rotate(ORGANIZATION, pair.alice.mailbox_id), threads=4)
    assert all(isinstance(each, ConflictError) for each in refusals(outcomes)), outcomes
    for slot in ("classical", "kem"):
        own = [state for state in states(pair) if state[0] == slot]
        assert [generation for _, generation, _ in own] == list(range(1, len(own) + 1))
        assert [state for _, _, state in own].count("ACTIVE") == 1
        assert own[-1][2] == "ACTIVE"


@pytest.mark.parametrize("acts", [("suspend",) * 4, ("compromise",) * 4, ("suspend", "compromise") * 2])
def test_what_people_decide_at_once_is_decided_once_and_the_keystore_agrees(pair, race, acts):
    device, enrolled = pair.enrol()
    key_id = keys(pair)[0].key_id

    def decide(number):
        getattr(pair.keys.lifecycle, acts[number])(ORGANIZATION, key_id, "because", "operator")

    outcomes = race(decide, threads=4)
    assert all(isinstance(each, ConflictError) for each in refusals(outcomes)), outcomes
    done = 4 - len(refusals(outcomes))
    assert 1 <= done <= len(set(acts))  # a suspended key can be reported as compromised, nothing else comes twice
    key = keys(pair)[0]
    assert (key.state, key.state_row.version) in {("SUSPENDED", 1), ("COMPROMISED", done)}
    released = [each.key_id for each in ask(pair, device, enrolled, new_id()).manifest.released_keys()]
    assert (key_id in released) == (key.state == "COMPROMISED")


def test_a_hold_and_a_destruction_race_and_one_of_them_is_too_late(pair, race):
    key_id = keys(pair)[0].key_id
    pair.keys.rotate(ORGANIZATION, pair.alice.mailbox_id)
    held = []

    def act(number):
        if number % 2:
            return held.append(pair.keys.holds.set_hold(ORGANIZATION, pair.alice.mailbox_id, "case", "operator"))
        return pair.keys.lifecycle.destroy(ORGANIZATION, key_id, "end", "operator")

    outcomes = race(act, threads=4)
    assert all(isinstance(each, ConflictError | PermissionDeniedError) for each in refusals(outcomes)), outcomes
    key = next(each for each in keys(pair) if each.key_id == key_id)
    destroyed = [each for each in outcomes[::2] if not isinstance(each, Exception)]
    assert (key.state == "DESTROYED") == (key.record.ciphertext == b"") == bool(destroyed)
    assert len(held) == 2
    if key.state != "DESTROYED":  # refused without a trace: it is still opened
        pair.keystore.key_states.check([key.record])


def test_pairs_come_go_and_are_counted_alike(world):
    configure(world, "")
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    world.outbox.clear()
    assert world.keys.renew_due(ORGANIZATION) == 0
    configure(world, "ml-kem-768")
    assert world.keys.renew_due(ORGANIZATION) == 1
    work(world)
    assert states(world) == PAIR
    assert world.keys.renew_due(ORGANIZATION) == 0
    configure(world, "")
    assert world.keys.renew_due(ORGANIZATION) == 1
    work(world)
    assert states(world) == [PAIR[0], ("kem", 1, "DEACTIVATED")]


def test_exports_end_the_pair_once(pair, race):
    from sealwright.wire.operator import PolicyChange

    pair.policies.change(ORGANIZATION, PolicyChange(export_key=True))
    device, enrolled = pair.enrol()
    key = keys(pair)[0]
    outcomes = race(lambda _: export(pair, device, enrolled, key), threads=4)
    assert all(isinstance(each, SealwrightError) for each in refusals(outcomes)), outcomes
    work(pair)
    assert states(pair) == [PAIR[0], ("kem", 1, "DEACTIVATED")]
    assert keys(pair)[0].exported

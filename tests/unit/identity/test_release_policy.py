"""The release policy's service: changes are leaves, weaker ones are refused, groups and frozen mailboxes, device count."""

import pytest
from support.people_world import ORGANIZATION, World
from support.release_evidence import make_device

from sealwright.errors import ApprovalsMissingError, ConflictError, InputError, NotFoundError
from sealwright.keystore.access import read_rules
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.operator import MailboxPolicy, PolicyChange


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.storage.close()


def leaves(world, chain="organization"):
    return [decode_leaf_record(leaf.record) for leaf in world.audit.chain(ORGANIZATION, chain).leaves]


def in_force(world):
    return read_rules(world.policies.policy(ORGANIZATION, world.alice.mailbox_id))


def assign(world, **wanted):
    change = MailboxPolicy(address="alice@example.test", **wanted)
    world.policies.change_mailbox(ORGANIZATION, world.alice.mailbox_id, change)


def test_a_change_is_a_leaf_and_a_weaker_policy_is_none(world):
    world.policies.change(ORGANIZATION, PolicyChange(level=2, networks=("192.0.2.0/24",)))
    count = len(leaves(world))
    said = leaves(world)[-1].fields
    assert (said["level"], said["networks"], said["version"]) == ("2", "192.0.2.0/24", "2")
    for weaker in (PolicyChange(level=1), PolicyChange(networks=())):
        with pytest.raises(ApprovalsMissingError):
            world.policies.change(ORGANIZATION, weaker)
    with pytest.raises(InputError):
        world.policies.change(ORGANIZATION, PolicyChange(level=5))
    assert (len(leaves(world)), in_force(world).level) == (count, 2)


def test_groups_hold_for_their_mailboxes(world):
    world.policies.change(ORGANIZATION, PolicyChange(group="board", level=3))
    assert [rules.group for rules in world.policies.listed(ORGANIZATION)] == ["", "board"]
    assert in_force(world).level == 1
    assign(world, group="board")
    assert in_force(world).level == 3
    assert leaves(world, world.alice.mailbox_id)[-1].fields == {"group": "board", "frozen": "no", "version": "1"}
    with pytest.raises(ApprovalsMissingError):
        assign(world, group="")
    with pytest.raises(NotFoundError):
        assign(world, group="nobody")
    for name in ("Board", "-", "x" * 65, "a b"):
        with pytest.raises(InputError):
            world.policies.change(ORGANIZATION, PolicyChange(group=name, level=3))


def test_who_is_frozen_or_leaves_stays_frozen(world):
    assign(world, frozen=True)
    assert in_force(world).frozen
    with pytest.raises(ApprovalsMissingError):
        assign(world, frozen=False)
    bob = world.people.find_mailbox(ORGANIZATION, "bob@example.test")
    world.people.remove_person(ORGANIZATION, "bob@example.test")
    assert world.policies.policy(ORGANIZATION, bob.mailbox_id).mailbox is not None


def test_a_mailbox_has_as_many_devices_as_the_policy_permits(world):
    world.policies.change(ORGANIZATION, PolicyChange(max_devices=1))
    first, enrolled = world.enrol()
    with pytest.raises(ConflictError, match="too many devices"):
        world.enrol(make_device())
    asking = world.authenticate(first, enrolled.token.access_token)
    world.devices.remove(asking, enrolled.device_id)
    world.enrol(make_device())

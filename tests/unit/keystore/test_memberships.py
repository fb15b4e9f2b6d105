"""Shared mailboxes in the keystore: keys go to members' devices only, and no other mailbox ever has members."""

from dataclasses import replace

import pytest
from support.release_evidence import MAILBOX, NOW, ORGANIZATION, World, answer_for, binding, make_device
from support.seals import key_file_seal, software_keystore

from sealwright.errors import AuthenticationError, InputError, PermissionDeniedError
from sealwright.keystore.model import MemberEvidence, ReleasePolicy
from sealwright.keystore.release_rules import MailboxRelease, ReleaseRules

OTHER = "c" * 32


@pytest.fixture
def files(tmp_path):
    key_file, seal_file = tmp_path / "root.key", tmp_path / "seal"
    key_file_seal(key_file, seal_file, 3, 2)
    return key_file, seal_file


@pytest.fixture
def world(files):
    """A world whose keys are those of a shared mailbox, and whose device is one of a member's."""
    made = World(software_keystore(*files))
    made.shared = made.keystore.new_shared_mailbox_id(ORGANIZATION)
    pooled = [made.keystore.generate_encryption_key(ORGANIZATION, "p256") for _ in range(2)]
    made.records = tuple(made.keystore.assign_encryption_key(key, made.shared, n) for n, key in enumerate(pooled, 1))
    made.joined = made.keystore.vouch_membership(ORGANIZATION, made.shared, MAILBOX, "joined", 0)
    return made


def evidence(world, membership=None, **changes):
    said = {"manifest": {"mailbox_id": world.shared}, "leaf": {"chain_id": world.shared}}
    said["request"] = {"mailbox_id": world.shared, **changes.pop("request", {})}
    made = world.evidence(**said, **changes)
    return replace(made, member=MemberEvidence(membership or world.joined, world.policy))


def refuse(world, made, match):
    with pytest.raises(PermissionDeniedError, match=match):
        world.keystore.open(world.records, made)


def test_a_members_device_gets_the_keys_and_another_does_not(world):
    assert world.keystore.open(world.records, evidence(world)).sealed_keys
    refuse(world, replace(evidence(world), member=None), "another mailbox")
    refuse(world, evidence(world, request={"mailbox_id": ""}), "keys of another mailbox")
    foreign = world.keystore.vouch_membership(ORGANIZATION, world.shared, OTHER, "joined", 0)
    refuse(world, evidence(world, foreign), "another mailbox")
    elsewhere = world.keystore.new_shared_mailbox_id(ORGANIZATION)
    other = world.keystore.vouch_membership(ORGANIZATION, elsewhere, MAILBOX, "joined", 0)
    refuse(world, evidence(world, other), "another mailbox")


def test_who_left_gets_nothing_also_with_the_old_row(world):
    left = world.keystore.vouch_membership(ORGANIZATION, world.shared, MAILBOX, "left", world.joined.version)
    refuse(world, evidence(world), "put back")
    refuse(world, evidence(world, left), "no member")
    refuse(world, evidence(world, replace(left, content=world.joined.content)), "changed by somebody else")
    back = world.keystore.vouch_membership(ORGANIZATION, world.shared, MAILBOX, "joined", left.version)
    assert world.keystore.open(world.records, evidence(world, back)).sealed_keys


def test_nobody_joins_a_mailbox_that_is_not_shared(world):
    for mailbox in (OTHER, MAILBOX, world.shared[:16] + "0" * 16, "", "ä" * 32):
        with pytest.raises(PermissionDeniedError):
            world.keystore.vouch_membership(ORGANIZATION, mailbox, MAILBOX, "joined", 0)
    with pytest.raises(PermissionDeniedError):
        world.keystore.vouch_membership("c" * 32, world.shared, MAILBOX, "joined", 0)
    with pytest.raises(InputError):
        world.keystore.vouch_membership(
            ORGANIZATION, world.shared, world.keystore.new_shared_mailbox_id(ORGANIZATION), "joined", 0
        )
    with pytest.raises(InputError):
        world.keystore.vouch_membership(ORGANIZATION, world.shared, OTHER, "owner", 0)


def test_no_device_is_enrolled_for_a_shared_mailbox(world):
    device = make_device()
    begun = world.keystore.begin_proof(binding(device, world.shared))
    with pytest.raises(AuthenticationError):
        world.keystore.finish_proof(begun.sealed_proof, answer_for(device, begun), "d" * 32, NOW)


def test_the_members_own_policy_and_the_shared_ones_both_hold(world):
    frozen = world.keystore.vouch_mailbox_release(ORGANIZATION, MAILBOX, MailboxRelease(frozen=True), 0)
    leaver = ReleasePolicy(world.policy.organization, frozen)
    made = evidence(world)
    refuse(world, replace(made, member=replace(made.member, policy=leaver)), "frozen")
    with pytest.raises(PermissionDeniedError, match="put back"):
        world.keystore.open(world.records, made)  # and leaving the row out does not help


def test_a_frozen_shared_mailbox_is_released_to_no_member(world):
    frozen = world.keystore.vouch_mailbox_release(ORGANIZATION, world.shared, MailboxRelease(frozen=True), 0)
    made = evidence(world)
    refuse(world, replace(made, policy=ReleasePolicy(world.policy.organization, frozen)), "frozen")


def test_a_stronger_level_holds_for_members_too(world):
    rules = world.keystore.vouch_release_rules(
        ORGANIZATION, ORGANIZATION, ReleaseRules(level=2), world.policy.organization.version
    )
    made, policy = evidence(world), ReleasePolicy(rules)
    refuse(world, replace(made, policy=policy, member=MemberEvidence(world.joined, policy)), "needs")

"""A weaker release policy: two security officers, a day, exactly what they approved; the keystore insists."""

from dataclasses import replace

import msgspec
import pytest
from support.approving import Approvals, asked
from support.people_world import ORGANIZATION, World

from sealwright.errors import ApprovalsMissingError, ConflictError, PermissionDeniedError
from sealwright.identity.weaker_policy import WeakerPolicies
from sealwright.keystore.access import POLICY, read_rules
from sealwright.keystore.release_rules import MailboxRelease, ReleaseRules
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.operator import MailboxPolicy, PolicyChange
from sealwright.wire.policy_step import PolicyStep

WEAKER = PolicyChange(level=1, reason="the old client cannot ask for it")


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.approvals = Approvals(made)
    made.weaker = WeakerPolicies(made.policies, made.approvals.service)
    made.officers = [made.approvals.person(name, "security-officer") for name in ("olga", "otto")]
    made.weaker.change(ORGANIZATION, PolicyChange(level=3))
    yield made
    made.storage.close()


def level(world):
    return read_rules(world.policies.policy(ORGANIZATION, world.alice.mailbox_id)).level


def proposed(world, wanted=WEAKER):
    proposal_id = world.weaker.change(ORGANIZATION, wanted).proposal_id
    return world.approvals.service.state(ORGANIZATION, proposal_id).proposal


def evidence(world, proposal):
    return world.approvals.service.evidence(ORGANIZATION, proposal.proposal_id)


def vouch(world, proposal, rules=None, **change):
    row = {"organization_id": ORGANIZATION, "row_id": ORGANIZATION, "from_version": 2, **change}
    said = evidence(world, proposal)
    return world.keystore.vouch_release_rules(rules=rules or ReleaseRules(level=1), evidence=said, **row)


def approve(world, proposal, hours=0):
    for officer in world.officers:
        expires = world.clock.now() + world.approvals.service._kinds["policy.change"].approval_life
        world.approvals.decide(officer, proposal, expires=expires)
    world.clock.move(hours=hours)


def test_it_holds_a_day_after_the_second_officer_approved(world):
    proposal = proposed(world)
    assert (level(world), world.weaker.apply_due(ORGANIZATION)) == (3, 0)
    approve(world, proposal, hours=23)
    assert (world.weaker.apply_due(ORGANIZATION), level(world)) == (0, 3)
    with pytest.raises(ApprovalsMissingError, match="holds from"):
        vouch(world, proposal)
    world.clock.move(hours=1)
    assert (world.weaker.apply_due(ORGANIZATION), level(world)) == (1, 1)
    assert world.weaker.apply_due(ORGANIZATION) == 0
    leaves = [decode_leaf_record(leaf.record) for leaf in world.audit.chain(ORGANIZATION, "organization").leaves]
    kinds = [leaf.kind for leaf in leaves]
    assert kinds[-4:] == ["proposal.approve", "proposal.approve", "policy.change", "proposal.done"]
    world.weaker.change(ORGANIZATION, PolicyChange(level=3))
    world.clock.move(hours=1)
    with pytest.raises(ConflictError):  # the same approvals do not lower it again
        vouch(world, proposal)


def test_without_a_reason_it_is_only_refused(world):
    with pytest.raises(ApprovalsMissingError, match="--reason"):
        world.weaker.change(ORGANIZATION, PolicyChange(level=1))
    assert world.approvals.service.views(ORGANIZATION) == ()


def test_one_officer_a_veto_or_other_content_lowers_nothing(world):
    proposal = proposed(world)
    world.approvals.decide(world.officers[0], proposal)
    world.clock.move(hours=25)
    with pytest.raises(ApprovalsMissingError):
        vouch(world, proposal)
    proposal = proposed(world)
    approve(world, proposal, hours=25)
    for wrong in (
        {"rules": ReleaseRules(level=2)},
        {"rules": ReleaseRules(level=1, export_key=True)},
        {"row_id": "1" * 32},
        {"from_version": 1},
        {"organization_id": "c" * 32, "row_id": "c" * 32},
    ):
        with pytest.raises((PermissionDeniedError, ConflictError)):
            vouch(world, proposal, **wrong)
    step = msgspec.json.decode(proposal.content, type=PolicyStep)
    shown = msgspec.structs.replace(step, says={**step.says, "level": "4"})  # officers who were shown something else
    content = msgspec.json.encode(shown)
    lied = world.approvals.service.propose(ORGANIZATION, "", asked("policy.change", content, "a lie"))
    approve(world, lied, hours=25)
    with pytest.raises(PermissionDeniedError):
        vouch(world, lied)
    vetoed = proposed(world)
    world.approvals.decide(world.officers[0], vetoed, "veto")
    with pytest.raises(PermissionDeniedError):
        vouch(world, vetoed)
    assert level(world) == 3
    assert vouch(world, proposal).kind == POLICY  # the right one still works


def test_a_mailbox_thaws_with_two_officers(world):
    def change(**said):
        wanted = MailboxPolicy(address="alice@example.test", **said)
        return world.weaker.change_mailbox(ORGANIZATION, world.alice.mailbox_id, wanted)

    change(frozen=True)
    with pytest.raises(ApprovalsMissingError):
        change(frozen=False)
    proposal_id = change(frozen=False, reason="she stays").proposal_id
    proposal = world.approvals.service.state(ORGANIZATION, proposal_id).proposal
    approve(world, proposal, hours=24)
    assert world.weaker.apply_due(ORGANIZATION) == 1
    assert not read_rules(world.policies.policy(ORGANIZATION, world.alice.mailbox_id)).frozen
    said = evidence(world, proposal)
    with pytest.raises(PermissionDeniedError):  # nobody else does
        bob = world.people.find_mailbox(ORGANIZATION, "bob@example.test").mailbox_id
        world.keystore.vouch_mailbox_release(ORGANIZATION, bob, MailboxRelease(), 1, said)
    assert replace(MailboxRelease(), frozen=True).is_weaker_than(MailboxRelease()) is False

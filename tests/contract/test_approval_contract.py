"""Approvals and memberships on every database: raced, each counts once and the quorum is reached once."""

import pytest
from support.approving import Approvals
from support.people_world import ORGANIZATION, World

from sealwright.errors import ConflictError, NotFoundError, PermissionDeniedError, SealwrightError

OFFICER = "security-officer"


@pytest.fixture
def world(storage, tmp_path):
    return World(tmp_path, storage)


@pytest.fixture
def approvals(world):
    """Four security officers and somebody whose role is in question."""
    made = Approvals(world)
    made.officers = [made.person(name, OFFICER) for name in ("dora", "emil")]
    made.officers += [made.person(name) for name in ("frida", "gustav")]
    for other in made.officers[2:]:
        proposal = made.roles.change(ORGANIZATION, other.mailbox_id, (OFFICER,), "", "more officers")
        for officer in made.officers[:2]:
            made.decide(officer, proposal)
        made.run_outbox()
    made.helper = made.person("hanna")
    return made


def propose(approvals):
    return approvals.roles.change(ORGANIZATION, approvals.helper.mailbox_id, ("auditor",), "", "the audit")


def applied(approvals, proposal):
    return sum(payload == {"proposal_id": proposal.proposal_id} for _, payload in approvals.world.outbox)


def test_eight_threads_approve_and_the_quorum_is_reached_once(approvals, race):
    proposal = propose(approvals)
    outcomes = race(lambda number: approvals.decide(approvals.officers[number % 4], proposal))
    done = [each for each in outcomes if not isinstance(each, Exception)]
    assert len(done) == 2
    assert all(isinstance(each, SealwrightError) for each in outcomes if isinstance(each, Exception)), outcomes
    assert len(approvals.service.evidence(ORGANIZATION, proposal.proposal_id).approvals) == 2
    assert applied(approvals, proposal) == 1
    approvals.run_outbox()
    assert approvals.service.roles_of(ORGANIZATION, approvals.helper.mailbox_id) == ("auditor",)


def test_nobody_counts_twice_however_often_and_fast(approvals, race):
    proposal = propose(approvals)
    outcomes = race(lambda _: approvals.decide(approvals.officers[0], proposal))
    assert sum(not isinstance(each, Exception) for each in outcomes) == 1
    assert approvals.service.state(ORGANIZATION, proposal.proposal_id).state == "OPEN"


def test_a_veto_and_approvals_race_and_nothing_is_both(approvals, race):
    proposal = propose(approvals)
    decisions = ("approve", "approve", "veto", "veto")
    race(lambda number: approvals.decide(approvals.officers[number], proposal, decisions[number]), threads=4)
    state = approvals.service.state(ORGANIZATION, proposal.proposal_id).state
    assert state in {"VETOED", "APPROVED"}
    assert applied(approvals, proposal) == (state == "APPROVED")
    if state == "VETOED":
        with pytest.raises((PermissionDeniedError, ConflictError)):
            approvals.roles._apply(approvals.service.evidence(ORGANIZATION, proposal.proposal_id))


def test_a_member_joins_and_leaves_once(world, race):
    world.shared.create(ORGANIZATION, "support@example.test", "Support", rekey_on_leave=True)
    for change, expected in ((world.shared.join, 8), (world.shared.leave, 1)):
        outcomes = race(lambda _, change=change: change(ORGANIZATION, "support@example.test", "bob@example.test"))
        failures = [each for each in outcomes if isinstance(each, Exception)]
        assert all(isinstance(each, ConflictError | NotFoundError) for each in failures), outcomes
        assert 1 <= 8 - len(failures) <= expected
    assert [row.members for row in world.shared.listed(ORGANIZATION).mailboxes] == [()]
    assert [topic for topic, _ in world.outbox].count("mailbox.rotate") == 1


def test_a_security_officer_is_not_removed_before_being_dismissed(approvals):
    dora = approvals.officers[0]
    with pytest.raises(ConflictError, match="dismiss"):
        approvals.world.people.remove_person(ORGANIZATION, dora.address)
    assert approvals.world.people.find_mailbox(ORGANIZATION, dora.address) is not None
    approvals.world.people.remove_person(ORGANIZATION, approvals.helper.address)

"""Roles and approvals: nobody alone once there are two officers, no self-approval, one veto ends it, nobody twice."""

import msgspec
import pytest
from support.approving import Approvals, asked
from support.people_world import ORGANIZATION, World

from sealwright.errors import (
    ApprovalsMissingError,
    ConflictError,
    InputError,
    InvalidSignatureError,
    NotFoundError,
    PermissionDeniedError,
)
from sealwright.identity.approvals import ProposalKind
from sealwright.identity.model import AuthenticatedDevice
from sealwright.identity.policy_store import VouchedRowStore
from sealwright.keystore.approvals import ROLE, ROLE_CHANGE
from sealwright.tlog.leaf import ORGANIZATION_CHAIN, decode_leaf_record
from sealwright.wire.approvals import DecisionRequest, RoleChange
from sealwright.wire.roles import ROLES, decode_roles, encode_roles

OFFICER = "security-officer"


@pytest.fixture
def approvals(tmp_path):
    made = World(tmp_path)
    yield Approvals(made)
    made.storage.close()


@pytest.fixture
def officers(approvals):
    """Two security officers, and somebody who is none."""
    return approvals.person("dora", OFFICER), approvals.person("emil", OFFICER), approvals.person("fritz")


def propose(approvals, person, roles=("auditor",), requester=""):
    return approvals.roles.change(ORGANIZATION, person.mailbox_id, roles, requester, "needed for the audit")


def kinds(approvals):
    chain = approvals.world.audit.chain(ORGANIZATION, ORGANIZATION_CHAIN)
    return [decode_leaf_record(leaf.record).kind for leaf in chain.leaves]


def test_the_operator_appoints_until_there_are_two_officers_then_two_of_them_do(approvals, officers):
    dora, emil, fritz = officers
    proposal = propose(approvals, fritz)
    assert proposal is not None, "with two officers the operator only proposes"
    assert approvals.service.roles_of(ORGANIZATION, fritz.mailbox_id) == ()
    assert approvals.decide(dora, proposal).state == "open"
    assert approvals.decide(emil, proposal).state == "approved"
    approvals.run_outbox()
    approvals.run_outbox()
    assert approvals.service.roles_of(ORGANIZATION, fritz.mailbox_id) == ("auditor",)
    assert approvals.service.view(ORGANIZATION, proposal.proposal_id).state == "done"
    assert kinds(approvals)[-6:] == [
        "role.change", "proposal.create", "proposal.approve", "proposal.approve", "role.change", "proposal.done",
    ]  # fmt: skip


def test_the_keystore_itself_refuses_a_role_that_nobody_approved(approvals, officers):
    _, _, fritz = officers
    with pytest.raises(ApprovalsMissingError):
        approvals.world.keystore.vouch_role(ORGANIZATION, fritz.mailbox_id, (OFFICER,), 0, None)


def test_approvals_of_one_change_do_not_serve_another(approvals, officers):
    dora, emil, fritz = officers
    proposal = propose(approvals, fritz)
    approvals.decide(dora, proposal)
    approvals.decide(emil, proposal)
    evidence = approvals.service.evidence(ORGANIZATION, proposal.proposal_id)
    for mailbox_id, roles, version in (
        (dora.mailbox_id, ("auditor",), 0),
        (fritz.mailbox_id, (OFFICER,), 0),
        (fritz.mailbox_id, ("auditor",), 7),
    ):
        with pytest.raises(PermissionDeniedError):
            approvals.world.keystore.vouch_role(ORGANIZATION, mailbox_id, roles, version, evidence)
    bent = msgspec.structs.replace(
        evidence.proposal,
        content=msgspec.json.encode(
            RoleChange(mailbox_id=fritz.mailbox_id, address=fritz.address, roles=(OFFICER,), from_version=0)
        ),
    )
    with pytest.raises(PermissionDeniedError):
        approvals.world.keystore.vouch_role(
            ORGANIZATION, fritz.mailbox_id, (OFFICER,), 0, type(evidence)(bent, evidence.approvals)
        )


def test_the_same_signed_decision_again_changes_nothing(approvals, officers):
    proposal = propose(approvals, officers[2])
    dora = officers[0]
    statement = approvals.statement(dora, proposal)
    request = DecisionRequest(statement=statement, signature=statement.sign(dora.device.key))
    asking = approvals.asking(dora)
    views = [approvals.service.decide(asking, proposal.proposal_id, request) for _ in range(2)]
    assert views[0] == views[1]
    approvals.decide(officers[1], proposal)
    assert approvals.service.decide(asking, proposal.proposal_id, request).state == "approved"


def test_nobody_counts_twice(approvals, officers):
    dora, _, fritz = officers
    proposal = propose(approvals, fritz)
    approvals.decide(dora, proposal)
    with pytest.raises(ConflictError):
        approvals.decide(dora, proposal)
    evidence = approvals.service.evidence(ORGANIZATION, proposal.proposal_id)
    doubled = type(evidence)(evidence.proposal, evidence.approvals * 2)
    with pytest.raises(ApprovalsMissingError):
        approvals.world.keystore.vouch_role(ORGANIZATION, fritz.mailbox_id, ("auditor",), 0, doubled)


def test_nobody_approves_a_proposal_of_the_own(approvals, officers):
    dora, emil, fritz = officers
    proposal = propose(approvals, fritz, requester=dora.mailbox_id)
    with pytest.raises(PermissionDeniedError):
        approvals.decide(dora, proposal)
    approvals.decide(emil, proposal)
    evidence = approvals.service.evidence(ORGANIZATION, proposal.proposal_id)
    own = approvals.statement(dora, proposal)
    forged = type(evidence.approvals[0])(
        own,
        own.sign(dora.device.key),
        _role_row(approvals, dora),
        approvals.world.devices.credential(ORGANIZATION, dora.enrolled.device_id),
    )
    with pytest.raises(PermissionDeniedError):
        approvals.world.keystore.vouch_role(
            ORGANIZATION, fritz.mailbox_id, ("auditor",), 0, type(evidence)(proposal, (*evidence.approvals, forged))
        )


def _role_row(approvals, person):
    with approvals.world.storage.read(ORGANIZATION) as tx:
        return VouchedRowStore().row(tx, ORGANIZATION, ROLE, person.mailbox_id)


def test_one_veto_ends_it_also_for_the_keystore(approvals, officers):
    dora, emil, fritz = officers
    proposal = propose(approvals, fritz)
    approvals.decide(dora, proposal)
    evidence = approvals.service.evidence(ORGANIZATION, proposal.proposal_id)
    third = approvals.statement(emil, proposal)
    approvals.decide(emil, proposal, "veto")
    assert approvals.service.view(ORGANIZATION, proposal.proposal_id).state == "vetoed"
    approval = type(evidence.approvals[0])(
        third,
        third.sign(emil.device.key),
        _role_row(approvals, emil),
        approvals.world.devices.credential(ORGANIZATION, emil.enrolled.device_id),
    )
    with pytest.raises(PermissionDeniedError, match="vetoed"):
        approvals.world.keystore.vouch_role(
            ORGANIZATION, fritz.mailbox_id, ("auditor",), 0, type(evidence)(proposal, (*evidence.approvals, approval))
        )


def test_only_the_role_decides(approvals, officers):
    _, _, fritz = officers
    proposal = propose(approvals, fritz)
    with pytest.raises(PermissionDeniedError):
        approvals.decide(fritz, proposal)


@pytest.mark.parametrize(
    "lie",
    [
        {"subject_sha256": b"x" * 32},
        {"proposal_id": "f" * 32},
        {"kind": "key.recovery"},
        {"organization_id": "b" * 32},
        {"device_thumbprint": b"t" * 32},
        {"approver": "f" * 32},
    ],
)
def test_a_decision_that_says_something_else_is_refused(approvals, officers, lie):
    dora, _, fritz = officers
    proposal = propose(approvals, fritz)
    with pytest.raises(PermissionDeniedError):
        approvals.decide(dora, proposal, **lie)


def test_a_decision_that_another_device_signed_is_refused(approvals, officers):
    dora, emil, fritz = officers
    proposal = propose(approvals, fritz)
    with pytest.raises(InvalidSignatureError):
        approvals.decide(dora, proposal, signer=emil)


def test_a_request_ends_and_an_approval_ends_by_itself(approvals, officers):
    dora, emil, fritz = officers
    late = propose(approvals, fritz)
    early = propose(approvals, fritz)
    approvals.decide(dora, early)
    approvals.world.clock.move(days=2)
    approvals.decide(emil, early)
    with pytest.raises(ApprovalsMissingError):
        approvals.run_outbox()
    assert approvals.service.expire(ORGANIZATION) == 0
    approvals.world.clock.move(days=6)
    with pytest.raises(ConflictError):
        approvals.decide(dora, late)
    assert approvals.service.expire(ORGANIZATION) == 1
    assert approvals.service.view(ORGANIZATION, late.proposal_id).state == "expired"


def test_a_dismissed_officers_approval_counts_no_more(approvals, officers):
    dora, emil, fritz = officers
    gerd = approvals.person("gerd")
    appointed = propose(approvals, gerd, (OFFICER,))
    for each in (dora, emil):
        approvals.decide(each, appointed)
    approvals.run_outbox()
    wanted = propose(approvals, fritz)
    approvals.decide(gerd, wanted)
    dismissed = propose(approvals, gerd, ())
    for each in (dora, emil):
        approvals.decide(each, dismissed)
    approvals.run_outbox()
    assert approvals.decide(dora, wanted).state == "approved"
    with pytest.raises(PermissionDeniedError):
        approvals.run_outbox()


def test_an_old_role_row_that_was_put_back_opens_nothing(approvals, officers):
    dora, emil, _ = officers
    before = _role_row(approvals, dora)
    changed = propose(approvals, dora, (OFFICER, "auditor"))
    approvals.decide(dora, changed)
    approvals.decide(emil, changed)
    approvals.run_outbox()
    with pytest.raises(PermissionDeniedError):
        approvals.world.keystore.approvers.roles_of(before)


def test_a_removed_device_approves_nothing(approvals, officers):
    dora, emil, fritz = officers
    proposal = propose(approvals, fritz)
    approvals.decide(dora, proposal)
    devices = approvals.world.devices
    credential = devices.credential(ORGANIZATION, dora.enrolled.device_id)
    asking = AuthenticatedDevice(ORGANIZATION, dora.mailbox_id, credential.device_id, credential, dora.address)
    devices.remove(asking, credential.device_id)
    approvals.decide(emil, proposal)
    with pytest.raises(PermissionDeniedError):
        approvals.run_outbox()


def test_people_without_a_role_propose_and_see_only_what_is_theirs(approvals, officers):
    dora, _, fritz = officers
    with pytest.raises(PermissionDeniedError):
        propose(approvals, dora, requester=fritz.mailbox_id)
    propose(approvals, fritz)
    assert approvals.service.views(ORGANIZATION, fritz.mailbox_id) == ()
    assert len(approvals.service.views(ORGANIZATION, dora.mailbox_id)) == 1


def test_an_administrator_does_not_propose_more_roles_for_the_own_person(approvals):
    anna = approvals.person("anna", "administrator")
    with pytest.raises(InputError):
        propose(approvals, anna, ("administrator", "recovery-officer"), requester=anna.mailbox_id)


@pytest.mark.parametrize(
    ("reason", "case", "content"),
    [("", "", b"{}"), ("a\nb", "", b"{}"), ("r" * 1001, "", b"{}"), ("r", "c" * 101, b"{}")],
)
def test_what_nobody_could_decide_on_is_not_proposed(approvals, officers, reason, case, content):
    with pytest.raises(InputError):
        approvals.service.propose(ORGANIZATION, "", asked(ROLE_CHANGE, content, reason, case))


def test_unknown_kinds_and_unknown_proposals(approvals, officers):
    with pytest.raises(InputError):
        approvals.service.propose(ORGANIZATION, "", asked("something", b"{}"))
    with pytest.raises(NotFoundError):
        approvals.service.view(ORGANIZATION, "f" * 32)
    with pytest.raises(InputError):
        approvals.service.propose(ORGANIZATION, "", asked(ROLE_CHANGE, b"{"))


def test_a_crash_after_the_act_is_made_good_by_doing_it_again(approvals, officers):
    dora, emil, fritz = officers
    done = []

    def apply(evidence):
        done.append(evidence.proposal.proposal_id)
        if len(done) == 1:
            raise RuntimeError

    approvals.service.register(ProposalKind("thing", OFFICER, lambda _: 2, lambda *_: None, apply))
    proposal = approvals.service.propose(ORGANIZATION, fritz.mailbox_id, asked("thing", b"{}"))
    approvals.decide(dora, proposal)
    approvals.decide(emil, proposal)
    with pytest.raises(RuntimeError):
        approvals.run_outbox()
    approvals.run_outbox()
    approvals.run_outbox()
    assert done == [proposal.proposal_id] * 2


@pytest.mark.parametrize("roles", [(), ("auditor",), ROLES, ("operator", "auditor")])
def test_roles_are_a_set(roles):
    assert decode_roles(encode_roles(roles + roles)) == tuple(sorted(roles))


def test_a_role_that_nobody_knows_is_refused():
    with pytest.raises(InputError):
        encode_roles(("owner",))


def test_a_repeated_request_is_the_same_proposal(approvals, officers):
    dora, emil, fritz = officers
    change = RoleChange(mailbox_id=fritz.mailbox_id, address=fritz.address, roles=(), from_version=1)
    wanted = asked(ROLE_CHANGE, msgspec.json.encode(change))
    proposal, again = (approvals.service.propose(ORGANIZATION, dora.mailbox_id, wanted, "key") for _ in range(2))
    assert again == proposal
    assert kinds(approvals)[-1:] == ["proposal.create"]
    assert approvals.service.propose(ORGANIZATION, dora.mailbox_id, wanted, "another key") != proposal
    assert approvals.service.propose(ORGANIZATION, emil.mailbox_id, wanted, "key") != proposal
    with pytest.raises(ConflictError):
        approvals.service.propose(ORGANIZATION, dora.mailbox_id, asked(ROLE_CHANGE, wanted.content, "else"), "key")

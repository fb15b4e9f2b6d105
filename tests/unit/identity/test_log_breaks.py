"""A log break needs two security officers as soon as there are two, and the keystore checks them itself."""

import msgspec
import pytest
from support.approving import Approvals
from support.people_world import ORGANIZATION, World

from sealwright.errors import ApprovalsMissingError, InputError, PermissionDeniedError
from sealwright.identity.log_breaks import LogBreakService
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.log_break import LogBreakRequest


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.storage.close()


def service_of(world, approvals):
    return LogBreakService(world.storage, world.keystore, world.audit, approvals=approvals.service)


def newest_kinds(world, count):
    world.audit.sequence(ORGANIZATION)
    return [
        decode_leaf_record(each.record).kind for each in world.audit.newest(ORGANIZATION, "organization", limit=count)
    ]


def test_the_operator_acts_alone_while_there_are_no_officers(world):
    service = service_of(world, Approvals(world))
    assert service.break_log(ORGANIZATION, "restored") is None
    assert len(world.audit.breaks(ORGANIZATION)) == 1
    assert newest_kinds(world, 1) == ["log.break"]
    for reason in ("", " ", "x" * 501, "two\nlines"):
        with pytest.raises(InputError):
            service.break_log(ORGANIZATION, reason)


def test_two_officers_approve_exactly_one_break(world):
    approvals = Approvals(world)
    first, second = (approvals.person(name, "security-officer") for name in ("first", "second"))
    service = service_of(world, approvals)
    world.audit.sequence(ORGANIZATION)
    proposal = service.break_log(ORGANIZATION, "restored")
    assert proposal is not None
    approvals.decide(first, proposal)
    wanted = msgspec.json.decode(proposal.content, type=LogBreakRequest)
    with pytest.raises(ApprovalsMissingError):
        service._apply(approvals.service.evidence(ORGANIZATION, proposal.proposal_id))
    assert world.audit.breaks(ORGANIZATION) == ()
    approvals.decide(second, proposal)
    evidence = approvals.service.evidence(ORGANIZATION, proposal.proposal_id)
    world.audit.sequence(ORGANIZATION)
    for lie in ({"size": wanted.size - 1}, {"root": bytes(32)}, {"reason": "another"}):
        with pytest.raises(PermissionDeniedError):
            world.keystore.sign_log_break(ORGANIZATION, msgspec.structs.replace(wanted, **lie), (), evidence)
    for _ in range(3):  # again after a crash
        service._apply(evidence)
    assert len(world.audit.breaks(ORGANIZATION)) == 1
    assert newest_kinds(world, 1) == ["log.break"]


def test_a_break_of_what_the_log_never_was_is_not_proposed(world):
    service = service_of(world, Approvals(world))
    for lie in (LogBreakRequest(size=10**6, root=bytes(32), reason="x"), LogBreakRequest(size=0, root=b"", reason="x")):
        with pytest.raises(InputError):
            service._check(ORGANIZATION, "", msgspec.json.encode(lie))

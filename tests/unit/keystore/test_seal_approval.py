"""Who may change the seal: from two security officers on, two of them agree to exactly this, and nobody else does."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from support.release_evidence import NOW, ORGANIZATION, World
from support.seals import key_file_seal, open_seal, software_keystore

from sealwright.errors import ApprovalsMissingError, ConflictError, PermissionDeniedError, SealwrightError
from sealwright.keystore.model import ApprovalEvidence
from sealwright.keystore.seal_approval import check_seal_change
from sealwright.wire.approvals import Proposal
from sealwright.wire.roles import ADMINISTRATOR, RECOVERY_OFFICER, SECURITY_OFFICER
from sealwright.wire.seal import SEAL_CHANGE, SealTarget

from .test_exit_evidence import Clock, Officer

TARGET = SealTarget(part="root", kind="shamir", shares=5, threshold=3)


class SealWorld:
    def __init__(self, folder):
        self.files = folder / "seal.key", folder / "seal.json"
        key_file_seal(*self.files)
        self.keystore = software_keystore(*self.files, Clock())
        World(self.keystore)

    def officers(self, *roles):
        return [Officer(self, number, role) for number, role in enumerate(roles, 1)]

    def check(self, evidence=None, target=TARGET, now=NOW, organization_id=ORGANIZATION):
        check_seal_change(open_seal(*self.files), organization_id, target, evidence, now)


def proposal(**changes):
    said = {
        "organization_id": ORGANIZATION,
        "proposal_id": "5" * 32,
        "kind": SEAL_CHANGE,
        "requester": "",
        "reason": "moving to people",
        "case_number": "",
        "created": NOW,
        "expires": NOW + timedelta(days=7),
        "content": msgspec.json.encode(TARGET),
    }
    return Proposal(**(said | changes))


def approved(officers, made=None, **options):
    made = made or proposal()
    return ApprovalEvidence(made, tuple(officer.decide(made, **options) for officer in officers))


@pytest.fixture
def world(tmp_path):
    return SealWorld(tmp_path)


def test_the_operator_changes_it_alone_until_there_are_two_officers(world):
    world.check()
    world.officers(SECURITY_OFFICER, RECOVERY_OFFICER)
    world.check()


def test_two_officers_permit_exactly_this(world):
    administrator, *officers = world.officers(ADMINISTRATOR, SECURITY_OFFICER, SECURITY_OFFICER)
    with pytest.raises(ApprovalsMissingError):
        world.check()
    good = approved(officers[:2])
    world.check(good)
    world.check(good)  # the same once more, after a crash
    lies = {
        "one officer": (approved(officers[:1]), {}),
        "one officer twice": (approved([officers[0], officers[0]]), {}),
        "an administrator": (approved([officers[0], administrator]), {}),
        "other shares": (good, {"target": msgspec.structs.replace(TARGET, threshold=2)}),
        "another part": (good, {"target": SealTarget(part="emergency", kind="shamir", shares=5, threshold=3)}),
        "another kind": (approved(officers[:2], proposal(kind="role.change")), {}),
        "nonsense": (approved(officers[:2], proposal(content=b"{}")), {}),
        "too late": (good, {"now": NOW + timedelta(days=40)}),
        "a changed proposal": (replace(good, proposal=proposal(reason="another")), {}),
    }
    for name, (evidence, options) in lies.items():
        with pytest.raises(PermissionDeniedError):
            world.check(evidence, **options)
            pytest.fail(name)


def test_a_veto_ends_it(world):
    officers = world.officers(SECURITY_OFFICER, SECURITY_OFFICER)
    evidence = approved(officers)
    veto = officers[1].decide(evidence.proposal, "veto")
    world.keystore.veto_proposal(veto, ApprovalEvidence(evidence.proposal, ()), SECURITY_OFFICER)
    with pytest.raises(SealwrightError) as told:
        world.check(evidence)
    assert isinstance(told.value, PermissionDeniedError | ConflictError)

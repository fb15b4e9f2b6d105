"""States that people decided on: which changes the keystore vouches for, and that it never goes back behind one."""

from datetime import timedelta
from itertools import product
from typing import get_args

import msgspec
import pytest
from support.release_evidence import MAILBOX, NOW, ORGANIZATION, World, answer_for, binding, make_device
from support.seals import key_file_seal, software_keystore

from sealwright.errors import ApprovalsMissingError, ConflictError, PermissionDeniedError
from sealwright.keystore.key_states import DECIDED_STATES, TRANSITIONS, UNDECIDED_STATES
from sealwright.keystore.model import ApprovalEvidence, SignedApproval
from sealwright.wire.approvals import ApprovalStatement, Proposal
from sealwright.wire.destruction import DESTRUCTION, KeyDestruction
from sealwright.wire.manifest import KeyState
from sealwright.wire.roles import AUDITOR, SECURITY_OFFICER

STATES = get_args(KeyState)
KEY = "7" * 32


class Clock:
    time = NOW

    def now(self):
        return self.time


@pytest.fixture
def keystore(tmp_path):
    key_file_seal(tmp_path / "seal.key", tmp_path / "seal.json", shares=1, threshold=1)
    return software_keystore(tmp_path / "seal.key", tmp_path / "seal.json", Clock())


def test_the_first_decision_starts_from_a_state_that_needs_none_and_follows_the_table(keystore):
    for number, (old, new) in enumerate(product(STATES, STATES)):
        key_id, is_right = f"{number:032x}", old in UNDECIDED_STATES and new in TRANSITIONS[old]
        if is_right:
            row = keystore.vouch_key_state(ORGANIZATION, key_id, old, new, 0)
            assert row is None if new == "DEACTIVATED" else row.version == 1
        else:
            with pytest.raises(ConflictError):
                keystore.vouch_key_state(ORGANIZATION, key_id, old, new, 0)
    assert DECIDED_STATES | UNDECIDED_STATES | {"PRE_ACTIVATION"} == set(STATES)


@pytest.mark.parametrize("path", [("SUSPENDED",), ("COMPROMISED",), ("SUSPENDED", "ACTIVE"), ("SUSPENDED", "DEACTIVATED"),
                                  ("SUSPENDED", "DESTROYED"), ("SUSPENDED", "ACTIVE", "SUSPENDED", "COMPROMISED")])  # fmt: skip
def test_later_changes_start_from_the_newest_state_whatever_the_caller_says(keystore, tmp_path, path):
    old, version = "ACTIVE", 0
    for new in path:
        row = keystore.vouch_key_state(ORGANIZATION, KEY, old, new, version)
        assert keystore.vouch_key_state(ORGANIZATION, KEY, old, new, version) == row  # lost, and asked for again
        old, version = new, row.version
    again = software_keystore(tmp_path / "seal.key", tmp_path / "seal.json", Clock())  # after a restart
    for claimed, new in product(STATES, STATES):
        if claimed != old or new not in TRANSITIONS[old]:
            with pytest.raises(ConflictError):
                again.vouch_key_state(ORGANIZATION, KEY, claimed, new, version)
    for stale in range(version):
        with pytest.raises(ConflictError):
            again.vouch_key_state(ORGANIZATION, KEY, old, "DEACTIVATED" if old != "DEACTIVATED" else "ACTIVE", stale)


class Officer:
    """Somebody with a device and a role."""

    def __init__(self, keystore, number, role=SECURITY_OFFICER):
        self.mailbox_id, self.device = f"{number:032x}", make_device()
        begun = keystore.begin_proof(binding(self.device, self.mailbox_id))
        answer = answer_for(self.device, begun)
        self.credential = keystore.finish_proof(begun.sealed_proof, answer, f"{number + 256:032x}", NOW)
        self.role = keystore.vouch_role(ORGANIZATION, self.mailbox_id, (role,), 0, None)

    def approve(self, proposal):
        statement = ApprovalStatement(
            organization_id=ORGANIZATION,
            proposal_id=proposal.proposal_id,
            kind=proposal.kind,
            subject_sha256=proposal.digest(),
            decision="approve",
            approver=self.mailbox_id,
            device_thumbprint=self.device.public.thumbprint(),
            signed_at=NOW,
            expires=NOW + timedelta(days=7),
        )
        return SignedApproval(statement, statement.sign(self.device.key), self.role, self.credential)


def proposal(key_id=KEY, kind=DESTRUCTION, content=None, organization_id=ORGANIZATION):
    wanted = KeyDestruction(
        key_id=key_id, mailbox_id=MAILBOX, address="a@example.test", slot="classical", generation=1, state="DEACTIVATED"
    )
    return Proposal(
        organization_id=organization_id,
        proposal_id="5" * 32,
        kind=kind,
        requester="",
        reason="end of retention",
        case_number="",
        content=msgspec.json.encode(wanted) if content is None else content,
        created=NOW,
        expires=NOW + timedelta(days=7),
    )


def test_from_two_security_officers_on_two_approve_a_destruction(keystore):
    World(keystore)
    outsider = Officer(keystore, 3, AUDITOR)
    first, second = Officer(keystore, 1), Officer(keystore, 2)

    def destroy(asked, *approvers):
        evidence = ApprovalEvidence(asked, tuple(each.approve(asked) for each in approvers))
        return keystore.vouch_key_state(ORGANIZATION, KEY, "DEACTIVATED", "DESTROYED", 0, evidence)

    with pytest.raises(ApprovalsMissingError):
        keystore.vouch_key_state(ORGANIZATION, KEY, "DEACTIVATED", "DESTROYED", 0)
    for approvers in ((), (first,), (first, first)):
        with pytest.raises(ApprovalsMissingError):
            destroy(proposal(), *approvers)
    for asked in (proposal(key_id="8" * 32), proposal(kind="role.change"), proposal(content=b"{}")):
        with pytest.raises(PermissionDeniedError):
            destroy(asked, first, second)
    with pytest.raises(PermissionDeniedError):
        destroy(proposal(), first, outsider)
    # neither suspending nor reporting as compromised waits for two people
    assert keystore.vouch_key_state(ORGANIZATION, "9" * 32, "ACTIVE", "SUSPENDED", 0).version == 1
    keystore._clock.time = NOW + timedelta(days=8)
    with pytest.raises(ApprovalsMissingError):
        destroy(proposal(), first, second)
    keystore._clock.time = NOW
    row = destroy(proposal(), first, second)
    assert row.content == b"DESTROYED"
    keystore._clock.time = NOW + timedelta(days=8)
    assert destroy(proposal(), first, second) == row  # a crash came between: what is written down holds

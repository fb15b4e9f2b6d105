"""Exit in the keystore: nothing comes out without the quorum of a recovery, for another device, or without a leaf."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from support.release_evidence import (
    MAILBOX,
    NONCE,
    NOW,
    ORGANIZATION,
    World,
    answer_for,
    binding,
    make_device,
)
from support.seals import key_file_seal, software_keystore

from sealwright.errors import ApprovalsMissingError, PermissionDeniedError
from sealwright.keystore.model import ApprovalEvidence, ExitEvidence, SignedApproval, SignedRequestEvidence
from sealwright.keystore.versions import RowName
from sealwright.wire.approvals import ApprovalStatement, Proposal
from sealwright.wire.encoding import encode_fields, sha256
from sealwright.wire.exits import EXIT, ExitKeysRequest, ExitRequest, officers_needed
from sealwright.wire.hpke import hpke_open
from sealwright.wire.manifest import decode_released_keys
from sealwright.wire.roles import ADMINISTRATOR, AUDITOR, RECOVERY_OFFICER
from sealwright.wire.signed_request import sign_request

OWNER, PROPOSAL = "9" * 32, "5" * 32


class Clock:
    def __init__(self):
        self.time = NOW

    def now(self):
        return self.time


class Officer:
    """Somebody with a device and a role."""

    def __init__(self, world, number, role=RECOVERY_OFFICER):
        self.world, self.mailbox_id, self.device = world, f"{number:032x}", make_device()
        begun = world.keystore.begin_proof(binding(self.device, self.mailbox_id))
        answer = answer_for(self.device, begun)
        self.credential = world.keystore.finish_proof(begun.sealed_proof, answer, f"{number + 256:032x}", NOW)
        self.role = world.keystore.vouch_role(ORGANIZATION, self.mailbox_id, (role,), 0, None)

    def decide(self, proposal, decision="approve", expires=NOW + timedelta(days=7)):
        statement = ApprovalStatement(
            organization_id=ORGANIZATION,
            proposal_id=proposal.proposal_id,
            kind=proposal.kind,
            subject_sha256=proposal.digest(),
            decision=decision,
            approver=self.mailbox_id,
            device_thumbprint=self.device.public.thumbprint(),
            signed_at=NOW,
            expires=expires,
        )
        return SignedApproval(statement, statement.sign(self.device.key), self.role, self.credential)


class ExitWorld(World):
    """A world whose keys are somebody else's, and whose device is the requester's."""

    def __init__(self, keystore):
        super().__init__(keystore)
        pooled = [keystore.generate_encryption_key(ORGANIZATION, "p256") for _ in range(2)]
        self.records = tuple(keystore.assign_encryption_key(key, OWNER, n) for n, key in enumerate(pooled, 1))
        self.role = keystore.vouch_role(ORGANIZATION, MAILBOX, (ADMINISTRATOR,), 0, None)
        self.officers = [Officer(self, number) for number in (1, 2, 3)]

    def proposal(self, **changes):
        content = ExitRequest(device_id=self.credential.device_id, device_thumbprint=self.device.public.thumbprint())
        said = {"kind": EXIT, "requester": MAILBOX, "content": msgspec.json.encode(content)} | changes
        return Proposal(
            organization_id=ORGANIZATION,
            proposal_id=PROPOSAL,
            reason="we move",
            case_number="",
            created=NOW,
            expires=NOW + timedelta(days=7),
            **said,
        )

    def exit(self, proposal=None, approvals=None, *, asked=OWNER, path=None, kind=EXIT, named=PROPOSAL):
        proposal = proposal or self.proposal()
        if approvals is None:
            approvals = [officer.decide(proposal) for officer in self.officers[:2]]
        fields = {
            "device": self.device.public.thumbprint().hex(),
            "nonce": NONCE.hex(),
            "keys": ",".join(sha256(record.spki).hex() for record in self.records),
            "proposal": named,
        }
        made = self.evidence(manifest={"mailbox_id": OWNER}, leaf={"kind": kind, "chain_id": OWNER, "fields": fields})
        uri = path or f"https://kms.example.test/v1/exits/{PROPOSAL}/keys"
        body = msgspec.json.encode(ExitKeysRequest(mailbox_id=asked, request_nonce=NONCE))
        headers = sign_request(self.device.key, "POST", uri, body, NOW, "nonce", "retry")
        return ExitEvidence(
            ApprovalEvidence(proposal, tuple(approvals)),
            self.credential,
            self.role,
            SignedRequestEvidence("POST", uri, headers, body),
            made.log,
            made.manifest,
        )


@pytest.fixture
def world(tmp_path):
    key_file_seal(tmp_path / "seal.key", tmp_path / "seal.json", shares=1, threshold=1)
    clock = Clock()
    made = ExitWorld(software_keystore(tmp_path / "seal.key", tmp_path / "seal.json", clock))
    made.clock = clock
    return made


def refuse(world, evidence, error=PermissionDeniedError, match=None):
    with pytest.raises(error, match=match):
        world.keystore.open_for_exit(world.records, evidence)


def test_a_quorum_gets_every_key_sealed_to_the_requesters_device(world):
    evidence = world.exit()
    sealed = world.keystore.open_for_exit(world.records, evidence)
    plain = hpke_open(world.device.hpke_private_key, evidence.manifest.encode(), sealed.sealed_keys)
    assert [key.key_id for key in decode_released_keys(plain)] == [each.identity.record_id for each in world.records]
    assert world.keystore.open_for_exit(world.records, evidence).sealed_keys  # mailbox by mailbox, and again


def test_too_few_do_not(world):
    proposal = world.proposal()
    first, second = (officer.decide(proposal) for officer in world.officers[:2])
    refuse(world, world.exit(proposal, ()), ApprovalsMissingError)
    refuse(world, world.exit(proposal, (first,)), ApprovalsMissingError)
    refuse(world, world.exit(proposal, (first, first)), ApprovalsMissingError)
    refuse(world, world.exit(proposal, (first, second, world.officers[2].decide(proposal, "veto"))), match="vetoed")
    world.clock.time = NOW + timedelta(days=8)
    refuse(world, world.exit(proposal, (first, second)), ApprovalsMissingError)


def test_only_recovery_officers_count_and_never_the_requester(world):
    proposal = world.proposal()
    auditor = Officer(world, 9, AUDITOR)
    refuse(world, world.exit(proposal, (world.officers[0].decide(proposal), auditor.decide(proposal))), match="is no")
    own = world.proposal(requester=world.officers[0].mailbox_id)
    refuse(world, world.exit(own), match="of the own")


def test_an_exit_needs_as_many_as_a_recovery(world):
    """The keystore's own memory of the newest rule counts, not what a caller says."""
    rule = encode_fields("sealwright recovery rule", 1, *(number.to_bytes(4, "big") for number in (3, 60, 60, 0, 0, 1)))
    assert (officers_needed(rule), officers_needed(b"")) == (3, 2)
    world.keystore._versions.advance(RowName("recovery-rule", ORGANIZATION, ORGANIZATION), 0, rule)
    refuse(world, world.exit(), ApprovalsMissingError)
    proposal = world.proposal()
    every = [officer.decide(proposal) for officer in world.officers]
    assert world.keystore.open_for_exit(world.records, world.exit(proposal, every)).sealed_keys


def test_every_other_part_of_the_evidence_counts(world):
    good = world.exit()
    other = Officer(world, 7, ADMINISTRATOR)
    content = msgspec.json.encode(ExitRequest(device_id="f" * 32, device_thumbprint=b"x" * 32))
    refuse(world, replace(good, requester=other.credential), match="requester")
    refuse(world, replace(good, requester_role=other.role), match="another's")
    refuse(world, replace(good, requester=replace(good.requester, state="removed")), match="changed")
    refuse(world, world.exit(world.proposal(content=content)), match="requester")
    refuse(world, world.exit(world.proposal(content=b"{}")), match="cannot be read")
    refuse(world, world.exit(world.proposal(kind="role.change")), match="something else")
    refuse(world, world.exit(asked=MAILBOX), match="another request")
    refuse(world, world.exit(path="https://kms.example.test/v1/releases"), match="something else")
    refuse(world, world.exit(path=f"https://kms.example.test/v1/exits/{'6' * 32}/keys"), match="something else")
    refuse(world, world.exit(kind="key.release"), match="another act")
    refuse(world, world.exit(named="6" * 32), match="another proposal")
    refuse(world, replace(good, request=replace(good.request, body=b"{}")), match="asked for by the device")
    with pytest.raises(PermissionDeniedError):
        world.keystore.open_for_exit(world.records[:1], good)
    locked = world.keystore.change_device(world.credential, "locked")
    refuse(world, good, match="put back")
    refuse(world, replace(good, requester=locked), match="not active")


def test_a_suspended_key_stays(world):
    good = world.exit()
    row = world.keystore.vouch_key_state(ORGANIZATION, world.records[0].identity.record_id, "ACTIVE", "SUSPENDED", 0)
    refuse(world, good, match="put back")
    refuse(world, replace(good, state_rows=(row,)), match="suspended")


def test_a_veto_before_the_first_key_ends_it(world):
    proposal, evidence = world.proposal(), world.exit()
    world.keystore.veto_proposal(
        world.officers[2].decide(proposal, "veto"), ApprovalEvidence(proposal, ()), RECOVERY_OFFICER
    )
    refuse(world, evidence, match="vetoed")


def test_a_requester_without_a_role_gets_nothing(world):
    nobody = world.keystore.vouch_role(ORGANIZATION, MAILBOX, (AUDITOR,), world.role.version, None)
    refuse(world, replace(world.exit(), requester_role=nobody), match="may not ask")
    refuse(world, world.exit(), match="put back")

"""`recover`: right evidence gives what was approved; each single lie is refused by the keystore itself."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from support.people_world import ORGANIZATION
from support.recovering import Recovering

from sealwright.errors import ApprovalsMissingError, PermissionDeniedError
from sealwright.identity.policy_store import VouchedRowStore
from sealwright.keystore.approvals import ROLE
from sealwright.keystore.model import SignedApproval
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.recovery import RecoveryFetch, RecoveryRule

REFUSED = (PermissionDeniedError,)  # ApprovalsMissingError is one


class Right:
    """Evidence that holds, of a history and of one message, and what lies are made of."""

    def __init__(self, folder):
        self.recovering = Recovering(folder, RecoveryRule(release_delay_seconds=3600))
        history = self.recovering.approved()
        self.message = self.recovering.message()
        self.other = self.recovering.message(b"another")
        messages = self.recovering.approved(self.message)
        self.early = self.recovering.world.clock.now()
        self.recovering.world.clock.move(seconds=3600)
        self.recovering.fetch(history)
        self.recovering.fetch(messages, [self.message[1]])
        self.history, self.messages = self.recovering.seen
        self.keystore = self.recovering.world.keystore

    def approval(self, person, proposal, decision="approve", /, signer=None, **changes):
        """Return a person's decision, signed with that one's or another's device."""
        recovering = self.recovering
        statement = recovering.approvals.statement(person, proposal, decision, **changes)
        with recovering.world.storage.read(ORGANIZATION) as tx:
            role = VouchedRowStore().row(tx, ORGANIZATION, ROLE, person.mailbox_id)
        credential = recovering.world.devices.credential(ORGANIZATION, person.enrolled.device_id)
        return SignedApproval(statement, statement.sign((signer or person).device.key), role, credential)

    def request(self, evidence, items=(), person=None, path=None, method="POST"):
        """Return a fetch as a device signs it."""
        proposal_id = evidence.terms.approval.proposal.proposal_id
        body = msgspec.json.encode(RecoveryFetch(items=tuple(items)))
        device = (person or self.recovering.rita).device
        return self.recovering.world.signed(device, method, path or f"/v1/recoveries/{proposal_id}/fetch", body)


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    made = Right(tmp_path_factory.mktemp("recovery"))
    yield made
    made.recovering.close()


def terms(evidence, **changes):
    return replace(evidence, terms=replace(evidence.terms, **changes))


def approvals(evidence, *changed):
    return terms(evidence, approval=replace(evidence.terms.approval, approvals=changed))


def proposal(evidence, **changes):
    bent = msgspec.structs.replace(evidence.terms.approval.proposal, **changes)
    return terms(evidence, approval=replace(evidence.terms.approval, proposal=bent))


def manifest(evidence, **changes):
    return replace(evidence, manifest=msgspec.structs.replace(evidence.manifest, **changes))


def leaf(evidence, name, **changes):
    return replace(evidence, **{name: msgspec.structs.replace(getattr(evidence, name), **changes)})


def content(evidence, **changes):
    said = msgspec.json.decode(evidence.terms.approval.proposal.content) | changes
    return proposal(evidence, content=msgspec.json.encode(said))


def good(evidence):
    return evidence.terms.approval.approvals


def asked(evidence):
    return evidence.terms.approval.proposal


LIES = {
    # approvals
    "one approval": lambda r, e: approvals(e, good(e)[0]),
    "no approval": lambda r, e: approvals(e),
    "one approval twice": lambda r, e: approvals(e, good(e)[0], good(e)[0]),
    "an approval by the requester": lambda r, e: approvals(e, good(e)[0], r.approval(r.recovering.rita, asked(e))),
    "an approval by no officer": lambda r, e: approvals(
        e, good(e)[0], replace(good(e)[1], role=e.terms.requester_role)
    ),
    "an approval signed by another": lambda r, e: approvals(
        e, good(e)[0], r.approval(r.recovering.officers[2], asked(e), signer=r.recovering.officers[0])
    ),
    "an approval of another recovery": lambda r, e: approvals(e, good(e)[0], good(r.messages[1])[1]),
    "an approval with a bent signature": lambda r, e: approvals(
        e, good(e)[0], replace(good(e)[1], signature=good(e)[0].signature)
    ),
    "an expired approval": lambda r, e: approvals(
        e,
        good(e)[0],
        r.approval(
            r.recovering.officers[2],
            asked(e),
            signed_at=r.early,
            expires=r.early + timedelta(seconds=60),
        ),
    ),
    "an approval that lives too long": lambda r, e: approvals(
        e,
        *good(e),
        r.approval(
            r.recovering.officers[2],
            asked(e),
            expires=r.recovering.world.clock.now() + timedelta(days=8),
        ),
    ),
    "an approval from the future": lambda r, e: approvals(
        e,
        good(e)[0],
        r.approval(
            r.recovering.officers[2],
            asked(e),
            signed_at=r.recovering.world.clock.now() + timedelta(days=1),
            expires=r.recovering.world.clock.now() + timedelta(days=2),
        ),
    ),
    "a veto among them": lambda r, e: approvals(e, *good(e), r.approval(r.recovering.officers[2], asked(e), "veto")),
    "a changed role row": lambda r, e: approvals(
        e, good(e)[0], replace(good(e)[1], role=replace(good(e)[1].role, version=9))
    ),
    "an approver's device changed": lambda r, e: approvals(
        e, good(e)[0], replace(good(e)[1], credential=replace(good(e)[1].credential, state="removed"))
    ),
    # the subject
    "another reason": lambda r, e: proposal(e, reason="another"),
    "another case": lambda r, e: proposal(e, case_number="another"),
    "another requester": lambda r, e: proposal(e, requester=r.recovering.officers[0].mailbox_id),
    "another end": lambda r, e: proposal(e, expires=asked(e).expires + timedelta(days=30)),
    "another kind": lambda r, e: proposal(e, kind="role.change"),
    "another mailbox": lambda r, e: content(e, mailbox_id="c" * 32),
    "another device": lambda r, e: content(e, device_id="c" * 32),
    "another rule version": lambda r, e: content(e, rule_version=9),
    "no JSON": lambda r, e: proposal(e, content=b"{"),
    # rule, requester, announcement
    "a weaker rule": lambda r, e: terms(
        e, rule=replace(e.terms.rule, content=RecoveryRule(release_delay_seconds=0).encode())
    ),
    "an announcement as the rule": lambda r, e: terms(e, rule=e.announcement),
    "a rule of another version": lambda r, e: terms(e, rule=replace(e.terms.rule, version=2)),
    "the requester has another's role": lambda r, e: terms(e, requester_role=good(e)[0].role),
    "the requester's device is removed": lambda r, e: terms(e, requester=replace(e.terms.requester, state="removed")),
    "the requester's device is of a higher level": lambda r, e: terms(e, requester=replace(e.terms.requester, level=4)),
    "an officer's device": lambda r, e: terms(e, requester=good(e)[0].credential),
    "the announcement of another recovery": lambda r, e: replace(e, announcement=r.messages[1].announcement),
    "a changed announcement": lambda r, e: replace(e, announcement=replace(e.announcement, content=b"")),
    "the rule as the announcement": lambda r, e: replace(e, announcement=e.terms.rule),
    # the request
    "asked by an officer's device": lambda r, e: replace(e, request=r.request(e, person=r.recovering.officers[0])),
    "asked for another recovery": lambda r, e: replace(e, request=r.messages[1].request),
    "asked elsewhere": lambda r, e: replace(e, request=r.request(e, path="/v1/releases")),
    "asked by GET": lambda r, e: replace(e, request=r.request(e, method="GET")),
    "a history with items": lambda r, e: replace(e, request=r.request(e, items=[r.message[1]])),
    "a changed body": lambda r, e: replace(e, request=replace(e.request, body=e.request.body + b" ")),
    # the manifest
    "a manifest of another organization": lambda r, e: manifest(e, organization_id="c" * 32),
    "a manifest of another mailbox": lambda r, e: manifest(e, mailbox_id="c" * 32),
    "a manifest of another proposal": lambda r, e: manifest(e, proposal_id="c" * 32),
    "a manifest of another subject": lambda r, e: manifest(e, subject_sha256=b"s" * 32),
    "a manifest for another device": lambda r, e: manifest(e, device_thumbprint=b"t" * 32),
    "a manifest with another leaf": lambda r, e: manifest(e, leaf_hash=b"h" * 32),
    "a manifest without keys": lambda r, e: manifest(e, keys=()),
    "a manifest with a key twice": lambda r, e: manifest(e, keys=e.manifest.keys * 2),
    "a manifest with items": lambda r, e: manifest(e, items_sha256=b"i" * 32),
    # the log
    "the announcement's leaf twice": lambda r, e: replace(e, leaf=e.notice, checkpoint=e.notice_checkpoint),
    "the release's leaf twice": lambda r, e: replace(e, notice=e.leaf, notice_checkpoint=e.checkpoint),
    "a leaf of another recovery": lambda r, e: manifest(
        replace(e, leaf=r.messages[1].leaf, checkpoint=r.messages[1].checkpoint),
        leaf_hash=r.messages[1].leaf.leaf_hash,
    ),
    "a notice of another recovery": lambda r, e: replace(
        e, notice=r.messages[1].notice, notice_checkpoint=r.messages[1].notice_checkpoint
    ),
    "a leaf at another place": lambda r, e: leaf(e, "leaf", index=e.leaf.index + 1),
    "a leaf with another salt": lambda r, e: leaf(e, "leaf", salt=b"s" * 32),
    "a notice without a proof": lambda r, e: leaf(e, "notice", inclusion_proof=()),
    "no checkpoint": lambda r, e: replace(e, checkpoint=""),
}


@pytest.mark.parametrize("lie", LIES)
def test_each_single_lie_is_refused(right, lie):
    records, evidence = right.history
    with pytest.raises(REFUSED):
        right.keystore.recover(records, LIES[lie](right, evidence))


def test_the_same_evidence_without_a_lie_is_taken(right):
    for records, evidence in (right.history, right.messages):
        assert right.keystore.recover(records, evidence).sealed_keys


def test_only_the_listed_records_open(right):
    records, evidence = right.history
    foreign = right.keystore.assign_encryption_key(
        right.keystore.generate_encryption_key(ORGANIZATION, "p256"), "c" * 32, 1
    )
    for others in ((), records * 2, (foreign,), (replace(records[0], spki=foreign.spki),)):
        with pytest.raises(REFUSED):
            right.keystore.recover(others, evidence)


def test_only_the_approved_recipient_infos_are_unwrapped(right):
    records, evidence = right.messages
    other = right.other[1]
    for items in ([other], [right.message[1], other], [], [msgspec.structs.replace(right.message[1], key_bytes=16)]):
        with pytest.raises(REFUSED):
            right.keystore.recover(records, replace(evidence, request=right.request(evidence, items)))
    with pytest.raises(REFUSED):
        right.keystore.recover(right.history[0] * 2, evidence)


def test_the_keystores_own_clock_counts_the_delay_and_the_approvals_lives(right):
    clock, (records, evidence) = right.recovering.world.clock, right.history
    now = clock.now()
    for moment in (right.early, now + timedelta(days=2)):
        clock.time = moment
        with pytest.raises(ApprovalsMissingError):
            right.keystore.recover(records, evidence)
    clock.time = now


def test_a_suspended_key_is_recovered_neither_whole_nor_for_messages(right):
    records, evidence = right.history
    key_id = records[0].identity.record_id
    row = right.keystore.vouch_key_state(ORGANIZATION, key_id, evidence.manifest.keys[0].state, "SUSPENDED", 0)
    for records, evidence in (right.history, right.messages):
        for rows in ((), (row,)):
            with pytest.raises(PermissionDeniedError, match=r"put back|suspended"):
                right.keystore.recover(records, replace(evidence, state_rows=rows))
    row = right.keystore.vouch_key_state(ORGANIZATION, key_id, "SUSPENDED", "ACTIVE", row.version)
    for records, evidence in (right.history, right.messages):
        assert right.keystore.recover(records, replace(evidence, state_rows=(row,))).sealed_keys
    right.history = (right.history[0], replace(right.history[1], state_rows=(row,)))
    right.messages = (right.messages[0], replace(right.messages[1], state_rows=(row,)))


def test_the_leaf_commits_to_what_was_approved(right):
    for _, evidence in (right.history, right.messages):
        said = decode_leaf_record(evidence.leaf.record).fields
        assert said["subject"] == evidence.terms.approval.proposal.digest().hex()
        assert said["device"] == evidence.terms.requester.device.thumbprint().hex()

"""Recovery from the request to the owner's notice: what is given out, to whom, when, and who is told."""

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key
from sqlalchemy import select
from support.approving import Approvals
from support.people_world import LOG_ORIGIN, ORGANIZATION, World
from support.recovering import CIPHER, Recovering

from sealwright.cms.content_ciphers import read_cipher
from sealwright.cms.schema import load_content
from sealwright.errors import (
    ApprovalsMissingError,
    ConflictError,
    InputError,
    NotFoundError,
    PermissionDeniedError,
)
from sealwright.kms.recovery_rules import RecoveryRules
from sealwright.kms.tables import mailbox_key
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.content_keys import decode_content_keys
from sealwright.wire.hpke import hpke_open
from sealwright.wire.leaf_check import check_leaf
from sealwright.wire.manifest import decode_released_keys
from sealwright.wire.recovery import RecoveryRule, deferred_chain

DAY = 86_400


@pytest.fixture
def recovering(tmp_path):
    made = Recovering(tmp_path)
    yield made
    made.close()


def chain(recovering, chain_id=None):
    found = recovering.world.audit.chain(ORGANIZATION, chain_id or recovering.world.alice.mailbox_id)
    return [decode_leaf_record(leaf.record) for leaf in found.leaves]


def opened(recovering, answer):
    answer.manifest.verify(answer.signature, recovering.world.release_key)
    record = check_leaf(answer.leaf, answer.checkpoint, LOG_ORIGIN, recovering.world.log_key)
    assert record.kind == "key.recover"
    assert answer.leaf.leaf_hash == answer.manifest.leaf_hash
    return hpke_open(recovering.rita.device.hpke_private_key, answer.manifest.encode(), answer.sealed)


def test_a_history_goes_to_the_requesters_device_and_its_owner_is_told(recovering):
    recovering.world.keys.rotate(ORGANIZATION, recovering.world.alice.mailbox_id)
    proposal = recovering.approved()
    answer = recovering.fetch(proposal)
    keys = decode_released_keys(opened(recovering, answer))
    with recovering.world.storage.read(ORGANIZATION) as tx:
        rows = tx.fetch_all(select(mailbox_key.c.id, mailbox_key.c.spki).order_by(mailbox_key.c.generation))
    assert [key.key_id for key in keys] == [row.id for row in rows]
    for key, row in zip(keys, rows, strict=True):
        public = load_der_private_key(key.private_key_pkcs8, None).public_key()
        assert public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == bytes(row.spki)
    assert len(answer.certificates) == 2
    kinds = [record.kind for record in chain(recovering)]
    assert kinds[-2:] == ["recovery.announce", "key.recover"]
    said = chain(recovering)[-1].fields
    assert said["by"] == "rita@example.test"
    assert said["device"] == recovering.rita.device.public.thumbprint().hex()
    assert len(said["keys"].split(",")) == 2
    # fetched again it is the same act; another device of nobody's gets nothing
    again = recovering.fetch(proposal)
    assert again.manifest == answer.manifest
    assert [record.kind for record in chain(recovering)] == kinds
    assert recovering.approvals.service.view(ORGANIZATION, proposal.proposal_id).state == "done"
    with pytest.raises(NotFoundError):
        recovering.fetch(proposal, person=recovering.officers[0])


def test_named_messages_give_their_content_keys_and_never_a_private_key(recovering):
    first, second, other = (recovering.message(text) for text in (b"one", b"two", b"three"))
    proposal = recovering.approved(first, second)
    answer = recovering.fetch(proposal, [first[1], second[1]])
    keys = decode_content_keys(opened(recovering, answer))
    for (encoded, _), key, text in zip((first, second), keys, (b"one", b"two"), strict=True):
        info = load_content(encoded).encrypted_content_info
        cipher = read_cipher(info.content_encryption_algorithm, authenticated=False, allow_legacy=False)
        assert cipher.decrypt(key, info.encrypted_content, b"", b"") == text
    assert answer.certificates == ()
    assert answer.manifest.keys == ()
    with pytest.raises(PermissionDeniedError):
        recovering.fetch(proposal, [other[1]])
    with pytest.raises(InputError):
        recovering.fetch(proposal)
    said = chain(recovering)[-1].fields
    assert "keys" not in said
    assert len(said["messages"].split(",")) == 2


def test_a_wrong_recipient_info_is_answered_with_a_key_of_the_right_length_always_the_same(recovering):
    encoded, item = recovering.message()
    broken = msgspec.structs.replace(
        item, recipient_info=item.recipient_info[:-1] + bytes([item.recipient_info[-1] ^ 1])
    )
    proposal = recovering.approved((encoded, broken))
    first, again = (decode_content_keys(opened(recovering, recovering.fetch(proposal, [broken]))) for _ in range(2))
    assert first == again
    assert len(first[0]) == CIPHER.key_bytes


def test_keys_of_who_left_can_be_recovered(recovering):
    recovering.world.people.remove_person(ORGANIZATION, "alice@example.test")
    recovering.world.keys.withdraw(ORGANIZATION, recovering.world.alice.mailbox_id)
    (tenure,) = recovering.world.mailboxes.tenures(ORGANIZATION, "alice@example.test")
    assert tenure.state == "withdrawn"
    proposal = recovering.approved()
    assert decode_released_keys(opened(recovering, recovering.fetch(proposal)))


def test_nothing_is_given_out_without_enough_approvals_nor_before_the_delay(tmp_path):
    recovering = Recovering(tmp_path, RecoveryRule(release_delay_seconds=DAY))
    proposal = recovering.propose(recovering.request())
    recovering.approvals.decide(recovering.officers[0], proposal)
    recovering.approvals.run_outbox()
    with pytest.raises(NotFoundError):
        recovering.fetch(proposal)
    recovering.approvals.decide(recovering.officers[1], proposal)
    recovering.approvals.run_outbox()
    assert chain(recovering)[-1].kind == "recovery.announce", "the owner is told before anything is given out"
    with pytest.raises(ApprovalsMissingError):
        recovering.fetch(proposal)
    recovering.world.clock.move(seconds=DAY)
    with pytest.raises(ApprovalsMissingError):  # the approvals of `decide` live for a day
        recovering.fetch(proposal)
    assert recovering.service.lapse(ORGANIZATION) == 1
    with pytest.raises(PermissionDeniedError):
        recovering.fetch(proposal)
    recovering.close()


def test_a_veto_within_the_delay_ends_it(tmp_path):
    recovering = Recovering(tmp_path, RecoveryRule(release_delay_seconds=3600))
    proposal = recovering.approved()
    assert recovering.approvals.decide(recovering.officers[2], proposal, "veto").state == "vetoed"
    recovering.world.clock.move(seconds=3600)
    with pytest.raises(PermissionDeniedError):
        recovering.fetch(proposal)
    recovering.close()


def test_under_a_legal_delay_the_owner_sees_nothing_until_it_ends_and_then_everything(tmp_path):
    recovering = Recovering(tmp_path, RecoveryRule(owner_delay_seconds=30 * DAY))
    alice = recovering.world.alice.mailbox_id
    before = chain(recovering)
    proposal = recovering.approved()
    recovering.fetch(proposal)
    assert chain(recovering) == before
    hidden = chain(recovering, deferred_chain(alice))
    assert [record.kind for record in hidden] == ["recovery.announce", "key.recover"]
    opens = {record.fields["opens"] for record in hidden}
    assert recovering.service.tell_owners(ORGANIZATION) == 0
    recovering.world.clock.move(days=30)
    assert recovering.service.tell_owners(ORGANIZATION) == 1
    assert recovering.service.tell_owners(ORGANIZATION) == 0
    joined = chain(recovering)[len(before) :]
    assert [record.kind for record in joined] == ["recovery.announce", "key.recover"]
    assert {record.fields["opens"] for record in joined} == opens
    assert all(record.fields["deferred_leaf"] for record in joined)
    recovering.close()


def test_under_a_legal_delay_an_owner_who_is_an_officer_neither_sees_it_nor_counts_nor_is_asked(tmp_path):
    recovering = Recovering(tmp_path, RecoveryRule(owner_delay_seconds=30 * DAY))
    owner = recovering.officers[2]
    recovering.world.keys.provision(ORGANIZATION, owner.mailbox_id)
    about = {"mailbox_id": owner.mailbox_id, "address": owner.address}
    notices = sync_number(recovering, owner)
    proposal = recovering.propose(recovering.request(**about))
    service = recovering.approvals.service
    assert sync_number(recovering, owner) == notices
    assert proposal not in [view.proposal for view in service.views(ORGANIZATION, owner.mailbox_id)]
    with pytest.raises(NotFoundError):
        service.visible(ORGANIZATION, proposal.proposal_id, owner.mailbox_id)
    for other in (recovering.rita, *recovering.officers[:2]):
        assert proposal in [view.proposal for view in service.views(ORGANIZATION, other.mailbox_id)]
        assert service.visible(ORGANIZATION, proposal.proposal_id, other.mailbox_id).proposal == proposal
    recovering.approve(proposal)
    with pytest.raises(NotFoundError):
        service.visible(ORGANIZATION, proposal.proposal_id, owner.mailbox_id)
    recovering.world.clock.move(days=30)
    assert service.visible(ORGANIZATION, proposal.proposal_id, owner.mailbox_id).proposal == proposal
    recovering.set_rule(RecoveryRule(needed=3, owner_delay_seconds=30 * DAY))
    with pytest.raises(InputError, match="besides the requester"):
        recovering.propose(recovering.request(**about))
    recovering.close()


def test_without_a_legal_delay_the_owner_may_see_it_and_veto(recovering):
    owner = recovering.officers[2]
    recovering.world.keys.provision(ORGANIZATION, owner.mailbox_id)
    proposal = recovering.propose(recovering.request(mailbox_id=owner.mailbox_id, address=owner.address))
    found = recovering.approvals.service.visible(ORGANIZATION, proposal.proposal_id, owner.mailbox_id)
    assert found.proposal == proposal
    assert recovering.approvals.decide(owner, proposal, "veto").state == "vetoed"


def sync_number(recovering, person):
    with recovering.world.storage.read(ORGANIZATION) as tx:
        found = recovering.world.device_store.sync_numbers(tx, [person.enrolled.device_id])
    return found[person.enrolled.device_id]


def test_every_step_is_a_leaf(recovering):
    proposal = recovering.approved()
    recovering.fetch(proposal)
    kinds = [record.kind for record in chain(recovering, "organization")]
    assert kinds[-4:] == ["proposal.create", "proposal.approve", "proposal.approve", "proposal.done"]
    assert "recovery.rule" in kinds


def test_a_crash_between_the_keystores_note_and_the_books_is_repaired(recovering, monkeypatch):
    proposal = recovering.propose(recovering.request())
    monkeypatch.setattr(recovering.service, "_log", lambda *_: (_ for _ in ()).throw(RuntimeError))
    with pytest.raises(RuntimeError):
        recovering.approve(proposal)
    recovering.world.clock.move(seconds=60)
    monkeypatch.undo()
    recovering.approvals.run_outbox()
    recovering.approvals.run_outbox()
    assert [record.kind for record in chain(recovering)].count("recovery.announce") == 1
    recovering.fetch(proposal)


@pytest.mark.parametrize(
    "changes",
    [
        {"mailbox_id": "c" * 32},
        {"address": "bob@example.test"},
        {"device_thumbprint": b"t" * 32},
        {"device_id": "c" * 32},
        {"rule_version": 9},
        {"what": "messages"},
    ],
)
def test_a_request_that_cannot_be_kept_is_refused_at_once(recovering, changes):
    with pytest.raises((InputError, NotFoundError, PermissionDeniedError)):
        recovering.propose(recovering.request(**changes))


def test_who_may_ask_and_how_many_must_be_left_to_approve(recovering):
    alice = recovering.approvals.person("bob")
    with pytest.raises(PermissionDeniedError):
        recovering.propose(recovering.request(), alice)
    with pytest.raises(PermissionDeniedError):  # the operator has no device to seal to
        recovering.propose(recovering.request(), type(alice)("", None, None, ""))
    recovering.set_rule(RecoveryRule(needed=4))
    with pytest.raises(InputError, match="besides the requester"):
        recovering.propose(recovering.request())


def test_an_organization_without_a_rule_has_no_recovery(tmp_path):
    world = World(tmp_path)
    rules = RecoveryRules(world.storage, world.keystore, world.audit, approvals=Approvals(world).service)
    with pytest.raises(NotFoundError):
        rules.rule(ORGANIZATION)
    world.storage.close()


def test_with_two_security_officers_a_rule_needs_both_of_them(recovering):
    dora, emil = (recovering.approvals.person(name, "security-officer") for name in ("dora", "emil"))
    proposal = recovering.rules.change(ORGANIZATION, RecoveryRule(needed=3), "", "stricter")
    assert recovering.rules.rule(ORGANIZATION)[0].needed == 2
    recovering.approvals.decide(dora, proposal)
    recovering.approvals.decide(emil, proposal)
    evidence = recovering.approvals.service.evidence(ORGANIZATION, proposal.proposal_id)
    for rule, version in ((RecoveryRule(needed=2, level=2), 1), (RecoveryRule(needed=3), 7)):
        with pytest.raises(PermissionDeniedError):
            recovering.world.keystore.vouch_recovery_rule(ORGANIZATION, rule, version, evidence)
    with pytest.raises(ApprovalsMissingError):
        recovering.world.keystore.vouch_recovery_rule(ORGANIZATION, RecoveryRule(needed=3), 1, None)
    recovering.approvals.run_outbox()
    assert recovering.rules.rule(ORGANIZATION)[0].needed == 3
    with pytest.raises(ConflictError):
        recovering.world.keystore.vouch_recovery_rule("b" * 32, RecoveryRule(), -1, None)

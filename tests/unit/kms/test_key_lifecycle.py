"""States of keys: the table, and what suspending, resuming, compromising and destroying do; legal holds."""

from contextlib import suppress
from itertools import product
from typing import get_args

import pytest
from support.approving import Approvals
from support.people_world import LOG_ORIGIN, ORGANIZATION, World

from sealwright.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    PermissionDeniedError,
    SealwrightError,
    UnavailableError,
)
from sealwright.keystore.key_states import TRANSITIONS, check_transition
from sealwright.kms.tables import legal_hold, mailbox_key
from sealwright.storage.schema import new_id
from sealwright.tlog.leaf import ORGANIZATION_CHAIN, decode_leaf_record
from sealwright.wire.approvals import Proposal
from sealwright.wire.destruction import verify_destruction
from sealwright.wire.manifest import KeyState
from sealwright.wire.roles import SECURITY_OFFICER

from .test_key_service import ask, rows

STATES = get_args(KeyState)
NIST = {
    ("PRE_ACTIVATION", "DESTROYED"),
    ("PRE_ACTIVATION", "COMPROMISED"),
    ("PRE_ACTIVATION", "ACTIVE"),
    ("ACTIVE", "SUSPENDED"),
    ("ACTIVE", "DEACTIVATED"),
    ("ACTIVE", "COMPROMISED"),
    ("ACTIVE", "DESTROYED"),
    ("SUSPENDED", "ACTIVE"),
    ("SUSPENDED", "DEACTIVATED"),
    ("SUSPENDED", "COMPROMISED"),
    ("SUSPENDED", "DESTROYED"),
    ("DEACTIVATED", "COMPROMISED"),
    ("DEACTIVATED", "DESTROYED"),
    ("COMPROMISED", "DESTROYED"),
}
"""SP 800-57 part 1 revision 5, section 7.3."""


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.keys.provision(ORGANIZATION, made.alice.mailbox_id)
    yield made
    made.storage.close()


def kinds(world, chain=None):
    leaves = world.audit.chain(ORGANIZATION, chain or world.alice.mailbox_id).leaves
    return [decode_leaf_record(leaf.record).kind for leaf in leaves]


def active(world):
    return next(row.id for row in rows(world) if row.state == "ACTIVE")


def test_the_table_permits_only_what_the_standard_does_and_every_end_is_destruction():
    assert set(TRANSITIONS) == set(STATES)
    ours = {(old, new) for old in STATES for new in TRANSITIONS[old]}
    assert ours == NIST - {("PRE_ACTIVATION", "COMPROMISED"), ("ACTIVE", "DESTROYED")}
    for old, new in product(STATES, STATES):
        if (old, new) in ours:
            check_transition(old, new)
        else:
            with pytest.raises(ConflictError):
                check_transition(old, new)


def test_a_suspended_key_is_not_released_nor_found_nor_replaced_and_resumes(world):
    device, enrolled = world.enrol()
    certificate = world.directory.published["alice@example.test"]
    world.keys.rotate(ORGANIZATION, world.alice.mailbox_id)
    assert world.directory.published["alice@example.test"] != certificate
    key = active(world)
    shown = world.directory.published["alice@example.test"]
    world.keys.lifecycle.suspend(ORGANIZATION, key, "under investigation", "operator")
    assert world.directory.published == {}
    answer = ask(world, device, enrolled, key="s1")
    assert [one.state for one in answer.manifest.keys] == ["DEACTIVATED", "SUSPENDED"]
    assert len(answer.manifest.released_keys()) == 1
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    assert len(rows(world)) == 2
    with pytest.raises(ConflictError):
        world.keys.lifecycle.suspend(ORGANIZATION, key, "again", "operator")
    world.keys.lifecycle.resume(ORGANIZATION, key, "nothing found", "operator")
    assert world.directory.published["alice@example.test"] == shown
    assert len(ask(world, device, enrolled, key="s2").manifest.released_keys()) == 2
    retried = ask(world, device, enrolled, key="s1")  # its leaf names the first key alone
    assert retried.manifest.released_keys() == answer.manifest.released_keys()
    assert {"key.suspend", "key.resume"} <= set(kinds(world))


def test_a_retry_after_a_suspension_gets_no_key_that_it_would_have_got_before(world):
    device, enrolled = world.enrol()
    ask(world, device, enrolled, key="r1")
    world.keys.lifecycle.suspend(ORGANIZATION, active(world), "lost laptop", "operator")
    with pytest.raises(ConflictError):
        ask(world, device, enrolled, key="r1")
    with pytest.raises(PermissionDeniedError):
        ask(world, device, enrolled, key="r2")


def test_a_compromised_key_is_revoked_and_replaced_and_still_decrypts(world):
    device, enrolled = world.enrol()
    key = active(world)
    world.keys.lifecycle.compromise(ORGANIZATION, key, "found on a web site", "operator")
    assert world.directory.published == {}
    topics = [topic for topic, payload in world.outbox if topic != "challenge.mail"]
    assert topics[-2:] == ["key.revoke", "mailbox.provision"]
    revoke = next(payload for topic, payload in world.outbox if topic == "key.revoke")
    assert revoke == {
        "spki_sha256": ask(world, device, enrolled).manifest.keys[0].spki_sha256.hex(),
        "reason": "keyCompromise",
    }
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    assert [row.state for row in rows(world)] == ["COMPROMISED", "ACTIVE"]
    answer = ask(world, device, enrolled, key="later")
    assert [one.state for one in answer.manifest.released_keys()] == ["COMPROMISED", "ACTIVE"]
    with pytest.raises(ConflictError):
        world.keys.lifecycle.compromise(ORGANIZATION, key, "again", "operator")
    with pytest.raises(ConflictError):
        world.keys.lifecycle.resume(ORGANIZATION, key, "no", "operator")


def test_a_destroyed_key_is_gone_and_its_receipt_verifies(world):
    device, enrolled = world.enrol()
    key = active(world)
    with pytest.raises(ConflictError):
        world.keys.lifecycle.destroy(ORGANIZATION, key, "no", "operator")
    world.keys.rotate(ORGANIZATION, world.alice.mailbox_id)
    with pytest.raises(NotFoundError):
        world.keys.lifecycle.receipt(ORGANIZATION, key)
    before = world.keys.history(ORGANIZATION, world.alice.mailbox_id)[0]
    signed = world.keys.lifecycle.destroy(ORGANIZATION, key, "end of retention", "operator")
    assert bytes(rows(world)[0].ciphertext) == b""
    with pytest.raises(PermissionDeniedError, match="destroyed"):
        world.keystore.key_states.check([before.record])
    record = verify_destruction(signed, world.release_key, LOG_ORIGIN, world.log_key)
    assert record.fields["reason"] == signed.receipt.reason == "end of retention"
    again = world.keys.lifecycle.receipt(ORGANIZATION, key)
    assert (again.receipt, again.signature) == (signed.receipt, signed.signature)
    answer = ask(world, device, enrolled)
    assert [one.state for one in answer.manifest.keys] == ["DESTROYED", "ACTIVE"]
    with pytest.raises(ConflictError):
        world.keys.lifecycle.destroy(ORGANIZATION, key, "twice", "operator")


def test_a_receipt_of_another_act_or_key_is_refused(world):
    import msgspec

    key = active(world)
    world.keys.rotate(ORGANIZATION, world.alice.mailbox_id)
    signed = world.keys.lifecycle.destroy(ORGANIZATION, key, "end", "operator")
    for change in ({"reason": "other"}, {"key_id": "f" * 32}, {"leaf_hash": b"x" * 32}):
        forged = msgspec.structs.replace(signed, receipt=msgspec.structs.replace(signed.receipt, **change))
        with pytest.raises(SealwrightError):
            verify_destruction(forged, world.release_key, LOG_ORIGIN, world.log_key)
    # signed by the right key, but over a leaf of another act
    receipt = msgspec.structs.replace(signed.receipt, key_id="f" * 32)
    with pytest.raises(PermissionDeniedError, match="nobody vouched"):
        world.keystore.sign_destruction(receipt)
    world.keystore.vouch_key_state(ORGANIZATION, receipt.key_id, "DEACTIVATED", "DESTROYED", 0)
    signature = world.keystore.sign_destruction(receipt)
    forged = msgspec.structs.replace(signed, receipt=receipt, signature=signature)
    with pytest.raises(SealwrightError, match="not about this destruction"):
        verify_destruction(forged, world.release_key, LOG_ORIGIN, world.log_key)


def test_a_legal_hold_forbids_destruction_until_the_last_one_is_lifted(world):
    key = active(world)
    world.keys.rotate(ORGANIZATION, world.alice.mailbox_id)
    holds = world.keys.holds
    first = holds.set_hold(ORGANIZATION, world.alice.mailbox_id, "case 7", "operator")
    second = holds.set_hold(ORGANIZATION, world.alice.mailbox_id, "case 8", "operator")
    for hold in (first, second):
        with pytest.raises(PermissionDeniedError, match="legal hold"):
            world.keys.lifecycle.destroy(ORGANIZATION, key, "end", "operator")
        assert rows(world)[0].ciphertext
        holds.lift_hold(ORGANIZATION, hold.hold_id, "case closed", "operator")
    with pytest.raises(ConflictError):
        holds.lift_hold(ORGANIZATION, first.hold_id, "twice", "operator")
    assert world.keys.lifecycle.destroy(ORGANIZATION, key, "end", "operator").receipt.key_id == key
    assert [hold.lifted is None for hold in holds.holds(ORGANIZATION)] == [False, False]
    assert (
        kinds(world, ORGANIZATION_CHAIN).count("hold.set") == kinds(world, ORGANIZATION_CHAIN).count("hold.lift") == 2
    )
    assert "hold.set" not in kinds(world)


def test_a_hold_that_only_the_database_knows_of_is_obeyed_by_the_statement(world):
    key = active(world)
    world.keys.rotate(ORGANIZATION, world.alice.mailbox_id)
    now = world.clock.now()
    values = {"mailbox_id": world.alice.mailbox_id, "reason": "r", "set_by": "x", "created": now, "lifted": None}
    with world.storage.transaction(ORGANIZATION) as tx:
        tx.execute(legal_hold.insert().values(organization_id=ORGANIZATION, id="9" * 32, **values))
    with pytest.raises(PermissionDeniedError):
        world.keys.lifecycle.destroy(ORGANIZATION, key, "end", "operator")


def test_from_two_security_officers_on_a_destruction_is_proposed_and_two_approve_it(world):
    approvals = Approvals(world)
    key = active(world)
    world.keys.rotate(ORGANIZATION, world.alice.mailbox_id)
    officers = [approvals.person(name, SECURITY_OFFICER) for name in ("sam", "sue")]
    proposed = world.keys.lifecycle.destroy(ORGANIZATION, key, "end of retention", "operator")
    assert isinstance(proposed, Proposal)
    approvals.decide(officers[0], proposed)
    approvals.run_outbox()
    assert rows(world)[0].ciphertext
    approvals.decide(officers[1], proposed)
    for _ in range(2):
        approvals.run_outbox()
    assert (rows(world)[0].state, bytes(rows(world)[0].ciphertext)) == ("DESTROYED", b"")
    signed = world.keys.lifecycle.receipt(ORGANIZATION, key)
    assert signed.receipt.reason == "end of retention"
    assert proposed.proposal_id in verify_destruction(signed, world.release_key, LOG_ORIGIN, world.log_key).fields["by"]
    assert world.approvals.view(ORGANIZATION, proposed.proposal_id).state == "done"


def test_a_hold_that_comes_after_the_approvals_keeps_the_key_and_it_stays_usable(world):
    approvals, (device, enrolled) = Approvals(world), world.enrol()
    key = active(world)
    world.keys.rotate(ORGANIZATION, world.alice.mailbox_id)
    officers = [approvals.person(name, SECURITY_OFFICER) for name in ("sam", "sue")]
    proposed = world.keys.lifecycle.destroy(ORGANIZATION, key, "end", "operator")
    for officer in officers:
        approvals.decide(officer, proposed)
    hold = world.keys.holds.set_hold(ORGANIZATION, world.alice.mailbox_id, "case 7", "operator")
    with pytest.raises(PermissionDeniedError, match="legal hold"):
        approvals.run_outbox()
    assert ask(world, device, enrolled).manifest.released_keys()[0].key_id == key
    with pytest.raises(PermissionDeniedError, match="legal hold"):
        world.keys.lifecycle.destroy(ORGANIZATION, key, "end", "operator")
    world.keys.holds.lift_hold(ORGANIZATION, hold.hold_id, "closed", "operator")
    approvals.run_outbox()
    assert rows(world)[0].state == "DESTROYED"


def test_what_people_decided_is_not_undone_in_the_database(world):
    device, enrolled = world.enrol()
    key = active(world)
    fields = ("state", "state_version", "state_mac")
    old = {name: rows(world)[0]._mapping[name] for name in fields}
    world.keys.lifecycle.suspend(ORGANIZATION, key, "lost laptop", "operator")
    with pytest.raises(PermissionDeniedError, match="suspended"):
        ask(world, device, enrolled, "refused")
    suspended = {name: rows(world)[0]._mapping[name] for name in fields}
    for forged in (old, suspended | {"state": "ACTIVE"}, old | {"state_version": 7}):
        write(world, key, forged)
        with pytest.raises(PermissionDeniedError):
            ask(world, device, enrolled, new_id())
    write(world, key, suspended)
    world.keys.lifecycle.resume(ORGANIZATION, key, "found", "operator")
    assert ask(world, device, enrolled, "resumed").manifest.keys[0].state == "ACTIVE"
    resumed = {name: rows(world)[0]._mapping[name] for name in fields}
    world.keys.lifecycle.compromise(ORGANIZATION, key, "on a web site", "operator")
    for forged in (old, resumed, {**resumed, "state": "DEACTIVATED"}):
        write(world, key, forged)
        with pytest.raises(PermissionDeniedError):
            ask(world, device, enrolled, new_id())


def write(world, key, values):
    with world.storage.transaction(ORGANIZATION) as tx:
        tx.execute(mailbox_key.update().where(mailbox_key.c.id == key).values(**values))


def test_a_decision_whose_transaction_was_lost_is_made_good_by_the_same_act(world, monkeypatch):
    device, enrolled = world.enrol()
    key = active(world)
    with monkeypatch.context() as patch:
        patch.setattr(world.audit, "append", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            world.keys.lifecycle.suspend(ORGANIZATION, key, "lost laptop", "operator")
    assert rows(world)[0].state == "ACTIVE"
    with pytest.raises(PermissionDeniedError):  # what the keystore has written down holds
        ask(world, device, enrolled, "one")
    for act in (world.keys.rotate, world.keys.provision):  # and nothing goes on past it
        with suppress(ConflictError, UnavailableError):
            act(ORGANIZATION, world.alice.mailbox_id)
    assert [row.state for row in rows(world)] == ["ACTIVE"]
    world.keys.lifecycle.suspend(ORGANIZATION, key, "lost laptop", "operator")
    world.keys.lifecycle.resume(ORGANIZATION, key, "found", "operator")
    assert ask(world, device, enrolled, "two").manifest.keys[0].state == "ACTIVE"


def test_reasons_keys_and_mailboxes_that_cannot_be_are_refused(world):
    lifecycle = world.keys.lifecycle
    for act in (lifecycle.suspend, lifecycle.resume, lifecycle.compromise, lifecycle.destroy):
        with pytest.raises(InputError):
            act(ORGANIZATION, active(world), " ", "operator")
        with pytest.raises(InputError):
            act(ORGANIZATION, active(world), "two\nlines", "operator")
        with pytest.raises(NotFoundError):
            act(ORGANIZATION, "0" * 32, "reason", "operator")
    with pytest.raises(NotFoundError):
        world.keys.holds.set_hold(ORGANIZATION, "0" * 32, "reason", "operator")


def test_an_archived_key_that_is_not_the_certified_one_is_never_published(world):
    from sealwright.errors import VerificationError

    bob = world.people.find_mailbox(ORGANIZATION, "bob@example.test")
    world.keystore.examine = lambda record, certificate: False
    with pytest.raises(VerificationError, match="not the certified one"):
        world.keys.provision(ORGANIZATION, bob.mailbox_id)
    assert "bob@example.test" not in world.directory.published
    with world.storage.read(ORGANIZATION) as tx:
        assert len(tx.fetch_all(mailbox_key.select())) == 2

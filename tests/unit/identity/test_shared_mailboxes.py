"""Shared mailboxes of a whole server: who gets the keys, what leaving does, and what a new holder of an address gets."""

import msgspec
import pytest
from sqlalchemy import select
from support.release_evidence import make_device
from support.served import ALICE, BOB, Served, people

from sealwright.kms.tables import mailbox_key
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.api import ReleaseAnswer, ReleaseRequest
from sealwright.wire.operator import MemberRequest, SharedMailboxRequest

SUPPORT = "support@example.test"
NONCE = b"n" * 32


@pytest.fixture
def served(tmp_path):
    made = Served(tmp_path)
    assert made.operate("/local/shared-mailboxes", SharedMailboxRequest(address=SUPPORT)).status_code == 204
    made.work()
    yield made
    made.close()


def member(served, address, joins, mailbox=SUPPORT):
    answer = served.operate(
        "/local/shared-mailboxes/members", MemberRequest(address=mailbox, member=address, joins=joins)
    )
    served.work()
    return answer.status_code


def mailbox_id(served, address=SUPPORT):
    found = served.services.people.find_mailbox(served.services.organization_id, address)
    return found.mailbox_id if found else ""


def release(served, device, mailbox=""):
    return served.ask("/v1/releases", *device, ReleaseRequest(request_nonce=NONCE, mailbox_id=mailbox))


def generations(answer):
    return [key.generation for key in msgspec.json.decode(answer.content, type=ReleaseAnswer).manifest.keys]


def kinds(served, chain):
    services = served.services
    view = services.audit.chain(services.organization_id, chain)
    return [decode_leaf_record(leaf.record).kind for leaf in view.leaves]


def test_members_get_the_keys_beside_their_own_and_each_act_is_a_leaf(served):
    alice, shared = served.enrol(), mailbox_id(served)
    assert release(served, alice, shared).status_code == 404
    assert member(served, ALICE, joins=True) == 204
    answer = release(served, alice, shared)
    assert answer.status_code == 200, answer.text
    assert generations(answer) == [1]
    assert generations(release(served, alice)) == [1]
    found = served.ask("/v1/shared-mailboxes", *alice, method="GET").json()["mailboxes"]
    assert [(each["mailbox_id"], each["address"]) for each in found] == [(shared, SUPPORT)]
    rows = served.local.get("/local/shared-mailboxes").json()["mailboxes"]
    assert [(row["address"], row["members"]) for row in rows] == [(SUPPORT, [ALICE])]
    assert [kind for kind in kinds(served, shared) if kind.partition(".")[0] in {"shared-mailbox", "member"}] == [
        "shared-mailbox.create",
        "member.join",
    ]
    assert "key.release" in kinds(served, shared)
    assert "member.join" in kinds(served, mailbox_id(served, ALICE))


def test_who_leaves_gets_nothing_and_the_mailbox_gets_a_new_key(served):
    alice, bob, shared = served.enrol(), served.enrol(BOB), mailbox_id(served)
    assert [member(served, each, joins=True) for each in (ALICE, BOB)] == [204, 204]
    assert release(served, bob, shared).status_code == 200
    assert member(served, BOB, joins=False) == 204
    assert release(served, bob, shared).status_code == 404
    assert served.ask(f"/v1/log/chain?after=0&mailbox={shared}", *bob, method="GET").status_code == 404
    assert generations(release(served, alice, shared)) == [1, 2]
    assert member(served, BOB, joins=False) == 404
    assert member(served, BOB, joins=True) == 204
    assert generations(release(served, bob, shared)) == [1, 2]
    assert kinds(served, shared).count("member.leave") == 1


def test_a_mailbox_that_keeps_its_key_keeps_it(served):
    wanted = SharedMailboxRequest(address="board@example.test", rekey_on_leave=False)
    assert served.operate("/local/shared-mailboxes", wanted).status_code == 204
    served.work()
    for joins in (True, False):
        assert member(served, BOB, joins, "board@example.test") == 204
    with served.services.storage.read(None) as tx:
        own = mailbox_key.c.mailbox_id == mailbox_id(served, "board@example.test")
        assert len(tx.fetch_all(select(mailbox_key).where(own))) == 1


def test_whoever_leaves_the_organization_leaves_every_shared_mailbox(served):
    alice, shared = served.enrol(), mailbox_id(served)
    assert [member(served, each, joins=True) for each in (ALICE, BOB)] == [204, 204]
    served.remove(BOB)
    rows = served.local.get("/local/shared-mailboxes").json()["mailboxes"]
    assert [row["members"] for row in rows] == [[ALICE]]
    assert generations(release(served, alice, shared)) == [1, 2]


def test_nobody_sets_a_device_up_for_a_shared_mailbox(served):
    device = make_device()
    begun = served.begin(device, SUPPORT)
    assert begun.status_code == 201
    assert begun.json().keys() == served.begin(make_device()).json().keys()
    assert [mail for mail in served.mails() if mail["enrolment_id"] == begun.json()["enrolment_id"]] == []


def test_what_is_no_shared_mailbox_has_no_members(served):
    assert member(served, BOB, joins=True, mailbox=ALICE) == 404
    assert member(served, SUPPORT, joins=True) == 400
    assert member(served, "nobody@example.test", joins=True) == 404
    taken = served.operate("/local/shared-mailboxes", SharedMailboxRequest(address=ALICE))
    foreign = served.operate("/local/shared-mailboxes", SharedMailboxRequest(address="a@other.test"))
    assert (taken.status_code, foreign.status_code) == (409, 400)


def test_the_next_holder_of_an_address_gets_nothing_old(served):
    """A new tenure: another mailbox, a key of its own, and the devices of the one before are shut out."""
    before, old = served.enrol(), mailbox_id(served, ALICE)
    first = msgspec.json.decode(release(served, before).content, type=ReleaseAnswer).manifest
    served.remove(ALICE)
    assert release(served, before).status_code == 401
    assert served.operate("/local/people", people(ALICE)).json()["created"] == 1
    served.work()
    after = served.enrol()
    second = msgspec.json.decode(release(served, after).content, type=ReleaseAnswer).manifest
    assert mailbox_id(served, ALICE) != old
    assert {key.spki_sha256 for key in first.keys}.isdisjoint(key.spki_sha256 for key in second.keys)
    assert [key.generation for key in second.keys] == [1]
    assert "key.freeze" in kinds(served, old)

"""Rows that count once, of recoveries, policies, access, members and administrators, raced on every database."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert
from support.people_world import ORGANIZATION, World

from sealwright.errors import ConflictError, NotFoundError, SealwrightError, UnavailableError
from sealwright.identity.access_store import AccessStore
from sealwright.identity.administrator_store import AdministratorStore
from sealwright.identity.model import Administrator, Passkey, SessionToOpen
from sealwright.identity.policy_store import GroupStore, VouchedRowStore
from sealwright.identity.shared_store import Member, SharedStore
from sealwright.identity.tables import proposal
from sealwright.keystore.factors import PASSWORD
from sealwright.keystore.model import RecordIdentity, SealedRecord, VouchedRow
from sealwright.kms.recovery_store import Recovery, RecoveryStore
from sealwright.storage.schema import new_id

LEAF = "e" * 32
EIGHT = 8


@pytest.fixture
def world(storage, tmp_path):
    return World(tmp_path, storage)


@pytest.fixture
def recovery(world):
    """A recovery of alice's keys, not announced yet."""
    now = world.clock.now()
    with world.storage.transaction(ORGANIZATION) as tx:
        proposal_id = new_id()
        tx.execute(
            insert(proposal).values(
                organization_id=ORGANIZATION,
                id=proposal_id,
                kind="key.recovery",
                requester="",
                reason="because",
                case_number="1",
                content=b"{}",
                needed=2,
                created=now,
                expires=now + timedelta(days=1),
                state="APPROVED",
                decided=now,
            )
        )
    return Recovery(ORGANIZATION, proposal_id, world.alice.mailbox_id, now, now + timedelta(days=30), LEAF)


def in_transaction(world, work):
    """Return a racer that does `work` in a transaction of its own."""

    def run(number):
        with world.storage.transaction(ORGANIZATION) as tx:
            return work(tx, number)

    return run


def winners(outcomes, *losing):
    """Return how many came through; all others lost for one of these reasons and no other."""
    lost = [each for each in outcomes if isinstance(each, Exception)]
    assert all(isinstance(each, losing or ConflictError) for each in lost), outcomes
    return len(outcomes) - len(lost)


def read(world, work):
    with world.storage.read(ORGANIZATION) as tx:
        return work(tx)


# --- recoveries ----------------------------------------------------------------------------------------------------------


def test_a_recovery_is_announced_once(world, recovery, race):
    store = RecoveryStore()
    assert winners(race(in_transaction(world, lambda tx, _: store.add(tx, recovery)))) == 1
    assert read(world, lambda tx: store.recovery(tx, ORGANIZATION, recovery.proposal_id)) == recovery
    with pytest.raises(NotFoundError):
        read(world, lambda tx: store.recovery(tx, ORGANIZATION, "d" * 32))


def test_a_recoverys_leaf_is_noted_once(world, recovery, race):
    store = RecoveryStore()
    with world.storage.transaction(ORGANIZATION) as tx:
        store.add(tx, recovery)
    keys = (new_id(), new_id())

    def note(tx, number):
        store.set_leaf(tx, recovery, f"{number:032x}", recovery.mailbox_id, keys)
        return number

    outcomes = race(in_transaction(world, note))
    assert winners(outcomes) == 1
    (winner,) = (each for each in outcomes if isinstance(each, int))
    noted = read(world, lambda tx: store.recovery(tx, ORGANIZATION, recovery.proposal_id))
    assert (noted.leaf_id, noted.key_ids) == (f"{winner:032x}", keys)


def test_an_owner_is_told_once_and_not_before_the_legal_delay_is_over(world, recovery, race):
    store, now = RecoveryStore(), world.clock.now()
    with world.storage.transaction(ORGANIZATION) as tx:
        store.add(tx, recovery)
    assert read(world, lambda tx: store.untold(tx, ORGANIZATION, now)) == []
    later = recovery.owner_at
    assert read(world, lambda tx: store.untold(tx, ORGANIZATION, later)) == [recovery]
    assert winners(race(in_transaction(world, lambda tx, _: store.set_told(tx, recovery, later)))) == 1
    assert read(world, lambda tx: store.untold(tx, ORGANIZATION, later)) == []


# --- vouched rows and groups ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("from_version", [0, 1])
def test_a_vouched_row_follows_each_version_once(world, race, from_version):
    store = VouchedRowStore()
    first = VouchedRow("release-policy-test", ORGANIZATION, "c" * 32, 1, b"first", b"m" * 32)
    if from_version:
        with world.storage.transaction(ORGANIZATION) as tx:
            store.put(tx, first, 0)

    def put(tx, number):
        row = replace(first, version=from_version + 1, content=b"%d" % number)
        store.put(tx, row, from_version)
        return row

    outcomes = race(in_transaction(world, put))
    assert winners(outcomes) == 1
    (winner,) = (each for each in outcomes if isinstance(each, VouchedRow))
    assert read(world, lambda tx: store.row(tx, ORGANIZATION, first.kind, first.row_id)) == winner
    assert read(world, lambda tx: store.rows(tx, ORGANIZATION, first.kind)) == [winner]


def test_a_groups_name_is_given_once(world, race):
    store = GroupStore()
    assert winners(race(in_transaction(world, lambda tx, _: store.add(tx, ORGANIZATION, new_id(), "staff")))) == 1
    assert list(read(world, lambda tx: store.names(tx, ORGANIZATION)).values()) == ["staff"]


# --- access --------------------------------------------------------------------------------------------------------------


def password(world, number, mailbox_id=""):
    identity = RecordIdentity(PASSWORD, ORGANIZATION, f"{number:032x}", mailbox_id or world.alice.mailbox_id)
    return SealedRecord(identity, PASSWORD, 1, b"sealed %d" % number)


def test_a_mailbox_has_one_protection_password_whoever_sets_it_last(world, race):
    store = AccessStore()
    with world.storage.transaction(ORGANIZATION) as tx:
        store.put_password(tx, password(world, 99))
    outcomes = race(in_transaction(world, lambda tx, number: store.put_password(tx, password(world, number))))
    assert winners(outcomes, ConflictError, UnavailableError) >= 1
    kept = read(world, lambda tx: store.password(tx, ORGANIZATION, world.alice.mailbox_id))
    assert kept in [password(world, number) for number in range(EIGHT)]
    assert read(world, lambda tx: store.password(tx, ORGANIZATION, "c" * 32)) is None


def test_a_device_waits_once_and_not_for_ever(world, race):
    store, now = AccessStore(), world.clock.now()
    _, enrolled = world.enrol()
    own, end = (ORGANIZATION, world.alice.mailbox_id), now + timedelta(minutes=15)
    outcomes = race(in_transaction(world, lambda tx, _: store.wait(tx, *own, enrolled.device_id, end)))
    assert winners(outcomes, ConflictError, UnavailableError) >= 1
    assert read(world, lambda tx: store.waiting(tx, *own, now)) == {enrolled.device_id: end}
    assert read(world, lambda tx: store.waiting(tx, ORGANIZATION, None, now)) == {enrolled.device_id: end}
    assert read(world, lambda tx: store.waiting(tx, *own, end)) == {}
    with world.storage.transaction(ORGANIZATION) as tx:
        store.stop_waiting(tx, ORGANIZATION, enrolled.device_id)
    assert read(world, lambda tx: store.waiting(tx, *own, now)) == {}


# --- shared mailboxes ----------------------------------------------------------------------------------------------------


def test_a_mailbox_is_made_shared_once_and_a_member_follows_each_version_once(world, race):
    store, shared = SharedStore(), world.people.find_mailbox(ORGANIZATION, "bob@example.test")
    make = in_transaction(world, lambda tx, _: store.add(tx, ORGANIZATION, shared.mailbox_id, rekey_on_leave=True))
    assert winners(race(make)) == 1
    assert read(world, lambda tx: store.all_active(tx, ORGANIZATION)) == {shared.mailbox_id: True}
    joined = Member(ORGANIZATION, shared.mailbox_id, world.alice.mailbox_id, "joined", 1, b"m" * 32, world.clock.now())
    assert winners(race(in_transaction(world, lambda tx, _: store.put(tx, joined, 0)))) == 1
    assert read(world, lambda tx: store.memberships(tx, ORGANIZATION, joined.member_id)) == [joined]
    left = replace(joined, state="left", version=2)
    assert winners(race(in_transaction(world, lambda tx, _: store.put(tx, left, 1)))) == 1
    assert read(world, lambda tx: store.members(tx, ORGANIZATION, shared.mailbox_id)) == []
    assert read(world, lambda tx: store.member(tx, ORGANIZATION, shared.mailbox_id, joined.member_id)) == left


# --- administrators ------------------------------------------------------------------------------------------------------


@pytest.fixture
def administrator(world):
    """Somebody with a passkey."""
    store, added = AdministratorStore(), Administrator(new_id(), "ada", "administrator", False, world.clock.now())
    key = Passkey(new_id(), added.administrator_id, b"credential", b"public", 0, world.clock.now())
    with world.storage.transaction(ORGANIZATION) as tx:
        store.add_administrator(tx, ORGANIZATION, added)
        store.add_passkey(tx, ORGANIZATION, key)
    return store, added, key


def test_a_name_and_a_credential_are_registered_once(world, administrator, race):
    store, added, key = administrator
    named = replace(added, name="emmy")
    outcomes = race(
        in_transaction(
            world, lambda tx, _: store.add_administrator(tx, ORGANIZATION, replace(named, administrator_id=new_id()))
        )
    )
    assert winners(outcomes) == 1
    other = replace(key, credential_id=b"another")
    outcomes = race(
        in_transaction(world, lambda tx, _: store.add_passkey(tx, ORGANIZATION, replace(other, passkey_id=new_id())))
    )
    assert winners(outcomes) == 1
    assert len(read(world, lambda tx: store.passkeys(tx, ORGANIZATION, added.administrator_id))) == 2


def test_a_challenge_is_answered_once_by_its_own_session_in_its_time(world, administrator, race):
    store, _, _ = administrator
    now = world.clock.now()
    with world.storage.transaction(ORGANIZATION) as tx:
        challenge_id = store.add_challenge(tx, ORGANIZATION, None, b"challenge", b"handle", now + timedelta(minutes=5))

    def take(tx, _, session_id=None, at=now):
        return store.take_challenge(tx, ORGANIZATION, challenge_id, session_id, at)

    for wrong in ({"session_id": "c" * 32}, {"at": now + timedelta(minutes=5)}):
        with pytest.raises(NotFoundError), world.storage.transaction(ORGANIZATION) as tx:
            take(tx, 0, **wrong)
    outcomes = race(in_transaction(world, take))
    assert winners(outcomes, ConflictError, NotFoundError) == 1
    assert (b"challenge", b"handle") in outcomes
    assert in_transaction(world, lambda tx, _: store.count_challenges(tx, ORGANIZATION, now))(0) == 0


def test_a_passkeys_counter_is_taken_once(world, administrator, race):
    store, _, key = administrator
    assert winners(race(in_transaction(world, lambda tx, _: store.use_passkey(tx, ORGANIZATION, key, 1)))) == 1
    assert read(world, lambda tx: store.passkey(tx, ORGANIZATION, key.credential_id)).sign_count == 1


def test_a_session_ends_once_and_an_administrator_goes_once_with_everything(world, administrator, race):
    store, added, key = administrator
    now, end = world.clock.now(), world.clock.now() + timedelta(hours=1)
    with world.storage.transaction(ORGANIZATION) as tx:
        opened = SessionToOpen(added.administrator_id, added.role, True, now, end)
        session_id = store.add_session(tx, ORGANIZATION, "a" * 64, opened)
        store.add_session(tx, ORGANIZATION, "b" * 64, opened)
    assert read(world, lambda tx: store.session(tx, ORGANIZATION, "a" * 64, now)).administrator == added
    assert read(world, lambda tx: store.session(tx, ORGANIZATION, "a" * 64, end)) is None
    assert winners(race(in_transaction(world, lambda tx, _: store.end_session(tx, ORGANIZATION, session_id)))) == 1
    remove = in_transaction(world, lambda tx, _: store.remove_administrator(tx, ORGANIZATION, added.administrator_id))
    assert winners(race(remove)) == 1
    assert read(world, lambda tx: store.session(tx, ORGANIZATION, "b" * 64, now)) is None
    assert read(world, lambda tx: store.passkey(tx, ORGANIZATION, key.credential_id)) is None
    with pytest.raises(SealwrightError):
        read(world, lambda tx: store.role_of(tx, ORGANIZATION, added.administrator_id))

"""Whatever happens to a mailbox's keys in whatever order, over the real keystore: the properties that always hold.

Both slots of a pair, legal holds, two security officers, transactions that are lost half-way, and restarts.
"""

from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.approving import Approvals
from support.people_world import ORGANIZATION, World
from support.recovering import keystore_in
from support.seals import software_keystore

from sealwright.errors import (
    ApprovalsMissingError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
)
from sealwright.keystore.key_states import TRANSITIONS
from sealwright.kms.tables import mailbox_key
from sealwright.storage.schema import new_id
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.approvals import Proposal
from sealwright.wire.manifest import RELEASED_STATES
from sealwright.wire.roles import SECURITY_OFFICER

from .test_key_service import ask

ALICE = "alice@example.test"
DECISIONS = ("suspend", "resume", "compromise", "destroy")
OTHERS = ("rotate", "provision", "hold", "lift", "approve", "veto", "restart", "forge")
STEPS = st.one_of(
    st.tuples(st.sampled_from(DECISIONS), st.integers(0, 5), st.booleans()),
    st.tuples(st.sampled_from(OTHERS), st.integers(0, 5), st.just(False)),
)
REFUSALS = (ConflictError, NotFoundError, PermissionDeniedError, ApprovalsMissingError)


class LostError(Exception):
    """The server died before the transaction was over."""


class Restartable:
    """The real keystore, which can be started anew over the same seal."""

    def __init__(self, folder, clock):
        self.folder, self.clock = folder, clock
        self.inner = keystore_in(folder, clock)

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def restart(self):
        self.inner.close()
        self.inner = software_keystore(self.folder / "seal.key", self.folder / "seal.json", self.clock)


class Life:
    """One mailbox with a pair, its device, and what is known of it."""

    def __init__(self, folder, *, officers):
        self.world = World(folder, make_keystore=Restartable, kem="ml-kem-768")
        self.world.keys.provision(ORGANIZATION, self.world.alice.mailbox_id)
        self.device, self.enrolled = self.world.enrol()
        self.approvals = Approvals(self.world)
        names = ("sam", "sue") if officers else ()
        self.officers = [self.approvals.person(name, SECURITY_OFFICER) for name in names]
        self.holds, self.proposals, self.repeat = [], [], None
        self.rows = {}  # key id -> every (state, version, MAC) that the database ever held
        self.remember()

    def history(self):
        return self.world.keys.history(ORGANIZATION, self.world.alice.mailbox_id)

    def step(self, act, number, is_lost):
        """Do one thing; after a decision that was lost half-way it is that one, once more."""
        if self.repeat is not None:
            again, self.repeat = self.repeat, None
            again()
        elif act in DECISIONS:
            key_id = self.history()[number % len(self.history())].key_id
            self.decide(act, key_id, is_lost=is_lost)
        else:
            getattr(self, act)(number)

    def decide(self, act, key_id, *, is_lost):
        def do():
            done = getattr(self.world.keys.lifecycle, act)(ORGANIZATION, key_id, "because", "test")
            if isinstance(done, Proposal):
                self.proposals.append(done)

        append = self.world.audit.append

        def lose(tx, what, *rest):
            if what.kind.startswith("key."):
                raise LostError
            return append(tx, what, *rest)

        if is_lost:
            self.world.audit.append = lose
        try:
            do()
        except LostError:
            self.repeat = do
        finally:
            self.world.audit.append = append

    def rotate(self, _number):
        self.world.keys.rotate(ORGANIZATION, self.world.alice.mailbox_id)

    def provision(self, _number):
        self.world.keys.provision(ORGANIZATION, self.world.alice.mailbox_id)

    def hold(self, _number):
        self.holds.append(
            self.world.keys.holds.set_hold(ORGANIZATION, self.world.alice.mailbox_id, "case", "test").hold_id
        )

    def lift(self, _number):
        if self.holds:
            self.world.keys.holds.lift_hold(ORGANIZATION, self.holds.pop(), "closed", "test")

    def approve(self, number):
        if self.proposals:
            try:
                self.approvals.decide(self.officers[number % 2], self.proposals[number // 2 % len(self.proposals)])
            finally:
                self.approvals.run_outbox()

    def veto(self, number):
        if self.proposals:
            self.approvals.decide(self.officers[number % 2], self.proposals[number // 2 % len(self.proposals)], "veto")

    def restart(self, _number):
        self.world.keystore.restart()

    def remember(self):
        with self.world.storage.read(ORGANIZATION) as tx:
            for row in tx.fetch_all(mailbox_key.select()):
                said = (row.state, row.state_version, bytes(row.state_mac))
                rows = self.rows.setdefault(row.id, [])
                if rows[-1:] != [said]:
                    rows.append(said)

    def forge(self, number):
        """Put an older row of a key that somebody decided on back into the database: nothing is released."""
        decided = [(key_id, rows) for key_id, rows in self.rows.items() if rows[-1][1] > rows[0][1]]
        if decided:
            key_id, rows = decided[number % len(decided)]
            older = [row for row in rows if row[1] < rows[-1][1]]
            try:
                self.write(key_id, older[number % len(older)])
            except ConflictError:
                return  # the database itself holds one key in each slot to be ACTIVE
            with pytest.raises((PermissionDeniedError, UnavailableError)):
                ask(self.world, self.device, self.enrolled, new_id())
            self.write(key_id, rows[-1])

    def write(self, key_id, row):
        values = dict(zip(("state", "state_version", "state_mac"), row, strict=True))
        with self.world.storage.transaction(ORGANIZATION) as tx:
            tx.execute(mailbox_key.update().where(mailbox_key.c.id == key_id).values(**values))

    def check(self, before):
        """Check everything that always holds."""
        self.remember()
        keys = self.history()
        old = {key.key_id: key.state for key in before}
        for key in keys:
            # the table, and the record
            allowed = TRANSITIONS[old.get(key.key_id, "PRE_ACTIVATION")] | {old.get(key.key_id)}
            assert key.state in allowed
            assert (key.state == "DESTROYED") == (key.record.ciphertext == b"")
            # nothing is destroyed under a hold, or by one person where there are two officers
            if key.state == "DESTROYED" != old.get(key.key_id):
                assert not self.holds
                assert not self.officers or self.is_approved(key.key_id)
        for slot in ("classical", "kem"):
            own = [key for key in keys if key.slot == slot]
            assert [key.generation for key in own] == list(range(1, len(own) + 1))
            assert sum(key.state == "ACTIVE" for key in own) <= 1
        if self.repeat is None:  # this directory does not know that a transaction was lost
            active = {key.slot for key in keys if key.state == "ACTIVE"}
            assert (ALICE in self.world.directory.published) <= ("classical" in active)
            assert (ALICE in self.world.directory.kem) <= ("kem" in active)
        self.check_release(keys)

    def check_release(self, keys):
        """Check what the device gets: every key that may leave and no other; or nothing while an act is half-done."""
        wanted = [key.key_id for key in keys if key.state in RELEASED_STATES]
        try:
            answer = ask(self.world, self.device, self.enrolled, new_id())
        except (PermissionDeniedError, UnavailableError):
            assert self.repeat is not None or not wanted
        else:
            assert [key.key_id for key in answer.manifest.released_keys()] == wanted
            assert Counter(key.state for key in answer.manifest.keys) == Counter(key.state for key in keys)

    def is_approved(self, key_id):
        leaves = self.world.audit.chain(ORGANIZATION, self.world.alice.mailbox_id).leaves
        records = [decode_leaf_record(leaf.record) for leaf in leaves]
        by = next(one.fields["by"] for one in records if (one.kind, one.fields.get("key")) == ("key.destroy", key_id))
        approvers = {
            each.statement.approver
            for each in self.world.approvals.evidence(ORGANIZATION, by.removeprefix("proposal ")).approvals
        }
        return approvers == {officer.mailbox_id for officer in self.officers}


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=(Phase.explicit, Phase.generate),  # an example takes a second: smaller ones would take minutes to find
)
@given(officers=st.booleans(), steps=st.lists(STEPS, min_size=3, max_size=10))
def test_whatever_is_done_in_whatever_order(tmp_path, officers, steps):
    folder = tmp_path / new_id()
    folder.mkdir()
    life = Life(folder, officers=officers)
    try:
        for step in steps:
            before = life.history()
            with suppress(*REFUSALS):
                life.step(*step)
            life.check(before)
    finally:
        life.world.storage.close()


@pytest.mark.parametrize("officers", [False, True])
def test_a_life_to_its_end(tmp_path, officers):
    """One path that surely goes through every state of both slots."""
    life = Life(tmp_path, officers=officers)
    keys = life.history()
    for act in ("suspend", "restart", "resume", "rotate", "compromise", "forge", "restart", "destroy"):
        for number, key in enumerate(keys):
            before = life.history()
            if act in DECISIONS:
                life.decide(act, key.key_id, is_lost=False)
            else:
                life.step(act, number, is_lost=False)
            life.check(before)
    for number in range(4):
        before = life.history()
        life.step("approve", number, is_lost=False)
        life.check(before)
    assert [key.state for key in life.history() if key.key_id in {each.key_id for each in keys}] == ["DESTROYED"] * 2
    life.world.storage.close()

"""kill -9 anywhere: set-up goes on with the same device, the server with the same keys and a whole log."""

import sqlite3
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from support.mail_system import why_not
from support.organization import ALICE, BOB, KILLED, Organization, run_killed, start
from support.proof import round_scope

from sealwright.client.store import ClientStore
from sealwright.client.store_key import KeyChoice
from sealwright.errors import NotFoundError
from sealwright.tlog.leaf import decode_leaf_record

pytestmark = [pytest.mark.proof, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]
MAX_STEPS = 30


@pytest.fixture(scope=round_scope)
def organization(passable_folder):
    folder = Path(tempfile.mkdtemp(dir=passable_folder))
    folder.chmod(0o755)
    with Organization(folder) as made:
        yield made


def rows(organization, statement, *values):
    with closing(sqlite3.connect(organization.server.data / "sealwright.db")) as database:
        return database.execute(statement, values).fetchall()


def progress(device):
    """Return what set-up has kept so far, and the fingerprint of the device's keys."""
    try:
        store = ClientStore.open(device.home, device.address, KeyChoice(key_file=device.home / "store.key"))
    except NotFoundError:
        return (device.home / "store.key").exists(), None
    with store:
        state = store.state
    challenge = state.enrolment and (state.enrolment.answer.enrolment_id, bool(state.enrolment.part1))
    signing = state.signing_key and bool(state.signing_key.certificate)
    statement, token, checkpoint = state.statement_sequence, bool(state.token), bool(state.checkpoint)
    kept = (statement, challenge, token, state.enrolled, state.leftover_challenges, checkpoint)
    keys = state.device_keys and state.device_keys.public.thumbprint().hex()
    return (*kept, len(state.mailbox_keys), signing, keys), keys


def test_set_up_killed_at_every_step_ends_with_one_device_and_all_keys(organization):
    organization.server.operate("people", "rotate", ALICE)
    device = organization.device(ALICE, "killed")
    arguments, again = organization.setup_arguments(device), ["setup", ALICE, "--wait", "20"]
    writes, kept, fingerprints, steps = 0, False, set(), []
    # Each run is killed right before it keeps one thing more than the run before did.
    while (outcome := run_killed(device, arguments, writes)).status == KILLED:
        steps += outcome.errors.strip().splitlines()[-1:]
        assert len(steps) < MAX_STEPS, steps
        before, (kept, fingerprint) = kept, progress(device)
        writes = writes + 1 if kept == before else 1
        arguments = again if fingerprint else arguments
        fingerprints |= {fingerprint} - {None}
    assert outcome.status == 0, outcome.errors
    assert {step[0] for step in steps} >= set("12356"), steps
    assert len(fingerprints) == 1
    assert rows(organization, "SELECT name FROM device WHERE mailbox_id = ?", mailbox(organization, ALICE)) == [
        ("killed",)
    ]
    assert "2 key(s)" in outcome.output
    assert device.run("log", "verify").status == 0
    assert organization.mail.raw_messages(ALICE) == []  # no challenge stays


def mailbox(organization, address):
    ((found,),) = rows(organization, "SELECT mailbox_id FROM address WHERE address = ?", address)
    return found


def test_a_server_killed_while_it_makes_keys_makes_each_once(organization):
    everybody = []
    for number, seconds in enumerate((0.0, 0.15)):
        crowd = [f"person{number}{letter}@example.test" for letter in "abcd"]
        organization.import_people(*crowd)
        everybody += crowd
        time.sleep(seconds)
        organization.kill_server()
        organization.server.start()
    organization.wait_for_keys()
    for address in everybody:
        of_mailbox = mailbox(organization, address)
        keys = rows(organization, "SELECT generation, state FROM mailbox_key WHERE mailbox_id = ?", of_mailbox)
        assert keys == [(1, "ACTIVE")], address
        kinds = leaves(organization, of_mailbox)
        assert (kinds["person.create"], kinds["key.create"], kinds["key.certify"]) == (1, 1, 1), (address, kinds)
        assert kinds["certificate.issue"] == 1, (address, kinds)


def test_a_server_killed_while_it_rotates_and_releases_repeats_neither_key_nor_leaf(organization):
    device = organization.set_up(BOB, "steady")
    rotations = 0
    for number, seconds in enumerate((0.5, 1.1)):
        rotating = organization.start_operating("people", "rotate", BOB)
        reading = start(organization.device(BOB, f"new{number}"), *first_arguments(organization, number))
        time.sleep(seconds)
        organization.kill_server()
        organization.server.start()
        rotations += rotating.wait(30) == 0
        _, errors = reading.communicate(timeout=60)
        assert reading.returncode in (0, 9), errors
        assert "Traceback" not in errors
        organization.existing(BOB, f"new{number}").run(*first_arguments(organization, number))
    of_mailbox = mailbox(organization, BOB)
    organization.wait_for_keys()
    keys = rows(
        organization, "SELECT generation, state FROM mailbox_key WHERE mailbox_id = ? ORDER BY generation", of_mailbox
    )
    assert [generation for generation, _ in keys] == list(range(1, len(keys) + 1))
    assert rotations + 1 <= len(keys) <= 3
    assert [state for _, state in keys] == ["DEACTIVATED"] * (len(keys) - 1) + ["ACTIVE"]
    kinds = leaves(organization, of_mailbox)
    assert (kinds["key.create"], kinds["key.rotate"]) == (len(keys), len(keys) - 1)
    assert kinds["device.add"] == len(rows(organization, "SELECT id FROM device WHERE mailbox_id = ?", of_mailbox)) == 3
    releases = rows(organization, "SELECT leaf_id FROM key_release WHERE kind = 'release'")
    assert len(set(releases)) == len(releases)
    device.run("devices", "list")
    assert device.run("log", "verify").status == 0


def first_arguments(organization, number):
    return organization.setup_arguments(organization.existing(BOB, f"new{number}"))


def leaves(organization, chain):
    """Count the leaves of a chain by kind; check that none of its numbers is missing or there twice."""
    deadline = time.monotonic() + 20
    while rows(organization, "SELECT count(*) FROM pending_leaf") != [(0,)]:  # the sequencer numbers them shortly
        assert time.monotonic() < deadline
        time.sleep(0.05)
    found = rows(organization, "SELECT chain_number, record FROM log_leaf WHERE chain_id = ? ORDER BY 1", chain)
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    return Counter(decode_leaf_record(bytes(record)).kind for _, record in found)

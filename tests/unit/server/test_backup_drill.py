"""The restore drill: a good backup passes with the key file and with shares; each kind of damage is named."""

import io
import sqlite3
import tarfile
from contextlib import closing

import pytest
from unit.server.test_data_folder import options

from sealwright.clock import SystemClock
from sealwright.server.backup import DATABASE, back_up
from sealwright.server.backup_drill import drill
from sealwright.server.init import initialize
from sealwright.server.settings import load_settings
from sealwright.server.wiring import build
from sealwright.wire.operator import PersonRow

ALL = ["restore", "database", "seal", "keys", "log", "numbers"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A server with two people who have keys, and its backup."""
    folder = tmp_path_factory.mktemp("server") / "data"
    initialized = initialize(folder, options(), SystemClock())
    services = build(load_settings(folder, {}))
    try:
        organization_id = services.organization_id
        rows = (PersonRow(address="a@example.test"), PersonRow(address="b@example.test"))
        services.people.import_people(organization_id, rows)
        for row in rows:
            mailbox = services.people.find_mailbox(organization_id, row.address)
            services.keys.provision(organization_id, mailbox.mailbox_id)
        while services.audit.sequence(organization_id):
            pass
    finally:
        services.close()
    backup = folder.parent / "backup.tar.gz"
    back_up(folder, backup)
    return initialized, backup


def damaged(backup, folder, statement, *arguments):
    """Return a copy of a backup with its database changed."""
    with tarfile.open(backup) as archive:
        archive.extractall(folder / "opened", filter="data")
    with closing(sqlite3.connect(folder / "opened" / DATABASE)) as connection, connection:
        assert connection.execute(statement, arguments).rowcount > 0
    changed = folder / "changed.tar.gz"
    with tarfile.open(changed, "w:gz") as archive:
        for path in sorted((folder / "opened").iterdir()):
            archive.add(path, path.name)
    return changed


def run(made, folder, backup=None, shares=None):
    initialized, good = made
    key = None if shares else initialized.seal_key_file
    return drill(backup or good, folder, key, shares or [], SystemClock())


def test_a_good_backup_passes_and_leaves_nothing_behind(made, tmp_path):
    steps = run(made, tmp_path)
    assert [step.name for step in steps] == ALL
    assert all(step.holds for step in steps), steps
    assert steps[3].said.startswith("2 archived keys")
    assert list(tmp_path.iterdir()) == []


def test_it_passes_with_the_emergency_shares_alone(made, tmp_path):
    steps = run(made, tmp_path, shares=made[0].seal.emergency[:2])
    assert [step.holds for step in steps] == [True] * len(ALL)
    assert "emergency shares" in steps[2].said


def test_too_few_shares_are_said_so(made, tmp_path):
    steps = run(made, tmp_path, shares=made[0].seal.emergency[:1])
    assert (steps[-1].name, steps[-1].holds) == ("seal", False)


DAMAGE = {
    "a key's ciphertext": ("keys", "UPDATE mailbox_key SET ciphertext = zeroblob(length(ciphertext))"),
    "a key under another's name": ("keys", "UPDATE mailbox_key SET algorithm = 'rsa-2048'"),
    "a leaf that is missing": ("log", "DELETE FROM log_leaf WHERE leaf_index = 1"),
    "a leaf that was changed": ("log", "UPDATE log_leaf SET commitment = zeroblob(32) WHERE leaf_index = 1"),
    "a chain that ends earlier": (
        "log",
        "UPDATE log_leaf SET chain_number = chain_number + 1 WHERE leaf_index = (SELECT MAX(leaf_index) FROM log_leaf)",
    ),
    "a salt": ("log", "UPDATE log_leaf SET salt_ciphertext = zeroblob(60) WHERE leaf_index = 2"),
    "the checkpoint": ("log", "UPDATE log_state SET checkpoint = replace(checkpoint, 'example', 'exemple')"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_found_where_it_is(made, tmp_path, what):
    step, statement = DAMAGE[what]
    steps = run(made, tmp_path, damaged(made[1], tmp_path, statement))
    assert (steps[-1].name, steps[-1].holds) == (step, False), steps
    assert steps[-1].said


def test_what_is_no_backup_is_said_so(made, tmp_path):
    (tmp_path / "x").write_bytes(b"no archive")
    (step,) = run(made, tmp_path, tmp_path / "x")
    assert (step.name, step.holds) == ("restore", False)
    empty = io.BytesIO()
    with tarfile.open(fileobj=empty, mode="w:gz"):
        pass
    (tmp_path / "x").write_bytes(empty.getvalue())
    (step,) = run(made, tmp_path, tmp_path / "x")
    assert (step.name, step.holds) == ("restore", False)

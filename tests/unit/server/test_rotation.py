"""Storage key rotation: every sealed record is re-sealed, whatever happens meanwhile; shares and old values stay good."""

import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from support.seals import key_file_seal, open_seal
from support.served import OPTIONS, Served

from sealwright.audit.tables import log_leaf, pending_leaf
from sealwright.clock import SystemClock
from sealwright.errors import ConflictError, VerificationError
from sealwright.keystore import seal
from sealwright.keystore.records import open_record
from sealwright.keystore.seal import derive_storage_key, recover_storage_keys
from sealwright.kms.tables import mailbox_key
from sealwright.server import rotation
from sealwright.server.init import initialize
from sealwright.server.schema import metadata
from sealwright.server.sealed_records import SEALED_COLUMNS
from sealwright.server.settings import load_settings
from sealwright.server.wiring import build
from sealwright.tlog.leaf import ORGANIZATION_CHAIN, decode_leaf_record

KILLED = """
import os, signal, sys
from pathlib import Path
from sealwright.server import rotation, store
from sealwright.server.settings import load_settings
from sealwright.server.wiring import build
from sealwright.storage.sealed import SealedColumns

folder, point, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
rotation.BATCH = 4
services = build(load_settings(folder, {}))

def killing(holder, name):
    inner, left = getattr(holder, name), [number]
    def call(*arguments, **options):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(*arguments, **options)
    setattr(holder, name, call)

killing(*{"replace": (SealedColumns, "replace_sealed"), "note": (store, "add_storage_key"),
          "end": (store, "end_rewrapping")}[point])
services.rotation.rotate()
services.rotation.finish()
"""


@pytest.fixture
def served(tmp_path):
    world = Served(tmp_path)
    yield world
    world.close()


def old_records(storage, organization_id, version):
    with storage.read(organization_id) as tx:
        return [columns.sealed_records(tx, organization_id, version, 10_000) for columns in SEALED_COLUMNS]


def told(services):
    """Return the kinds of the acts on storage keys, in order."""
    with services.storage.read(services.organization_id) as tx:
        records = [
            (row.chain_number, decode_leaf_record(bytes(row.record)).kind)
            for table in (log_leaf, pending_leaf)
            for row in tx.fetch_all(select(table).where(table.c.chain_id == ORGANIZATION_CHAIN))
        ]
    return [kind for _, kind in sorted(records) if kind.startswith("storage-key")]


def initialized(tmp_path):
    """Make a data folder; return its settings and its emergency shares."""
    made = initialize(tmp_path / "data", OPTIONS, SystemClock())
    return load_settings(tmp_path / "data", {}), made.seal.emergency


def test_every_column_with_ciphertext_is_re_sealed():
    named = {column for columns in SEALED_COLUMNS for column in (columns.ciphertext,)}
    assert named == {
        column
        for table in metadata.tables.values()
        for column in table.columns
        if column.name == "ciphertext" or column.name.endswith("_ciphertext")
    }


def test_a_rotation_re_seals_every_record(served):
    services, organization_id = served.services, served.services.organization_id
    services.rotation.finish()
    before = sum(map(len, old_records(services.storage, organization_id, 2)))
    assert before > 20
    assert served.operate("/local/seal/rotations", None).json()["rotation"]["remaining_records"] == before
    services.rotation.finish()
    status = served.local.get("/local/seal").json()
    assert status["rotation"]["storage_key_version"] == 2
    assert status["rotation"]["remaining_records"] == 0
    assert status["rotation"]["rewrapped_records"] >= before
    assert status["rotation"]["rewrapped"]
    assert not any(old_records(services.storage, organization_id, 2))
    services.check()
    served.work()
    assert services.rotation.run() == 0
    assert told(services) == ["storage-key.rotate", "storage-key.rewrap"]


def test_emergency_shares_open_what_was_re_sealed(tmp_path):
    settings, shares = initialized(tmp_path)
    services = build(settings)
    try:
        services.rotation.rotate()
        services.rotation.finish()
        organization_id = services.organization_id
        found = old_records(services.storage, organization_id, 3)
    finally:
        services.close()
    recovered = recover_storage_keys(shares[:2], settings.seal_file)
    assert sorted(recovered) == [0, 1, 2]

    class Recovered:
        current_version = 2

        def storage_key(self, organization_id, version):
            return derive_storage_key(recovered[version], organization_id, version)

    records = [record for group in found for record in group]
    assert records
    assert {record.storage_key_version for record in records} == {2}
    assert all(open_record(Recovered(), record) for record in records)


def test_a_damaged_record_holds_nothing_up_and_is_told(served):
    services, organization_id = served.services, served.services.organization_id
    with services.storage.transaction(organization_id) as tx:
        record_id = tx.fetch_value(select(mailbox_key.c.id))
        tx.execute(update(mailbox_key).where(mailbox_key.c.id == record_id).values(ciphertext=b"damaged" * 9))
    services.rotation.rotate()
    services.rotation.finish()
    status = services.rotation.status()
    assert (status.remaining_records, status.rewrapped is not None) == (1, True)


def test_a_record_that_came_late_is_re_sealed_too(served):
    services, organization_id = served.services, served.services.organization_id
    late = services.keystore.seal_secret(organization_id, "leaf-salt", "f" * 32, b"salt")
    services.rotation.rotate()
    services.rotation.finish()
    columns = next(columns for columns in SEALED_COLUMNS if columns.table.name == "log_leaf")
    with services.storage.transaction(organization_id) as tx:
        tx.execute(
            update(columns.table)
            .where(columns.table.c.leaf_index == 0)
            .values(leaf_id="f" * 32, salt_ciphertext=late.ciphertext, salt_storage_version=1)
        )
    assert services.rotation.run() == 0  # just looked
    served.clock.time += rotation.PAUSE + timedelta(seconds=1)
    assert services.rotation.run() == 1
    served.clock.time += rotation.SETTLING
    assert services.rotation.run() == 0


def test_the_keystore_re_seals_only_what_is_whole(served):
    keystore, organization_id = served.services.keystore, served.services.organization_id
    secret = keystore.seal_secret(organization_id, "purpose", "e" * 32, b"content")
    assert keystore.rewrap((secret,)) == (secret,)
    assert keystore.rotate_storage_key() == 2
    (again,) = keystore.rewrap((secret,))
    assert (again.identity, again.storage_key_version) == (secret.identity, 2)
    assert keystore.open_secret(again) == keystore.open_secret(secret) == b"content"
    with pytest.raises(VerificationError):
        keystore.rewrap((secret, replace(secret, algorithm="other")))


@pytest.mark.parametrize(("point", "number"), [("note", 1), ("replace", 1), ("replace", 3), ("end", 1)])
def test_a_process_killed_while_it_rotates_leaves_what_the_next_start_ends(tmp_path, point, number):
    settings, shares = initialized(tmp_path)
    command = [sys.executable, "-c", KILLED, str(settings.data_folder), point, str(number)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    services = build(settings)
    try:
        services.rotation.finish()
        assert services.rotation.status().storage_key_version == 2
        assert services.rotation.status().remaining_records == 0
        assert told(services) == ["storage-key.rotate", "storage-key.rewrap"]
        services.check()
    finally:
        services.close()
    assert len(recover_storage_keys(shares[1:], settings.seal_file)) == 3


def test_a_seal_has_an_end(tmp_path, monkeypatch):
    files = (tmp_path / "key", tmp_path / "seal.json")
    key_file_seal(*files)
    monkeypatch.setattr(seal, "MAX_VERSIONS", 2)
    assert open_seal(*files).rotate() == 2
    with pytest.raises(ConflictError):
        open_seal(*files).rotate()

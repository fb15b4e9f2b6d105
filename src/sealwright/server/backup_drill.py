"""The restore drill: a backup is restored beside, opened and checked as a whole, and thrown away. Nothing else is touched."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, select

from sealwright.audit import store as audit_store
from sealwright.audit.tables import log_leaf
from sealwright.ca.tables import ca_issuer
from sealwright.clock import Clock
from sealwright.errors import LogVerificationError, SealwrightError, VerificationError
from sealwright.keystore.pool import PooledKeystore, open_keystore
from sealwright.keystore.protocol import Keystore
from sealwright.keystore.seal import restore_seal
from sealwright.keystore.shares import decode_share
from sealwright.kms.store import KeyStore
from sealwright.kms.tables import mailbox_key
from sealwright.server.backup import DATABASE, restore
from sealwright.server.schema import check_schema
from sealwright.server.settings import Settings, load_settings
from sealwright.server.trunk import log_key_purpose, log_origin
from sealwright.storage.engine import Storage, open_storage
from sealwright.tlog.checkpoint import open_note
from sealwright.tlog.map import map_key, map_value, update_map
from sealwright.tlog.tiles import TileBuilder
from sealwright.tlog.tree import leaf_hash

PAGE = 1000
"""Rows read at a time."""
OPENED_SALTS = 200
"""Of the newest leaves: each costs a call to the keystore, and all are sealed under the same few keys."""
STEPS = ("restore", "database", "seal", "keys", "log", "numbers")
"""What is checked, in this order."""


@dataclass(frozen=True, slots=True)
class DrillStep:
    """One thing that was checked.

    Attributes:
        name: One of `STEPS`.
        holds: Whether it holds.
        said: What was found, or what is wrong.
    """

    name: str
    holds: bool
    said: str


def drill(source: Path, folder: Path, seal_key_file: Path | None, shares: list[str], clock: Clock) -> list[DrillStep]:
    """Restore a backup into a folder of its own and check everything that a real restore would need.

    Args:
        source: What `sealwright backup` wrote.
        folder: Where there is room; what is restored there is removed again.
        seal_key_file: The root wrapping key; None to open the seal with shares, or with the HSM that the settings name.
        shares: Emergency or operator shares, as many as the seal asks for.
        clock: The time.

    Returns:
        The steps up to the first that does not hold.
    """
    steps: list[DrillStep] = []
    with tempfile.TemporaryDirectory(prefix=".drill-", dir=folder) as name:
        try:
            steps.extend(_steps(source, Path(name), seal_key_file, shares, clock))  # what was done stays if one fails
        except (SealwrightError, sqlite3.Error, OSError) as error:
            steps.append(DrillStep(STEPS[len(steps)], False, str(error)))
    return steps


def _steps(
    source: Path, work: Path, seal_key_file: Path | None, shares: list[str], clock: Clock
) -> Iterator[DrillStep]:
    data = work / "data"
    # 1 The archive, and the database in it.
    restore(source, data, clock.now())
    yield DrillStep("restore", True, f"{sum(path.is_file() for path in data.rglob('*'))} files")
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        raise VerificationError(f"the database is damaged: {found}")
    settings = load_settings(data, {})
    storage = open_storage(settings.database_url)
    try:
        check_schema(storage)
        yield DrillStep("database", True, "whole, and of this program's schema")
        # 2 The seal: with the key file, the shares, or the HSM.
        keystore, how = _open(settings, work, seal_key_file, shares)
        try:
            yield DrillStep("seal", True, f"opens with {how}")
            # 3 Every archived key is its certificate's.
            yield DrillStep("keys", True, f"{_check_keys(storage, keystore, settings)} archived keys open and fit")
            # 4 The log is whole, and its salts open.
            yield DrillStep("log", True, f"{_check_log(storage, keystore, settings)} leaves, all under the checkpoint")
        finally:
            keystore.close()
        # 5 What the world has seen is surpassed.
        yield DrillStep("numbers", True, _numbers(storage))
    finally:
        storage.close()


def _open(settings: Settings, work: Path, seal_key_file: Path | None, shares: list[str]) -> tuple[PooledKeystore, str]:
    options = settings.seal_options
    kinds = {decode_share(share).kind for share in shares}
    if kinds == {"emergency"}:
        seal_key_file = work / "seal.key"
        restore_seal(shares, settings.seal_file, seal_key_file)
    if seal_key_file is not None:
        options = msgspec.structs.replace(options, key_file=str(seal_key_file))
    keystore = open_keystore(options, 1, shares if kinds == {"operator"} else ())
    if kinds:
        return keystore, f"the {kinds.pop()} shares"
    return keystore, "the HSM" if keystore.seal_status().kind == "pkcs11" else "the key file"


def _check_keys(storage: Storage, keystore: Keystore, settings: Settings) -> int:
    organization_id, store, count = settings.organization.organization_id, KeyStore(), 0
    own = mailbox_key.c.organization_id == organization_id
    with storage.read(organization_id) as tx:
        mailboxes = [row.mailbox_id for row in tx.fetch_all(select(mailbox_key.c.mailbox_id).where(own).distinct())]
    for mailbox_id in mailboxes:
        with storage.read(organization_id) as tx:
            keys = store.keys(tx, organization_id, mailbox_id)
            certificates = store.certificates(tx, organization_id, mailbox_id)
        for key in keys:
            if key.state == "DESTROYED":
                continue
            newest = certificates.get(key.key_id)
            if not keystore.examine(key.record, newest.certificate if newest else b""):
                raise VerificationError(
                    f"key {key.key_id} of mailbox {mailbox_id} does not open, or is not its certificate's"
                )
            count += 1
    return count


def _check_log(storage: Storage, keystore: Keystore, settings: Settings) -> int:
    """Recompute the root from every leaf; open the newest salts."""
    organization_id = settings.organization.organization_id
    with storage.read(organization_id) as tx:
        state = audit_store.get_state(tx, organization_id)
        log_key = audit_store.log_key_of(state)
    checkpoint = open_note(state.checkpoint, log_origin(settings), log_key.spki[-32:])
    if log_key.identity.owner != log_key_purpose(settings):
        raise LogVerificationError("the log's key is another log's")
    tree = TileBuilder()
    newest: list[Any] = []
    heads: dict[bytes, bytes] = {}
    while tree.size < checkpoint.size:
        own = (log_leaf.c.organization_id == organization_id) & (log_leaf.c.leaf_index >= tree.size)
        own &= log_leaf.c.leaf_index < checkpoint.size  # what was numbered and not yet signed comes later
        with storage.read(organization_id) as tx:
            rows = tx.fetch_all(select(log_leaf).where(own).order_by(log_leaf.c.leaf_index).limit(PAGE))
        for row in rows:
            if row.leaf_index != tree.size:
                raise LogVerificationError(f"leaf {tree.size} of the log is missing")
            tree.append(leaf_hash(bytes(row.commitment)))
            heads[map_key(row.chain_id)] = map_value(row.chain_number, bytes(row.commitment))
        if not rows:
            raise LogVerificationError(f"leaf {tree.size} of the log is missing")
        newest = [*newest, *rows][-OPENED_SALTS:]
    if tree.root() != checkpoint.root:
        raise LogVerificationError("the leaves of the log are not those that its checkpoint signs")
    if heads and update_map(heads, lambda _: {})[1] != checkpoint.map_root:
        raise LogVerificationError("the chains of the log do not end where its checkpoint says")
    for row in newest:
        keystore.open_secret(audit_store.salt_of(row))
    return checkpoint.size


def _numbers(storage: Storage) -> str:
    with storage.read(None) as tx:
        crl_number = int(tx.fetch_value(select(func.max(ca_issuer.c.crl_number))) or 0)
    return f"revocation lists go on from number {crl_number}"

"""Backup and restore of a data folder. The root wrapping key and the offline root stay out: keep them elsewhere.

A restored database is older than the world: its lists and statements get higher numbers than anybody has seen, and the
server stays in quarantine until an administrator says that newer acts were replayed.
"""

import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from sealwright.errors import ConflictError, InputError, SealedError, UnavailableError
from sealwright.files import locked, spooled
from sealwright.keystore.log_signing import CHECKPOINTS_NAME

DATABASE = "sealwright.db"
QUARANTINE = Path("node") / "quarantine.json"
CHECKPOINTS = Path("seal") / CHECKPOINTS_NAME
PARTS = ("sealwright.toml", "seal", "tls")
"""Not `node`: this node's own checkpoints are never replicated, and not `offline`."""
NUMBER_LEAP = 1000
"""More lists, statements and notices than are made between two backups."""


def back_up(data_folder: Path, target: Path) -> None:
    """Write a consistent backup of a data folder on SQLite, also while the server runs; the file's mode is 0600.

    Raises:
        ConflictError: If the target exists.
        InputError: If the folder holds no SQLite database.
    """
    database = data_folder / DATABASE
    if not database.is_file():
        raise InputError(f"{database} is missing; a PostgreSQL database is backed up with its own tools")
    copies = data_folder / "run"
    try:
        copies.mkdir(mode=0o700, exist_ok=True)
        with (
            spooled(target, replaces=False) as file,
            locked(copies / "backup"),  # one at a time, so that what lies there is of one that was killed
        ):
            for left in copies.glob(".backup-*"):
                shutil.rmtree(left)
            with tempfile.TemporaryDirectory(prefix=".backup-", dir=copies) as name:
                _write_archive(data_folder, Path(name), file)
    except (OSError, sqlite3.Error) as error:
        raise UnavailableError(f"the backup could not be written: {error}") from error


def _write_archive(data_folder: Path, copies: Path, file: BinaryIO) -> None:
    # What the keystore signed is copied before the log, so that it is never ahead of it; all else after the database.
    copy, checkpoints = copies / DATABASE, copies / CHECKPOINTS.name
    checkpoints.mkdir(mode=0o700)
    for path in (data_folder / CHECKPOINTS).glob("*"):
        if not path.suffix:  # neither locks nor what is being written
            (checkpoints / path.name).write_bytes(path.read_bytes())
    with closing(sqlite3.connect(data_folder / DATABASE)) as source, closing(sqlite3.connect(copy)) as destination:
        source.backup(destination)
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        archive.add(copy, DATABASE)
        for part in PARTS:
            if (data_folder / part).exists():
                archive.add(data_folder / part, part, filter=_but_checkpoints)
        archive.add(checkpoints, CHECKPOINTS.as_posix())


def _but_checkpoints(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if member.name == CHECKPOINTS.as_posix() else member


def restore(source: Path, data_folder: Path, now: datetime) -> None:
    """Restore a backup into a new folder and quarantine it; the folder is there when all of that is done.

    Raises:
        ConflictError: If the folder exists and is not empty.
        InputError: If the file is no backup.
    """
    if data_folder.exists() and any(data_folder.iterdir()):
        raise ConflictError(f"{data_folder} is not empty")
    # 1 Beside its place, where nobody starts it.
    data_folder = data_folder.absolute()
    unfinished = data_folder.with_name(f".{data_folder.name}.restoring")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    try:
        _extract(source, unfinished)
        _leap_ahead(unfinished / DATABASE)
        marker = unfinished / QUARANTINE
        marker.parent.mkdir(mode=0o700, exist_ok=True)
        marker.write_text(json.dumps({"restored": now.isoformat()}), "utf-8")
        # 2 All of it is on the disk before any of it is at its place.
        os.sync()
        unfinished.rename(data_folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _extract(source: Path, folder: Path) -> None:
    try:
        with tarfile.open(source, mode="r:gz") as archive:
            archive.extractall(folder, filter="data")
    except (OSError, tarfile.TarError, EOFError) as error:
        raise InputError(f"{source} is no backup: {error}") from error
    if not (folder / DATABASE).is_file():
        raise InputError(f"{source} holds no database")
    for each in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        each.chmod(0o700)
    (folder / DATABASE).chmod(0o600)


def _leap_ahead(database: Path) -> None:
    """Raise every number above whatever was seen after the backup, and end what was open then."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE ca_issuer SET crl_number = crl_number + ?, crl_next_update = NULL", (NUMBER_LEAP,))
        # devices have read further in their feeds than the backup goes: what is new must come after that
        connection.execute("UPDATE device SET sync_number = sync_number + ?", (NUMBER_LEAP,))
        # whoever was signed in then may have been shut out since
        for table in ("access_token", "administrator_session"):
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - a name from the line above
        connection.execute(
            "UPDATE domain_statement SET sequence = sequence + ? WHERE (organization_id, sequence) IN"
            " (SELECT organization_id, MAX(sequence) FROM domain_statement GROUP BY organization_id)",
            (NUMBER_LEAP,),
        )


def check_quarantine(data_folder: Path) -> None:
    """Refuse to go on with a restored data folder.

    Raises:
        SealedError: If it is in quarantine.
    """
    if (data_folder / QUARANTINE).exists():
        raise SealedError(
            "this data folder was restored and is in quarantine: repeat what was revoked or removed after the backup,"
            " then run 'sealwright lift-quarantine'"
        )


def lift_quarantine(data_folder: Path) -> None:
    """End the quarantine of a restored data folder.

    Raises:
        ConflictError: If there is none.
    """
    try:
        (data_folder / QUARANTINE).unlink()
    except FileNotFoundError as error:
        raise ConflictError("this data folder is not in quarantine") from error

"""What this node remembers of each log, outside the database: its last checkpoint in a file that is never replicated.

A database that was rolled back or exchanged is found by it: the log must be a continuation of what the file says.
"""

import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path

from sealwright.errors import DecodingError, LogVerificationError, UnavailableError
from sealwright.storage.schema import new_id
from sealwright.tlog.checkpoint import Checkpoint, open_note
from sealwright.tlog.map import PageReader, map_root
from sealwright.tlog.tree import HashReader, root_hash

_IDENTIFIER = re.compile(r"[0-9a-f]{32}")
_NODE_ID_NAME = "node-id"


@dataclass(frozen=True, slots=True)
class StoredLog:
    """What a database says about a log.

    Attributes:
        size: Leaves that have a number, durably.
        signed_size: Leaves under the newest checkpoint, as many or fewer.
        checkpoint: The signed note.
        origin: Of the log.
        public_key: The log's key, raw, 32 octets.
    """

    size: int
    signed_size: int
    checkpoint: str
    origin: str
    public_key: bytes


class CheckpointMemory:
    """The newest checkpoint of each log that this node signed or saw. Safe from any thread.

    Args:
        folder: On this node's own disk; None remembers as long as the process runs.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._seen: dict[str, Checkpoint] = {}
        self._lock = threading.Lock()
        self._node_id = ""

    def node_id(self) -> str:
        """Return what this node calls itself, 32 hex digits: the same after a restart where there is a folder.

        Raises:
            UnavailableError: If it cannot be read or written.
        """
        with self._lock:
            if not self._node_id:
                self._node_id = new_id() if self._folder is None else _kept_id(self._folder)
            return self._node_id

    def organizations(self) -> list[str]:
        """Return the organizations whose logs have a file."""
        if self._folder is None or not self._folder.is_dir():
            return []
        stems = [path.stem for path in self._folder.glob("*.checkpoint")]
        return sorted(stem for stem in stems if _IDENTIFIER.fullmatch(stem))

    def check(self, organization_id: str, log: StoredLog, read: HashReader, read_map: PageReader) -> Checkpoint:
        """Check that the database's log continues the one remembered, and return its checkpoint.

        What is remembered may be newer than the database's own checkpoint, after a crash between the two; never newer than
        what is numbered.

        Args:
            organization_id: Whose log.
            log: What the database says about it.
            read: Reads its subtree hashes.
            read_map: Reads the pages of its map.

        Raises:
            LogVerificationError: If it does not, or tiles, map and checkpoint of the database differ.
            UnavailableError: If the file cannot be read.
        """
        try:
            stored = open_note(log.checkpoint, log.origin, log.public_key)
            seen = self._last_seen(organization_id, log.origin, log.public_key)
            intact = stored.size == log.signed_size and root_hash(stored.size, read) == stored.root
            intact = intact and map_root(read_map) == stored.map_root
            continued = seen is None or (seen.size <= log.size and root_hash(seen.size, read) == seen.root)
        except (DecodingError, IndexError) as error:
            raise LogVerificationError("the log of this database cannot be read: restore it from a peer") from error
        if not intact:
            raise LogVerificationError("the log of this database does not match its own checkpoint")
        if not continued:
            raise LogVerificationError("the log of this database does not continue the one that this node signed")
        return stored

    def remember(self, organization_id: str, checkpoint: Checkpoint, note: str) -> None:
        """Remember a checkpoint, durably where there is a folder; an older one than remembered changes nothing.

        Raises:
            UnavailableError: If the file cannot be written.
        """
        with self._lock:
            seen = self._seen.get(organization_id)
            if seen is not None and checkpoint.size <= seen.size:
                return
            if self._folder is not None:
                try:
                    _write_durably(self._folder, self._path(self._folder, organization_id), note.encode())
                except OSError as error:
                    raise UnavailableError(f"the local checkpoint cannot be written: {error.strerror}") from error
            self._seen[organization_id] = checkpoint

    def _last_seen(self, organization_id: str, origin: str, public_key: bytes) -> Checkpoint | None:
        with self._lock:
            if organization_id in self._seen or self._folder is None:
                return self._seen.get(organization_id)
            try:
                note = self._path(self._folder, organization_id).read_bytes().decode()
            except FileNotFoundError:
                return None
            except UnicodeDecodeError as error:
                raise DecodingError("the local checkpoint is not text") from error
            except OSError as error:
                raise UnavailableError(f"the local checkpoint cannot be read: {error.strerror}") from error
            self._seen[organization_id] = seen = open_note(note, origin, public_key)
            return seen

    def _path(self, folder: Path, organization_id: str) -> Path:
        if not _IDENTIFIER.fullmatch(organization_id):
            raise ValueError("an organization's identifier has 32 lower-case hex digits")
        return folder / f"{organization_id}.checkpoint"


def _kept_id(folder: Path) -> str:
    path = folder / _NODE_ID_NAME
    try:
        kept = path.read_text("ascii") if path.exists() else ""
        if not _IDENTIFIER.fullmatch(kept):  # none yet, or the disk lost it: a new one waits for the old one's leases
            kept = new_id()
            _write_durably(folder, path, kept.encode("ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError("this node's identifier cannot be read or written") from error
    return kept


def _write_durably(folder: Path, path: Path, content: bytes) -> None:
    """Replace a file so that after a crash it is the old one or the new one, whole."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

r"""Checkpoints: C2SP tlog-checkpoint bodies inside signed notes, with the map's root as an extension line.

    <origin>\n<size>\n<base64 root>\nsealwright-map/v1 <base64 map root>\n

Further extension lines are carried, not refused.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from sealwright.errors import DecodingError, LogVerificationError
from sealwright.tlog.map import EMPTY_MAP_ROOT
from sealwright.tlog.note import SignatureLine, key_id, split_note, verify_line
from sealwright.tlog.tree import HASH_BYTES

MAP_LINE = "sealwright-map/v1"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log.

    Attributes:
        origin: Name of the log.
        size: Number of leaves.
        root: 32 octets.
        map_root: Of the map over the chains' newest records, 32 octets (`tlog.map`).
    """

    origin: str
    size: int
    root: bytes
    map_root: bytes = EMPTY_MAP_ROOT

    def encode(self) -> str:
        """Return the note's text, ending in a newline."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n{MAP_LINE} {_base64(self.map_root)}\n"


def decode_checkpoint(text: str) -> Checkpoint:
    """Decode a note's text.

    Raises:
        DecodingError: If it is no checkpoint, or names no map.
    """
    lines = text.split("\n")
    if len(lines) < 5 or lines[-1] or not all(lines[:-1]):
        raise DecodingError("not a checkpoint")
    size = lines[1]
    if not (size.isascii() and size.isdigit() and len(size) <= 20 and str(int(size)) == size):
        raise DecodingError("not a checkpoint")
    maps = [line.removeprefix(MAP_LINE + " ") for line in lines[3:-1] if line.startswith(MAP_LINE + " ")]
    if len(maps) != 1:
        raise DecodingError("the checkpoint names no map, or two")
    return Checkpoint(lines[0], int(size), _hash(lines[2]), _hash(maps[0]))


def sign_note(checkpoint: Checkpoint, key_name: str, sign: Callable[[bytes], bytes], public_key: bytes) -> str:
    """Make the signed note of a checkpoint.

    Args:
        checkpoint: What is signed.
        key_name: Name on the signature line; by convention the origin.
        sign: Ed25519 over the message handed in, returns 64 octets.
        public_key: Raw, 32 octets.
    """
    text = checkpoint.encode()
    return f"{text}\n{SignatureLine(key_name, key_id(key_name, public_key), sign(text.encode())).encode()}"


def open_note(note: str, origin: str, public_key: bytes) -> Checkpoint:
    """Verify a signed note and return its checkpoint.

    Args:
        note: As received.
        origin: The log that is expected; also the name of its key.
        public_key: The log's pinned key, raw, 32 octets.

    Raises:
        DecodingError: If it is not a signed note over a checkpoint.
        LogVerificationError: If it is of another log, or no signature of the pinned key verifies.
    """
    text, lines = split_note(note)
    checkpoint = decode_checkpoint(text)
    if checkpoint.origin != origin:
        raise LogVerificationError(f"the checkpoint is of another log, not of {origin}")
    wanted = key_id(origin, public_key)
    for line in lines:
        if (line.name, line.key_id) == (origin, wanted):
            verify_line(line, text.encode(), public_key)
            return checkpoint
    raise LogVerificationError("the checkpoint is not signed by this log's key")


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def _hash(encoded: str) -> bytes:
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodingError("not a checkpoint") from error
    if len(decoded) != HASH_BYTES or _base64(decoded) != encoded:
        raise DecodingError("not a checkpoint")
    return decoded

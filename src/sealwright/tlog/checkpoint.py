r"""Checkpoints: C2SP tlog-checkpoint bodies inside C2SP signed notes with Ed25519 signatures.

    <origin>\n<size>\n<base64 root>\n[extension lines]\n\n— <key name> <base64(key id || signature)>\n

Unknown extension lines are carried, not refused: the verifiable map's root and cosignatures come there.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from sealwright.errors import DecodingError, LogVerificationError

MAX_NOTE_BYTES = 64 * 1024
MAX_SIGNATURES = 32
_ED25519 = b"\x01"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log.

    Attributes:
        origin: Name of the log.
        size: Number of leaves.
        root: 32 octets.
    """

    origin: str
    size: int
    root: bytes

    def encode(self) -> str:
        """Return the note's text, ending in a newline."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode('ascii')}\n"


def key_id(name: str, public_key: bytes) -> bytes:
    """Return a signed note's key id: the first 4 octets of SHA-256(name || newline || 0x01 || key)."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


def sign_note(checkpoint: Checkpoint, key_name: str, sign: Callable[[bytes], bytes], public_key: bytes) -> str:
    """Make the signed note of a checkpoint.

    Args:
        checkpoint: What is signed.
        key_name: Name on the signature line; by convention the origin.
        sign: Ed25519 over the message handed in, returns 64 octets.
        public_key: Raw, 32 octets.
    """
    text = checkpoint.encode()
    signature = base64.b64encode(key_id(key_name, public_key) + sign(text.encode())).decode("ascii")
    return f"{text}\n— {key_name} {signature}\n"


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
    text, separator, tail = note.rpartition("\n\n")
    if not separator or len(note.encode("utf-8", "replace")) > MAX_NOTE_BYTES:
        raise DecodingError("not a signed note")
    text += "\n"
    checkpoint = _parse(text)
    if checkpoint.origin != origin:
        raise LogVerificationError(f"the checkpoint is of another log, not of {origin}")
    wanted = key_id(origin, public_key)
    for line in tail.split("\n")[:MAX_SIGNATURES]:
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.rpartition(" ")
        if dash != "—" or name != origin:
            continue
        try:
            blob = base64.b64decode(encoded, validate=True)
            if blob[:4] != wanted:
                continue
            ed25519.Ed25519PublicKey.from_public_bytes(public_key).verify(blob[4:], text.encode())
        except (binascii.Error, ValueError, InvalidSignature) as error:
            raise LogVerificationError("the checkpoint's signature does not verify") from error
        return checkpoint
    raise LogVerificationError("the checkpoint is not signed by this log's key")


def _parse(text: str) -> Checkpoint:
    lines = text.split("\n")
    try:
        origin, size, root = lines[0], lines[1], base64.b64decode(lines[2], validate=True)
    except (IndexError, binascii.Error, ValueError) as error:
        raise DecodingError("not a checkpoint") from error
    canonical = size.isascii() and size.isdigit() and len(size) <= 20 and str(int(size)) == size
    if not origin or not canonical or len(root) != 32:
        raise DecodingError("not a checkpoint")
    return Checkpoint(origin, int(size), root)

"""A witness (C2SP tlog-witness): cosigns a log's checkpoint if it continues the newest one that this witness cosigned.

It keeps one checkpoint for each log in a folder of its own, written before it cosigns; whoever runs it should not be whoever runs
the log. Beyond the specification it refuses a second map for a tree that it cosigned.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from sealwright.ca.fronts.status import Receive, Scope, Send
from sealwright.clock import Clock
from sealwright.errors import ConfigurationError, DecodingError, LogVerificationError, SealwrightError
from sealwright.files import create_private_file, locked, replace_file
from sealwright.tlog.checkpoint import Checkpoint, decode_checkpoint, open_note
from sealwright.tlog.cosignature import cosign
from sealwright.tlog.note import COSIGNATURE, VerifierKey, split_note
from sealwright.tlog.tree import verify_consistency
from sealwright.tlog.witness import (
    ADD_CHECKPOINT,
    MAX_REQUEST_BYTES,
    SIZE_MEDIA_TYPE,
    AddCheckpoint,
    decode_add_checkpoint,
)

KEY_FILE = "witness.key"


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """What a witness answers: HTTP status, body, media type."""

    status: int
    body: str
    media_type: str = "text/plain; charset=utf-8"


class Witness:
    """Cosigns checkpoints of the logs that it knows. Safe from any thread and between processes.

    Args:
        folder: Of its key and of the newest checkpoints; made if it is missing.
        name: Of its key; by convention the URL prefix without the scheme.
        logs: Verifier keys; the name is the log's origin.
        clock: The time.

    Raises:
        ConfigurationError: If the folder cannot be used.
    """

    def __init__(self, folder: Path, name: str, logs: Sequence[VerifierKey], clock: Clock) -> None:
        self._folder, self._name, self._clock = folder, name, clock
        self._logs = {log.name: log for log in logs}
        self._key = _kept_key(folder)

    @property
    def verifier_key(self) -> VerifierKey:
        """What others verify its cosignatures with."""
        return VerifierKey(self._name, self._key.public_key().public_bytes_raw(), COSIGNATURE)

    def add_checkpoint(self, body: bytes) -> WitnessAnswer:
        """Answer a request for a cosignature."""
        # 1 The request, and a log that this witness knows.
        try:
            asked = decode_add_checkpoint(body)
            origin = decode_checkpoint(split_note(asked.note)[0]).origin
        except DecodingError as error:
            return WitnessAnswer(400, f"{error.message}\n")
        if origin not in self._logs:
            return WitnessAnswer(404, "this witness does not know the log\n")
        # 2 The log signed it.
        try:
            checkpoint = open_note(asked.note, origin, self._logs[origin].public_key)
        except LogVerificationError as error:
            return WitnessAnswer(403, f"{error.message}\n")
        if asked.old_size > checkpoint.size:
            return WitnessAnswer(400, "the old size is larger than the checkpoint's\n")
        # 3 It continues the newest; one at a time, so that an older one never takes its place.
        path = self._folder / f"{hashlib.sha256(origin.encode()).hexdigest()}.checkpoint"
        with locked(path):
            known = open_note(path.read_text("utf-8"), origin, self._logs[origin].public_key) if path.exists() else None
            refusal = _refusal(asked, checkpoint, known)
            if refusal is not None:
                return refusal
            replace_file(path, asked.note.encode())
        # 4 What was written is cosigned.
        time, key = int(self._clock.now().timestamp()), self.verifier_key
        return WitnessAnswer(200, cosign(checkpoint_text(asked.note), key.name, time, self._key.sign, key.public_key))


class WitnessApp:
    """An ASGI application around a witness: POST /add-checkpoint, and GET / for its verifier key."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            await _send(send, await self._answer(scope, receive))

    async def _answer(self, scope: Scope, receive: Receive) -> WitnessAnswer:
        place = (scope["method"], scope["path"].rpartition("/")[2])
        if place == ("GET", ""):
            return WitnessAnswer(200, f"{self._witness.verifier_key.encode()}\n")
        if place != ("POST", ADD_CHECKPOINT):
            return WitnessAnswer(404, "there is nothing here\n")
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
            if len(body) > MAX_REQUEST_BYTES:
                return WitnessAnswer(413, "the request is too large\n")
        try:
            return await asyncio.to_thread(self._witness.add_checkpoint, body)
        except (OSError, SealwrightError):  # its disk, or the checkpoint on it
            return WitnessAnswer(503, "this witness cannot read or write what it remembers\n")


def checkpoint_text(note: str) -> str:
    """Return what a cosignature is over."""
    return split_note(note)[0]


def _refusal(asked: AddCheckpoint, checkpoint: Checkpoint, known: Checkpoint | None) -> WitnessAnswer | None:
    known_size = 0 if known is None else known.size
    if asked.old_size != known_size:
        return WitnessAnswer(409, f"{known_size}\n", SIZE_MEDIA_TYPE)
    if known is None or known_size == 0:
        return WitnessAnswer(422, "there is nothing to be consistent with\n") if asked.proof else None
    if checkpoint.size == known_size:
        if checkpoint != known:
            return WitnessAnswer(409, f"{known_size}\n", SIZE_MEDIA_TYPE)
        return WitnessAnswer(422, "nothing needs a proof\n") if asked.proof else None
    try:
        verify_consistency(known_size, checkpoint.size, asked.proof, known.root, checkpoint.root)
    except LogVerificationError as error:
        return WitnessAnswer(422, f"{error.message}\n")
    return None


def _kept_key(folder: Path) -> ed25519.Ed25519PrivateKey:
    path = folder / KEY_FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            made = ed25519.Ed25519PrivateKey.generate()
            create_private_file(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} cannot be read or written: {error}") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise ConfigurationError(f"{path} holds no Ed25519 key")
    return key


async def _send(send: Send, answer: WitnessAnswer) -> None:
    headers = [(b"content-type", answer.media_type.encode("ascii")), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body.encode()})

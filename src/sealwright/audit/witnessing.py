"""Collecting witnesses' cosignatures onto the log's newest checkpoint, and what devices are shown of them."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sealwright.audit import store
from sealwright.clock import Clock
from sealwright.errors import DecodingError, LogVerificationError, NotFoundError, SealwrightError, UnavailableError
from sealwright.storage.engine import Storage
from sealwright.tlog.cosignature import add_line, verified_cosignatures
from sealwright.tlog.note import MAX_SIGNATURES, VerifierKey, split_note
from sealwright.tlog.tree import consistency_proof
from sealwright.tlog.witness import ADD_CHECKPOINT, AddCheckpoint, decode_size

MAX_WITNESSES = MAX_SIGNATURES - 1
"""The log's own signature stands on the note, too."""
RENEW_AFTER = timedelta(hours=1)
"""A log at rest is confirmed again after so long: devices ask for fresh cosignatures."""

Post = Callable[[str, bytes], tuple[int, bytes]]
"""URL and body -> HTTP status and body; UnavailableError if nobody answers."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KnownWitness:
    """A witness: submission prefix without a slash at the end, and its key."""

    url: str
    key: VerifierKey


class Witnessing:
    """Asks witnesses. `collect` is for one thread, everything else for any.

    Args:
        storage: The database.
        clock: The time.
        post: Sends a request.
        witnesses: All of them.
        quorum: How many have to cosign before devices are shown a checkpoint as witnessed.
    """

    def __init__(
        self, storage: Storage, clock: Clock, post: Post, witnesses: Sequence[KnownWitness], quorum: int
    ) -> None:
        self._storage, self._clock, self._post = storage, clock, post
        self._witnesses, self._quorum = witnesses, quorum
        self._keys = [witness.key.public_key for witness in witnesses]
        self._sizes: dict[str, int] = {}

    def collect(self, organization_id: str) -> None:
        """Have the newest checkpoint cosigned (job); one that is there and fresh stays.

        Raises:
            UnavailableError: If fewer than the quorum cosigned it.
        """
        if not self._witnesses:
            return
        with self._storage.read(organization_id) as tx:
            state = store.get_state(tx, organization_id)
        fresh = self._fresh_lines(state.cosigned, state.checkpoint)
        note, failures = state.checkpoint, list[str]()
        for witness in self._witnesses:
            try:
                line = fresh.get(witness.key.public_key)
                line = line or self._ask(organization_id, witness, state.checkpoint, state.signed_size)
                note = add_line(note, line)
            except SealwrightError as error:
                failures.append(f"{witness.key.name}: {error.message}")
        if len(verified_cosignatures(note, self._keys)) < self._quorum:
            _logger.error("log.witness.failed")
            raise UnavailableError(f"too few witnesses confirm the log: {'; '.join(failures)}")
        if note != state.cosigned:
            with self._storage.transaction(organization_id) as tx:
                store.set_cosigned(tx, organization_id, note)

    def cosigned(self, organization_id: str) -> str:
        """Return the newest checkpoint that a quorum cosigned.

        Raises:
            NotFoundError: If there is none.
        """
        with self._storage.read(organization_id) as tx:
            note = str(store.get_state(tx, organization_id).cosigned)
        if not note:
            raise NotFoundError("no checkpoint of this log was cosigned by witnesses yet")
        return note

    def _fresh_lines(self, cosigned: str, checkpoint: str) -> dict[bytes, str]:
        """Return the cosignatures of this checkpoint that need not be asked for again, by key."""
        if not cosigned or split_note(cosigned)[0] != split_note(checkpoint)[0]:
            return {}
        oldest = int((self._clock.now() - RENEW_AFTER).timestamp())
        fresh: dict[bytes, str] = {}
        for line in split_note(cosigned)[1]:
            alone = add_line(checkpoint, line.encode())
            fresh.update(
                (each.public_key, line.encode())
                for each in verified_cosignatures(alone, self._keys)
                if each.time > oldest
            )
        return fresh

    def _ask(self, organization_id: str, witness: KnownWitness, checkpoint: str, size: int) -> str:
        """Return a witness's line; it is asked twice where it is at another size than this process thought."""
        url = f"{witness.url}/{ADD_CHECKPOINT}"
        for _ in range(2):
            old = min(self._sizes.get(witness.url, size), size)
            status, body = self._post(
                url, AddCheckpoint(old, self._proof(organization_id, old, size), checkpoint).encode()
            )
            if status == 200:
                self._sizes[witness.url] = size
                return _line_of(checkpoint, body, witness.key)
            if status != 409:
                raise UnavailableError(f"answered with status {status}")
            self._sizes[witness.url] = theirs = _size(body)
            if theirs > size or theirs == old:
                _logger.critical("log.witness.contradicted witness=%s", witness.key.name)
                raise LogVerificationError(
                    f"has seen another log, or a longer one, of {theirs} leaves; this has {size}"
                )
        raise UnavailableError("is asked by somebody else at the same time")

    def _proof(self, organization_id: str, old: int, size: int) -> tuple[bytes, ...]:
        if old in (0, size):
            return ()
        with self._storage.read(organization_id) as tx:
            return consistency_proof(old, size, store.hash_reader(tx, organization_id))


def _line_of(checkpoint: str, body: bytes, key: VerifierKey) -> str:
    try:
        lines = body.decode().splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise DecodingError("its answer is no text") from error
    for line in lines[:MAX_SIGNATURES]:
        if verified_cosignatures(add_line(checkpoint, line), [key.public_key]):
            return line
    raise LogVerificationError("its answer holds no cosignature by its key")


def _size(body: bytes) -> int:
    try:
        return decode_size(body.decode("ascii").removesuffix("\n"))
    except UnicodeDecodeError as error:
        raise DecodingError("its answer is no size") from error

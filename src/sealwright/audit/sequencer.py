"""The sequencer: one leased process numbers committed leaves in batches, extends the tiles and signs the checkpoint.

Two sequencers never give one index twice: the lease is an `UPDATE ... WHERE` on the log's row, which stays locked until the
numbering commits, and the size changes only from the size that was read. Numbering is durable before anything is signed, and
what is signed follows from what is numbered: after a crash at any step the next round signs the same checkpoint again.
"""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from sealwright.audit import store
from sealwright.audit.memory import CheckpointMemory, StoredLog
from sealwright.clock import Clock
from sealwright.errors import ConflictError, LogVerificationError, PermissionDeniedError, SealwrightError
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.protocol import LogKeystore
from sealwright.storage.engine import Storage, Transaction
from sealwright.tlog.checkpoint import Checkpoint, decode_checkpoint, sign_note
from sealwright.tlog.map import map_key, map_value, update_map
from sealwright.tlog.tiles import append_hash
from sealwright.tlog.tree import HashReader, consistency_proof, leaf_hash, root_hash

CHANNEL = "audit"
"""`Storage.listen` channel that every appended leaf announces."""
MAX_BATCH = 1000
"""Leaves numbered in one transaction; keeps the writer lock short."""
LEASE_SECONDS = 5
"""A node that died holds up the other nodes for as long; a process of the same node takes its lease over at once."""
POLL_SECONDS = 0.2
"""How late a leaf that another process appended is numbered."""
RETRY_SECONDS = 1.0

_logger = logging.getLogger(__name__)


class Sequencer:
    """Numbers leaves, from its own thread or from whoever calls `sequence`. Safe from any thread.

    Args:
        storage: The database.
        keystore: Signs checkpoints.
        clock: For leases.
        memory: What this node signed before.
    """

    def __init__(self, storage: Storage, keystore: LogKeystore, clock: Clock, memory: CheckpointMemory) -> None:
        self._storage, self._keystore, self._clock, self._memory = storage, keystore, clock, memory
        self._refused: dict[str, LogVerificationError] = {}
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._end_listening: Callable[[], None] | None = None
        self._one_at_a_time = threading.Lock()
        self._numbered = threading.Condition()
        self._rounds = 0

    @property
    def is_running(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Check every log against what this node remembers, then start the thread.

        Raises:
            LogVerificationError: If the database's log is not a continuation, or a log that this node remembers is gone.
        """
        if self._thread is not None:
            return
        with self._storage.read(None) as tx:
            organizations = store.organizations_with_logs(tx)
            if not set(self._memory.organizations()) <= set(organizations):
                raise LogVerificationError("a log that this node signed is not in this database")
            for organization_id in organizations:
                self._check(tx, organization_id)
                self._check_signed(tx, organization_id)
        self._stopping.clear()
        self._end_listening = self._storage.listen(CHANNEL, self._wake.set)
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """End the thread and give up the leases; leaves that are not numbered stay queued."""
        if self._thread is None or self._end_listening is None:
            return
        self._end_listening()
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout_seconds)
        self._thread = None
        with self._storage.transaction(None) as tx:
            store.release_leases(tx, self._memory.node_id(), self._clock.now())

    def wake(self) -> None:
        """Let the thread look for leaves now."""
        self._wake.set()

    @property
    def rounds(self) -> int:
        """How many batches this process numbered."""
        return self._rounds

    def wait_for_round(self, after: int, timeout_seconds: float) -> None:
        """Wait until this process numbered a batch after round `after`, or the time is over."""
        with self._numbered:
            self._numbered.wait_for(lambda: self._rounds != after, timeout_seconds)

    def check_trusted(self, organization_id: str) -> None:
        """Refuse a log that was found forked or rolled back since the start.

        Raises:
            LogVerificationError: What was found.
        """
        refused = self._refused.get(organization_id)
        if refused is not None:
            raise LogVerificationError(refused.message)

    def sequence(self, organization_id: str) -> int:
        """Number the pending leaves of one log, up to one batch, and sign its new checkpoint.

        Returns:
            How many leaves the new checkpoint added; 0 also where another process holds the lease.

        Raises:
            LogVerificationError: If the database's log is not a continuation of what this node signed; from then on the
                log is refused.
            UnavailableError: If database, keystore or the local checkpoint's disk do not answer.
        """
        self.check_trusted(organization_id)
        try:
            with self._one_at_a_time:
                return self._extend(organization_id)
        except ConflictError:
            return 0
        except LogVerificationError as error:
            self._refused[organization_id] = error
            raise

    def sign(self, key: SealedRecord, checkpoint: Checkpoint, old: str, proof: tuple[bytes, ...]) -> str:
        """Return the signed note of a checkpoint.

        Args:
            key: The log's.
            checkpoint: What is signed.
            old: The newest one that the keystore signed, as it says.
            proof: From that to this.

        Raises:
            LogVerificationError: If the keystore finds that it does not continue what it signed before.
            ConflictError: If it signed another one meanwhile.
        """

        def signed(text: bytes) -> bytes:
            try:
                return self._keystore.sign_checkpoint(key, text.decode(), old, proof)
            except PermissionDeniedError as error:
                raise LogVerificationError(f"the keystore does not sign the log's next checkpoint: {error}") from error

        return sign_note(checkpoint, checkpoint.origin, signed, public_key_of(key))

    def _extend(self, organization_id: str) -> int:
        # 1 Number what waits, durably. Nothing is signed that a crash could take back.
        with self._storage.transaction(organization_id) as tx:
            if not self._number(tx, organization_id):
                return 0
        old = self._keystore.signed_checkpoint(organization_id)
        # 2 Root and map over the numbered leaves: the same again, if another process or a later start does it once more.
        with self._storage.read(organization_id) as tx:
            state = store.get_state(tx, organization_id)
            heads = store.new_heads(tx, organization_id, state.signed_size, state.size)
            changes = {map_key(chain_id): map_value(*head) for chain_id, head in heads.items()}
            pages, new_map_root = update_map(changes, store.map_reader(tx, organization_id))
            read = store.hash_reader(tx, organization_id)
            root, proof = root_hash(state.size, read), _proof_from(old, state.size, read)
        # 3 Sign, and remember on this node's own disk what was signed, before anybody sees it.
        checkpoint = Checkpoint(state.origin, state.size, root, new_map_root)
        note = self.sign(store.log_key_of(state), checkpoint, old, proof)
        self._memory.remember(organization_id, checkpoint, note)
        # 4 Checkpoint and map change together, and only from those that were read.
        with self._storage.transaction(organization_id) as tx:
            store.publish(tx, organization_id, state.signed_size, state.size, note)
            store.write_map_pages(tx, organization_id, pages)
        with self._numbered:
            self._rounds += 1
            self._numbered.notify_all()
        return int(state.size - state.signed_size)

    def _number(self, tx: Transaction, organization_id: str) -> bool:
        """Number one batch; return whether there are leaves to sign."""
        # a Only the holder of the lease goes on; without a thread the lease ends with this transaction.
        now = self._clock.now()
        until = now + timedelta(seconds=LEASE_SECONDS) if self.is_running else now
        if not store.take_lease(tx, organization_id, self._memory.node_id(), now, until):
            return False
        # b What is committed and has no index yet, oldest first; what an interrupted round numbered is signed first.
        state = store.get_state(tx, organization_id)
        leaves = store.pending_leaves(tx, organization_id, MAX_BATCH) if state.size == state.signed_size else ()
        if not leaves and state.size == state.signed_size:
            return False
        # c The log as it is must continue what this node signed before.
        self._check(tx, organization_id)
        # d Number the leaves and extend the tiles.
        if leaves:
            store.number_leaves(tx, state.size, leaves)
            tiles: dict[tuple[int, int], bytes] = {}
            for index, leaf in enumerate(leaves, start=state.size):
                append_hash(
                    tiles,
                    index,
                    leaf_hash(leaf.commitment),
                    lambda level, n: store.read_tile(tx, organization_id, level, n),
                )
            for (level, number), hashes in tiles.items():
                store.write_tile(tx, organization_id, level, number, hashes)
            store.grow(tx, organization_id, state.size, state.size + len(leaves))
        return True

    def _check(self, tx: Transaction, organization_id: str) -> None:
        state = store.get_state(tx, organization_id)
        public_key = public_key_of(store.log_key_of(state))
        log = StoredLog(state.size, state.signed_size, state.checkpoint, state.origin, public_key)
        read, read_map = store.hash_reader(tx, organization_id), store.map_reader(tx, organization_id)
        self._memory.check(organization_id, log, read, read_map)

    def _check_signed(self, tx: Transaction, organization_id: str) -> None:
        """Check the log against what the keystore signed, which another node's memory does not know."""
        old = self._keystore.signed_checkpoint(organization_id)
        if not old:
            return
        known, state = decode_checkpoint(old), store.get_state(tx, organization_id)
        is_continued = known.size <= state.size and known.origin == state.origin
        if not is_continued or root_hash(known.size, store.hash_reader(tx, organization_id)) != known.root:
            raise LogVerificationError("the log of this database does not continue the one that the keystore signed")

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()
            try:
                while self._round() and not self._stopping.is_set():
                    pass
            except SealwrightError as error:
                _logger.warning("log.sequence.failed error=%s", type(error).__name__)
                self._stopping.wait(RETRY_SECONDS)

    def _round(self) -> int:
        with self._storage.read(None) as tx:
            organizations = store.organizations_with_work(tx)
        count = 0
        for organization_id in organizations:
            if organization_id in self._refused:
                continue
            try:
                count += self.sequence(organization_id)
            except LogVerificationError:
                _logger.critical("log.sequence.refused organization=%s", organization_id)
        return count


def _proof_from(old: str, size: int, read: HashReader) -> tuple[bytes, ...]:
    known_size = decode_checkpoint(old).size if old else 0
    if known_size > size:
        raise LogVerificationError("the log of this database is shorter than the one that the keystore signed")
    return consistency_proof(known_size, size, read) if 0 < known_size < size else ()


def public_key_of(key: SealedRecord) -> bytes:
    """Return the raw Ed25519 key: an RFC 8410 SubjectPublicKeyInfo ends in its 32 octets."""
    return key.spki[-32:]

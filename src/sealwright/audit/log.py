"""The append-only log: an act writes its leaf in its own transaction, the sequencer numbers committed leaves and signs.

No leaf, no act: `append` runs inside the act's transaction, so both are durable or neither is. Readers get proofs that
lead to a checkpoint under the log's key; nothing here needs to be believed.
"""

import secrets
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from sealwright.audit import store
from sealwright.audit.memory import CheckpointMemory
from sealwright.audit.model import Act, ChainView, IncludedLeaf, LeafSalt, LoggedRecord, OpenedLeaf, PendingLeaf
from sealwright.audit.sequencer import CHANNEL, POLL_SECONDS, Sequencer
from sealwright.clock import Clock
from sealwright.errors import InputError, NotFoundError, UnavailableError
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.protocol import LogKeystore
from sealwright.storage.engine import Storage, Transaction
from sealwright.storage.schema import new_id
from sealwright.tlog.checkpoint import Checkpoint
from sealwright.tlog.leaf import MAX_RECORD_BYTES, ORGANIZATION_CHAIN, SALT_BYTES, LeafRecord, commit
from sealwright.tlog.map import map_key, prove_key
from sealwright.tlog.tiles import TILE_HEIGHT, TILE_WIDTH
from sealwright.tlog.tree import EMPTY_ROOT, HASH_BYTES, consistency_proof, inclusion_proof, leaf_hash

__all__ = ["Act", "AuditLog", "ChainView", "IncludedLeaf", "LeafSalt", "LoggedRecord", "OpenedLeaf", "PendingLeaf"]

MAX_CHAIN = 1000
"""Leaves in one `ChainView`."""
MAX_NUMBER = 2**63 - 1
"""No chain comes so far."""


CLOCK_TOLERANCE = timedelta(minutes=2)
"""Nodes' clocks differ, and are corrected."""


class AuditLog:
    """The log of every organization in one database. Safe from any thread.

    Args:
        storage: The database.
        keystore: Seals salts and signs checkpoints.
        clock: Time of the records.
        checkpoint_folder: Where this node keeps its last checkpoint of each log; on its own disk, never replicated and
            left out of backups. None keeps them in memory only.
    """

    def __init__(
        self, storage: Storage, keystore: LogKeystore, clock: Clock, checkpoint_folder: Path | None = None
    ) -> None:
        self._storage, self._keystore, self._clock = storage, keystore, clock
        self._sequencer = Sequencer(storage, keystore, clock, CheckpointMemory(checkpoint_folder))

    def start(self) -> None:
        """Check every log against this node's own checkpoints and start the sequencer's thread.

        Raises:
            LogVerificationError: If a log was rolled back, exchanged or lost: the node must not serve.
        """
        self._sequencer.start()

    def stop(self) -> None:
        """End the sequencer's thread; leaves without an index are numbered at the next start."""
        self._sequencer.stop()

    def create_log(self, tx: Transaction, organization_id: str, origin: str, log_key: SealedRecord) -> None:
        """Start an organization's log with a signed checkpoint of size 0.

        Raises:
            ConflictError: If it has one.
        """
        values = {
            "organization_id": organization_id,
            "origin": origin,
            "size": 0,
            "signed_size": 0,
            "checkpoint": self._sequencer.sign(log_key, Checkpoint(origin, 0, EMPTY_ROOT), "", ()),
            "cosigned": "",
            "latest_time": self._clock.now(),
            "lease_holder": "",
            "lease_expires": self._clock.now(),
        }
        store.insert_state(tx, values, log_key)

    def seal_salt(self, organization_id: str) -> LeafSalt:
        """Make the salt of one leaf ahead, so that no keystore call holds up the act's transaction."""
        salt, leaf_id = secrets.token_bytes(SALT_BYTES), new_id()
        return LeafSalt(leaf_id, salt, self._keystore.seal_secret(organization_id, store.SALT_PURPOSE, leaf_id, salt))

    def append(self, tx: Transaction, act: Act, salt: LeafSalt | None = None) -> PendingLeaf:
        """Write the leaf of an act into the act's own transaction.

        Args:
            tx: The act's transaction.
            act: What is done.
            salt: From `seal_salt`, for this leaf only; None makes one now.

        Raises:
            ConflictError: If the organization has no log, or another transaction extended the chain meanwhile.
            InputError: If the record is larger than a leaf may be.
            LogVerificationError: If the log was found forked or rolled back: no act without a log to trust.
            UnavailableError: If the clock went back: no act at a time that was over already.
        """
        self._sequencer.check_trusted(act.organization_id)
        now = self._clock.now()
        check_time(store.latest_time(tx, act.organization_id), now)
        used = salt or self.seal_salt(act.organization_id)
        number, previous = store.extend_chain(tx, act)
        record = LeafRecord(act.kind, act.organization_id, act.chain_id, number, previous, now, act.fields).encode()
        if len(record) > MAX_RECORD_BYTES:
            raise InputError(f"a record of the log has at most {MAX_RECORD_BYTES} octets")
        commitment = commit(used.salt, record)
        store.set_head(tx, act.organization_id, act.chain_id, commitment)
        values = {
            "organization_id": act.organization_id,
            "leaf_id": used.leaf_id,
            "chain_id": act.chain_id,
            "chain_number": number,
            "record": record,
            "commitment": commitment,
            "salt_ciphertext": used.sealed.ciphertext,
            "salt_storage_version": used.sealed.storage_key_version,
        }
        store.insert_pending(tx, values)
        tx.announce(CHANNEL)
        return PendingLeaf(used.leaf_id, commitment, record, used.salt, number)

    def mark_time(self, organization_id: str) -> None:
        """Mark the time (job), so that a clock that goes back is noticed after a restart and a quiet time, too.

        Raises:
            UnavailableError: If it went back already.
            ConflictError: If the organization has no log.
        """
        with self._storage.transaction(organization_id) as tx:
            latest, now = store.latest_time(tx, organization_id), self._clock.now()
            check_time(latest, now)
            if now > latest:
                store.mark_time(tx, organization_id, latest, now)

    def reset_time(self, tx: Transaction, organization_id: str, by: str) -> None:
        """Mark the time as it is now, after a clock that was far ahead was set right: a leaf in the act's transaction.

        Raises:
            ConflictError: If the organization has no log.
        """
        latest, now = store.latest_time(tx, organization_id), self._clock.now()
        store.mark_time(tx, organization_id, latest, now)
        fields = {"from": latest.isoformat(), "to": now.isoformat(), "by": by}
        self.append(tx, Act(organization_id, ORGANIZATION_CHAIN, "time.reset", fields))

    def add_break(self, tx: Transaction, organization_id: str, number: int, note: str) -> bool:
        """Keep the note of a log break for devices; return False if it is there already."""
        return store.add_break(tx, organization_id, number, note)

    def breaks(self, organization_id: str) -> tuple[str, ...]:
        """Return the notes of the newest log breaks, newest first."""
        with self._storage.read(organization_id) as tx:
            return tuple(store.breaks(tx, organization_id))

    def sequence(self, organization_id: str) -> int:
        """Number the pending leaves of an organization now, up to one batch, and sign the new checkpoint.

        Returns:
            How many leaves the new checkpoint added; 0 also where another process does it.

        Raises:
            LogVerificationError: If the database's log is not a continuation of what this node signed.
            UnavailableError: If database, keystore or disk do not answer.
        """
        return self._sequencer.sequence(organization_id)

    def wait_included(
        self, organization_id: str, leaf_id: str, timeout_seconds: float = 10.0, *, salt: bytes = b""
    ) -> IncludedLeaf:
        """Wait until a committed leaf is numbered; where no sequencer's thread runs, number it.

        Args:
            organization_id: 32 hex digits.
            leaf_id: Of the leaf.
            timeout_seconds: How long.
            salt: Of the leaf, where the caller has just made it; else the keystore opens it.

        Raises:
            UnavailableError: If it is not in the log in time.
            LogVerificationError: If the log was found forked or rolled back.
        """
        deadline = time.monotonic() + timeout_seconds
        self._sequencer.wake()
        while True:
            self._sequencer.check_trusted(organization_id)
            if not self._sequencer.is_running:
                self.sequence(organization_id)
            seen = self._sequencer.rounds
            leaf = self._find_included(organization_id, leaf_id, salt)
            if leaf is not None:
                return leaf
            left = deadline - time.monotonic()
            if left <= 0:
                raise UnavailableError("the act is done, but its log entry is not signed yet; ask again")
            self._sequencer.wait_for_round(seen, min(POLL_SECONDS, left))

    def chain(self, organization_id: str, chain_id: str, after: int = 0, limit: int = MAX_CHAIN) -> ChainView:
        """Return the numbered leaves of a chain after number `after`, with proofs to one checkpoint.

        Raises:
            NotFoundError: If there is no such chain.
        """
        if not self._sequencer.is_running:
            self.sequence(organization_id)
        with self._storage.read(organization_id) as tx:
            state = store.get_state(tx, organization_id)
            size = state.signed_size
            number, head = store.included_head(tx, organization_id, chain_id, size)
            leaves = store.chain_leaves(tx, organization_id, chain_id, after, size, min(limit, MAX_CHAIN))
            read = store.hash_reader(tx, organization_id)
            proofs = [inclusion_proof(leaf.leaf_index, size, read) for leaf in leaves]
            map_proof = prove_key(map_key(chain_id), store.map_reader(tx, organization_id))
        included = [self._open(leaf, state, proof) for leaf, proof in zip(leaves, proofs, strict=True)]
        return ChainView(included, number, head, map_proof, state.checkpoint)

    def newest(
        self, organization_id: str, chain_id: str, before: int = MAX_NUMBER, limit: int = 50
    ) -> list[LoggedRecord]:
        """Return the newest numbered records of a chain before number `before`, newest first, without proofs."""
        with self._storage.read(organization_id) as tx:
            leaves = store.newest_leaves(tx, organization_id, chain_id, before, min(limit, MAX_CHAIN))
        return [LoggedRecord(leaf.leaf_index, leaf.record) for leaf in leaves]

    def checkpoint(self, organization_id: str) -> str:
        """Return the newest signed checkpoint.

        Raises:
            NotFoundError: If the organization has no log.
        """
        with self._storage.read(organization_id) as tx:
            return str(store.get_state(tx, organization_id).checkpoint)

    def tile(self, organization_id: str, level: int, index: int, width: int = TILE_WIDTH) -> bytes:
        """Return the first `width` (1 to 256) hashes of tile (level, index), joined, as C2SP tiles name them.

        Raises:
            NotFoundError: If the log does not hold as many.
        """
        if not 1 <= width <= TILE_WIDTH or level < 0 or index < 0:
            raise NotFoundError("there is no such tile")
        with self._storage.read(organization_id) as tx:
            hashes = store.read_tile(tx, organization_id, level, index)
            signed = store.get_state(tx, organization_id).signed_size
        hashes = hashes[: max(0, (signed >> (TILE_HEIGHT * level)) - index * TILE_WIDTH) * HASH_BYTES]
        if len(hashes) < width * HASH_BYTES:
            raise NotFoundError("the log does not hold that tile yet")
        return hashes[: width * HASH_BYTES]

    def entries(self, organization_id: str, index: int, width: int = TILE_WIDTH) -> list[bytes]:
        """Return the commitments of the first `width` (1 to 256) leaves of bundle `index`.

        Raises:
            NotFoundError: If the log does not hold as many.
        """
        if not 1 <= width <= TILE_WIDTH or not 0 <= index <= MAX_NUMBER // TILE_WIDTH:
            raise NotFoundError("there is no such bundle")
        first = index * TILE_WIDTH
        with self._storage.read(organization_id) as tx:
            if first + width > store.get_state(tx, organization_id).signed_size:
                raise NotFoundError("the log does not hold that bundle yet")
            return store.commitments(tx, organization_id, first, first + width)

    def open_leaves(self, organization_id: str, first: int, limit: int = TILE_WIDTH) -> list[OpenedLeaf]:
        """Return signed leaves from index `first` on with what they say: for auditors, without proofs.

        Raises:
            NotFoundError: If the organization has no log.
        """
        with self._storage.read(organization_id) as tx:
            end = min(first + min(limit, TILE_WIDTH), store.get_state(tx, organization_id).signed_size)
            leaves = store.leaves_between(tx, organization_id, first, end)
        salts = [self._keystore.open_secret(store.salt_of(leaf)) for leaf in leaves]
        return [OpenedLeaf(leaf.leaf_index, salt, leaf.record) for leaf, salt in zip(leaves, salts, strict=True)]

    def consistency(self, organization_id: str, first: int, second: int) -> tuple[bytes, ...]:
        """Return the consistency proof between two sizes of the log.

        Raises:
            NotFoundError: If the log never had those sizes.
        """
        with self._storage.read(organization_id) as tx:
            if not 0 < first <= second <= store.get_state(tx, organization_id).signed_size:
                raise NotFoundError("the log does not have these sizes")
            return consistency_proof(first, second, store.hash_reader(tx, organization_id))

    def _find_included(self, organization_id: str, leaf_id: str, salt: bytes) -> IncludedLeaf | None:
        with self._storage.read(organization_id) as tx:
            leaf = store.find_leaf(tx, organization_id, leaf_id)
            if leaf is None:
                return None
            state = store.get_state(tx, organization_id)
            if leaf.leaf_index >= state.signed_size:
                return None
            proof = inclusion_proof(leaf.leaf_index, state.signed_size, store.hash_reader(tx, organization_id))
        return self._open(leaf, state, proof, salt)

    def _open(self, leaf: Row[Any], state: Row[Any], proof: tuple[bytes, ...], salt: bytes = b"") -> IncludedLeaf:
        return IncludedLeaf(
            index=leaf.leaf_index,
            tree_size=state.signed_size,
            inclusion_proof=proof,
            checkpoint=state.checkpoint,
            leaf_hash=leaf_hash(leaf.commitment),
            salt=salt or self._keystore.open_secret(store.salt_of(leaf)),
            record=leaf.record,
        )


def check_time(latest: datetime, now: datetime) -> None:
    """Check that the clock did not go back.

    Raises:
        UnavailableError: If it did: what is done would have a time that was over, and what has expired would be good again.
    """
    if latest - now > CLOCK_TOLERANCE:
        raise UnavailableError(
            f"the clock of this server went back, from {latest:%Y-%m-%d %H:%M} UTC: nothing is done until it is right;"
            " if it was ahead before, `sealwright log reset-time` marks the time anew"
        )

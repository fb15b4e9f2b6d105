"""The append-only log: an act writes its leaf in its own transaction, the sequencer numbers committed leaves and signs.

No leaf, no act: `append` runs inside the act's transaction, so both are durable or neither is. Numbering happens after the
commit, in batches, under the row of the log's state: two sequencers never give one index twice, because the state changes
by `UPDATE ... WHERE size = <old size>`.
"""

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, select, update

from sealwright.audit.tables import chain_head, log_leaf, log_state, log_tile
from sealwright.clock import Clock
from sealwright.errors import ConflictError, NotFoundError, UnavailableError
from sealwright.keystore.model import RecordIdentity, SealedRecord, ServiceKeystore
from sealwright.storage.engine import Storage, Transaction
from sealwright.storage.schema import new_id
from sealwright.tlog.checkpoint import Checkpoint, sign_note
from sealwright.tlog.leaf import SALT_BYTES, LeafRecord, commit
from sealwright.tlog.tiles import append_hash, subtree_hash
from sealwright.tlog.tree import EMPTY_ROOT, HashReader, consistency_proof, inclusion_proof, leaf_hash, root_hash

MAX_BATCH = 1000
"""Leaves numbered in one transaction; keeps the writer lock short."""
MAX_CHAIN = 1000
SALT_PURPOSE = "leaf-salt"


@dataclass(frozen=True, slots=True)
class Act:
    """Something that must be in the log.

    Attributes:
        organization_id: Whose log.
        chain_id: A mailbox's id, or `tlog.leaf.ORGANIZATION_CHAIN`.
        kind: `subject.action`.
        fields: ASCII keys and values; never a secret.
    """

    organization_id: str
    chain_id: str
    kind: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class PendingLeaf:
    """A leaf that has no index yet.

    Attributes:
        leaf_id: To wait for it.
        commitment: 32 octets.
        record: Canonical record.
        salt: 32 octets.
        chain_number: In its chain.
    """

    leaf_id: str
    commitment: bytes
    record: bytes
    salt: bytes = field(repr=False)
    chain_number: int


@dataclass(frozen=True, slots=True)
class IncludedLeaf:
    """A leaf with its proof.

    Attributes:
        index: Position in the log.
        tree_size: Of the checkpoint.
        inclusion_proof: Audit path.
        checkpoint: Signed note.
        leaf_hash: RFC 6962 leaf hash of the commitment.
        salt: 32 octets.
        record: Canonical record.
    """

    index: int
    tree_size: int
    inclusion_proof: tuple[bytes, ...]
    checkpoint: str
    leaf_hash: bytes
    salt: bytes = field(repr=False)
    record: bytes


@dataclass(frozen=True, slots=True)
class ChainView:
    """Part of a chain, all proofs to one checkpoint.

    Attributes:
        leaves: In the order of the chain.
        head_number: Number of the newest record of the chain.
        head_hash: Its commitment.
    """

    leaves: list[IncludedLeaf]
    head_number: int
    head_hash: bytes


class AuditLog:
    """The log of every organization in one database. Safe from any thread."""

    def __init__(self, storage: Storage, keystore: ServiceKeystore, clock: Clock) -> None:
        self._storage, self._keystore, self._clock = storage, keystore, clock
        self._numbered = threading.Condition()

    def create_log(self, tx: Transaction, organization_id: str, origin: str, log_key: SealedRecord) -> None:
        """Start an organization's log with a signed checkpoint of size 0.

        Raises:
            ConflictError: If it has one.
        """
        tx.execute(
            insert(log_state).values(
                organization_id=organization_id,
                origin=origin,
                size=0,
                checkpoint=self._sign(origin, log_key, 0, EMPTY_ROOT),
                key_record_id=log_key.identity.record_id,
                key_owner=log_key.identity.owner,
                key_storage_version=log_key.storage_key_version,
                key_ciphertext=log_key.ciphertext,
                key_spki=log_key.spki,
            )
        )

    def append(self, tx: Transaction, act: Act) -> PendingLeaf:
        """Write the leaf of an act into the act's own transaction.

        Raises:
            ConflictError: If another transaction extended the chain meanwhile.
        """
        number, previous = self._extend_chain(tx, act)
        record = LeafRecord(
            act.kind, act.organization_id, act.chain_id, number, previous, self._clock.now(), act.fields
        ).encode()
        salt, leaf_id = secrets.token_bytes(SALT_BYTES), new_id()
        commitment = commit(salt, record)
        sealed = self._keystore.seal_secret(act.organization_id, SALT_PURPOSE, leaf_id, salt)
        of_chain = (chain_head.c.organization_id == act.organization_id) & (chain_head.c.chain_id == act.chain_id)
        tx.execute(update(chain_head).where(of_chain).values(head=commitment))
        tx.execute(
            insert(log_leaf).values(
                organization_id=act.organization_id,
                leaf_id=leaf_id,
                created=self._clock.now(),
                leaf_index=None,
                chain_id=act.chain_id,
                chain_number=number,
                record=record,
                commitment=commitment,
                salt_ciphertext=sealed.ciphertext,
                salt_storage_version=sealed.storage_key_version,
            )
        )
        return PendingLeaf(leaf_id, commitment, record, salt, number)

    def sequence(self, organization_id: str) -> int:
        """Number the pending leaves of an organization and sign the new checkpoint.

        Returns:
            How many leaves were numbered; 0 also where another sequencer was faster.
        """
        try:
            with self._storage.transaction(organization_id) as tx:
                count = self._sequence(tx, organization_id)
        except ConflictError:
            return 0
        if count:
            with self._numbered:
                self._numbered.notify_all()
        return count

    def wait_included(self, organization_id: str, leaf_id: str, timeout_seconds: float = 10.0) -> IncludedLeaf:
        """Wait until a committed leaf is numbered, numbering it if nobody else does.

        Raises:
            UnavailableError: If it is not in the log in time.
        """
        attempts = max(1, int(timeout_seconds / 0.2))
        for _ in range(attempts):
            self.sequence(organization_id)
            with self._storage.read(organization_id) as tx:
                rows = self._leaf_rows(tx, organization_id, leaf_id=leaf_id)
                if rows and rows[0].leaf_index is not None:
                    return self._included(tx, organization_id, rows)[0]
            with self._numbered:
                self._numbered.wait(0.2)
        raise UnavailableError("the act is done, but its log entry is not signed yet; ask again")

    def chain(self, organization_id: str, chain_id: str, after: int = 0, limit: int = MAX_CHAIN) -> ChainView:
        """Return the numbered leaves of a chain after number `after`, with proofs to one checkpoint.

        Raises:
            NotFoundError: If there is no such chain.
        """
        self.sequence(organization_id)
        with self._storage.read(organization_id) as tx:
            head = tx.fetch_one(
                select(chain_head.c.number, chain_head.c.head).where(
                    chain_head.c.organization_id == organization_id, chain_head.c.chain_id == chain_id
                )
            )
            if head is None:
                raise NotFoundError("there is no such chain in the log")
            statement = (
                select(log_leaf)
                .where(
                    log_leaf.c.organization_id == organization_id,
                    log_leaf.c.chain_id == chain_id,
                    log_leaf.c.chain_number > after,
                    log_leaf.c.leaf_index.is_not(None),
                )
                .order_by(log_leaf.c.chain_number)
                .limit(min(limit, MAX_CHAIN))
            )
            return ChainView(self._included(tx, organization_id, tx.fetch_all(statement)), head.number, head.head)

    def checkpoint(self, organization_id: str) -> str:
        """Return the newest signed checkpoint.

        Raises:
            NotFoundError: If the organization has no log.
        """
        with self._storage.read(organization_id) as tx:
            return str(self._state(tx, organization_id).checkpoint)

    def consistency(self, organization_id: str, first: int, second: int) -> tuple[bytes, ...]:
        """Return the consistency proof between two sizes of the log.

        Raises:
            NotFoundError: If the log never had those sizes.
        """
        with self._storage.read(organization_id) as tx:
            if not 0 < first <= second <= self._state(tx, organization_id).size:
                raise NotFoundError("the log does not have these sizes")
            return consistency_proof(first, second, self._reader(tx, organization_id))

    def _extend_chain(self, tx: Transaction, act: Act) -> tuple[int, bytes]:
        """Take the next number of the chain; the row lock of the update keeps two acts apart."""
        of_chain = (chain_head.c.organization_id == act.organization_id) & (chain_head.c.chain_id == act.chain_id)
        if tx.execute(update(chain_head).where(of_chain).values(number=chain_head.c.number + 1)) == 0:
            key = {"organization_id": act.organization_id, "chain_id": act.chain_id}
            tx.execute(insert(chain_head).values(**key, number=1, head=bytes(SALT_BYTES)))
        row = tx.fetch_one(select(chain_head.c.number, chain_head.c.head).where(of_chain))
        if row is None:
            raise ConflictError("the chain changed meanwhile")
        return row.number, row.head

    def _sequence(self, tx: Transaction, organization_id: str) -> int:
        # 1 What is committed and has no index yet, oldest first.
        pending = tx.fetch_all(
            select(log_leaf.c.leaf_id, log_leaf.c.commitment)
            .where(log_leaf.c.organization_id == organization_id, log_leaf.c.leaf_index.is_(None))
            .order_by(log_leaf.c.created, log_leaf.c.chain_number, log_leaf.c.leaf_id)
            .limit(MAX_BATCH)
        )
        if not pending:
            return 0
        # 2 Extend the tiles and number the leaves.
        state = self._state(tx, organization_id)
        tiles: dict[tuple[int, int], bytes] = {}
        for offset, row in enumerate(pending):
            append_hash(
                tiles,
                state.size + offset,
                leaf_hash(row.commitment),
                lambda level, number: self._tile(tx, organization_id, level, number),
            )
            tx.execute(
                update(log_leaf)
                .where(log_leaf.c.organization_id == organization_id, log_leaf.c.leaf_id == row.leaf_id)
                .values(leaf_index=state.size + offset)
            )
        for (level, number), hashes in tiles.items():
            self._write_tile(tx, organization_id, level, number, hashes)
        # 3 Sign, and change the state only from the size that was read: a second sequencer fails here and rolls back.
        size = state.size + len(pending)
        root = root_hash(size, self._reader(tx, organization_id))
        key = self._log_key(organization_id, state)
        tx.change_one(
            update(log_state)
            .where(log_state.c.organization_id == organization_id, log_state.c.size == state.size)
            .values(size=size, checkpoint=self._sign(state.origin, key, size, root)),
            "the log was extended meanwhile",
        )
        return len(pending)

    def _included(self, tx: Transaction, organization_id: str, rows: Sequence[Row[Any]]) -> list[IncludedLeaf]:
        state = self._state(tx, organization_id)
        read = self._reader(tx, organization_id)
        return [self._include(organization_id, state.size, state.checkpoint, read, row) for row in rows]

    def _include(
        self, organization_id: str, size: int, checkpoint: str, read: HashReader, leaf: Row[Any]
    ) -> IncludedLeaf:
        identity = RecordIdentity("secret", organization_id, leaf.leaf_id, SALT_PURPOSE)
        version, ciphertext = leaf.salt_storage_version, leaf.salt_ciphertext
        return IncludedLeaf(
            index=leaf.leaf_index,
            tree_size=size,
            inclusion_proof=inclusion_proof(leaf.leaf_index, size, read),
            checkpoint=checkpoint,
            leaf_hash=leaf_hash(leaf.commitment),
            salt=self._keystore.open_secret(SealedRecord(identity, "secret", version, ciphertext)),
            record=leaf.record,
        )

    def _leaf_rows(self, tx: Transaction, organization_id: str, leaf_id: str) -> Sequence[Row[Any]]:
        return tx.fetch_all(
            select(log_leaf).where(log_leaf.c.organization_id == organization_id, log_leaf.c.leaf_id == leaf_id)
        )

    def _state(self, tx: Transaction, organization_id: str) -> Row[Any]:
        row = tx.fetch_one(select(log_state).where(log_state.c.organization_id == organization_id))
        if row is None:
            raise NotFoundError("the organization has no log")
        return row

    def _reader(self, tx: Transaction, organization_id: str) -> HashReader:
        cache: dict[tuple[int, int], bytes] = {}

        def read_tile(level: int, number: int) -> bytes:
            if (level, number) not in cache:
                cache[level, number] = self._tile(tx, organization_id, level, number)
            return cache[level, number]

        return lambda level, index: subtree_hash(read_tile, level, index)

    def _tile(self, tx: Transaction, organization_id: str, level: int, number: int) -> bytes:
        return bytes(tx.fetch_value(select(log_tile.c.hashes).where(*_tile_key(organization_id, level, number))) or b"")

    def _write_tile(self, tx: Transaction, organization_id: str, level: int, number: int, hashes: bytes) -> None:
        changed = update(log_tile).where(*_tile_key(organization_id, level, number)).values(hashes=hashes)
        if tx.execute(changed) == 0:
            key = {"organization_id": organization_id, "level": level, "number": number}
            tx.execute(insert(log_tile).values(**key, hashes=hashes))

    def _log_key(self, organization_id: str, state: Row[Any]) -> SealedRecord:
        identity = RecordIdentity("service-key", organization_id, state.key_record_id, state.key_owner)
        return SealedRecord(identity, "ed25519", state.key_storage_version, state.key_ciphertext, state.key_spki)

    def _sign(self, origin: str, key: SealedRecord, size: int, root: bytes) -> str:
        public_key = key.spki[-32:]  # RFC 8410: an Ed25519 SubjectPublicKeyInfo ends in the 32 octets of the key
        point = Checkpoint(origin, size, root)
        return sign_note(point, origin, lambda message: self._keystore.sign(key, "ed25519", message), public_key)


def _tile_key(organization_id: str, level: int, number: int) -> tuple[ColumnElement[bool], ...]:
    return (
        log_tile.c.organization_id == organization_id,
        log_tile.c.level == level,
        log_tile.c.number == number,
    )

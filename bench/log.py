"""The log at many leaves beside the log at few: what grows with their number, grows with its logarithm.

A log of many leaves is made as its tiles, of equal leaves: then subtrees of one size are equal, too, and ten million leaves are
a few hundred hashes. The records of those leaves are left out; nothing here reads them.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import insert, update

import sealwright.server.schema  # noqa: F401 - registers every table
from bench.measure import Effort, Row, compare
from sealwright.audit import store
from sealwright.audit.log import Act, AuditLog
from sealwright.audit.tables import log_state, log_tile
from sealwright.clock import SystemClock
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.seal import open_with_key_file
from sealwright.keystore.seal_creation import SealPlan, create
from sealwright.keystore.seal_options import SealOptions
from sealwright.keystore.software import SoftwareKeystore
from sealwright.storage.engine import open_storage
from sealwright.storage.schema import metadata, new_id
from sealwright.tlog.checkpoint import Checkpoint, sign_note
from sealwright.tlog.leaf import ORGANIZATION_CHAIN
from sealwright.tlog.tiles import TILE_WIDTH
from sealwright.tlog.tree import HASH_BYTES, inclusion_proof, leaf_hash, node_hash, root_hash

_FEW = 1_000
_GOAL = 0.4
"""The logarithms of a thousand and of ten million are as 3 to 7."""
_ORIGIN = "example.test/bench"
_ROWS = 1_000


def measure(effort: Effort) -> list[Row]:
    """Append a leaf - number, sign, publish - and prove one, in a large log and in a small one."""
    reference, name = f"the same with {_FEW:,} leaves", f"log of {effort.leaves:,} leaves"
    with _log_of(effort.leaves) as large, _log_of(_FEW) as small:
        return [
            compare(f"{name}: append and sign", large.append, reference, small.append, effort, goal=_GOAL),
            compare(f"{name}: prove a leaf", large.prove, reference, small.prove, effort, goal=_GOAL),
        ]


class _Log:
    """The log of an organization, durable, with its keystore in this process; nothing else runs.

    Args:
        folder: For its files.
        leaves: How many it has.
    """

    def __init__(self, folder: Path, leaves: int) -> None:
        key_file, seal_file = folder / "seal.key", folder / "seal.json"
        create(SealOptions(str(seal_file), str(key_file)), SealPlan("key-file", 0, 0, 1, 1))
        keystore = SoftwareKeystore(open_with_key_file(key_file, seal_file))
        self.storage, self._organization_id = open_storage(f"sqlite:///{folder / 'log.db'}"), new_id()
        metadata.create_all(self.storage.engine)
        self._audit = AuditLog(self.storage, keystore, SystemClock(), folder / "node")
        key = keystore.generate_service_key(self._organization_id, f"log/{_ORIGIN}", "ed25519")
        with self.storage.transaction(self._organization_id) as tx:
            self._audit.create_log(tx, self._organization_id, _ORIGIN, key)
        self._leaves, self._chance = leaves, random.Random(leaves)
        self._fill(keystore, key)

    def append(self) -> None:
        """Do something that is logged, and have it signed."""
        with self.storage.transaction(self._organization_id) as tx:
            self._audit.append(tx, Act(self._organization_id, ORGANIZATION_CHAIN, "bench", {}))
        self._audit.sequence(self._organization_id)

    def prove(self) -> None:
        """Make the inclusion proof of a leaf."""
        with self.storage.read(self._organization_id) as tx:
            read = store.hash_reader(tx, self._organization_id)
            inclusion_proof(self._chance.randrange(self._leaves), self._leaves, read)

    def _fill(self, keystore: SoftwareKeystore, key: SealedRecord) -> None:
        level, current, there = 0, leaf_hash(b""), self._leaves
        while there:
            tiles = [
                (number, min(TILE_WIDTH, there - number * TILE_WIDTH)) for number in range(-(-there // TILE_WIDTH))
            ]
            for start in range(0, len(tiles), _ROWS):
                of_level = {"organization_id": self._organization_id, "level": level}
                rows = [
                    {**of_level, "number": number, "hashes": current * width}
                    for number, width in tiles[start : start + _ROWS]
                ]
                with self.storage.transaction(self._organization_id) as tx:
                    tx.execute(insert(log_tile), rows)
            for _ in range(TILE_WIDTH.bit_length() - 1):
                current = node_hash(current, current)
            level, there = level + 1, there // TILE_WIDTH
        with self.storage.transaction(self._organization_id) as tx:
            root = root_hash(self._leaves, store.hash_reader(tx, self._organization_id))
            checkpoint = Checkpoint(_ORIGIN, self._leaves, root)
            empty = keystore.signed_checkpoint(self._organization_id)
            note = sign_note(
                checkpoint,
                _ORIGIN,
                lambda text: keystore.sign_checkpoint(key, text.decode(), empty, ()),
                key.spki[-HASH_BYTES:],
            )
            grown = update(log_state).values(size=self._leaves, signed_size=self._leaves, checkpoint=note)
            tx.change_one(grown, "there is no log")


@contextmanager
def _log_of(leaves: int) -> Iterator[_Log]:
    with TemporaryDirectory(prefix="sealwright-bench-") as name:
        log = _Log(Path(name), leaves)
        try:
            yield log
        finally:
            log.storage.close()

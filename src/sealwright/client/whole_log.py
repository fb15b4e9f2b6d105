"""Verifying a whole log, for auditors: every hash from the entries up, and - with opened leaves - every chain and the map."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

import msgspec

from sealwright.client.log_export import OpenedLine, Progress, read_note
from sealwright.client.log_source import LogSource
from sealwright.errors import DecodingError, LogVerificationError, NotFoundError
from sealwright.tlog.checkpoint import Checkpoint
from sealwright.tlog.layout import CHECKPOINT_PATH, Resource, bundles_of, decode_bundle
from sealwright.tlog.leaf import SALT_BYTES, LeafRecord, commit, decode_leaf_record
from sealwright.tlog.map import EMPTY_MAP_ROOT, map_key, map_value, update_map
from sealwright.tlog.note import VerifierKey
from sealwright.tlog.tiles import TileBuilder
from sealwright.tlog.tree import HASH_BYTES, leaf_hash

CLOCK_SLACK = timedelta(minutes=2)
"""Acts are numbered in the order in which they were committed, which may differ by so much from that of their times."""
MAP_BATCH = 1000


@dataclass(slots=True)
class VerifiedLog:
    """A log whose every leaf was checked.

    Attributes:
        checkpoint: That all of it leads to.
        note: The same, signed.
        opened: Leaves whose records were checked, too.
        chains: That they form.
        kinds: How many there are of each kind of act.
        set_back: Indexes of leaves whose time is earlier than that of one before by more than `CLOCK_SLACK`: a clock was set.
    """

    checkpoint: Checkpoint
    note: str
    opened: int = 0
    chains: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    set_back: list[int] = field(default_factory=list)


def verify_whole_log(
    source: LogSource,
    key: VerifierKey,
    progress: Progress,
    *,
    older: Checkpoint | None = None,
    opened: Path | None = None,
) -> VerifiedLog:
    """Verify a log from its first entry to its checkpoint, in memory that grows with the number of chains alone.

    Args:
        source: Where it is.
        key: That signs it.
        progress: Told after each bundle.
        older: A checkpoint that was verified before; the log must continue it.
        opened: File of opened leaves that `log_export.export_leaves` wrote.

    Raises:
        LogVerificationError: If a tile, an entry, a record, a chain or the map is not what the signed checkpoint commits to,
            or the log does not continue `older`.
        DecodingError: If the checkpoint, a bundle or the file of opened leaves cannot be read.
    """
    note = source(CHECKPOINT_PATH)
    checkpoint = read_note(note, key)
    if older is not None and (older.size > checkpoint.size or older.origin != checkpoint.origin):
        raise LogVerificationError("the log is shorter than the checkpoint that is known of it: it was rolled back")
    found, builder = VerifiedLog(checkpoint, note.decode()), TileBuilder()
    leaves = _Leaves(found) if opened is not None else None
    lines = _opened_lines(opened) if opened is not None else iter(())
    if older is not None:
        _check_root(builder, older)
    # 1 Every entry, in order: its hash, the tiles above it, what it says.
    for bundle in bundles_of(checkpoint.size):
        for entry in decode_bundle(_resource(source, bundle), bundle.width):
            index = builder.size
            for place, tile in builder.append(leaf_hash(entry)).items():
                _check_tile(source, *place, tile)
            if older is not None:
                _check_root(builder, older)
            if leaves is not None:
                leaves.check(index, entry, next(lines, None))
        progress(builder.size, checkpoint.size)
    # 2 The tiles that are not full, the root, the map.
    for place, tile in builder.partial_tiles().items():
        _check_tile(source, *place, tile)
    if builder.root() != checkpoint.root:
        raise LogVerificationError("the entries do not lead to the root that the checkpoint is signed for")
    if leaves is not None:
        leaves.check_map(checkpoint)
    return found


class _Leaves:
    """What the opened leaves say, one after the other."""

    def __init__(self, found: VerifiedLog) -> None:
        self._found = found
        self._heads: dict[str, tuple[int, bytes]] = {}
        self._organization_id = ""
        self._latest: datetime | None = None

    def check(self, index: int, entry: bytes, line: OpenedLine | None) -> None:
        """Check that the next leaf opens, and follows the one before it in its chain."""
        if line is None or line.index != index:
            raise LogVerificationError(f"the opened leaves lack leaf {index}: export them again")
        encoded = bytes(line.record)
        if len(line.salt) != SALT_BYTES or commit(line.salt, encoded) != entry:
            raise LogVerificationError(f"leaf {index} does not commit to the record that is shown for it")
        record = decode_leaf_record(encoded)
        number, head = self._heads.get(record.chain_id, (0, bytes(HASH_BYTES)))
        if (record.chain_number, record.previous) != (number + 1, head):
            raise LogVerificationError(f"leaf {index} does not follow the newest record of its chain")
        self._organization_id = self._organization_id or record.organization_id
        if record.organization_id != self._organization_id:
            raise LogVerificationError(f"leaf {index} is about another organization")
        self._heads[record.chain_id] = (record.chain_number, entry)
        self._count(index, record)

    def check_map(self, checkpoint: Checkpoint) -> None:
        """Check that the map says where each chain ends, and knows no other."""
        pages: dict[str, bytes] = {}
        root = EMPTY_MAP_ROOT
        heads = iter(self._heads.items())
        while batch := list(islice(heads, MAP_BATCH)):
            changes = {map_key(chain_id): map_value(*head) for chain_id, head in batch}
            changed, root = update_map(changes, lambda names: {name: pages[name] for name in names if name in pages})
            pages.update(changed)
        if root != checkpoint.map_root:
            raise LogVerificationError("the chains do not lead to the map that the checkpoint is signed for")
        self._found.chains = len(self._heads)

    def _count(self, index: int, record: LeafRecord) -> None:
        self._found.opened += 1
        self._found.kinds[record.kind] = self._found.kinds.get(record.kind, 0) + 1
        if self._latest is not None and record.time < self._latest - CLOCK_SLACK:
            self._found.set_back.append(index)
        self._latest = max(record.time, self._latest or record.time)


def _opened_lines(path: Path) -> Iterator[OpenedLine]:
    decoder = msgspec.json.Decoder(OpenedLine)
    with path.open("rb") as file:
        for line in file:
            try:
                yield decoder.decode(line)
            except msgspec.MsgspecError as error:
                raise DecodingError(f"{path} is no file of opened leaves") from error


def _check_root(builder: TileBuilder, older: Checkpoint) -> None:
    if builder.size == older.size and builder.root() != older.root:
        raise LogVerificationError("the log does not continue the checkpoint that is known of it: it was rewritten")


def _check_tile(source: LogSource, level: int, index: int, tile: bytes) -> None:
    resource = Resource(level, index, len(tile) // HASH_BYTES)
    if _resource(source, resource) != tile:
        raise LogVerificationError(f"{resource.path} does not hold the hashes of the log's entries")


def _resource(source: LogSource, resource: Resource) -> bytes:
    try:
        return source(resource.path)
    except NotFoundError as error:
        raise LogVerificationError(f"{error.message}: the checkpoint is signed for more than the log shows") from error

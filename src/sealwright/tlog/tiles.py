"""C2SP tiles: the tree's hashes in runs of at most 256, at every eighth level; a full tile never changes.

Tile (L, N) holds the hashes of complete subtrees of 2**(8 L) leaves, numbers 256 N up to 256 N + 255. Any other hash of the
tree is made from hashes of one tile.
"""

from collections.abc import Callable

from sealwright.tlog.tree import HASH_BYTES, HashReader, node_hash, root_hash

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT

TileReader = Callable[[int, int], bytes]
"""(tile level, tile number) -> its hashes, joined; as many as there are."""


def subtree_hash(read_tile: TileReader, level: int, index: int) -> bytes:
    """Return the hash of the complete subtree `index` of 2**level leaves.

    Raises:
        IndexError: If the tile does not hold the hashes yet.
    """
    tile_level, height = divmod(level, TILE_HEIGHT)
    first = index << height
    tile = read_tile(tile_level, first // TILE_WIDTH)
    offset = first % TILE_WIDTH
    hashes = tile[offset * HASH_BYTES : (offset + (1 << height)) * HASH_BYTES]
    if len(hashes) != HASH_BYTES << height:
        raise IndexError("the tree does not hold that subtree yet")
    return _fold(hashes)


def hash_reader(read_tile: TileReader) -> HashReader:
    """Return the reader that `tlog.tree` makes roots and proofs with; it reads each tile once."""
    cache: dict[tuple[int, int], bytes] = {}

    def cached(level: int, number: int) -> bytes:
        if (level, number) not in cache:
            cache[level, number] = read_tile(level, number)
        return cache[level, number]

    return lambda level, index: subtree_hash(cached, level, index)


def append_hash(tiles: dict[tuple[int, int], bytes], size: int, leaf: bytes, read_tile: TileReader) -> None:
    """Append one leaf hash to a tree of `size` leaves.

    Args:
        tiles: Changed tiles by (level, number); read first, and written to.
        size: Leaves before this one.
        leaf: Its RFC 6962 leaf hash.
        read_tile: Reads tiles that are not in `tiles`.
    """
    level, index, current = 0, size, leaf
    while True:
        key = (level, index // TILE_WIDTH)
        tile = tiles.get(key)
        if tile is None:
            tile = read_tile(*key) if index % TILE_WIDTH else b""
        tiles[key] = tile = tile[: index % TILE_WIDTH * HASH_BYTES] + current
        if len(tile) != TILE_WIDTH * HASH_BYTES:
            return
        current = _fold(tile)
        level, index = level + 1, index // TILE_WIDTH


class TileBuilder:
    """Builds a log's tiles anew from its leaf hashes, and keeps only what is still growing: one tile a level."""

    def __init__(self) -> None:
        self.size = 0
        self._growing: dict[tuple[int, int], bytes] = {}

    def append(self, leaf: bytes) -> dict[tuple[int, int], bytes]:
        """Append a leaf hash; return the tiles, by (level, number), that it made full."""
        append_hash(self._growing, self.size, leaf, lambda _level, _number: b"")
        self.size += 1
        if self.size % TILE_WIDTH:
            return {}
        full = {key: tile for key, tile in self._growing.items() if len(tile) == TILE_WIDTH * HASH_BYTES}
        for key in full:
            del self._growing[key]
        return full

    def partial_tiles(self) -> dict[tuple[int, int], bytes]:
        """Return the tiles that are not full, by (level, number)."""
        return dict(self._growing)

    def root(self) -> bytes:
        """Return the root over the leaves so far: its subtrees all stand in tiles that are still growing."""
        return root_hash(self.size, hash_reader(lambda level, number: self._growing.get((level, number), b"")))


def _fold(hashes: bytes) -> bytes:
    """Return the root over a power of two of joined hashes."""
    nodes = [hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)]
    while len(nodes) > 1:
        nodes = [node_hash(left, right) for left, right in zip(nodes[::2], nodes[1::2], strict=True)]
    return nodes[0]

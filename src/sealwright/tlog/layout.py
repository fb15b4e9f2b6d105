"""C2SP tlog-tiles: where a log's resources stand below its prefix, and the bundles that hold its entries.

    checkpoint                        the newest signed checkpoint
    tile/<level>/<index>[.p/<width>]    hashes
    tile/entries/<index>[.p/<width>]    entries, each behind its length, 2 octets big endian

An index has groups of three digits, all but the last behind an "x": 1234067 is x001/x234/067. A width stands only where there
are fewer than 256.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sealwright.errors import DecodingError
from sealwright.tlog.tiles import TILE_HEIGHT, TILE_WIDTH

CHECKPOINT_PATH = "checkpoint"
ENTRIES = -1
"""Level of entry bundles."""
MAX_LEVEL = 63
MAX_ENTRY_BYTES = 0xFFFF
_PATH = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class Resource:
    """A tile or an entry bundle.

    Attributes:
        level: 0 to 63; `ENTRIES` for a bundle.
        index: Within the level.
        width: Hashes or entries, 1 to 256.
    """

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Its place below the log's prefix."""
        digits = f"{self.index:03}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
        index = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        level = "entries" if self.level == ENTRIES else str(self.level)
        return f"tile/{level}/{index}{'' if self.width == TILE_WIDTH else f'.p/{self.width}'}"

    @property
    def first(self) -> int:
        """Index of its first entry in the log, for level 0 and bundles."""
        return self.index * TILE_WIDTH


def parse_path(path: str) -> Resource:
    """Parse the path of a tile or bundle; only its one right spelling is taken.

    Raises:
        DecodingError: If it is none.
    """
    match = _PATH.fullmatch(path)
    if match is not None:
        level = ENTRIES if match[1] == "entries" else int(match[1])
        width = int(match[3]) if match[3] else TILE_WIDTH
        resource = Resource(level, int(match[2].replace("x", "").replace("/", "")), width)
        if level <= MAX_LEVEL and 1 <= width <= TILE_WIDTH and resource.path == path:
            return resource
    raise DecodingError("not the path of a tile")


def bundles_of(size: int) -> Iterator[Resource]:
    """Yield the entry bundles of a log of `size` leaves, in order."""
    return _row(ENTRIES, size)


def tiles_of(size: int) -> Iterator[Resource]:
    """Yield the tiles of a log of `size` leaves, level by level."""
    level, width = 0, size
    while width:
        yield from _row(level, width)
        level, width = level + 1, width >> TILE_HEIGHT


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return an entry bundle.

    Raises:
        ValueError: If an entry is longer than 65,535 octets.
    """
    if any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise ValueError("an entry of a bundle has at most 65,535 octets")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_bundle(bundle: bytes, width: int) -> list[bytes]:
    """Return the entries of a bundle.

    Raises:
        DecodingError: If it does not hold exactly `width` entries.
    """
    entries: list[bytes] = []
    position = 0
    while position < len(bundle) and len(entries) < width:
        end = position + 2 + int.from_bytes(bundle[position : position + 2], "big")
        if end > len(bundle):
            break
        entries.append(bundle[position + 2 : end])
        position = end
    if position != len(bundle) or len(entries) != width:
        raise DecodingError("not an entry bundle of that width")
    return entries


def _row(level: int, width: int) -> Iterator[Resource]:
    full, rest = divmod(width, TILE_WIDTH)
    for index in range(full):
        yield Resource(level, index)
    if rest:
        yield Resource(level, full, rest)

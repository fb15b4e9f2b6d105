"""The verifiable map: which record is the newest of each chain, under one root that every checkpoint carries.

A sparse Merkle tree over 256-bit keys. A subtree with one key is that key's leaf, at the depth where it is alone, so that a
proof among n keys has about log2(n) siblings; one without a key is 32 zero octets. The root says, for each key, either the
one value it has or that it has none: there is no second answer that a proof leads to.

    leaf  = SHA-256(0x02 || key || value)        key   = SHA-256(chain id)
    inner = SHA-256(0x03 || left || right)       value = SHA-256(number, 8 octets big endian || head, 32 octets)

Nodes are stored in pages of four levels, named by the hex digits that lead to them: the page "" is the top. A page holds up
to 16 slots, each a leaf or the hash of the page below, so an update reads and writes one page for every four levels.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sealwright.errors import DecodingError, LogVerificationError
from sealwright.tlog.tree import HASH_BYTES

EMPTY_MAP_ROOT = bytes(HASH_BYTES)
KEY_BITS = 256
PAGE_BITS = 4
SLOTS = 1 << PAGE_BITS
MAX_PREFIX = KEY_BITS // PAGE_BITS

PageReader = Callable[[Iterable[str]], Mapping[str, bytes]]
"""Names of pages -> those that there are."""


@dataclass(frozen=True, slots=True)
class MapProof:
    """What leads from one key's place to the root.

    Attributes:
        siblings: From the root down, 32 octets each; zero octets for an empty subtree.
        other: Of a key that is absent: key || value of the only key in its place, 64 octets; empty where there is none.
    """

    siblings: tuple[bytes, ...]
    other: bytes = b""


@dataclass(frozen=True, slots=True)
class _Node:
    """A subtree that is not empty; `key` is set where it is a leaf."""

    hash: bytes
    key: bytes = b""
    value: bytes = b""


_Slots = list[_Node | None]


def map_key(chain_id: str) -> bytes:
    """Return a chain's key, 32 octets."""
    return hashlib.sha256(chain_id.encode("utf-8")).digest()


def map_value(number: int, head: bytes) -> bytes:
    """Return the value of a chain whose newest record has that number and commitment, 32 octets."""
    return hashlib.sha256(number.to_bytes(8, "big") + head).digest()


def update_map(changes: Mapping[bytes, bytes], read: PageReader) -> tuple[dict[str, bytes], bytes]:
    """Set the values of keys.

    Args:
        changes: Key -> value, 32 octets each; at least one.
        read: Reads the pages as they are; asked once for every four levels.

    Returns:
        The changed pages, and the new root.
    """
    pages: dict[str, _Slots] = {}
    # 1 Down: put every key into the highest slot where it is alone; two keys in one slot go to the page below.
    wanted: dict[str, dict[bytes, bytes]] = {"": dict(changes)}
    while wanted:
        stored = read(wanted)
        below: dict[str, dict[bytes, bytes]] = {}
        for prefix, values in wanted.items():
            pages[prefix] = slots = _decode(stored.get(prefix, b""))
            for digit, group in _by_digit(values, len(prefix)).items():
                node = slots[digit]
                if node is not None and node.key:
                    group.setdefault(node.key, node.value)
                if len(group) == 1 and (node is None or node.key):
                    slots[digit] = _leaf(*next(iter(group.items())))
                else:
                    below[f"{prefix}{digit:x}"] = group
        wanted = below
    # 2 Up: each page's hash stands in the page above.
    for prefix in sorted(pages, key=len, reverse=True):
        if prefix:
            pages[prefix[:-1]][int(prefix[-1], SLOTS)] = _levels(pages[prefix])[-1][0]
    encoded = {prefix: _encode(slots) for prefix, slots in pages.items()}
    return encoded, _hash(_levels(pages[""])[-1][0])


def map_root(read: PageReader) -> bytes:
    """Return the root, from the top page."""
    return _hash(_levels(_decode(read(("",)).get("", b"")))[-1][0])


def prove_key(key: bytes, read: PageReader) -> MapProof:
    """Return the proof of a key's value, or of its absence."""
    siblings: list[bytes] = []
    digits = key.hex()
    for depth in range(MAX_PREFIX):
        levels = _levels(_decode(read((digits[:depth],)).get(digits[:depth], b"")))
        digit = int(digits[depth], SLOTS)
        for height in range(PAGE_BITS, -1, -1):
            node = levels[height][digit >> height]
            if node is None or node.key:
                return MapProof(tuple(siblings), b"" if node is None or node.key == key else node.key + node.value)
            if height:
                siblings.append(_hash(levels[height - 1][digit >> (height - 1) ^ 1]))
    raise DecodingError("the map's pages lead nowhere")


def verify_presence(key: bytes, value: bytes, proof: MapProof, root: bytes) -> None:
    """Verify that a key has a value under a root.

    Raises:
        LogVerificationError: If the proof does not lead there.
    """
    if proof.other or _climb(key, _leaf(key, value).hash, proof) != root:
        raise LogVerificationError("the head of the chain is not the one that the log's checkpoint commits to")


def verify_absence(key: bytes, proof: MapProof, root: bytes) -> None:
    """Verify that a key has no value under a root.

    Raises:
        LogVerificationError: If the proof does not show that.
    """
    failure = LogVerificationError("the log hides a chain: its checkpoint commits to records that are not shown")
    place = EMPTY_MAP_ROOT
    if proof.other:
        other, value = proof.other[:HASH_BYTES], proof.other[HASH_BYTES:]
        depth = len(proof.siblings)
        in_place = depth <= KEY_BITS and _bits(other) >> (KEY_BITS - depth) == _bits(key) >> (KEY_BITS - depth)
        if len(value) != HASH_BYTES or other == key or not in_place:
            raise failure
        place = _leaf(other, value).hash
    if _climb(key, place, proof) != root:
        raise failure


def _climb(key: bytes, place: bytes, proof: MapProof) -> bytes:
    depth, bits = len(proof.siblings), _bits(key)
    if depth > KEY_BITS or len(key) != HASH_BYTES or any(len(sibling) != HASH_BYTES for sibling in proof.siblings):
        raise LogVerificationError("the proof of the map is malformed")
    current = place
    for level in range(depth - 1, -1, -1):
        sibling = proof.siblings[level]
        is_right = bits >> (KEY_BITS - 1 - level) & 1
        current = _inner(sibling, current) if is_right else _inner(current, sibling)
    return current


def _bits(key: bytes) -> int:
    return int.from_bytes(key, "big")


def _leaf(key: bytes, value: bytes) -> _Node:
    return _Node(hashlib.sha256(b"\x02" + key + value).digest(), key, value)


def _inner(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x03" + left + right).digest()


def _hash(node: _Node | None) -> bytes:
    return EMPTY_MAP_ROOT if node is None else node.hash


def _join(left: _Node | None, right: _Node | None) -> _Node | None:
    """Return the subtree over two; one key alone rises."""
    if left is None and (right is None or right.key):
        return right
    if right is None and left is not None and left.key:
        return left
    return _Node(_inner(_hash(left), _hash(right)))


def _levels(slots: _Slots) -> list[_Slots]:
    """Return the page's subtrees of height 0 (its slots) up to 4 (itself)."""
    levels = [slots]
    while len(levels[-1]) > 1:
        nodes = levels[-1]
        levels.append([_join(nodes[index], nodes[index + 1]) for index in range(0, len(nodes), 2)])
    return levels


def _by_digit(values: Mapping[bytes, bytes], position: int) -> dict[int, dict[bytes, bytes]]:
    groups: dict[int, dict[bytes, bytes]] = {}
    for key, value in values.items():
        digit = key[position // 2] & 15 if position % 2 else key[position // 2] >> PAGE_BITS
        groups.setdefault(digit, {})[key] = value
    return groups


def _encode(slots: _Slots) -> bytes:
    """Encode as (slot || hash) or (16 + slot || key || value), in the order of the slots."""
    parts = []
    for digit, node in enumerate(slots):
        if node is not None and node.key:
            parts.append(bytes((SLOTS + digit,)) + node.key + node.value)
        elif node is not None:
            parts.append(bytes((digit,)) + node.hash)
    return b"".join(parts)


def _decode(page: bytes) -> _Slots:
    slots: _Slots = [None] * SLOTS
    position = 0
    while position < len(page):
        is_leaf, digit = divmod(page[position], SLOTS)
        end = position + 1 + (2 * HASH_BYTES if is_leaf else HASH_BYTES)
        if is_leaf > 1 or end > len(page) or slots[digit] is not None:
            raise DecodingError("a page of the log's map is damaged")
        body = page[position + 1 : end]
        slots[digit] = _leaf(body[:HASH_BYTES], body[HASH_BYTES:]) if is_leaf else _Node(body)
        position = end
    return slots

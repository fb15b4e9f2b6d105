"""The Merkle tree of RFC 6962 section 2.1 and the proofs of RFC 9162 section 2.1.3 and 2.1.4.

A log keeps, per level, the hashes of all complete subtrees; `HashReader` gives them, so that a proof over millions of
leaves reads a logarithmic number of hashes and nothing here does I/O itself.
"""

import hashlib
from collections.abc import Callable, Sequence

from sealwright.errors import LogVerificationError

HashReader = Callable[[int, int], bytes]
"""(level, index) -> hash of the complete subtree over leaves index * 2**level up to (index + 1) * 2**level."""
EMPTY_ROOT = hashlib.sha256(b"").digest()
HASH_BYTES = 32


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def range_hash(start: int, end: int, read: HashReader) -> bytes:
    """Return the hash of leaves [start, end), where `start` is a multiple of the range's power of two.

    Args:
        start: First leaf.
        end: One past the last leaf; greater than `start`.
        read: Reads hashes of complete subtrees.
    """
    size = end - start
    level = size.bit_length() - 1
    if size == 1 << level and start % size == 0:
        return read(level, start >> level)
    split = start + _split(size)
    return node_hash(range_hash(start, split, read), range_hash(split, end, read))


def root_hash(size: int, read: HashReader) -> bytes:
    """Return the root of a tree of `size` leaves."""
    return EMPTY_ROOT if size == 0 else range_hash(0, size, read)


def inclusion_proof(index: int, size: int, read: HashReader) -> tuple[bytes, ...]:
    """Return the audit path of leaf `index` in a tree of `size` leaves, nearest sibling first.

    Raises:
        ValueError: If the leaf is not in that tree.
    """
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            path.append(range_hash(split, end, read))
            end = split
        else:
            path.append(range_hash(start, split, read))
            start = split
    return tuple(reversed(path))


def consistency_proof(first: int, second: int, read: HashReader) -> tuple[bytes, ...]:
    """Return the proof that the tree of `first` leaves is a prefix of the tree of `second` leaves.

    Raises:
        ValueError: Unless 0 < first <= second.
    """
    if not 0 < first <= second:
        raise ValueError("a consistency proof goes from a smaller to a larger tree")
    path: list[bytes] = []
    start, end, whole = 0, second, True
    while first != end:
        split = start + _split(end - start)
        if first <= split:
            path.append(range_hash(split, end, read))
            end = split
        else:
            path.append(range_hash(start, split, read))
            start, whole = split, False
    if not whole:
        path.append(range_hash(start, end, read))
    return tuple(reversed(path))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Verify an audit path (RFC 9162 section 2.1.3.2).

    Raises:
        LogVerificationError: If it does not lead from the leaf's hash to the root.
    """
    if not 0 <= index < size or any(len(node) != HASH_BYTES for node in proof):
        raise LogVerificationError("the inclusion proof is not for a leaf of this tree")
    position, last, current = index, size - 1, leaf
    for node in proof:
        if last == 0:
            raise LogVerificationError("the inclusion proof is too long")
        if position & 1 or position == last:
            current = node_hash(node, current)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            current = node_hash(current, node)
        position >>= 1
        last >>= 1
    if last != 0 or current != root:
        raise LogVerificationError("the leaf is not in the log that the checkpoint speaks of")


def verify_consistency(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> None:
    """Verify that one tree is a prefix of another (RFC 9162 section 2.1.4.2).

    Raises:
        LogVerificationError: If it is not: the log was rewritten or forked.
    """
    failure = LogVerificationError("the log is not a continuation of the one seen before: it was rewritten or forked")
    if not 0 <= first <= second or any(len(node) != HASH_BYTES for node in proof):
        raise failure
    if first in (0, second):
        if proof or (first == 0 and first_root != EMPTY_ROOT) or (first == second and first_root != second_root):
            raise failure
        return
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path:
        raise failure
    position, last = first - 1, second - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old = new = path[0]
    for node in path[1:]:
        if last == 0:
            raise failure
        if position & 1 or position == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            new = node_hash(new, node)
        position >>= 1
        last >>= 1
    if last != 0 or old != first_root or new != second_root:
        raise failure


def _split(size: int) -> int:
    """Return the largest power of two smaller than `size` (size > 1)."""
    return 1 << ((size - 1).bit_length() - 1)

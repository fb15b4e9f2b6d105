"""RFC 6962 hashing and RFC 9162 proofs, against a direct recursive definition."""

import hashlib
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright.errors import DecodingError, LogVerificationError
from sealwright.tlog import checkpoint as notes
from sealwright.tlog.tiles import append_hash, hash_reader
from sealwright.tlog.tree import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    range_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(str(number).encode()) for number in range(600)]


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, straight from the text."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(by_definition(leaves[:split]), by_definition(leaves[split:]))


@cache
def read(level: int, index: int) -> bytes:
    if level == 0:
        return LEAVES[index]
    return node_hash(read(level - 1, 2 * index), read(level - 1, 2 * index + 1))


def test_known_hashes_of_rfc_6962():
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert node_hash(b"", b"") == hashlib.sha256(b"\x01").digest()


def test_roots_follow_the_definition():
    for size in range(1, len(LEAVES) + 1):
        assert root_hash(size, read) == by_definition(LEAVES[:size])
    assert range_hash(4, 6, read) == by_definition(LEAVES[4:6])


def flip(data, hashes):
    """Flip one drawn bit of one drawn hash."""
    place = data.draw(st.integers(0, len(hashes) - 1))
    bit = data.draw(st.integers(0, 255))
    broken = bytearray(hashes[place])
    broken[bit // 8] ^= 1 << bit % 8
    return (*hashes[:place], bytes(broken), *hashes[place + 1 :])


def test_proofs_verify_for_all_sizes():
    for size in range(1, len(LEAVES) + 1):
        root = root_hash(size, read)
        for index in {0, size // 2, size * 7919 % size, size * size // 3 % size, size - 1}:
            verify_inclusion(LEAVES[index], index, size, inclusion_proof(index, size, read), root)
        for first in {1, size // 2 or 1, size * size // 3 % size or 1, 1 << (size.bit_length() - 1), size}:
            verify_consistency(first, size, consistency_proof(first, size, read), root_hash(first, read), root)
        verify_consistency(0, size, (), EMPTY_ROOT, root)


@settings(deadline=None)
@given(st.integers(1, 600), st.data())
def test_a_flipped_bit_breaks_an_inclusion_proof(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof, root = inclusion_proof(index, size, read), root_hash(size, read)
    verify_inclusion(LEAVES[index], index, size, proof, root)
    leaf, *nodes, top = flip(data, (LEAVES[index], *proof, root))
    for broken in (proof[:-1], (*proof, bytes(32)), proof[::-1]):
        if broken != proof:
            with pytest.raises(LogVerificationError):
                verify_inclusion(LEAVES[index], index, size, broken, root)
    with pytest.raises(LogVerificationError):
        verify_inclusion(leaf, index, size, nodes, top)
    with pytest.raises(LogVerificationError):
        verify_inclusion(LEAVES[index], size, size, proof, root)


@settings(deadline=None)
@given(st.integers(1, 600), st.data())
def test_a_flipped_bit_breaks_a_consistency_proof(second, data):
    first = data.draw(st.integers(1, second))
    proof = consistency_proof(first, second, read)
    first_root, second_root = root_hash(first, read), root_hash(second, read)
    verify_consistency(first, second, proof, first_root, second_root)
    old, *nodes, new = flip(data, (first_root, *proof, second_root))
    with pytest.raises(LogVerificationError):
        verify_consistency(first, second, nodes, old, new)
    with pytest.raises(LogVerificationError):
        verify_consistency(first, second, (*proof, bytes(32)), first_root, second_root)
    if first != second:
        with pytest.raises(LogVerificationError):
            verify_consistency(second, first, proof, second_root, first_root)


def test_only_the_empty_root_is_an_empty_log():
    with pytest.raises(LogVerificationError):
        verify_consistency(0, 3, (), LEAVES[0], root_hash(3, read))


def test_tiles_give_the_same_hashes_as_the_tree():
    kept = {}
    for size, leaf in enumerate(LEAVES):
        append_hash(kept, size, leaf, lambda level, number: kept.get((level, number), b""))
    assert {key: len(tile) // 32 for key, tile in kept.items()} == {(0, 0): 256, (0, 1): 256, (0, 2): 88, (1, 0): 2}
    from_tiles = hash_reader(lambda level, number: kept.get((level, number), b""))
    for size in (1, 255, 256, 257, 511, 512, 513, 600):
        assert root_hash(size, from_tiles) == root_hash(size, read)
        assert inclusion_proof(size // 2, size, from_tiles) == inclusion_proof(size // 2, size, read)
    with pytest.raises(IndexError):
        from_tiles(0, 600)


def test_a_note_opens_with_its_key_only():
    from cryptography.hazmat.primitives.asymmetric import ed25519

    key, other = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    point = notes.Checkpoint("log.example.test", 7, LEAVES[0])
    note = notes.sign_note(point, "log.example.test", key.sign, public)
    assert notes.open_note(note, "log.example.test", public) == point
    with pytest.raises(LogVerificationError):
        notes.open_note(note, "log.example.test", other.public_key().public_bytes_raw())
    with pytest.raises(LogVerificationError):
        notes.open_note(note, "other.example.test", public)
    with pytest.raises(LogVerificationError):
        notes.open_note(note.replace("\n7\n", "\n8\n"), "log.example.test", public)


@given(st.text())
def test_any_text_is_refused_as_a_note(text):
    with pytest.raises((DecodingError, LogVerificationError)):
        notes.open_note(text, "log.example.test", bytes(32))

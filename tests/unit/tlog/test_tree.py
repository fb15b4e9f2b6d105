"""RFC 6962 hashing and RFC 9162 proofs, against a direct recursive definition."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright.errors import DecodingError, LogVerificationError
from sealwright.tlog import checkpoint as notes
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

LEAVES = [leaf_hash(str(number).encode()) for number in range(300)]


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, straight from the text."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(by_definition(leaves[:split]), by_definition(leaves[split:]))


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


@settings(deadline=None)
@given(st.integers(1, 300), st.data())
def test_inclusion_holds_and_a_flipped_bit_breaks_it(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, read)
    root = root_hash(size, read)
    verify_inclusion(LEAVES[index], index, size, proof, root)
    with pytest.raises(LogVerificationError):
        verify_inclusion(leaf_hash(b"other"), index, size, proof, root)
    with pytest.raises(LogVerificationError):
        verify_inclusion(LEAVES[index], index, size, (*proof, bytes(32)), root)
    if proof:
        broken = (bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:])
        with pytest.raises(LogVerificationError):
            verify_inclusion(LEAVES[index], index, size, broken, root)


@settings(deadline=None)
@given(st.integers(1, 300), st.data())
def test_consistency_holds_and_a_rewritten_log_breaks_it(second, data):
    first = data.draw(st.integers(1, second))
    proof = consistency_proof(first, second, read)
    first_root, second_root = root_hash(first, read), root_hash(second, read)
    verify_consistency(first, second, proof, first_root, second_root)
    with pytest.raises(LogVerificationError):
        verify_consistency(first, second, proof, leaf_hash(b"rewritten"), second_root)
    if first != second:
        with pytest.raises(LogVerificationError):
            verify_consistency(first, second, proof, first_root, leaf_hash(b"rewritten"))


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

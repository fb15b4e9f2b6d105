"""The map against a naive one; proofs of presence and absence; what a liar may not get through."""

import hashlib
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright.errors import DecodingError, LogVerificationError
from sealwright.tlog.map import (
    EMPTY_MAP_ROOT,
    MapProof,
    map_key,
    map_root,
    map_value,
    prove_key,
    update_map,
    verify_absence,
    verify_presence,
)


class Pages:
    """Pages in memory; counts what is read and written."""

    def __init__(self):
        self.stored, self.rounds, self.written = {}, 0, 0

    def read(self, names):
        self.rounds += 1
        return {name: self.stored[name] for name in names if name in self.stored}

    def set(self, changes):
        pages, root = update_map(changes, self.read)
        self.stored |= pages
        self.written += len(pages)
        return root


def naive_root(values, depth=0):
    """The definition, word for word, without pages."""
    if not values:
        return bytes(32)
    if len(values) == 1:
        ((key, value),) = values.items()
        return hashlib.sha256(b"\x02" + key + value).digest()
    halves = {}, {}
    for key, value in values.items():
        halves[key[depth // 8] >> (7 - depth % 8) & 1][key] = value
    left, right = (naive_root(half, depth + 1) for half in halves)
    return hashlib.sha256(b"\x03" + left + right).digest()


def number(count):
    return count.to_bytes(32, "big")


keys = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 5).map(number),  # share 253 bits: the deepest pages
    st.integers(0, 255).map(lambda first: bytes((first,)) + bytes(31)),
)
batches = st.lists(
    st.dictionaries(keys, st.binary(min_size=32, max_size=32), min_size=1, max_size=6), min_size=1, max_size=6
)


@settings(max_examples=40, deadline=None)
@given(batches, keys)
def test_the_root_is_the_naive_one_and_every_proof_leads_to_it(made, stranger):
    pages, values = Pages(), {}
    for batch in made:
        root = pages.set(batch)
        values |= batch
        assert root == naive_root(values) == map_root(pages.read)
    for key, value in values.items():
        proof = prove_key(key, pages.read)
        verify_presence(key, value, proof, root)
        with pytest.raises(LogVerificationError):
            verify_presence(key, hashlib.sha256(value).digest(), proof, root)
        with pytest.raises(LogVerificationError):
            verify_absence(key, proof, root)
        with pytest.raises(LogVerificationError):
            verify_absence(key, MapProof(proof.siblings, key + value), root)
    if stranger not in values:
        proof = prove_key(stranger, pages.read)
        verify_absence(stranger, proof, root)
        with pytest.raises(LogVerificationError):
            verify_presence(stranger, bytes(32), proof, root)


@settings(max_examples=20, deadline=None)
@given(batches)
def test_one_batch_or_many_give_one_map(made):
    one, many, values = Pages(), Pages(), {}
    for batch in made:
        many.set(batch)
        values |= batch
    one.set(values)
    assert one.stored == many.stored


def test_an_empty_map_has_nothing():
    pages = Pages()
    proof = prove_key(map_key("nobody"), pages.read)
    assert map_root(pages.read) == EMPTY_MAP_ROOT
    assert proof == MapProof(())
    verify_absence(map_key("nobody"), proof, EMPTY_MAP_ROOT)


def test_cost_grows_with_the_logarithm():
    chains = [(map_key(f"chain {n}"), map_value(n, bytes(32))) for n in range(1, 4001)]
    costs = []
    for count in (250, 4000):
        pages = Pages()
        pages.set(dict(islice(chains, count)))
        before = pages.rounds, pages.written
        pages.set({chains[0][0]: bytes(32)})
        depth = len(prove_key(chains[0][0], pages.read).siblings)
        costs.append((pages.rounds - before[0], pages.written - before[1], depth))
    small, large = costs
    assert large[1] <= small[1] + 2  # pages: one for every four levels, and 4000 is 16 times 250
    assert large[2] <= small[2] + 8
    assert large[2] <= 24


def test_an_absence_that_shows_a_key_from_elsewhere_is_refused():
    pages = Pages()
    here, there = bytes((0,)) + bytes(31), bytes((255,)) + bytes(31)
    root = pages.set({here: bytes(32), there: bytes(32)})
    missing = bytes((1,)) + bytes(31)
    verify_absence(missing, prove_key(missing, pages.read), root)
    lie = MapProof(prove_key(there, pages.read).siblings, there + bytes(32))
    with pytest.raises(LogVerificationError):
        verify_absence(missing, lie, root)
    for broken in (MapProof((b"short",)), MapProof((bytes(32),) * 257), MapProof((), b"x")):
        with pytest.raises(LogVerificationError):
            verify_absence(missing, broken, root)
        with pytest.raises(LogVerificationError):
            verify_presence(here, bytes(32), broken, root)


@given(st.binary(max_size=200))
def test_a_damaged_page_is_refused_or_read(page):
    try:
        map_root(lambda names: {"": page})
    except DecodingError as error:
        assert "damaged" in error.message

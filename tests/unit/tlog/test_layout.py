"""Where a tiled log's resources stand, what a bundle holds, and that tiles are built anew as they were."""

import hashlib

import pytest

from sealwright.errors import DecodingError
from sealwright.tlog.layout import (
    ENTRIES,
    Resource,
    bundles_of,
    decode_bundle,
    encode_bundle,
    parse_path,
    tiles_of,
)
from sealwright.tlog.note import COSIGNATURE, VerifierKey, decode_verifier_key
from sealwright.tlog.tiles import TileBuilder, append_hash, hash_reader
from sealwright.tlog.tree import EMPTY_ROOT, leaf_hash, root_hash

PATHS = [
    (Resource(0, 0), "tile/0/000"),
    (Resource(0, 1234067), "tile/0/x001/x234/067"),
    (Resource(1, 999, 17), "tile/1/999.p/17"),
    (Resource(63, 1000, 255), "tile/63/x001/000.p/255"),
    (Resource(ENTRIES, 273, 112), "tile/entries/273.p/112"),
]


@pytest.mark.parametrize(("resource", "path"), PATHS)
def test_a_path_is_what_the_specification_says(resource, path):
    assert resource.path == path
    assert parse_path(path) == resource


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/entries/x000/000",
        "tile/0/001/234",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/x001/x001/x001/x001/x001/x001/001",
        "tile/0/000/",
        "tile/0/\N{ARABIC-INDIC DIGIT ONE}00",
        "checkpoint",
        "",
    ],
)
def test_any_other_spelling_is_none(path):
    with pytest.raises(DecodingError):
        parse_path(path)


def test_a_log_of_seventy_thousand_has_the_tiles_of_the_specifications_example():
    found = list(tiles_of(70_000))
    assert [sum(tile.level == level and tile.width == 256 for tile in found) for level in range(4)] == [273, 1, 0, 0]
    assert [tile for tile in found if tile.width < 256] == [
        Resource(0, 273, 112),
        Resource(1, 1, 17),
        Resource(2, 0, 1),
    ]
    assert len(list(bundles_of(70_000))) == 274
    assert list(tiles_of(256)) == [Resource(0, 0), Resource(1, 0, 1)]
    assert list(tiles_of(0)) == list(bundles_of(0)) == []


def test_a_bundle_holds_its_entries_and_nothing_else():
    entries = [b"", b"a", b"x" * 65_535]
    bundle = encode_bundle(entries)
    assert bundle[:5] == b"\x00\x00\x00\x01a"
    assert decode_bundle(bundle, 3) == entries
    for broken, width in [(bundle, 2), (bundle, 4), (bundle[:-1], 3), (bundle + b"\x00", 3), (b"\x00", 1), (b"", 1)]:
        with pytest.raises(DecodingError):
            decode_bundle(broken, width)
    with pytest.raises(ValueError, match="65,535"):
        encode_bundle([b"x" * 65_536])


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 600, 65_536, 65_793])
def test_tiles_built_anew_are_those_of_the_log(size):
    tiles, builder, full = {}, TileBuilder(), {}
    for index in range(size):
        leaf = leaf_hash(index.to_bytes(4, "big"))
        append_hash(tiles, index, leaf, lambda level, number: tiles.get((level, number), b""))
        full |= builder.append(leaf)
    assert full | builder.partial_tiles() == tiles
    assert builder.root() == root_hash(size, hash_reader(lambda level, number: tiles[level, number]))
    assert size or builder.root() == EMPTY_ROOT


def test_a_verifier_key_is_text_that_people_hand_on():
    key = VerifierKey("example.test/log", hashlib.sha256(b"key").digest())
    text = key.encode()
    assert text.startswith("example.test/log+")
    assert decode_verifier_key(text) == key
    witness = VerifierKey("w.example", key.public_key, COSIGNATURE)
    assert decode_verifier_key(witness.encode()) == witness
    assert decode_verifier_key(text + "").public_key == key.public_key
    name, identifier, encoded = text.split("+", 2)
    other = "0" if identifier[0] != "0" else "1"
    for broken in (
        "",
        name,
        f"{name}+{identifier}",
        f"{name}+{other}{identifier[1:]}+{encoded}",
        f"{name}+{identifier.upper()}x+{encoded}",
        f"a b+{identifier}+{encoded}",
        f"{name}x+{identifier}+{encoded}",
        f"{name}+{identifier}+{encoded}!",
        f"{name}+{identifier}+AAAA",
    ):
        with pytest.raises(DecodingError):
            decode_verifier_key(broken)

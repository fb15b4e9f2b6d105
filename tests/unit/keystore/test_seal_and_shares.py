"""The seal: what opens it, what does not, and that the emergency shares open it without the key file."""

import json
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.seals import key_file_seal, open_seal, software_keystore

from sealwright.errors import ConfigurationError, ConflictError, DecodingError, SealedError, VerificationError
from sealwright.keystore import shamir
from sealwright.keystore.seal import recover_storage_keys, restore_seal
from sealwright.keystore.shares import Share, decode_share, encode_share

ORGANIZATION = "a" * 32


@pytest.fixture
def files(tmp_path):
    (tmp_path / "seal").mkdir()
    return tmp_path / "seal.key", tmp_path / "seal" / "seal.json"


@given(st.binary(min_size=1, max_size=40), st.integers(1, 6), st.data())
def test_any_threshold_of_shares_gives_the_secret(secret, shares, data):
    threshold = data.draw(st.integers(1, shares))
    points = shamir.split(secret, shares, threshold)
    chosen = data.draw(st.permutations(points))[:threshold]
    assert shamir.combine(chosen) == secret


def test_the_field_is_a_field():
    assert shamir._multiply(0x57, 0x83) == 0xC1  # FIPS 197 section 4.2
    assert all(shamir._multiply(a, shamir._inverse(a)) == 1 for a in range(1, 256))


def test_one_share_too_few_says_nothing():
    for value in (b"\x00", b"\xff"):
        seen = {shamir.combine(shamir.split(value, 3, 3)[:2]) for _ in range(3000)}
        assert len(seen) > 250


def test_shares_that_cannot_be_combined():
    for points in ([], [(1, b"a"), (1, b"b")], [(0, b"a")], [(1, b"a"), (2, b"bb")]):
        with pytest.raises(ValueError, match="shares"):
            shamir.combine(points)
    for shares, threshold in ((3, 4), (256, 2), (3, 0)):
        with pytest.raises(ValueError, match="threshold"):
            shamir.split(b"a", shares, threshold)


@given(
    st.sampled_from(("operator", "emergency")),
    st.binary(min_size=4, max_size=4),
    st.integers(1, 255),
    st.integers(1, 255),
    st.binary(min_size=32, max_size=32),
)
def test_a_share_is_read_as_written(kind, set_id, threshold, x, values):
    share = Share(kind, set_id, threshold, x, values)
    text = encode_share(share)
    assert decode_share(text.lower().replace("-", " ")) == share
    wrong = text[:8] + ("A" if text[8] != "A" else "B") + text[9:]
    with pytest.raises(DecodingError):
        decode_share(wrong)


@given(st.text())
def test_arbitrary_text_is_no_share(text):
    with pytest.raises(DecodingError):
        decode_share(text)


def test_every_quorum_recovers_every_version(files):
    key_file, seal_file = files
    shares = key_file_seal(key_file, seal_file, shares=3, threshold=2)
    assert (key_file.stat().st_mode & 0o777, seal_file.stat().st_mode & 0o777) == (0o600, 0o600)
    assert open_seal(key_file, seal_file).rotate() == 2
    expected = dict(open_seal(key_file, seal_file)._secrets)
    assert sorted(expected) == [0, 1, 2]
    for quorum in combinations(shares, 2):
        assert recover_storage_keys(list(quorum), seal_file) == expected
    for few in ([], shares[:1], [shares[0], shares[0]]):
        with pytest.raises(VerificationError):
            recover_storage_keys(few, seal_file)


def test_shares_of_another_seal_open_nothing(files, tmp_path):
    key_file_seal(*files, shares=3, threshold=2)
    foreign = key_file_seal(tmp_path / "other.key", tmp_path / "other.json", shares=3, threshold=2)
    with pytest.raises(VerificationError):
        recover_storage_keys(foreign, files[1])


def test_a_lost_key_file_is_replaced_and_old_records_open(files, tmp_path):
    shares = key_file_seal(*files, shares=5, threshold=3)
    keystore = software_keystore(*files)
    secret = keystore.seal_secret(ORGANIZATION, "purpose", "d" * 32, b"secret")
    derived = keystore.derive_secret(ORGANIZATION, "nonces")
    files[0].unlink()
    with pytest.raises(SealedError):
        software_keystore(*files)
    restore_seal(shares[2:], files[1], files[0])
    again = software_keystore(*files)
    assert again.open_secret(secret) == b"secret"
    assert again.derive_secret(ORGANIZATION, "nonces") == derived


def test_a_seal_is_never_overwritten(files, tmp_path):
    key_file_seal(*files, shares=1, threshold=1)
    for arguments in (files, (tmp_path / "new.key", files[1]), (files[0], tmp_path / "new.json")):
        with pytest.raises(ConflictError):
            key_file_seal(*arguments, shares=1, threshold=1)
    assert not (tmp_path / "new.key").exists()
    with pytest.raises(ConfigurationError):
        key_file_seal(tmp_path / "k", tmp_path / "s", shares=2, threshold=3)
    assert not (tmp_path / "k").exists()


def test_a_changed_seal_does_not_open(files, tmp_path):
    key_file_seal(*files, shares=1, threshold=1)
    key_file_seal(tmp_path / "other.key", tmp_path / "other.json", shares=1, threshold=1)
    good, other = json.loads(files[1].read_text()), json.loads((tmp_path / "other.json").read_text())
    other |= {"number": 7, "proposal_id": "another", "root": {"kind": "pkcs11", "key_id": "", "wrapped": ""}}
    for name in ("number", "proposal_id", "root", "emergency", "secrets", "mac"):
        files[1].write_text(json.dumps({**good, name: other[name]}))
        with pytest.raises(SealedError):
            open_seal(*files)
        with pytest.raises(SealedError):
            open_seal(*files).rotate()
    for text in ("", "{}", "[" * 5, json.dumps({**good, "format": 2})):
        files[1].write_text(text)
        with pytest.raises(SealedError):
            open_seal(*files)


def test_a_running_keystore_follows_a_rotation(files):
    key_file_seal(*files, shares=1, threshold=1)
    keystore = software_keystore(*files)
    old = keystore.seal_secret(ORGANIZATION, "p", "d" * 32, b"old")
    open_seal(*files).rotate()
    new = keystore.seal_secret(ORGANIZATION, "p", "d" * 32, b"new")
    assert (old.storage_key_version, new.storage_key_version) == (1, 2)
    assert (keystore.open_secret(old), keystore.open_secret(new)) == (b"old", b"new")

"""The byte strings that client and server both compute."""

from datetime import timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from support.statement_signer import NOW, Signer

from sealwright.errors import DecodingError, DecryptionError, InvalidSignatureError, VerificationError
from sealwright.tlog.leaf import LeafRecord, commit, decode_leaf_record
from sealwright.wire import statement as statements
from sealwright.wire.device import DevicePublicKeys
from sealwright.wire.encoding import (
    AwareDatetime,
    b64u_decode,
    b64u_encode,
    decode_fields,
    decode_json,
    encode_fields,
    sha256,
)
from sealwright.wire.hpke import generate_hpke_key_pair, hpke_open, hpke_seal
from sealwright.wire.manifest import (
    ManifestKey,
    ReleasedKey,
    ReleaseManifest,
    decode_released_keys,
    encode_released_keys,
)
from sealwright.wire.proof import proof_answer, proof_transcript


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_fields_come_back_and_no_two_lists_are_alike(fields):
    encoded = encode_fields("purpose", 1, *fields)
    assert decode_fields("purpose", 1, encoded) == tuple(fields)
    assert encoded != encode_fields("purpose", 1, *fields, b"")
    assert encoded != encode_fields("purpose", 2, *fields)
    for foreign in (("other", 1), ("purpose", 2)):
        with pytest.raises(DecodingError):
            decode_fields(*foreign, encoded)
    with pytest.raises(DecodingError):
        decode_fields("purpose", 1, encoded + b"\x00")


@given(st.binary(max_size=80))
def test_arbitrary_octets_are_no_fields(data):
    with pytest.raises(DecodingError):
        decode_fields("purpose", 1, data)
    with pytest.raises(DecodingError):
        decode_released_keys(data)
    with pytest.raises(DecodingError):
        decode_leaf_record(data)


@given(st.binary(max_size=50), st.text(max_size=10))
def test_base64url_has_one_spelling(data, text):
    assert b64u_decode(b64u_encode(data)) == data
    try:
        assert b64u_encode(b64u_decode(text)) == text
    except DecodingError:
        assert True
    with pytest.raises(DecodingError):
        b64u_decode(b64u_encode(data) + "=")


def test_hpke_binds_key_and_purpose():
    pair, other = generate_hpke_key_pair(), generate_hpke_key_pair()
    assert (len(pair.public_key), len(pair.private_key)) == (1216, 96)
    sealed = hpke_seal(pair.public_key, b"info", b"secret")
    assert hpke_open(pair.private_key, b"info", sealed) == b"secret"
    for private_key, info, data in (
        (other.private_key, b"info", sealed),
        (pair.private_key, b"other", sealed),
        (pair.private_key, b"info", sealed[:-1]),
        (pair.private_key, b"info", b""),
    ):
        with pytest.raises(DecryptionError):
            hpke_open(private_key, info, data)
    with pytest.raises(DecodingError):
        hpke_seal(pair.public_key[:-1], b"", b"")
    assert "private_key" not in repr(pair)


def test_a_proof_is_for_one_device_address_and_nonce():
    arguments = ("example.test", "alice@example.test", bytes(32), bytes(32))
    answer = proof_answer(b"1" * 32, b"2" * 32, proof_transcript(*arguments))
    others = {
        proof_answer(b"1" * 32, b"2" * 32, proof_transcript(*changed))
        for changed in (
            ("example.com", *arguments[1:]),
            (arguments[0], "bob@example.test", *arguments[2:]),
            (*arguments[:2], b"\x01" * 32, arguments[3]),
            (*arguments[:3], b"\x01" * 32),
        )
    }
    assert len(others | {answer}) == 5


def test_a_device_needs_a_p256_key():
    spki = (
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    hpke_key = generate_hpke_key_pair().public_key
    DevicePublicKeys(spki, hpke_key).check()
    wrong = (
        ec.generate_private_key(ec.SECP384R1())
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    for device in (DevicePublicKeys(wrong, hpke_key), DevicePublicKeys(b"", hpke_key), DevicePublicKeys(spki, b"")):
        with pytest.raises(DecodingError):
            device.check()


def test_a_manifest_is_signed_in_every_field():
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    listed = ManifestKey("1" * 32, "classical", 1, "ACTIVE", "rsa-3072", bytes(32))
    manifest = ReleaseManifest("a" * 32, "b" * 32, bytes(32), bytes(32), bytes(32), 7, "sealed", (listed,))
    signature = key.sign(manifest.encode())
    manifest.verify(signature, public)
    changes = {
        "mailbox_id": "c" * 32,
        "chain_number": 8,
        "delivery": "remote",
        "keys": (),
        "device_thumbprint": b"\x01" * 32,
    }
    for name, value in changes.items():
        with pytest.raises(InvalidSignatureError):
            msgspec.structs.replace(manifest, **{name: value}).verify(signature, public)
    released = (ReleasedKey("1" * 32, b"pkcs8"), ReleasedKey("2" * 32, b"other"))
    assert decode_released_keys(encode_released_keys(released)) == released
    assert "pkcs8" not in repr(released)


def test_a_leaf_record_has_one_encoding():
    record = LeafRecord("key.create", "a" * 32, "mailbox", 1, bytes(32), NOW, {"b": "2", "a": "1"})
    assert decode_leaf_record(record.encode()) == record
    with pytest.raises(DecodingError):
        decode_leaf_record(record.encode().replace(b'"a":"1",', b'"a": "1",'))
    assert commit(bytes(32), record.encode()) != commit(b"\x01" * 32, record.encode())
    with pytest.raises(ValueError, match="32 octets"):
        commit(b"", record.encode())


def test_a_statement_is_believed_from_the_pinned_root_only():
    signer = Signer()
    pin = sha256(signer.root_key)
    statement = statements.verify_statement(signer.sign(), pin, "example.test", NOW, lowest_sequence=3)
    assert statement.organization_name == "Example GmbH"
    with pytest.raises(InvalidSignatureError):
        statements.verify_statement(Signer().sign(), pin, "example.test", NOW)
    forged = msgspec.structs.replace(signer.sign(), payload=signer.sign(sequence=9).payload)
    with pytest.raises(InvalidSignatureError):
        statements.verify_statement(forged, pin, "example.test", NOW)
    for bad in (
        signer.sign(domain="example.com"),
        signer.sign(delegated="example.com"),
        signer.sign(days=91),
        signer.sign(days=1 - 1),
        signer.sign(expires=NOW - timedelta(seconds=1)),
        signer.sign(sequence=2),
    ):
        with pytest.raises(VerificationError):
            statements.verify_statement(bad, pin, "example.test", NOW, lowest_sequence=3)


@pytest.mark.parametrize(
    ("encoded", "fault"),
    [
        (b'{"kind":"\xff"}', "utf-8"),
        (b'{"x":' * 100_000, "recursion"),
        (b'{"time":"2026-11-24T12:00:00"}', "timezone"),
        (b"{}", "missing"),
    ],
)
def test_what_is_no_json_of_a_type_is_a_decoding_error(encoded, fault):
    class Item(msgspec.Struct):
        time: AwareDatetime
        kind: str = ""

    with pytest.raises(DecodingError, match=f"(?i){fault}"):
        decode_json(encoded, Item)
    assert decode_json(b'{"time":"2026-11-24T12:00:00Z"}', Item).time == NOW

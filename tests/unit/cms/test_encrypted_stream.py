"""Encrypted files of any size: both forms, every cipher and kind of recipient, and nothing that was changed is accepted."""

import io

import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import ec_key, rsa_key, self_signed
from support.decryption import any_key, keys_of, no_keys
from support.envelopes import CONTENT, certificate_for, seal

from sealwright.asn1.der import object_identifier
from sealwright.asn1.pull_reader import PIECE_BYTES
from sealwright.asn1.writer import tlv
from sealwright.cms import algorithms, encrypted_stream, enveloped, schema
from sealwright.cms.encrypted_stream import decrypt_stream, encrypt_stream
from sealwright.cms.recipients import parse_recipient_infos, wrap_key
from sealwright.errors import DecodingError, DecryptionError, InputError, VerificationError

RSA, EC, KEM = rsa_key(), ec_key(), mlkem.MLKEM768PrivateKey.generate()
BOB = self_signed(RSA, "bob")
BOBS_KEYS = keys_of((BOB, RSA))
PEOPLE = {"rsa": (BOB, RSA), "p256": (self_signed(EC, "eve"), EC), "ml-kem": (certificate_for(KEM.public_key()), KEM)}
CIPHERS = ["aes-128-cbc", "aes-256-cbc", "aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"]
SIZES = [0, 1, 15, 16, 17, 31, 32, 33, *(PIECE_BYTES + more for more in (-17, -16, -1, 0, 1, 16, 17))]


def encrypted(content, certificates=(BOB,), *, known=True, cipher="aes-256-gcm"):
    sink = io.BytesIO()
    size = len(content) if known else None
    encrypt_stream(io.BytesIO(content), sink, list(certificates), size=size, cipher=cipher)
    return sink.getvalue()


def decrypted(message, find_keys=BOBS_KEYS, **options):
    sink = io.BytesIO()
    found = decrypt_stream(io.BytesIO(message), sink, find_keys, **options)
    return sink.getvalue(), found


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("size", SIZES)
def test_what_is_encrypted_is_decrypted(size, cipher, known):
    content = bytes(range(251)) * (size // 251 + 1)
    message = encrypted(content[:size], known=known, cipher=cipher)
    plaintext, found = decrypted(message)
    assert plaintext == content[:size]
    assert (found.content_cipher, found.authenticated) == (cipher, "cbc" not in cipher)
    assert enveloped.decrypt(message, keys_of((BOB, RSA))).content == plaintext
    is_der = message[1] != 0x80
    assert is_der is known


@pytest.mark.parametrize("kind", PEOPLE)
def test_each_recipient_of_several_opens_the_file(kind):
    message = encrypted(CONTENT, [certificate for certificate, _ in PEOPLE.values()])
    assert decrypted(message, keys_of(PEOPLE[kind]))[0] == CONTENT


@pytest.mark.parametrize("cipher", [*CIPHERS, "aes-192-gcm"])
def test_a_message_written_whole_is_read_in_pieces(cipher):
    message = enveloped.encrypt(CONTENT, [BOB], cipher=cipher, derive_key="gcm" in cipher)
    plaintext, found = decrypted(message)
    assert (plaintext, found.derived_key) == (CONTENT, "gcm" in cipher)


def test_authenticated_attributes_come_after_the_content_and_count():
    other = "1.2.840.113549.1.7.2"
    named = tlv(0x30, object_identifier(algorithms.CONTENT_TYPE), tlv(0x31, object_identifier(other)))
    key = bytes(range(32))
    infos = parse_recipient_infos(wrap_key(key, BOB))
    message = seal(infos, key, content_type=other, attributes=[named])
    plaintext, found = decrypted(message)
    assert (plaintext, found.content_type) == (CONTENT, other)
    with pytest.raises(DecodingError):  # RFC 5083 section 2.1: they MUST be there with another type than id-data
        decrypted(seal(infos, key, content_type=other))


def test_every_key_that_fits_is_tried():
    # RFC 8551 section 2.2: key identifiers may collide
    strangers = [rsa_key() for _ in range(2)]
    message = encrypted(b"x" * (PIECE_BYTES * 2), cipher="aes-256-gcm")
    assert decrypted(message, any_key(*strangers, RSA))[0] == b"x" * (PIECE_BYTES * 2)
    for keys in (any_key(*strangers), no_keys):
        with pytest.raises(DecryptionError) as caught:
            decrypted(message, keys)
        assert caught.value.message == DecryptionError().message


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("cipher", ["aes-256-gcm", "chacha20-poly1305"])
def test_no_changed_octet_of_an_authenticated_file_is_accepted(cipher, known):
    message = encrypted(CONTENT, known=known, cipher=cipher)
    for place in range(len(message)):
        changed = bytearray(message)
        changed[place] ^= 1
        try:
            plaintext, _ = decrypted(bytes(changed))
        except (DecodingError, VerificationError):
            continue
        # What is left are fields that nobody reads: the version, and parameters that say the same.
        assert plaintext == CONTENT, f"octet {place} changed the plaintext"


@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_is_cut_off_or_goes_on_is_refused(known):
    message = encrypted(CONTENT, known=known)
    for size in range(0, len(message), 7):
        with pytest.raises((DecodingError, VerificationError)):
            decrypted(message[:size])
    with pytest.raises(DecodingError):
        decrypted(message + b"\n")


def test_a_wrong_size_is_noticed():
    for said in (len(CONTENT) - 1, len(CONTENT) + 1):
        with pytest.raises(InputError, match="changed while it was read"):
            encrypt_stream(io.BytesIO(CONTENT), io.BytesIO(), [BOB], size=said)


def test_a_content_that_is_too_large_for_its_cipher_is_refused(monkeypatch):
    message = encrypted(CONTENT)
    monkeypatch.setattr(encrypted_stream, "MAX_GCM_BYTES", len(CONTENT) - 1)
    with pytest.raises(DecodingError, match="too large"):
        decrypted(message)
    for known in (True, False):
        with pytest.raises(InputError, match="too large"):
            encrypted(CONTENT, known=known)


def test_progress_counts_every_octet():
    done = []
    content = b"x" * (PIECE_BYTES + 5)
    encrypt_stream(io.BytesIO(content), io.BytesIO(), [BOB], size=len(content), progress=done.append)
    assert sum(done) == len(content)
    assert len(done) > 1


def test_another_kind_of_message_is_no_encrypted_file():
    with pytest.raises(DecodingError, match="not encrypted"):
        decrypted(schema.content_info(schema.SIGNED_DATA, tlv(0x30, tlv(2, b"\x01"))))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_hostile_files_raise_nothing_else(data):
    message = bytearray(encrypted(CONTENT, known=data.draw(st.booleans()), cipher=data.draw(st.sampled_from(CIPHERS))))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        decrypted(bytes(message), any_key(RSA), allow_legacy=True)
    except (DecodingError, VerificationError):
        return

"""CMS round trips, what a changed octet does, and hostile input."""

import contextlib

import pytest
from cryptography.hazmat import asn1
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import ec_key, rsa_key, self_signed
from support.decryption import any_key, keys_of, no_keys

from sealwright.asn1.ber import cms_to_der
from sealwright.asn1.writer import tlv
from sealwright.cms import algorithms, enveloped, schema
from sealwright.cms.recipient_schema import KeyTransRecipientInfo
from sealwright.errors import DecodingError, DecryptionError

MGF1 = "1.2.840.113549.1.1.8"
RSA, EC, OTHER = rsa_key(), ec_key(), rsa_key()
RSA_CERTIFICATE, EC_CERTIFICATE = self_signed(RSA, "alice"), self_signed(EC, "bob")
CONTENT = b"Content-Type: text/plain\r\n\r\nfor Bob alone\r\n"


@pytest.mark.parametrize("cipher", ["aes-256-cbc", "aes-256-gcm"])
@pytest.mark.parametrize(("certificate", "key"), [(RSA_CERTIFICATE, RSA), (EC_CERTIFICATE, EC)])
def test_every_recipient_opens_the_message(cipher, certificate, key):
    message = enveloped.encrypt(CONTENT, [RSA_CERTIFICATE, EC_CERTIFICATE], cipher=cipher)
    opened = enveloped.decrypt(message, keys_of((certificate, key)))
    assert opened.content == CONTENT
    assert opened.authenticated is (cipher == "aes-256-gcm")
    assert opened.content_cipher == cipher
    assert b"for Bob alone" not in message


def test_another_key_opens_nothing_and_learns_nothing():
    # Not CBC: a wrong key gives padding that looks right once in 256 times, and unsigned CBC cannot tell.
    message = enveloped.encrypt(CONTENT, [RSA_CERTIFICATE], cipher="aes-256-gcm")
    with pytest.raises(DecryptionError) as without_key:
        enveloped.decrypt(message, no_keys)
    with pytest.raises(DecryptionError) as wrong_key:
        enveloped.decrypt(message, any_key(OTHER))
    assert without_key.value.message == wrong_key.value.message


def test_a_changed_octet_of_an_authenticated_message_is_refused():
    message = enveloped.encrypt(CONTENT, [EC_CERTIFICATE], cipher="aes-256-gcm")
    for position in range(len(message) - 60, len(message)):
        broken = message[:position] + bytes([message[position] ^ 1]) + message[position + 1 :]
        with pytest.raises((DecryptionError, DecodingError)):
            enveloped.decrypt(broken, keys_of((EC_CERTIFICATE, EC)))


def test_indefinite_lengths_and_chunks_are_read():
    message = enveloped.encrypt(CONTENT, [EC_CERTIFICATE])
    chunked = as_indefinite(message)
    assert chunked != message
    assert cms_to_der(chunked) == message
    assert enveloped.decrypt(chunked, keys_of((EC_CERTIFICATE, EC))).content == CONTENT


def test_a_hostile_nesting_is_refused():
    with pytest.raises(DecodingError):
        cms_to_der(b"\x30\x80" * 20_000)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=400))
def test_arbitrary_octets_are_refused_with_one_error(data):
    with pytest.raises(DecodingError):
        cms_to_der(data)
    with pytest.raises(DecodingError):
        enveloped.decrypt(data, any_key(RSA))


ENVELOPED = enveloped.encrypt(CONTENT, [EC_CERTIFICATE], cipher="aes-256-gcm")


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(ENVELOPED) - 1), st.binary(max_size=6), st.integers(0, 12))
def test_mutations_raise_nothing_unexpected(position, insertion, cut):
    mutated = ENVELOPED[:position] + insertion + ENVELOPED[position + cut :]
    with contextlib.suppress(DecodingError, DecryptionError):
        assert enveloped.decrypt(mutated, keys_of((EC_CERTIFICATE, EC))).content == CONTENT


@pytest.mark.parametrize("mask", [[], [schema.algorithm_der(schema.algorithm(algorithms.SHA256))]])
def test_hostile_oaep_parameters_open_nothing(mask):
    parameters = tlv(0x30, tlv(0xA1, schema.algorithm_der(schema.algorithm(MGF1, *mask))))
    message = schema.load_content(enveloped.encrypt(CONTENT, [RSA_CERTIFICATE]))
    info = message.recipient_infos.as_list()[0]
    hostile = KeyTransRecipientInfo(
        version=0,
        rid=info.rid,
        key_encryption_algorithm=schema.algorithm(algorithms.RSAES_OAEP, parameters),
        encrypted_key=info.encrypted_key,
    )
    changed = schema.EnvelopedData(
        version=0,
        originator_info=None,
        recipient_infos=asn1.SetOf([hostile]),
        encrypted_content_info=message.encrypted_content_info,
        unprotected_attrs=None,
    )
    with contextlib.suppress(DecryptionError):  # once in 256 times a wrong key gives padding that looks right
        opened = enveloped.decrypt(schema.content_info(schema.ENVELOPED_DATA, asn1.encode_der(changed)), any_key(RSA))
        assert opened.content != CONTENT


def as_indefinite(message: bytes) -> bytes:
    """Write the three outer levels of a DER ContentInfo with indefinite lengths (BER)."""

    def split(element):
        size, start = element[1], 2
        if size & 0x80:
            start += size & 0x7F
        return element[:1], element[start:]

    tag, body = split(message)
    inner_start = body.index(b"\xa0")
    oid, explicit = body[:inner_start], body[inner_start:]
    _, sequence = split(explicit)
    _, fields = split(sequence)
    assert tlv(0x30, fields) == sequence
    end = b"\x00\x00"
    return tag + b"\x80" + oid + b"\xa0\x80" + b"\x30\x80" + fields + end + end + end

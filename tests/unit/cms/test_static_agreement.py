"""Key agreement with a sender's lasting key (RFC 6278): the certificate comes in originatorInfo, or is known otherwise."""

import io

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding
from support.certificates import rsa_key
from support.decryption import any_key, keys_of
from support.envelopes import CONTENT, certificate_for
from support.lasting_keys import seal_with_lasting_key

from sealwright.asn1.der import content_of, elements
from sealwright.asn1.writer import tlv
from sealwright.cms import enveloped
from sealwright.cms.encrypted_stream import decrypt_stream
from sealwright.cms.known_certificates import MAX_CERTIFICATES
from sealwright.errors import DecodingError, DecryptionError


def pair(kind):
    key = x25519.X25519PrivateKey.generate() if kind == "x25519" else ec.generate_private_key(kind())
    return certificate_for(key.public_key(), "somebody"), key


ALICE, BOB = pair(ec.SECP256R1), pair(ec.SECP256R1)
OTHERS = {
    "P-384": pair(ec.SECP384R1),
    "X25519": pair("x25519"),
    "RSA": (certificate_for(rsa_key().public_key(), "rsa"), None),
}


def message(sender=ALICE, recipient=BOB, **how):
    return seal_with_lasting_key(sender, recipient, **how)


def with_originator_info(encoded, *certificates):
    """Put certificates into originatorInfo (RFC 5652 section 6.1)."""
    content_type, wrapped = elements(content_of(0x30, encoded))
    version, *rest = elements(content_of(0x30, wrapped[1]))
    info = tlv(0xA0, tlv(0xA0, *(each.public_bytes(Encoding.DER) for each in certificates)))
    body = tlv(0x30, tlv(*version), info, *(tlv(*each) for each in rest))
    return tlv(0x30, tlv(*content_type), tlv(0xA0, body))


@pytest.mark.parametrize("by_key_identifier", [False, True])
@pytest.mark.parametrize("cipher", ["aes-256-gcm", "aes-256-cbc"])
def test_the_message_brings_the_certificate(cipher, by_key_identifier):
    plain = message(cipher=cipher, by_key_identifier=by_key_identifier)
    with pytest.raises(DecryptionError):
        enveloped.decrypt(plain, keys_of(BOB))
    whole = with_originator_info(plain, OTHERS["RSA"][0], ALICE[0])
    opened = enveloped.decrypt(whole, keys_of(BOB))
    assert (opened.content, opened.key_management) == (CONTENT, "static-ecdh-sha256-kdf")
    written = io.BytesIO()
    streamed = decrypt_stream(io.BytesIO(whole), written, keys_of(BOB))
    assert (written.getvalue(), streamed.key_management) == (CONTENT, "static-ecdh-sha256-kdf")


@pytest.mark.parametrize("by_key_identifier", [False, True])
def test_the_certificate_is_known_otherwise(by_key_identifier):
    known = [OTHERS["P-384"][0], ALICE[0]]
    opened = enveloped.decrypt(message(by_key_identifier=by_key_identifier), keys_of(BOB), certificates=known)
    assert opened.content == CONTENT


def test_x25519():
    alice, bob = pair("x25519"), OTHERS["X25519"]
    opened = enveloped.decrypt(message(alice, bob), keys_of(bob), certificates=[alice[0]])
    assert (opened.content, opened.key_management) == (CONTENT, "static-ecdh-sha256-kdf")


@pytest.mark.parametrize("kind", OTHERS)
def test_a_certificate_of_another_kind_opens_nothing(kind):
    named = OTHERS[kind][0]
    for recipient in (BOB, OTHERS["X25519"]):
        if recipient[0] is named:
            continue
        sender = ALICE if recipient is BOB else pair("x25519")
        with pytest.raises(DecryptionError):
            enveloped.decrypt(message(sender, recipient, named=named), any_key(recipient[1]), certificates=[named])


def test_too_many_certificates_are_refused():
    many = with_originator_info(message(), *[ALICE[0]] * (MAX_CERTIFICATES + 1))
    with pytest.raises(DecodingError, match="too many certificates"):
        enveloped.decrypt(many, keys_of(BOB))
    with pytest.raises(DecodingError, match="too many certificates"):
        decrypt_stream(io.BytesIO(many), io.BytesIO(), keys_of(BOB))

"""CMS round trips, what a changed octet does, and hostile input."""

import contextlib

import pytest
from cryptography.hazmat import asn1
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import NOW, ec_key, rsa_key, self_signed
from support.decryption import any_key, keys_of, no_keys

from sealwright.asn1.ber import cms_to_der, tlv
from sealwright.cms import algorithms, enveloped, schema, signed
from sealwright.cms.recipient_schema import KeyTransRecipientInfo
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import DecodingError, DecryptionError, InvalidSignatureError

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


@pytest.mark.parametrize("detached", [True, False])
@pytest.mark.parametrize(("certificate", "key"), [(RSA_CERTIFICATE, RSA), (EC_CERTIFICATE, EC)])
def test_a_signature_holds_for_its_content_only(detached, certificate, key):
    message = signed.sign(CONTENT, [PrivateKeySigner(certificate, key)], detached=detached, signing_time=NOW)
    verified = signed.verify(message, CONTENT if detached else None)
    assert verified.content == CONTENT
    assert [signer.certificate for signer in verified.signers] == [certificate]
    assert verified.signers[0].signing_time == NOW
    assert verified.signers[0].digest == "sha256"
    if detached:
        with pytest.raises(InvalidSignatureError):
            signed.verify(message, CONTENT + b"!")
    else:
        with pytest.raises(InvalidSignatureError):
            signed.verify(message.replace(b"for Bob alone", b"for Eve alone"), None)
        with pytest.raises(DecodingError):  # RFC 5652: detached content beside an embedded one is a confusion attack
            signed.verify(message, CONTENT)


def test_every_octet_of_a_signed_message_counts():
    message = signed.sign(CONTENT, [PrivateKeySigner(EC_CERTIFICATE, EC)], detached=False, signing_time=NOW)
    unprotected = 0
    for position in range(len(message)):
        broken = message[:position] + bytes([message[position] ^ 4]) + message[position + 1 :]
        try:
            verified = signed.verify(broken, None)
        except (InvalidSignatureError, DecodingError):
            continue
        assert verified.content == CONTENT
        unprotected += 1
    assert unprotected < 20  # version numbers and the outer digest list, which RFC 5652 does not sign


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
    with pytest.raises(DecodingError):
        signed.verify(data, None)


ENVELOPED = enveloped.encrypt(CONTENT, [EC_CERTIFICATE], cipher="aes-256-gcm")


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(ENVELOPED) - 1), st.binary(max_size=6), st.integers(0, 12))
def test_mutations_raise_nothing_unexpected(position, insertion, cut):
    mutated = ENVELOPED[:position] + insertion + ENVELOPED[position + cut :]
    with contextlib.suppress(DecodingError, DecryptionError):
        assert enveloped.decrypt(mutated, keys_of((EC_CERTIFICATE, EC))).content == CONTENT


SIGNED = signed.sign(CONTENT, [PrivateKeySigner(EC_CERTIFICATE, EC)], detached=False, signing_time=NOW)


@settings(deadline=None, max_examples=500)
@given(st.integers(0, len(SIGNED) - 1), st.binary(max_size=6), st.integers(0, 12))
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_a_mutated_signed_message_is_refused_or_says_the_same(position, insertion, cut):
    with contextlib.suppress(DecodingError, InvalidSignatureError):
        assert signed.verify(SIGNED[:position] + insertion + SIGNED[position + cut :], None).content == CONTENT


@pytest.mark.parametrize("salt_length", [-1, 2**31, 2**70])
@pytest.mark.parametrize("mask_parameter", [True, False])
def test_hostile_pss_parameters_are_refused(salt_length, mask_parameter):
    digest = schema.algorithm_der(schema.algorithm(algorithms.SHA256))
    mask = schema.algorithm_der(schema.algorithm(MGF1, *([digest] if mask_parameter else [])))
    salt = asn1.encode_der(salt_length)
    message = signed.sign(CONTENT, [PrivateKeySigner(RSA_CERTIFICATE, RSA)], detached=False, signing_time=NOW)
    parameters = tlv(0x30, tlv(0xA0, digest), tlv(0xA1, mask), tlv(0xA2, salt))
    with pytest.raises((InvalidSignatureError, DecodingError)):
        signed.verify(with_signature_algorithm(message, schema.algorithm(algorithms.RSASSA_PSS, parameters)), None)


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


def with_signature_algorithm(message, algorithm):
    """Return a signed message without attributes, so that only the signature itself is left to refuse."""
    data = schema.load_content(message)
    info = data.signer_infos.as_list()[0]
    signer = schema.SignerInfo(
        version=1,
        sid=info.sid,
        digest_algorithm=info.digest_algorithm,
        signed_attrs=None,
        signature_algorithm=algorithm,
        signature=info.signature,
        unsigned_attrs=None,
    )
    changed = schema.SignedData(
        version=1,
        digest_algorithms=data.digest_algorithms,
        encap_content_info=data.encap_content_info,
        certificates=data.certificates,
        crls=None,
        signer_infos=asn1.SetOf([signer]),
    )
    return schema.content_info(schema.SIGNED_DATA, asn1.encode_der(changed))


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

"""Key wraps: the example of RFC 3217, every changed octet, and which keys triple DES may wrap."""

import hashlib
import secrets

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import keywrap, padding
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from support.envelopes import CONTENT, seal

from sealwright.cms import algorithms, enveloped, schema
from sealwright.cms.decryptors import SymmetricKeyDecryptor
from sealwright.cms.key_wraps import unwrap_key, wrap_key_bytes
from sealwright.cms.recipient_schema import KEKIdentifier, KEKRecipientInfo
from sealwright.errors import DecodingError, DecryptionError

# RFC 3217 section 3.3
KEY = bytes.fromhex("2923bf85e06dd6ae529149f1f1bae9eab3a7da3d860d3e98")
KEK = bytes.fromhex("255e0d1c07b646dfb3134cc843ba8aa71f025b7c0838251f")
WRAPPED = bytes.fromhex("690107618ef092b3b48ca1796b234ae9fa33ebb4159604037db5d6a84eb3aac2768c632775a467d4")


def triple_des(key, iv, data):
    encryptor = Cipher(TripleDES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def wrap(kek, key):
    """RFC 3217 section 3.1."""
    checksum = hashlib.sha1(key).digest()[:8]
    iv = secrets.token_bytes(8)
    return triple_des(kek, bytes.fromhex("4adda22c79e82105"), (iv + triple_des(kek, iv, key + checksum))[::-1])


def test_the_example_of_the_standard():
    assert wrap_key_bytes(algorithms.DES_EDE3_WRAP) == len(KEK)
    assert unwrap_key(algorithms.DES_EDE3_WRAP, KEK, WRAPPED) == KEY


@pytest.mark.parametrize("place", range(40))
def test_a_changed_octet_is_noticed(place):
    changed = bytearray(WRAPPED)
    changed[place] ^= 0x10
    with pytest.raises(keywrap.InvalidUnwrap):
        unwrap_key(algorithms.DES_EDE3_WRAP, KEK, bytes(changed))


@pytest.mark.parametrize("length", [0, 8, 39, 41, 48, 4096])
def test_another_length_is_refused(length):
    with pytest.raises(keywrap.InvalidUnwrap):
        unwrap_key(algorithms.DES_EDE3_WRAP, KEK, bytes(length))


def test_an_unknown_wrap_is_refused():
    with pytest.raises(DecodingError, match="not a key wrap"):
        wrap_key_bytes("1.2.840.113549.1.9.16.3.7")  # of RC2


def info(kek, wrapped):
    return KEKRecipientInfo(
        version=4,
        kekid=KEKIdentifier(key_identifier=b"7", date=None, other=None),
        key_encryption_algorithm=schema.algorithm(algorithms.DES_EDE3_WRAP, algorithms.NULL),
        encrypted_key=wrapped,
    )


def old_message(infos, key):
    """Triple DES content, as `seal` does not write it."""
    iv, padder = secrets.token_bytes(8), padding.PKCS7(64).padder()
    data = schema.EnvelopedData(
        version=2,
        originator_info=None,
        recipient_infos=asn1.SetOf(infos),
        encrypted_content_info=schema.EncryptedContentInfo(
            content_type=x509.ObjectIdentifier(schema.DATA),
            content_encryption_algorithm=schema.algorithm(algorithms.DES_EDE3_CBC, asn1.encode_der(iv)),
            encrypted_content=triple_des(key, iv, padder.update(CONTENT) + padder.finalize()),
        ),
        unprotected_attrs=None,
    )
    return schema.content_info(schema.ENVELOPED_DATA, asn1.encode_der(data))


def test_an_agreed_key_opens_an_old_message_on_demand():
    message = old_message([info(KEK, wrap(KEK, KEY))], KEY)
    opened = enveloped.decrypt(message, lambda _: [SymmetricKeyDecryptor(KEK)], allow_legacy=True)
    assert (opened.content, opened.key_management, opened.warnings) == (CONTENT, "kek", ("legacy-cipher",))
    with pytest.raises(DecryptionError):
        enveloped.decrypt(message, lambda _: [SymmetricKeyDecryptor(KEK)])
    with pytest.raises(DecryptionError):
        enveloped.decrypt(message, lambda _: [SymmetricKeyDecryptor(KEK[:16])], allow_legacy=True)


def test_triple_des_does_not_wrap_the_key_of_a_better_cipher():
    key = secrets.token_bytes(24)
    assert unwrap_key(algorithms.DES_EDE3_WRAP, KEK, wrap(KEK, key)) == key
    message = seal([info(KEK, wrap(KEK, key))], key, "aes-192-cbc")
    with pytest.raises(DecryptionError):
        enveloped.decrypt(message, lambda _: [SymmetricKeyDecryptor(KEK)], allow_legacy=True)

"""Recipients with a key or a password that they have had before."""

import secrets

import pytest
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers import algorithms as ciphers
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from support.envelopes import CONTENT, seal

from sealwright.cms import algorithms, enveloped, schema, symmetric_recipients
from sealwright.cms.decryptors import PasswordDecryptor, SymmetricKeyDecryptor
from sealwright.cms.identifiers import RecipientIdentifier
from sealwright.cms.recipient_schema import KEKIdentifier, KEKRecipientInfo, PasswordRecipientInfo, PBKDF2Params
from sealwright.errors import DecryptionError
from sealwright.pkix.pbes2 import PBKDF2_PRFS

WRAPS = {size: oid for oid, size in algorithms.WRAP_KEY_BYTES.items()}
CBC = {size: oid for oid, size in algorithms.CBC_KEY_BYTES.items()}
PRFS = {digest().name: oid for oid, digest in PBKDF2_PRFS.items()}


def kek_message(kek, algorithm):
    key = secrets.token_bytes(32)
    info = KEKRecipientInfo(
        version=4,
        kekid=KEKIdentifier(key_identifier=b"number 7", date=None, other=None),
        key_encryption_algorithm=algorithm,
        encrypted_key=keywrap.aes_key_wrap(kek, key),
    )
    return seal([info], key)


@pytest.mark.parametrize("size", WRAPS)
def test_a_key_encryption_key_opens(size):
    kek = secrets.token_bytes(size)
    message = kek_message(kek, schema.algorithm(WRAPS[size]))
    asked = []

    def find_keys(recipient):
        asked.append(recipient)
        return [SymmetricKeyDecryptor(secrets.token_bytes(size)), SymmetricKeyDecryptor(kek)]

    opened = enveloped.decrypt(message, find_keys)
    assert (opened.content, opened.key_management) == (CONTENT, "kek")
    assert asked == [RecipientIdentifier(key_identifier=b"number 7")]
    for wrong in (
        SymmetricKeyDecryptor(secrets.token_bytes(size)),
        SymmetricKeyDecryptor(b"short"),
        PasswordDecryptor(kek),
    ):
        with pytest.raises(DecryptionError):
            enveloped.decrypt(message, lambda _, wrong=wrong: [wrong])


def test_another_wrap_opens_nothing():
    kek = secrets.token_bytes(32)
    for algorithm in (schema.algorithm(WRAPS[16]), schema.algorithm("1.2.3")):
        with pytest.raises(DecryptionError):
            enveloped.decrypt(kek_message(kek, algorithm), lambda _: [SymmetricKeyDecryptor(kek)])


def wrap_rfc3211(kek, iv, key):
    """RFC 3211 section 2.3.1: length, check octets, key and padding, encrypted twice in one chain."""
    block = bytes((len(key),)) + bytes(octet ^ 0xFF for octet in key[:3]) + key
    block += secrets.token_bytes(max(32 - len(block), -len(block) % 16))
    encryptor = Cipher(ciphers.AES(kek), modes.CBC(iv)).encryptor()
    return encryptor.update(encryptor.update(block))


def password_message(password, *, prf="sha256", rounds=1000, size=32, key_length=None, **changes):
    key, salt, iv = secrets.token_bytes(32), secrets.token_bytes(16), secrets.token_bytes(16)
    digest = PBKDF2_PRFS[PRFS[prf]]()
    kek = PBKDF2HMAC(digest, size, salt, min(rounds, 1000)).derive(password)
    named = None if prf == "sha1" else schema.algorithm(PRFS[prf], algorithms.NULL)  # SHA-1 is the default
    parameters = PBKDF2Params(salt=salt, iteration_count=rounds, key_length=key_length, prf=named)
    inner = schema.algorithm_der(schema.algorithm(CBC[size], asn1.encode_der(iv)))
    fields = {
        "version": 0,
        "key_derivation_algorithm": schema.algorithm(algorithms.PBKDF2, asn1.encode_der(parameters)),
        "key_encryption_algorithm": schema.algorithm(algorithms.PWRI_KEK, inner),
        "encrypted_key": wrap_rfc3211(kek, iv, key),
        **changes,
    }
    return seal([PasswordRecipientInfo(**fields)], key)


@pytest.mark.parametrize("key_length", [False, True])
@pytest.mark.parametrize("size", CBC)
@pytest.mark.parametrize("prf", PRFS)
def test_a_password_opens(prf, size, key_length):
    message = password_message(b"secret", prf=prf, size=size, key_length=size if key_length else None)
    asked = []

    def find_keys(recipient):
        asked.append(recipient)
        return [PasswordDecryptor(b"another"), PasswordDecryptor(b"secret")]

    opened = enveloped.decrypt(message, find_keys)
    assert (opened.content, opened.key_management) == (CONTENT, "password")
    assert asked == [RecipientIdentifier(is_password=True)]
    with pytest.raises(DecryptionError):
        enveloped.decrypt(message, lambda _: [PasswordDecryptor(b"another"), SymmetricKeyDecryptor(b"secret")])


MISFITS = {
    "too many rounds": {"rounds": symmetric_recipients.MAX_PBKDF2_ITERATIONS + 1},
    "absurdly many rounds": {"rounds": 2**70},
    "key length": {"key_length": 16},
    "no derivation": {"key_derivation_algorithm": None},
    "another derivation": {"key_derivation_algorithm": schema.algorithm("1.2.3", algorithms.NULL)},
    "derivation without parameters": {"key_derivation_algorithm": schema.algorithm(algorithms.PBKDF2)},
    "another wrap": {"key_encryption_algorithm": schema.algorithm(WRAPS[32])},
    "wrap without parameters": {"key_encryption_algorithm": schema.algorithm(algorithms.PWRI_KEK)},
    "one block": {"encrypted_key": bytes(16)},
    "part of a block": {"encrypted_key": bytes(33)},
    "many blocks": {"encrypted_key": bytes(2048)},
}


@pytest.mark.parametrize("name", MISFITS)
def test_unknown_and_excessive_parameters_open_nothing(name):
    """The rounds are the sender's choice and the reader's work, so they have a bound."""
    with pytest.raises(DecryptionError):
        enveloped.decrypt(password_message(b"secret", **MISFITS[name]), lambda _: [PasswordDecryptor(b"secret")])


def test_zero_rounds_open_nothing():
    parameters = PBKDF2Params(salt=b"salt", iteration_count=0, key_length=None, prf=None)
    derivation = schema.algorithm(algorithms.PBKDF2, asn1.encode_der(parameters))
    with pytest.raises(DecryptionError):
        enveloped.decrypt(
            password_message(b"secret", key_derivation_algorithm=derivation), lambda _: [PasswordDecryptor(b"secret")]
        )


def test_no_secret_shows_in_a_repr():
    assert "secret" not in repr(PasswordDecryptor(b"secret")) + repr(SymmetricKeyDecryptor(b"secret"))

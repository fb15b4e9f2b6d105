"""Sealed service keys: what opens, what is refused, and that no key lies in clear."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_public_key

from sealwright.errors import (
    ConflictError,
    PermissionDeniedError,
    SealedError,
    UnsupportedAlgorithmError,
    VerificationError,
)
from sealwright.keystore.key_file import create_root_key
from sealwright.keystore.service_keys import SoftwareServiceKeystore
from sealwright.keystore.signing import KeystoreECKey

ORGANIZATION, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def root_key_file(tmp_path):
    create_root_key(tmp_path / "root.key")
    return tmp_path / "root.key"


@pytest.fixture
def keystore(root_key_file):
    return SoftwareServiceKeystore(root_key_file)


def test_the_root_key_is_private_and_never_overwritten(root_key_file):
    assert root_key_file.stat().st_mode & 0o777 == 0o600
    before = root_key_file.read_bytes()
    with pytest.raises(ConflictError):
        create_root_key(root_key_file)
    assert root_key_file.read_bytes() == before
    root_key_file.chmod(0o640)
    with pytest.raises(SealedError):
        SoftwareServiceKeystore(root_key_file)
    with pytest.raises(SealedError):
        SoftwareServiceKeystore(root_key_file.with_name("missing"))


def test_keys_sign_and_survive_a_restart(keystore, root_key_file):
    record = keystore.generate_service_key(ORGANIZATION, "log", "ed25519")
    again = SoftwareServiceKeystore(root_key_file)
    public_key = load_der_public_key(record.spki)
    assert isinstance(public_key, ed25519.Ed25519PublicKey)
    public_key.verify(again.sign(record, "ed25519", b"message"), b"message")
    with pytest.raises(UnsupportedAlgorithmError):
        again.sign(record, "ecdsa-sha256", b"message")


def test_a_key_object_signs_and_gives_nothing_else(keystore):
    key = KeystoreECKey(keystore, keystore.generate_service_key(ORGANIZATION, "issuer/root", "p256"))
    key.public_key().verify(key.sign(b"m", ec.ECDSA(SHA256())), b"m", ec.ECDSA(SHA256()))
    for refused in (
        key.private_numbers,
        lambda: key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        lambda: key.exchange(ec.ECDH(), key.public_key()),
    ):
        with pytest.raises(UnsupportedAlgorithmError):
            refused()


@pytest.mark.parametrize(
    "change",
    [
        lambda record: replace(record, ciphertext=bytes([record.ciphertext[0] ^ 1]) + record.ciphertext[1:]),
        lambda record: replace(record, identity=replace(record.identity, organization_id=OTHER)),
        lambda record: replace(record, identity=replace(record.identity, record_id="c" * 32)),
        lambda record: replace(record, identity=replace(record.identity, owner="release")),
        lambda record: replace(record, identity=replace(record.identity, generation=1)),
        lambda record: replace(record, algorithm="p256"),
        lambda record: replace(record, storage_key_version=2),
        lambda record: replace(record, spki=record.spki[:-1] + b"\x00"),
        lambda record: replace(record, ciphertext=b""),
    ],
)
def test_a_record_that_was_changed_does_not_open(keystore, change):
    record = keystore.generate_service_key(ORGANIZATION, "log", "ed25519")
    with pytest.raises(VerificationError):
        keystore.sign(change(record), "ed25519", b"message")


def test_secrets_come_out_and_keys_do_not(keystore):
    secret = keystore.seal_secret(ORGANIZATION, "leaf-salt", "d" * 32, b"salt")
    assert keystore.open_secret(secret) == b"salt"
    record = keystore.generate_service_key(ORGANIZATION, "log", "ed25519")
    with pytest.raises(PermissionDeniedError):
        keystore.open_secret(record)
    with pytest.raises(PermissionDeniedError):
        keystore.sign(secret, "ed25519", b"message")
    disguised = replace(record, identity=replace(record.identity, kind="secret"))
    with pytest.raises(VerificationError):
        keystore.open_secret(disguised)
    assert "salt" not in repr(secret).replace("leaf-salt", "")
    with pytest.raises(UnsupportedAlgorithmError):
        keystore.generate_service_key(ORGANIZATION, "log", "dsa")

"""The fire drill's question, "is this the key of that certificate?", and what happens to a destroyed key's record."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from support.release_evidence import MAILBOX, NOW, ORGANIZATION, World
from support.seals import key_file_seal, software_keystore

from sealwright.errors import InvalidSignatureError, PermissionDeniedError, SealedError, UnsupportedAlgorithmError
from sealwright.keystore.model import RecordIdentity, SealedRecord
from sealwright.wire.api import LeafOpening
from sealwright.wire.destruction import DestructionReceipt, SignedDestruction, verify_destruction
from sealwright.wire.encoding import sha256

ISSUER = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("seal")
    key_file_seal(made / "root.key", made / "seal.json", 3, 2)
    return made


@pytest.fixture
def keystore(folder):
    return software_keystore(folder / "root.key", folder / "seal.json")


def certificate(spki):
    name, start = x509.Name([]), datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, load_der_public_key(spki), 5)
    dated = builder.not_valid_before(start).not_valid_after(start + timedelta(days=30))
    return dated.sign(ISSUER, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize("algorithm", ["p256", "p384", "rsa-2048", "ml-kem-768", "ml-kem-1024"])
def test_every_algorithm_is_made_archived_and_found_to_be_its_certificates(keystore, algorithm):
    pooled = keystore.generate_encryption_key(ORGANIZATION, algorithm)
    record = keystore.assign_encryption_key(pooled, MAILBOX, 1)
    assert record.algorithm == algorithm
    assert keystore.examine(record, b"")
    assert keystore.examine(record, certificate(record.spki))
    other = keystore.generate_encryption_key(ORGANIZATION, "p256")
    assert not keystore.examine(record, certificate(other.spki))
    assert not keystore.examine(record, b"no certificate")


def test_ml_kem_is_archived_as_its_seed(keystore):
    pooled = keystore.generate_encryption_key(ORGANIZATION, "ml-kem-768")
    # nonce, tag, and a PKCS#8 with [0] of 64 octets: the expanded form would have 2,400 more
    assert len(pooled.ciphertext) == 12 + 16 + 86


def test_a_record_that_was_changed_or_tells_of_another_key_is_no_key_of_its_certificate(keystore):
    record = keystore.generate_encryption_key(ORGANIZATION, "p256")
    other = keystore.generate_encryption_key(ORGANIZATION, "p256")
    broken = record.ciphertext[:-1] + bytes([record.ciphertext[-1] ^ 1])
    for changed in (
        replace(record, ciphertext=broken),
        replace(record, ciphertext=other.ciphertext),
        replace(record, spki=other.spki),
        replace(record, identity=replace(record.identity, owner=MAILBOX)),
    ):
        assert not keystore.examine(changed, b"")


def test_only_encryption_keys_are_examined_and_only_known_algorithms_made(keystore):
    with pytest.raises(PermissionDeniedError):
        keystore.examine(keystore.generate_service_key(ORGANIZATION, "escrow", "ed25519"), b"")
    with pytest.raises(UnsupportedAlgorithmError):
        keystore.generate_encryption_key(ORGANIZATION, "ml-kem-512")
    keystore.close()
    with pytest.raises(SealedError):
        keystore.examine(keystore_record(), b"")


def keystore_record():
    return SealedRecord(RecordIdentity("encryption-key", ORGANIZATION, "1" * 32, MAILBOX, 1), "p256", 1, b"", b"")


def test_a_destroyed_keys_record_opens_nowhere_and_the_word_is_signed(keystore, folder):
    world = World(keystore)
    record = world.records[0]
    assert keystore.open(world.records, world.evidence()).sealed_keys
    receipt = DestructionReceipt(
        organization_id=ORGANIZATION,
        mailbox_id=MAILBOX,
        key_id=record.identity.record_id,
        slot="classical",
        generation=1,
        algorithm="p256",
        spki_sha256=sha256(record.spki),
        destroyed=NOW,
        reason="end of retention",
        leaf_hash=b"l" * 32,
    )
    keystore.vouch_key_state(ORGANIZATION, receipt.key_id, "DEACTIVATED", "DESTROYED", 0)
    signature = keystore.sign_destruction(receipt)
    assert signature == keystore.sign_destruction(receipt)
    public = load_der_public_key(world.release_key.spki)
    assert isinstance(public, ed25519.Ed25519PublicKey)
    public.verify(signature, receipt.encode())
    again = software_keystore(folder / "root.key", folder / "seal.json")  # as every other process, and after a restart
    for opened in (keystore, again):
        with pytest.raises(PermissionDeniedError, match="destroyed"):
            opened.open(world.records, world.evidence())
        assert not opened.examine(record, b"")
    pooled = keystore.generate_encryption_key(ORGANIZATION, "p256")
    keystore.vouch_key_state(ORGANIZATION, pooled.identity.record_id, "DEACTIVATED", "DESTROYED", 0)
    keystore.sign_destruction(msgspec.structs.replace(receipt, key_id=pooled.identity.record_id))
    with pytest.raises(PermissionDeniedError, match="destroyed"):
        keystore.assign_encryption_key(pooled, MAILBOX, 3)


def test_a_receipt_that_was_changed_does_not_verify(keystore):
    receipt = DestructionReceipt(
        organization_id="c" * 32,
        mailbox_id=MAILBOX,
        key_id="3" * 32,
        slot="kem",
        generation=1,
        algorithm="ml-kem-768",
        spki_sha256=b"s" * 32,
        destroyed=NOW,
        reason="",
        leaf_hash=b"l" * 32,
    )
    key = keystore.generate_service_key("c" * 32, "release", "ed25519")
    leaf = LeafOpening(index=0, salt=b"", record=b"", leaf_hash=b"", tree_size=1, inclusion_proof=())
    signed = SignedDestruction(receipt=receipt, signature=b"\0" * 64, leaf=leaf, checkpoint="")
    with pytest.raises(InvalidSignatureError):
        verify_destruction(signed, key.spki[-32:], "o", b"k" * 32)

"""Remote decryption in the keystore: right evidence gives content keys to the device alone; each lie is refused; no oracle."""

from dataclasses import replace

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_public_key
from cryptography.x509.oid import NameOID
from support.release_evidence import MAILBOX, NONCE, NOW, ORGANIZATION, ORIGIN, SALT, SIBLING, World, make_device
from support.seals import key_file_seal, software_keystore

from sealwright.cms import enveloped, schema
from sealwright.cms.recipient_encoding import decode_recipient_info, encode_recipient_info
from sealwright.cms.recipient_schema import KEKIdentifier, KEKRecipientInfo
from sealwright.cms.recipients import wrapped_keys
from sealwright.errors import DecodingError, DecryptionError, InputError, PermissionDeniedError
from sealwright.keystore.content_keys import unwrap_content_key
from sealwright.keystore.model import ReleasePolicy, RemoteDecryptEvidence, SignedRequestEvidence
from sealwright.keystore.records import sign_with
from sealwright.keystore.release_rules import ReleaseRules
from sealwright.tlog.checkpoint import Checkpoint, sign_note
from sealwright.tlog.leaf import LeafRecord, commit
from sealwright.tlog.tree import leaf_hash, node_hash
from sealwright.wire.api import LeafOpening
from sealwright.wire.content_keys import (
    ContentKeyAnswer,
    ContentKeyItem,
    ContentKeyRequest,
    content_keys_info,
    decode_content_keys,
)
from sealwright.wire.encoding import sha256
from sealwright.wire.hpke import hpke_open
from sealwright.wire.manifest import decode_released_keys
from sealwright.wire.signed_request import sign_request

URI = "https://kms.example.test/v1/content-keys"
CONTENT = b"Content-Type: text/plain\r\n\r\nfor the holder of the key\r\n"
ISSUER = ec.generate_private_key(ec.SECP256R1())
KINDS = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ml-kem-768": mlkem.MLKEM768PrivateKey.generate,
}


def certificate_of(public_key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A")])
    builder = x509.CertificateBuilder(name, name, public_key, x509.random_serial_number())
    return builder.not_valid_before(NOW).not_valid_after(NOW.replace(year=NOW.year + 1)).sign(ISSUER, hashes.SHA256())


def recipient_info(certificate, cipher="aes-256-cbc"):
    """Return a message for one recipient, and its RecipientInfo alone."""
    message = enveloped.encrypt(CONTENT, [certificate], cipher=cipher)
    (wrapped,) = wrapped_keys(schema.load_content(message).recipient_infos.as_list())
    return message, encode_recipient_info(wrapped)


class RemoteWorld(World):
    """The organization keeps its people's keys."""

    def __init__(self, keystore):
        super().__init__(keystore)
        rules = ReleaseRules(delivery="remote")
        row = keystore.vouch_release_rules(ORGANIZATION, ORGANIZATION, rules, self.policy.organization.version)
        self.policy = ReleasePolicy(row)
        self.message, self.info = recipient_info(certificate_of(load_der_public_key(self.records[0].spki)))
        self.item = ContentKeyItem(key_id=self.records[0].identity.record_id, recipient_info=self.info, key_bytes=32)

    def remote(self, *items, leaf=None, device=None, uri=URI, method="POST", nonce=NONCE, log_key=None, **changes):
        items = items or (self.item,)
        device = device or self.device
        body = msgspec.json.encode(ContentKeyRequest(request_nonce=nonce, items=items))
        headers = sign_request(device.key, method, uri, body, NOW, "nonce", "retry")
        fields = {
            "device": self.device.public.thumbprint().hex(),
            "request": sha256(body).hex(),
            "keys": sha256(self.records[0].spki).hex(),
            "nonce": NONCE.hex(),
        } | (leaf or {}).pop("fields", {})
        record = LeafRecord(
            **{
                "kind": "key.use",
                "organization_id": ORGANIZATION,
                "chain_id": MAILBOX,
                "chain_number": 3,
                "previous": bytes(32),
                "time": NOW,
                "fields": fields,
            }
            | (leaf or {})
        ).encode()
        hashed = leaf_hash(commit(SALT, record))
        key = log_key or self.log_key
        point = Checkpoint(ORIGIN, 2, node_hash(hashed, SIBLING))
        note = sign_note(point, ORIGIN, lambda m: sign_with(self.keystore._open(key), "ed25519", m), key.spki[-32:])
        opening = LeafOpening(
            index=0, salt=SALT, record=record, leaf_hash=hashed, tree_size=2, inclusion_proof=(SIBLING,)
        )
        said = {
            "credential": self.credential,
            "policy": self.policy,
            "request": SignedRequestEvidence(method, uri, headers, body),
            "leaf": opening,
            "checkpoint": note,
        }
        return RemoteDecryptEvidence(**said | changes)

    def ask(self, evidence, *records):
        return self.keystore.unwrap_content_keys(records or self.records[:1], evidence)

    def opened(self, evidence, sealed):
        info = content_keys_info(ORGANIZATION, MAILBOX, self.device.public.thumbprint(), NONCE, evidence.leaf.leaf_hash)
        answer = ContentKeyAnswer(
            sealed_keys=sealed.sealed_keys, signature=sealed.signature, leaf=evidence.leaf, checkpoint=""
        )
        answer.verify(info, self.release_key.spki[-32:])
        return decode_content_keys(hpke_open(self.device.hpke_private_key, info, sealed.sealed_keys))


@pytest.fixture
def world(tmp_path):
    key_file_seal(tmp_path / "seal.key", tmp_path / "seal.json", shares=1, threshold=1)
    return RemoteWorld(software_keystore(tmp_path / "seal.key", tmp_path / "seal.json"))


class Known:
    def __init__(self, key):
        self.key = key

    def unwrap_key(self, wrapped):
        return self.key


def test_the_device_gets_the_content_key_and_no_private_key(world):
    evidence = world.remote()
    (key,) = world.opened(evidence, world.ask(evidence))
    assert enveloped.decrypt(world.message, lambda _: [Known(key)]).content == CONTENT


def test_what_does_not_unwrap_is_answered_with_a_key_of_the_same_length_each_time(world):
    other = recipient_info(certificate_of(ec.generate_private_key(ec.SECP256R1()).public_key()))[1]
    item = ContentKeyItem(key_id=world.item.key_id, recipient_info=other, key_bytes=16)
    first, second = (world.opened(each, world.ask(each)) for each in (world.remote(item), world.remote(item)))
    assert first == second
    assert [len(key) for key in first] == [16]


def state_row(world, state):
    """Decide on the state of the first key; return the keystore's word for it."""
    key_id = world.records[0].identity.record_id
    return (
        world.keystore.vouch_key_state(
            ORGANIZATION, key_id, "DEACTIVATED" if state != "SUSPENDED" else "ACTIVE", state, 0
        ),
    )


def test_a_compromised_key_still_unwraps(world):
    evidence = world.remote(state_rows=state_row(world, "COMPROMISED"))
    assert world.opened(evidence, world.ask(evidence))


LIES = {
    "another device signed": lambda w: w.remote(device=make_device()),
    "another path": lambda w: w.remote(uri="https://kms.example.test/v1/releases"),
    "another method": lambda w: w.remote(method="PUT"),
    "a short nonce": lambda w: w.remote(nonce=b"n"),
    "a removed device": lambda w: w.remote(credential=w.keystore.change_device(w.credential, "removed")),
    "a changed credential": lambda w: w.remote(credential=replace(w.credential, mailbox_id="c" * 32)),
    "a suspended key, without the word of it": lambda w: w.remote(state_rows=state_row(w, "SUSPENDED")[:0]),
    "a suspended key": lambda w: w.remote(state_rows=state_row(w, "SUSPENDED")),
    "a destroyed key": lambda w: w.remote(state_rows=state_row(w, "DESTROYED")),
    "a compromised key, without the word of it": lambda w: w.remote(state_rows=state_row(w, "COMPROMISED")[:0]),
    "another key than named": lambda w: w.remote(
        ContentKeyItem(key_id=w.records[1].identity.record_id, recipient_info=w.info, key_bytes=32)
    ),
    "a leaf of a release": lambda w: w.remote(leaf={"kind": "key.release"}),
    "a leaf of another mailbox": lambda w: w.remote(leaf={"chain_id": "c" * 32}),
    "a leaf of another request": lambda w: w.remote(leaf={"fields": {"request": "0" * 64}}),
    "a leaf of another device": lambda w: w.remote(leaf={"fields": {"device": "0" * 64}}),
    "a leaf of other keys": lambda w: w.remote(leaf={"fields": {"keys": "0" * 64}}),
    "another log": lambda w: w.remote(log_key=w.keystore.generate_service_key("d" * 32, f"log/{ORIGIN}", "ed25519")),
}


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_is_refused(world, lie):
    with pytest.raises(PermissionDeniedError):
        world.ask(LIES[lie](world))


def test_a_key_of_another_mailbox_is_refused(world):
    pooled = world.keystore.generate_encryption_key(ORGANIZATION, "p256")
    foreign = world.keystore.assign_encryption_key(pooled, "c" * 32, 1)
    with pytest.raises(PermissionDeniedError):
        world.ask(world.remote(), foreign)


def test_where_keys_are_delivered_nothing_is_unwrapped_and_the_reverse(world):
    release = world.evidence(manifest={"delivery": "sealed"})
    with pytest.raises(PermissionDeniedError, match="otherwise"):
        world.keystore.open(world.records, replace(release, policy=world.policy))


def test_a_release_where_keys_stay_holds_none(world):
    evidence = world.evidence(manifest={"delivery": "remote"})
    released = world.keystore.open(world.records, evidence)
    opened = hpke_open(world.device.hpke_private_key, evidence.manifest.encode(), released.sealed_keys)
    assert decode_released_keys(opened) == ()
    evidence.manifest.verify(released.signature, world.release_key.spki[-32:])


@pytest.mark.parametrize("key_bytes", [0, 1, 31, 33, 64, 4096])
def test_only_lengths_of_content_keys_are_answered(world, key_bytes):
    item = ContentKeyItem(key_id=world.item.key_id, recipient_info=world.info, key_bytes=key_bytes)
    with pytest.raises(InputError):
        world.ask(world.remote(item))


@pytest.mark.parametrize("encoded", [b"", b"\x30\x00", b"\x31\x00", b"x" * 100, b"\x30" * 20000])
def test_only_recipient_infos_are_accepted(world, encoded):
    item = ContentKeyItem(key_id=world.item.key_id, recipient_info=encoded, key_bytes=32)
    with pytest.raises(DecodingError):
        world.ask(world.remote(item))


@pytest.mark.parametrize("kind", KINDS)
def test_a_recipient_info_alone_opens_as_in_its_message(kind):
    private_key = KINDS[kind]()
    certificate = certificate_of(private_key.public_key())
    other = certificate_of(ec.generate_private_key(ec.SECP256R1()).public_key())
    message = enveloped.encrypt(CONTENT, [other, certificate], cipher="aes-128-gcm")
    pkcs8 = private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    found = []
    for wrapped in wrapped_keys(schema.load_content(message).recipient_infos.as_list()):
        encoded = encode_recipient_info(wrapped)
        alone = decode_recipient_info(encoded, 16)
        assert alone.recipient == wrapped.recipient
        found.append(unwrap_content_key(pkcs8, alone, encoded, bytes(32)))
    assert [len(key) for key in found] == [16, 16]
    opened = [key for key in found if opens(message, key)]
    assert len(opened) == 1


def opens(message, key):
    try:
        return enveloped.decrypt(message, lambda _: [Known(key)]).content == CONTENT
    except DecryptionError:
        return False


def test_what_no_private_key_opens_is_not_sent_anywhere():
    message = schema.load_content(enveloped.encrypt(CONTENT, [certificate_of(ISSUER.public_key())]))
    (wrapped,) = wrapped_keys(message.recipient_infos.as_list())
    kek = KEKRecipientInfo(
        version=4,
        kekid=KEKIdentifier(key_identifier=b"k", date=None, other=None),
        key_encryption_algorithm=wrapped.info.key_encryption_algorithm,
        encrypted_key=b"",
    )
    with pytest.raises(InputError):
        encode_recipient_info(replace(wrapped, info=kek))

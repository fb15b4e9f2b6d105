"""An organization with a log of two leaves, a device and a mailbox key: everything that `Keystore.open` wants to see."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealwright.keystore.model import (
    DeviceReleaseEvidence,
    LogEvidence,
    ProofBinding,
    ReleasePolicy,
    SignedRequestEvidence,
)
from sealwright.keystore.records import sign_with
from sealwright.keystore.release_rules import ReleaseRules
from sealwright.tlog.checkpoint import Checkpoint, sign_note
from sealwright.tlog.leaf import LeafRecord, commit
from sealwright.tlog.tree import leaf_hash, node_hash
from sealwright.wire.api import ReleaseRequest
from sealwright.wire.device import DevicePublicKeys
from sealwright.wire.encoding import sha256
from sealwright.wire.hpke import generate_hpke_key_pair
from sealwright.wire.manifest import RELEASED_STATES, ManifestKey, ReleaseManifest
from sealwright.wire.proof import proof_answer, proof_transcript
from sealwright.wire.signed_request import sign_request

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ORGANIZATION, MAILBOX, DEVICE, ENROLMENT = "a" * 32, "b" * 32, "d" * 32, "e" * 32
ORIGIN = "example.test/log"
URI = "https://kms.example.test/v1/releases"
NONCE, SALT, SIBLING = b"n" * 32, b"s" * 32, b"x" * 32


@dataclass
class Device:
    """A device with its private keys."""

    key: ec.EllipticCurvePrivateKey
    hpke_private_key: bytes
    public: DevicePublicKeys


def make_device():
    key, pair = ec.generate_private_key(ec.SECP256R1()), generate_hpke_key_pair()
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Device(key, pair.private_key, DevicePublicKeys(spki, pair.public_key))


def binding(device, mailbox=MAILBOX):
    expires = NOW + timedelta(hours=24)
    return ProofBinding(ORGANIZATION, "example.test", mailbox, "alice@example.test", ENROLMENT, device.public, expires)


def answer_for(device, begun):
    transcript = proof_transcript("example.test", "alice@example.test", device.public.thumbprint(), begun.server_nonce)
    return proof_answer(begun.part1, begun.part2, transcript)


class World:
    """The organization; `keystore` is the one under test, `opener` one in this process over the same seal."""

    def __init__(self, keystore, opener=None):
        self.keystore, self.opener = keystore, opener or keystore
        self.log_key = keystore.generate_service_key(ORGANIZATION, f"log/{ORIGIN}", "ed25519")
        self.release_key = keystore.generate_service_key(ORGANIZATION, "release", "ed25519")
        self.device = make_device()
        begun = keystore.begin_proof(binding(self.device))
        answer = answer_for(self.device, begun)
        self.credential = keystore.finish_proof(begun.sealed_proof, answer, DEVICE, NOW)
        self.policy = ReleasePolicy(keystore.vouch_release_rules(ORGANIZATION, ORGANIZATION, ReleaseRules(), 0))
        pooled = [keystore.generate_encryption_key(ORGANIZATION, "p256") for _ in range(2)]
        self.records = tuple(keystore.assign_encryption_key(key, MAILBOX, n) for n, key in enumerate(pooled, 1))

    def evidence(self, *, manifest=None, leaf=None, request=None, device=None, log_key=None, origin=ORIGIN):
        """Return evidence that is right but for the changes."""
        device = device or self.device
        keys = tuple(
            ManifestKey(
                record.identity.record_id,
                "classical",
                record.identity.generation,
                "ACTIVE",
                record.algorithm,
                sha256(record.spki),
            )
            for record in self.records
        )
        said = {"keys": keys, "device_thumbprint": self.device.public.thumbprint(), "request_nonce": NONCE}
        said |= {
            "organization_id": ORGANIZATION,
            "mailbox_id": MAILBOX,
            "leaf_hash": b"",
            "chain_number": 3,
            "delivery": "sealed",
        }
        said |= manifest or {}
        fields = {
            "device": said["device_thumbprint"].hex(),
            "nonce": said["request_nonce"].hex(),
            "keys": ",".join(key.spki_sha256.hex() for key in said["keys"] if key.state in RELEASED_STATES),
        }
        record = LeafRecord(
            **{
                "kind": "key.release",
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
        said["leaf_hash"] = said["leaf_hash"] or hashed
        key = log_key or self.log_key
        public = key.spki[-32:]  # RFC 8410: the key ends the SubjectPublicKeyInfo
        point = Checkpoint(origin, 2, node_hash(hashed, SIBLING))
        note = sign_note(point, origin, lambda m: sign_with(self.opener._open(key), "ed25519", m), public)
        asked = {"method": "POST", "uri": URI, "nonce": NONCE} | (request or {})
        body = msgspec.json.encode(ReleaseRequest(request_nonce=asked["nonce"], mailbox_id=asked.get("mailbox_id", "")))
        headers = sign_request(device.key, asked["method"], asked["uri"], body, NOW, "nonce", "retry")
        return DeviceReleaseEvidence(
            self.credential,
            self.policy,
            SignedRequestEvidence(asked["method"], asked["uri"], headers, body),
            LogEvidence(record, SALT, 0, 2, (SIBLING,), note),
            ReleaseManifest(**said),
        )

"""The check of a device release's evidence: every reason for which the keystore does not open a mailbox's keys."""

from urllib.parse import urlsplit

import msgspec

from sealwright.errors import PermissionDeniedError, SealwrightError
from sealwright.keystore.model import DeviceReleaseEvidence, LogEvidence, SealedRecord
from sealwright.keystore.vouching import Vouching
from sealwright.wire.api import LeafOpening, ReleaseRequest
from sealwright.wire.encoding import sha256
from sealwright.wire.leaf_check import check_leaf
from sealwright.wire.manifest import ReleaseManifest
from sealwright.wire.signed_request import verify_request

RELEASE_PATH = "/v1/releases"
BUILT_LEVELS = frozenset({1})
"""Release levels whose evidence is checked here; no policy of another is vouched for, and none is met."""
RELEASE_LEAF = "key.release"
UNKNOWN_MAILBOX = "0" * 32
NONCE_BYTES = 32


def check_device_release(
    records: tuple[SealedRecord, ...],
    evidence: DeviceReleaseEvidence,
    vouching: Vouching,
    log_origin: str,
    log_key: bytes,
) -> None:
    """Check all of the evidence.

    Args:
        records: What is to be opened, the manifest's released keys in its order.
        evidence: As handed in.
        vouching: Of this keystore.
        log_origin: Of the organization's log, from the registry.
        log_key: Raw Ed25519 public key of that log, 32 octets.

    Raises:
        PermissionDeniedError: If any part does not hold.
    """
    credential, policy, manifest = evidence.credential, evidence.policy, evidence.manifest
    # 1 Device and policy are as this keystore vouched for them, and of the manifest's organization.
    vouching.check_device(credential)
    vouching.check_policy(policy)
    _require(credential.organization_id == policy.organization_id, "the policy is of another organization")
    _require(credential.organization_id == manifest.organization_id, "the manifest is of another organization")
    # 2 The device is active, of the manifest's mailbox, and the one that the manifest names.
    _require(credential.state == "active", "the device was removed")
    _require(credential.mailbox_id == manifest.mailbox_id != UNKNOWN_MAILBOX, "the device is of another mailbox")
    _require(credential.device.thumbprint() == manifest.device_thumbprint, "the manifest names another device")
    # 3 The policy's level is met: the credential is the mailbox proof of level 1; the evidence holds nothing for more.
    _require(policy.level in BUILT_LEVELS, "the release policy asks for more than the mailbox proof")
    # 4 The device itself asked for this release.
    _check_request(evidence)
    # 5 The records are exactly the mailbox's keys that the manifest lists as released.
    _check_records(records, manifest)
    # 6 The leaf names this release and is in the log.
    _check_log(evidence.log, manifest, log_origin, log_key)


def _check_request(evidence: DeviceReleaseEvidence) -> None:
    request = evidence.request
    try:
        key = evidence.credential.device.load_authentication_key()
        headers = {name.lower(): value for name, value in request.headers.items()}
        verify_request(key, request.method, request.target_uri, headers, request.body)
        path = urlsplit(request.target_uri).path
        nonce = msgspec.json.decode(request.body, type=ReleaseRequest).request_nonce
    except (SealwrightError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise PermissionDeniedError("the release was not asked for by the device") from error
    _require(request.method == "POST" and path.endswith(RELEASE_PATH), "the device asked for something else")
    _require(
        len(nonce) == NONCE_BYTES and nonce == evidence.manifest.request_nonce, "the manifest answers another request"
    )


def _check_records(records: tuple[SealedRecord, ...], manifest: ReleaseManifest) -> None:
    listed = manifest.released_keys()
    _require(bool(records) and len(records) == len(listed), "the manifest lists other keys than were handed in")
    _require(len({key.key_id for key in manifest.keys}) == len(manifest.keys), "the manifest lists a key twice")
    for record, key in zip(records, listed, strict=True):
        identity = record.identity
        _require(identity.kind == "encryption-key", "a record is no encryption key")
        _require(identity.organization_id == manifest.organization_id, "a record is of another organization")
        _require(identity.owner == manifest.mailbox_id, "a record is of another mailbox")
        described = (identity.record_id, identity.generation, record.algorithm, sha256(record.spki))
        wanted = (key.key_id, key.generation, key.algorithm, key.spki_sha256)
        _require(described == wanted, "a record is not the key that the manifest lists")


def _check_log(log: LogEvidence, manifest: ReleaseManifest, log_origin: str, log_key: bytes) -> None:
    opening = LeafOpening(
        index=log.index,
        salt=log.salt,
        record=log.record,
        leaf_hash=manifest.leaf_hash,
        tree_size=log.tree_size,
        inclusion_proof=log.inclusion_proof,
    )
    # a Record, salt and the manifest's leaf hash belong together; the leaf is included under this log's key.
    try:
        record = check_leaf(opening, log.checkpoint, log_origin, log_key)
    except SealwrightError as error:
        raise PermissionDeniedError("the release is not in the organization's log") from error
    # b It is a release of this mailbox, at the manifest's place in the mailbox's chain.
    said = (record.kind, record.organization_id, record.chain_id, record.chain_number)
    wanted = (RELEASE_LEAF, manifest.organization_id, manifest.mailbox_id, manifest.chain_number)
    _require(said == wanted, "the leaf is of another act")
    # c It names device, request and every key that leaves.
    fields = {
        "device": manifest.device_thumbprint.hex(),
        "nonce": manifest.request_nonce.hex(),
        "keys": ",".join(key.spki_sha256.hex() for key in manifest.released_keys()),
    }
    _require(all(record.fields.get(name) == value for name, value in fields.items()), "the leaf is of another release")


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise PermissionDeniedError(reason)

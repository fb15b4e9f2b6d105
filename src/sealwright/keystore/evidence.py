"""The check of a device release's evidence: every reason for which the keystore does not open a mailbox's keys."""

from datetime import datetime

from sealwright.errors import PermissionDeniedError, SealwrightError
from sealwright.keystore.access import DeviceAccess
from sealwright.keystore.device_request import read_device_request
from sealwright.keystore.memberships import Memberships
from sealwright.keystore.model import UNKNOWN_MAILBOX, DeviceReleaseEvidence, LogEvidence, SealedRecord
from sealwright.tlog.leaf import LeafRecord
from sealwright.wire.api import REQUEST_NONCE_BYTES, LeafOpening, ReleaseRequest
from sealwright.wire.encoding import sha256
from sealwright.wire.leaf_check import check_leaf
from sealwright.wire.manifest import ReleaseManifest

RELEASE_PATH = "/v1/releases"
RELEASE_LEAF = "key.release"


def check_device_release(
    records: tuple[SealedRecord, ...],
    evidence: DeviceReleaseEvidence,
    access: DeviceAccess,
    memberships: Memberships,
    now: datetime,
    log_origin: str,
    log_key: bytes,
) -> None:
    """Check all of the evidence.

    Args:
        records: What is to be opened, the manifest's released keys in its order.
        evidence: As handed in.
        access: Of this keystore.
        memberships: Of this keystore.
        now: By the keystore's own clock.
        log_origin: Of the organization's log, from the registry.
        log_key: Raw Ed25519 public key of that log, 32 octets.

    Raises:
        ApprovalsMissingError: If the policy's level is higher than the device's.
        PermissionDeniedError: If any other part does not hold.
    """
    credential, policy, manifest = evidence.credential, evidence.policy, evidence.manifest
    require(credential.organization_id == manifest.organization_id, "the manifest is of another organization")
    if evidence.member is None:
        # 1 The device is active, as this keystore vouched for it, and meets the policy of its mailbox.
        access.check_access(credential, policy, now, evidence.source)
        # 2 It is of the manifest's mailbox, and the one that the manifest names.
        require(credential.mailbox_id == manifest.mailbox_id != UNKNOWN_MAILBOX, "the device is of another mailbox")
    else:
        # 1 The device meets the policy of its owner's mailbox, and below that of the shared one.
        access.check_access(credential, evidence.member.policy, now, evidence.source)
        # 2 Its owner is a member, and it is the device that the manifest names.
        row, owner = evidence.member.membership, credential.mailbox_id
        memberships.check(row, manifest.organization_id, manifest.mailbox_id, owner)
    rules = access.rules_of(policy, manifest.organization_id, manifest.mailbox_id)
    rules.check(credential.level, now, evidence.source)
    require(manifest.delivery == rules.delivery, "the policy delivers keys otherwise")
    require(credential.device.thumbprint() == manifest.device_thumbprint, "the manifest names another device")
    # 3 The device itself asked for this release.
    _check_request(evidence)
    # 4 The records are exactly the mailbox's keys that the manifest lists as released.
    check_records(records, manifest)
    # 5 The leaf names this release and is in the log.
    check_log(evidence.log, manifest, log_origin, log_key, RELEASE_LEAF)


def _check_request(evidence: DeviceReleaseEvidence) -> None:
    asked = read_device_request(
        evidence.request,
        evidence.credential.device,
        RELEASE_PATH,
        ReleaseRequest,
        "the release was not asked for by the device",
    )
    mailbox_id = asked.mailbox_id or evidence.credential.mailbox_id
    require(mailbox_id == evidence.manifest.mailbox_id, "the device asked for the keys of another mailbox")
    nonce = asked.request_nonce
    is_answered = len(nonce) == REQUEST_NONCE_BYTES and nonce == evidence.manifest.request_nonce
    require(is_answered, "the manifest answers another request")


def check_records(records: tuple[SealedRecord, ...], manifest: ReleaseManifest) -> None:
    """Check that records are exactly the keys that a manifest gives out.

    Raises:
        PermissionDeniedError: If not.
    """
    listed = manifest.released_keys()
    require(bool(records) and len(records) == len(listed), "the manifest lists other keys than were handed in")
    require(len({key.key_id for key in manifest.keys}) == len(manifest.keys), "the manifest lists a key twice")
    for record, key in zip(records, listed, strict=True):
        identity = record.identity
        require(identity.kind == "encryption-key", "a record is no encryption key")
        require(identity.organization_id == manifest.organization_id, "a record is of another organization")
        require(identity.owner == manifest.mailbox_id, "a record is of another mailbox")
        described = (identity.record_id, identity.generation, record.algorithm, sha256(record.spki))
        wanted = (key.key_id, key.generation, key.algorithm, key.spki_sha256)
        require(described == wanted, "a record is not the key that the manifest lists")


def check_log(log: LogEvidence, manifest: ReleaseManifest, log_origin: str, log_key: bytes, kind: str) -> LeafRecord:
    """Check that a leaf of a kind is in the log and names all that the manifest gives out; return its record.

    Raises:
        PermissionDeniedError: If not.
    """
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
    wanted = (kind, manifest.organization_id, manifest.mailbox_id, manifest.chain_number)
    require(said == wanted, "the leaf is of another act")
    # c It names device, request and every key that leaves.
    fields = {
        "device": manifest.device_thumbprint.hex(),
        "nonce": manifest.request_nonce.hex(),
        "keys": ",".join(key.spki_sha256.hex() for key in manifest.released_keys()),
    }
    require(all(record.fields.get(name) == value for name, value in fields.items()), "the leaf is of another release")
    return record


def require(holds: bool, reason: str) -> None:
    """Check one condition.

    Raises:
        PermissionDeniedError: If it does not hold.
    """
    if not holds:
        raise PermissionDeniedError(reason)

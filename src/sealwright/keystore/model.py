"""The values that travel between the keystore and who asks it (`keystore.protocol`): records, rows that it vouches for, evidence.

Records are sealed: AES-256-GCM under a storage key of the organization, with the algorithm, the storage key's version and
the record's identity as associated data. The keystore keeps no records itself; callers persist them and hand them in.
What it refuses to believe from a caller is *permission*: a record is opened only against evidence the keystore checks.
"""

from dataclasses import dataclass, field
from datetime import datetime

from sealwright.wire.api import LeafOpening
from sealwright.wire.approvals import ApprovalStatement, Proposal
from sealwright.wire.device import DevicePublicKeys
from sealwright.wire.manifest import ReleaseManifest
from sealwright.wire.recovery import RecoveryManifest

POOL = "pool"
"""Owner of a ready key that belongs to no mailbox yet."""
UNKNOWN_MAILBOX = "0" * 32
"""Mailbox of an enrolment for an address that nobody has: its proof can never succeed."""


@dataclass(frozen=True, slots=True)
class RecordIdentity:
    """What a sealed record is; bound to the ciphertext as associated data.

    Attributes:
        kind: "encryption-key", "service-key", "secret", "proof" or "password".
        organization_id: 32 hex digits.
        record_id: 32 hex digits, the key's or secret's identifier.
        owner: The mailbox's id, `POOL`, or the purpose of a service key or secret.
        generation: Of an encryption key; 0 elsewhere and in the pool.
    """

    kind: str
    organization_id: str
    record_id: str
    owner: str
    generation: int = 0


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """Ciphertext with all that is needed to find the key for it again.

    Attributes:
        identity: What it is.
        algorithm: Of the content: "rsa-3072", "p256", "ed25519", "secret" ...
        storage_key_version: Which storage key sealed it.
        ciphertext: Nonce (12) || AES-256-GCM ciphertext || tag (16).
        spki: DER SubjectPublicKeyInfo for keys, else empty.
    """

    identity: RecordIdentity
    algorithm: str
    storage_key_version: int
    ciphertext: bytes = field(repr=False)
    spki: bytes = b""


@dataclass(frozen=True, slots=True)
class ProofBinding:
    """What a mailbox proof is for; everything of it goes into the transcript or the sealed proof.

    Attributes:
        organization_id: 32 hex digits.
        domain: The organization's domain.
        mailbox_id: 32 hex digits; 32 zeros for an unknown address (the proof can then never succeed).
        address: Canonical addr-spec.
        enrolment_id: 32 hex digits.
        device: The new device's keys.
        expires: Aware UTC.
    """

    organization_id: str
    domain: str
    mailbox_id: str
    address: str
    enrolment_id: str
    device: DevicePublicKeys
    expires: datetime


@dataclass(frozen=True, slots=True)
class BegunProof:
    """A challenge as made.

    Attributes:
        part1: 32 octets; for the mail alone.
        part2: 32 octets; for the HTTPS answer.
        server_nonce: 32 octets; for the HTTPS answer.
        sealed_proof: To persist; holds binding, both parts and nonce.
    """

    part1: bytes = field(repr=False)
    part2: bytes = field(repr=False)
    server_nonce: bytes
    sealed_proof: SealedRecord


@dataclass(frozen=True, slots=True)
class DeviceCredential:
    """A device row as evidence: what the keystore authenticated when the proof was right.

    Attributes:
        organization_id: 32 hex digits.
        mailbox_id: 32 hex digits.
        device_id: 32 hex digits.
        device: Its keys.
        state: "active", "locked" or "removed".
        version: Grows with each change of state or level.
        mac: HMAC-SHA256 by the keystore over all of the above and the level.
        level: 1 to 4, the highest release level whose factor it has proved.
        address: Whose mailbox it proved, canonical addr-spec.
    """

    organization_id: str
    mailbox_id: str
    device_id: str
    device: DevicePublicKeys
    state: str
    version: int
    mac: bytes = field(repr=False)
    level: int = 1
    address: str = ""


@dataclass(frozen=True, slots=True)
class VouchedRow:
    """A row that the keystore must be able to trust.

    Attributes:
        kind: "release-policy", "release-mailbox", "role" ...
        organization_id: 32 hex digits.
        row_id: 32 hex digits.
        version: Grows with each change; an older row put back is refused (`keystore.versions`).
        content: What it says, made with `encode_fields`.
        mac: HMAC-SHA256 by the keystore over all of the above.
    """

    kind: str
    organization_id: str
    row_id: str
    version: int
    content: bytes
    mac: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReleasePolicy:
    """The release policy of a mailbox as evidence: the rows that say what holds for it.

    Attributes:
        organization: Kind "release-policy" with the organization's id as row id.
        mailbox: Kind "release-mailbox" with the mailbox's id; None while nothing special was ever said of it.
        group: Kind "release-policy" with the id of the group that `mailbox` names, or None.
    """

    organization: VouchedRow
    mailbox: VouchedRow | None = None
    group: VouchedRow | None = None


@dataclass(frozen=True, slots=True)
class SignedRequestEvidence:
    """A request as the device signed it (`wire.signed_request`), verbatim."""

    method: str
    target_uri: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class LogEvidence:
    """Proof that the act's leaf is in the log.

    Attributes:
        record: Canonical leaf record.
        salt: 32 octets.
        index: Position.
        tree_size: Of the checkpoint.
        inclusion_proof: Audit path.
        checkpoint: Signed note.
    """

    record: bytes
    salt: bytes = field(repr=False)
    index: int
    tree_size: int
    inclusion_proof: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class DeviceReleaseEvidence:
    """Why a device may have a mailbox's keys.

    The keystore checks: all MACs and versions; the device is active and of this mailbox; the policy's rules hold for its
    level, the time and the source (`keystore.access`); the request is signed by the device's authentication key,
    is a POST to a path ending in /v1/releases and carries the manifest's nonce; every record belongs to the manifest's
    mailbox with the state's generation; the leaf is "key.release", names device, nonce and every SPKI hash, and is
    included in a checkpoint under the organization's log key.

    Attributes:
        credential: The device.
        policy: Of its mailbox.
        request: As signed.
        log: The leaf.
        manifest: What is released.
        source: IP address that the request came from; only the caller knows it.
        member: For a shared mailbox, why its keys may go to a device of somebody's own mailbox.
        state_rows: Of those keys of the mailbox whose state people decided on (`keystore.key_states`).
    """

    credential: DeviceCredential
    policy: ReleasePolicy
    request: SignedRequestEvidence
    log: LogEvidence
    manifest: ReleaseManifest
    source: str = ""
    member: "MemberEvidence | None" = None
    state_rows: tuple[VouchedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class MemberEvidence:
    """Why a person may have the keys of a shared mailbox.

    Attributes:
        membership: Kind "membership" (`keystore.memberships`): joined, and not left since.
        policy: Of the member's own mailbox, which must be met as well as the shared one's.
    """

    membership: VouchedRow
    policy: ReleasePolicy


@dataclass(frozen=True, slots=True)
class RemoteDecryptEvidence:
    """Why content keys are unwrapped for a device.

    The keystore checks: the device and its policy as for a release; that the policy keeps keys here; the request's
    signature; that the records are the mailbox's keys that its items name, in states in which they decrypt; the "key.use"
    leaf, which names device, request and keys.

    Attributes:
        credential: The device.
        policy: Of its mailbox.
        request: As signed; a `wire.content_keys.ContentKeyRequest`.
        state_rows: Of those keys of the mailbox whose state people decided on (`keystore.key_states`).
        leaf: Opened.
        checkpoint: That includes it.
        source: IP address that the request came from; only the caller knows it.
    """

    credential: DeviceCredential
    policy: ReleasePolicy
    request: SignedRequestEvidence
    leaf: LeafOpening
    checkpoint: str
    source: str = ""
    state_rows: tuple[VouchedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class SealedRelease:
    """What leaves the keystore: only HPKE ciphertext and a signature.

    Attributes:
        sealed_keys: HPKE ciphertext with `info` = the manifest's encoding, or `content_keys_info`.
        signature: Ed25519 by the organization's release key over the manifest's encoding, or `content_keys_input`.
    """

    sealed_keys: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedImportKey:
    """What keys of another system are sealed to.

    Attributes:
        public_key: HPKE, 1,216 octets.
        signature: Ed25519 by the organization's release key (`wire.key_import`).
    """

    public_key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedApproval:
    """One person's decision.

    Attributes:
        statement: What the device signed.
        signature: ECDSA P-256, DER.
        role: The approver's row of kind "role".
        credential: The device.
    """

    statement: ApprovalStatement
    signature: bytes
    role: VouchedRow
    credential: DeviceCredential


@dataclass(frozen=True, slots=True)
class ApprovalEvidence:
    """A proposal and all decisions on it (`keystore.approvals`)."""

    proposal: Proposal
    approvals: tuple[SignedApproval, ...]


@dataclass(frozen=True, slots=True)
class FactorEvidence:
    """What a device shows beyond its mailbox proof.

    Attributes:
        kind: "password" (level 2), "new-password" (2), "secret" (3), "approval" (3) or "sign-on" (4).
        sealed: What the device sealed to the keystore's key (`wire.factors`); empty for an approval.
        password: The mailbox's protection password, as `Qualified` brought it, if there is one.
        secret: Row of the enrolment secret, kind "enrolment-secret".
        approver: Device that approves: another one of the mailbox, or an administrator's or security officer's.
        role: The approver's row of kind "role", where the device is of another mailbox.
        signed_at: When, as it signed.
        signature: Its signature over `wire.factors.DeviceApproval`.
        sign_on: Row of the organization's sign-on, kind "sign-on".
    """

    kind: str
    sealed: bytes = field(default=b"", repr=False)
    password: SealedRecord | None = None
    secret: VouchedRow | None = None
    approver: DeviceCredential | None = None
    role: VouchedRow | None = None
    signed_at: datetime | None = None
    signature: bytes = b""
    sign_on: VouchedRow | None = None


@dataclass(frozen=True, slots=True)
class Qualified:
    """A device after a right factor.

    Attributes:
        credential: To store in place of the old one.
        password: To store, if a new protection password was set.
    """

    credential: DeviceCredential
    password: SealedRecord | None = None


@dataclass(frozen=True, slots=True)
class MadeSecret:
    """An enrolment secret.

    Attributes:
        secret: 20 characters; shown once, kept nowhere.
        row: To store.
    """

    secret: str = field(repr=False)
    row: VouchedRow


@dataclass(frozen=True, slots=True)
class ExitEvidence:
    """Why an organization's keys are given out to one device (`keystore.exits`).

    Attributes:
        approval: The proposal and all decisions on it.
        requester: The device that gets the keys.
        requester_role: The requester's row of kind "role".
        request: As the device signed it; a `wire.exits.ExitKeysRequest`.
        log: The mailbox's leaf.
        manifest: Of one mailbox.
        state_rows: Of those keys of the mailbox whose state people decided on (`keystore.key_states`).
    """

    approval: ApprovalEvidence
    requester: DeviceCredential
    requester_role: VouchedRow
    request: SignedRequestEvidence
    log: LogEvidence
    manifest: ReleaseManifest
    state_rows: tuple[VouchedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class AnnouncementEvidence:
    """Why a recovery may be announced (`keystore.recovery`).

    The keystore checks: M approvals by recovery officers over the whole request, the requester not among them, none expired,
    no veto; the rule's row and version; the lives of request and approvals; the requester's role; that the requester's
    device is active, the one that was approved, and of the rule's level.

    Attributes:
        approval: Proposal of kind "key.recovery" and all decisions on it.
        rule: Row of kind "recovery-rule".
        requester_role: The requester's row of kind "role".
        requester: The device that the keys are for.
    """

    approval: ApprovalEvidence
    rule: VouchedRow
    requester_role: VouchedRow
    requester: DeviceCredential


@dataclass(frozen=True, slots=True)
class RecoveryEvidence:
    """Why another person may have a mailbox's keys, or the content keys of named messages.

    The keystore checks the terms again, now; that it announced this itself and the delay is over; the device's own request,
    whose RecipientInfos must be among the approved ones; the manifest and the records; and that both leaves name the whole
    recovery, in the owner's chain or, within the legal delay, in the deferred one, under the organization's log key.

    Attributes:
        terms: As for the announcement, with all rows as they are now.
        announcement: Row of kind "recovery".
        request: As the device signed it; a `wire.recovery.RecoveryFetch`.
        notice: The "recovery.announce" leaf.
        notice_checkpoint: That includes it.
        leaf: The "key.recover" leaf.
        checkpoint: That includes it.
        manifest: What is given out.
        state_rows: Of those keys of the mailbox whose state people decided on (`keystore.key_states`).
    """

    terms: AnnouncementEvidence
    announcement: VouchedRow
    request: SignedRequestEvidence
    notice: LeafOpening
    notice_checkpoint: str
    leaf: LeafOpening
    checkpoint: str
    manifest: RecoveryManifest
    state_rows: tuple[VouchedRow, ...] = ()

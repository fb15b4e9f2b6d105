"""Request and answer types of the HTTP interface for devices (`/v1`); JSON, bytes as base64, times as RFC 3339 in UTC.

Requests refuse unknown fields; answers may grow. Identifiers are 32 lower-case hex digits.
"""

from typing import Final

from msgspec import Struct

from sealwright.wire.device import DevicePublicKeys
from sealwright.wire.encoding import AwareDatetime
from sealwright.wire.manifest import ReleaseManifest


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of requests."""


class Answer(Struct, frozen=True, kw_only=True):
    """Base of answers."""


# --- mailbox proof -----------------------------------------------------------------------------------------------------


class EnrolmentRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/enrolments: ask for a mailbox challenge. Signed with the new authentication key."""

    address: str
    device: DevicePublicKeys
    device_name: str
    platform: str


class EnrolmentAnswer(Answer, frozen=True, kw_only=True):
    """201, the same for known and unknown addresses.

    Attributes:
        enrolment_id: Names the challenge here and in the mail.
        part2: 32 octets.
        server_nonce: 32 octets.
        expires: At most 24 hours away.
    """

    enrolment_id: str
    part2: bytes
    server_nonce: bytes
    expires: AwareDatetime


class ProofRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/enrolments/{id}/proof: the HMAC of `wire.proof`. Signed with the new authentication key."""

    answer: bytes


class AccessToken(Answer, frozen=True, kw_only=True):
    """A DPoP-bound access token (RFC 9449); `access_token` is opaque."""

    access_token: str
    expires: AwareDatetime

    def __repr__(self) -> str:
        return f"AccessToken(expires={self.expires!r})"


class EnrolledAnswer(Answer, frozen=True, kw_only=True):
    """200 after a right proof: who the device now is."""

    organization_id: str
    mailbox_id: str
    device_id: str
    address: str
    display_name: str
    release_level: int
    token: AccessToken


# --- keys --------------------------------------------------------------------------------------------------------------


REQUEST_NONCE_BYTES: Final = 32
"""Of the nonce that a device chooses for a request for keys."""


class ReleaseRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/releases: all generations, sealed to the device that asks.

    Attributes:
        request_nonce: 32 octets chosen by the device; they come back in the manifest.
        mailbox_id: A shared mailbox that the device's owner is a member of; the own mailbox where it is empty.
    """

    request_nonce: bytes
    mailbox_id: str = ""


class LeafOpening(Answer, frozen=True, kw_only=True):
    """A log leaf with what is needed to check it.

    Attributes:
        index: Position in the log.
        salt: 32 octets.
        record: The canonical record (`tlog.leaf`), JSON bytes.
        leaf_hash: RFC 6962 leaf hash of the commitment.
        tree_size: Size of the tree that `inclusion_proof` is for.
        inclusion_proof: RFC 9162 section 2.1.3 audit path, 32 octets each.
    """

    index: int
    salt: bytes
    record: bytes
    leaf_hash: bytes
    tree_size: int
    inclusion_proof: tuple[bytes, ...]


class KeyCertificate(Answer, frozen=True, kw_only=True):
    """A certificate of one key of the history, with its chain up to but without the root; DER."""

    key_id: str
    certificate: bytes
    chain: tuple[bytes, ...]


class ReleaseAnswer(Answer, frozen=True, kw_only=True):
    """All keys of the mailbox.

    Attributes:
        manifest: What the KMS says; its encoding is also the HPKE `info`.
        signature: Ed25519 by the release key.
        sealed_keys: `hpke_seal(device key, manifest.encode(), encode_released_keys(...))`.
        certificates: Every certificate of each key, newest first: old mail names old ones by issuer and serial number.
        leaf: The "key.release" leaf, included in `checkpoint`.
        checkpoint: C2SP signed note, text.
    """

    manifest: ReleaseManifest
    signature: bytes
    sealed_keys: bytes
    certificates: tuple[KeyCertificate, ...]
    leaf: LeafOpening
    checkpoint: str


class CertificateRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/certificates: a certificate for the device's signing key.

    Attributes:
        certification_request: PKCS#10 DER, self-signed; only the key and the proof of possession are taken from it.
        mailbox_id: A shared mailbox that the device's owner is a member of; the own mailbox where it is empty.
    """

    certification_request: bytes
    mailbox_id: str = ""


class CertificateAnswer(Answer, frozen=True, kw_only=True):
    """A certificate and its chain up to but without the root; DER."""

    certificate: bytes
    chain: tuple[bytes, ...]


class ExportRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/exports: ask for permission (`export_key`) to write a key of the mailbox to a PKCS#12 file."""

    key_id: str


class ExportAnswer(Answer, frozen=True, kw_only=True):
    """200: permitted, with its leaf."""

    leaf: LeafOpening
    checkpoint: str


# --- devices and the sync feed -------------------------------------------------------------------------------------------


class DeviceView(Answer, frozen=True, kw_only=True):
    """A device of the mailbox. `state` is "active", "locked" or "removed"; `level` what it has proved, 1 to 4."""

    device_id: str
    name: str
    platform: str
    thumbprint: bytes
    enrolled: AwareDatetime
    state: str
    this_device: bool
    level: int = 1


class DeviceList(Answer, frozen=True, kw_only=True):
    """GET /v1/devices. DELETE /v1/devices/{id} answers 204."""

    devices: tuple[DeviceView, ...]


class DeviceStateRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/devices/{id}/state: 204. `state` is "locked" or "active"."""

    state: str


class SharedMailboxView(Answer, frozen=True, kw_only=True):
    """A shared mailbox that the device's owner is a member of."""

    mailbox_id: str
    address: str
    display_name: str


class SharedMailboxes(Answer, frozen=True, kw_only=True):
    """GET /v1/shared-mailboxes: all of them, by address."""

    mailboxes: tuple[SharedMailboxView, ...]


class SyncItem(Answer, frozen=True, kw_only=True):
    """One item of the feed, sealed to this device.

    Attributes:
        number: Grows; ask for what is after the last one seen.
        sealed: `hpke_seal(device key, sync_item_info(...), JSON of SyncNotice)`.
    """

    number: int
    sealed: bytes


class SyncAnswer(Answer, frozen=True, kw_only=True):
    """GET /v1/sync?after=N. A device that is `locked` removes its keys and gets no items."""

    items: tuple[SyncItem, ...]
    locked: bool = False


class SyncNotice(Answer, frozen=True, kw_only=True):
    """What a sync item says.

    Attributes:
        kind: "device-added", "device-removed", "device-locked", "device-unlocked", "device-waiting", "device-approved",
            "password-changed", "key-rotated", "key-imported", "shared-mailbox", "certificate-issued",
            "approval-asked", "recovery-announced", "key-recovered", "recovery-approved" or "certificate-revoked".
        time: When.
        subject: The device's name, or the key's identifier.
        thumbprint: The device's thumbprint, or empty.
        leaf_hash: The leaf that backs the notice.
    """

    kind: str
    time: AwareDatetime
    subject: str
    thumbprint: bytes
    leaf_hash: bytes


# --- the owner's log -----------------------------------------------------------------------------------------------------


class ChainAnswer(Answer, frozen=True, kw_only=True):
    """GET /v1/log/chain?after=N: the leaves of the mailbox's chain, in order, with proofs to one checkpoint.

    Attributes:
        chain_id: The mailbox's id.
        leaves: At most 1000; the rest is asked for again.
        head_number: Number of the chain's newest record under that checkpoint; 0 if there is none.
        head_hash: Its commitment, 32 octets; zero octets if there is none.
        checkpoint: C2SP signed note, text.
        map_siblings: Of the proof that the checkpoint's map says so (`tlog.map.MapProof`).
        map_other: Of the same proof.
    """

    chain_id: str
    leaves: tuple[LeafOpening, ...]
    head_number: int
    head_hash: bytes
    checkpoint: str
    map_siblings: tuple[bytes, ...]
    map_other: bytes


class ConsistencyAnswer(Answer, frozen=True, kw_only=True):
    """GET /v1/log/consistency?first=M&second=N: RFC 9162 section 2.1.4 proof, 32 octets each."""

    proof: tuple[bytes, ...]


class CosignedAnswer(Answer, frozen=True, kw_only=True):
    """GET /v1/log/cosigned: the newest checkpoint with its witnesses' cosignatures, C2SP signed note, text."""

    checkpoint: str


class BreaksAnswer(Answer, frozen=True, kw_only=True):
    """GET /v1/log/breaks: notes of log breaks (`wire.log_break`), newest first."""

    breaks: tuple[str, ...]


class OpenedLeaf(Answer, frozen=True, kw_only=True):
    """A leaf's place in the log, its salt (32 octets) and its canonical record (`tlog.leaf`), JSON bytes."""

    index: int
    salt: bytes
    record: bytes


class LeavesAnswer(Answer, frozen=True, kw_only=True):
    """GET /v1/log/leaves?first=N: at most 256 leaves from index N on, in order; none at the log's end."""

    leaves: tuple[OpenedLeaf, ...]


class ReportAnswer(Answer, frozen=True, kw_only=True):
    """GET /v1/log/report?day=YYYY-MM-DD: the files of a daily report (`wire.report`), by name."""

    files: dict[str, bytes]


# --- directory -----------------------------------------------------------------------------------------------------------


class DirectoryCertificate(Answer, frozen=True, kw_only=True):
    """One usable encryption certificate with its chain, DER, best first.

    Attributes:
        capabilities: SMIMECapabilities DER, or empty where unknown.
    """

    certificate: bytes
    chain: tuple[bytes, ...]
    capabilities: bytes = b""


class DirectoryEntry(Answer, frozen=True, kw_only=True):
    """What the directory knows of one address; unknown and hidden both have no certificates."""

    address: str
    certificates: tuple[DirectoryCertificate, ...]


class DirectoryQuery(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/directory/search: the recipients of one mail, at most 500."""

    addresses: tuple[str, ...]


class DirectoryAnswer(Answer, frozen=True, kw_only=True):
    """Entries in the order of the query. GET /v1/directory/certificates?address=A answers one DirectoryEntry."""

    entries: tuple[DirectoryEntry, ...]

"""Recovery under a quorum, checked where the keys are: every reason for which another person does not get a mailbox's keys.

A recovery has two acts here. It is *announced* once enough officers approved: the keystore writes down when, by its own clock,
so that no delay can be shortened. It is *carried out* against the announcement and all of the evidence once more.
"""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from sealwright.cms.decryptors import WrappedKey
from sealwright.cms.recipient_encoding import decode_recipient_info
from sealwright.errors import (
    ApprovalsMissingError,
    ConflictError,
    DecodingError,
    PermissionDeniedError,
    SealwrightError,
)
from sealwright.keystore.approvals import Approvers, read_approved
from sealwright.keystore.device_request import read_device_request
from sealwright.keystore.evidence import require
from sealwright.keystore.model import (
    UNKNOWN_MAILBOX,
    AnnouncementEvidence,
    ApprovalEvidence,
    RecoveryEvidence,
    SealedRecord,
    VouchedRow,
)
from sealwright.keystore.versions import RowName, Versions
from sealwright.keystore.vouching import Vouching
from sealwright.tlog.leaf import LeafRecord
from sealwright.wire.approvals import Proposal
from sealwright.wire.content_keys import MAX_ITEMS, ContentKeyItem
from sealwright.wire.encoding import decode_fields, encode_fields, sha256
from sealwright.wire.leaf_check import check_leaf
from sealwright.wire.recovery import (
    ANNOUNCE_LEAF,
    RECOVER_LEAF,
    RECOVERY,
    RULE,
    RULE_CHANGE,
    RecoveryFetch,
    RecoveryRequest,
    RecoveryRule,
    RecoveryRuleChange,
    deferred_chain,
    items_digest,
)
from sealwright.wire.roles import RECOVERY_OFFICER

ANNOUNCEMENT = "recovery"
_PURPOSE = "sealwright recovery announcement"


@dataclass(frozen=True, slots=True)
class Announcement:
    """What the keystore wrote down when a recovery was approved.

    Attributes:
        subject_sha256: The proposal's digest.
        release_at: Before this nothing is given out; aware UTC, whole seconds.
        owner_at: When the owner is told at the latest.
    """

    subject_sha256: bytes
    release_at: datetime
    owner_at: datetime

    def encode(self) -> bytes:
        """Encode as the content of a vouched row."""
        times = (str(int(time.timestamp())).encode("ascii") for time in (self.release_at, self.owner_at))
        return encode_fields(_PURPOSE, 1, self.subject_sha256, *times)

    @classmethod
    def decode(cls, encoded: bytes) -> Self:
        """Decode what `encode` made.

        Raises:
            DecodingError: If it is not that.
        """
        fields = decode_fields(_PURPOSE, 1, encoded)
        try:
            subject, *times = fields
            release_at, owner_at = (datetime.fromtimestamp(int(time), UTC) for time in times)
        except (ValueError, OverflowError) as error:
            raise DecodingError("not the announcement of a recovery") from error
        return cls(subject, release_at, owner_at)


class Recoveries:
    """Vouches for rules and announcements, and checks the evidence of a recovery.

    Args:
        vouching: MACs of this keystore.
        versions: The newest version of each row.
        approvers: Checks approvals.
    """

    def __init__(self, vouching: Vouching, versions: Versions, approvers: Approvers) -> None:
        self._vouching, self._versions, self._approvers = vouching, versions, approvers

    def vouch_rule(
        self,
        organization_id: str,
        rule: RecoveryRule,
        from_version: int,
        evidence: ApprovalEvidence | None,
        now: datetime,
    ) -> VouchedRow:
        """Vouch for an organization's rule; its row id is the organization's.

        Args:
            organization_id: 32 hex digits.
            rule: From then on.
            from_version: Of the row that this follows; 0 for the first.
            evidence: Approvals by two security officers; not needed while there are fewer of them.
            now: By the keystore's own clock.

        Raises:
            InputError: If the rule cannot be kept.
            ApprovalsMissingError: If it has to be approved and was not.
            PermissionDeniedError: If the approvals are for something else.
            ConflictError: If there is a newer row.
        """
        content = rule.encode()
        if self._approvers.needs_officers(organization_id):
            approved = self._approvers.check_officers(evidence, kind=RULE_CHANGE, what="a recovery rule", now=now)
            said = read_approved(approved.proposal, RecoveryRuleChange)
            wanted = (organization_id, RecoveryRuleChange(rule=rule, from_version=from_version))
            require((approved.proposal.organization_id, said) == wanted, "the approvals are for another rule")
        version = self._versions.advance(RowName(RULE, organization_id, organization_id), from_version, content)
        return self._vouching.vouch_row(VouchedRow(RULE, organization_id, organization_id, version, content, b""))

    def announce(self, evidence: AnnouncementEvidence, now: datetime) -> VouchedRow:
        """Write down that a recovery is approved, and when; again, it is what was written down first.

        Args:
            evidence: Approvals, rule and requester.
            now: By the keystore's own clock.

        Raises:
            ApprovalsMissingError: If too few approved.
            PermissionDeniedError: If any part of the evidence does not hold.
        """
        rule, _ = self._check_approved(evidence, now)
        proposal = evidence.approval.proposal
        name = RowName(ANNOUNCEMENT, proposal.organization_id, proposal.proposal_id)
        newest = self._versions.newest(name)
        if newest.version == 0:
            begun = now.replace(microsecond=0)
            made = Announcement(
                proposal.digest(),
                begun + timedelta(seconds=rule.release_delay_seconds),
                begun + timedelta(seconds=rule.owner_delay_seconds),
            )
            with contextlib.suppress(ConflictError):  # another process was first
                self._versions.advance(name, 0, made.encode())
            newest = self._versions.newest(name)
        row = VouchedRow(ANNOUNCEMENT, name.organization_id, name.row_id, newest.version, newest.content, b"")
        return self._vouching.vouch_row(row)

    def check(
        self,
        records: tuple[SealedRecord, ...],
        evidence: RecoveryEvidence,
        now: datetime,
        log_origin: str,
        log_key: bytes,
    ) -> tuple[tuple[SealedRecord, WrappedKey, bytes], ...]:
        """Check all of the evidence, and write down that the approvals are used.

        Args:
            records: The manifest's released keys in its order; of messages, the key of each item.
            evidence: As handed in.
            now: By the keystore's own clock.
            log_origin: Of the organization's log, from the registry.
            log_key: Raw Ed25519 public key of that log, 32 octets.

        Returns:
            Of messages, for each item the record, what it unwraps, and the RecipientInfo's encoding; empty for a history.

        Raises:
            ApprovalsMissingError: If too few approvals are good, or the delay is not over.
            PermissionDeniedError: If any other part does not hold.
            InputError: If a RecipientInfo cannot be read.
        """
        terms, proposal = evidence.terms, evidence.terms.approval.proposal
        # 1 Enough officers approved exactly this, under the rule in force, for somebody who may ask.
        _, wanted = self._check_approved(terms, now)
        # 2 It was announced, and the delay is over.
        announced = self._announcement(evidence.announcement, proposal)
        if now < announced.release_at:
            raise ApprovalsMissingError(f"nothing is given out before {announced.release_at:%Y-%m-%d %H:%M UTC}")
        # 3 The requester's device itself asks, for what was approved.
        items = _check_fetch(evidence, wanted)
        # 4 The manifest says the same, of these records.
        _check_manifest(records, items, evidence, wanted)
        # 5 The owner was told, or will be: announcement and release are in the log.
        _check_log(evidence, wanted, announced, log_origin, log_key)
        # 6 The approvals are used for this; a veto comes too late from here on.
        self._approvers.use(terms.approval)
        if not items:
            return ()
        return tuple((record, _wrapped(item), item.recipient_info) for record, item in zip(records, items, strict=True))

    def _check_approved(self, evidence: AnnouncementEvidence, now: datetime) -> tuple[RecoveryRule, RecoveryRequest]:
        proposal, requester = evidence.approval.proposal, evidence.requester
        organization_id = proposal.organization_id
        # a The rule is the newest one, and the one that was approved.
        self._vouching.check_row(evidence.rule)
        named = (evidence.rule.kind, evidence.rule.organization_id, evidence.rule.row_id)
        require(named == (RULE, organization_id, organization_id), "the rule is of something else")
        self._versions.check(RowName(RULE, organization_id, organization_id), evidence.rule.version)
        rule, wanted = RecoveryRule.decode(evidence.rule.content), read_approved(proposal, RecoveryRequest)
        require(wanted.rule_version == evidence.rule.version, "the approvals are for another version of the rule")
        require(wanted.mailbox_id != UNKNOWN_MAILBOX, "there is no such mailbox")
        # b Neither the request nor an approval lives longer than the rule says.
        life = proposal.expires - proposal.created
        require(life <= timedelta(seconds=rule.request_seconds), "the request lives longer than the rule says")
        longest = timedelta(seconds=rule.approval_seconds)
        for approval in evidence.approval.approvals:
            said = approval.statement
            require(said.expires - said.signed_at <= longest, "an approval lives longer than the rule says")
        # c M officers approved, the requester not among them, and nobody said no.
        self._approvers.check(evidence.approval, kind=RECOVERY, role=RECOVERY_OFFICER, needed=rule.needed, now=now)
        # d The requester may ask: a person with a role, whose device is active, known, and of the rule's level.
        self._approvers.check_requester(
            proposal, evidence.requester_role, requester, wanted.device_id, wanted.device_thumbprint
        )
        require(requester.level >= rule.level, "the requester's device has not proved what the rule asks for")
        return rule, wanted

    def _announcement(self, row: VouchedRow, proposal: Proposal) -> Announcement:
        self._vouching.check_row(row)
        named = (row.kind, row.organization_id, row.row_id)
        require(named == (ANNOUNCEMENT, proposal.organization_id, proposal.proposal_id), "it was not announced")
        self._versions.check(RowName(*named), row.version)
        announced = Announcement.decode(row.content)
        require(announced.subject_sha256 == proposal.digest(), "something else was announced")
        return announced


def _check_fetch(evidence: RecoveryEvidence, wanted: RecoveryRequest) -> tuple[ContentKeyItem, ...]:
    items = read_device_request(
        evidence.request,
        evidence.terms.requester.device,
        f"/v1/recoveries/{evidence.terms.approval.proposal.proposal_id}/fetch",
        RecoveryFetch,
        "the recovery was not fetched by the requester's device",
    ).items
    require(
        bool(items) == (wanted.what == "messages") and len(items) <= MAX_ITEMS, "the device asked for something else"
    )
    require(all(wanted.covers(item) for item in items), "a RecipientInfo is not among those that were approved")
    return items


def _check_manifest(
    records: tuple[SealedRecord, ...],
    items: tuple[ContentKeyItem, ...],
    evidence: RecoveryEvidence,
    wanted: RecoveryRequest,
) -> None:
    manifest, proposal = evidence.manifest, evidence.terms.approval.proposal
    said = (manifest.organization_id, manifest.mailbox_id, manifest.proposal_id, manifest.subject_sha256)
    right = (proposal.organization_id, wanted.mailbox_id, proposal.proposal_id, proposal.digest())
    require(said == right, "the manifest is of another recovery")
    require(manifest.device_thumbprint == wanted.device_thumbprint, "the manifest names another device")
    for record in records:
        identity = record.identity
        owner = (identity.kind, identity.organization_id, identity.owner)
        require(
            owner == ("encryption-key", manifest.organization_id, manifest.mailbox_id), "a record is not the mailbox's"
        )
    if wanted.what == "messages":
        require(not manifest.keys and manifest.items_sha256 == items_digest(items), "the manifest names other items")
        ids = [record.identity.record_id for record in records]
        require(ids == [item.key_id for item in items], "a record is not the key that was approved")
        return
    listed = manifest.released_keys()
    require(bool(listed) and not manifest.items_sha256, "the manifest lists no keys")
    require(len({key.key_id for key in manifest.keys}) == len(manifest.keys), "the manifest lists a key twice")
    described = [
        (record.identity.record_id, record.identity.generation, record.algorithm, sha256(record.spki))
        for record in records
    ]
    lines = [(key.key_id, key.generation, key.algorithm, key.spki_sha256) for key in listed]
    require(described == lines, "the manifest lists other keys than were handed in")


def _check_log(
    evidence: RecoveryEvidence, wanted: RecoveryRequest, announced: Announcement, log_origin: str, log_key: bytes
) -> None:
    proposal, manifest = evidence.terms.approval.proposal, evidence.manifest
    notice = _included(evidence, is_notice=True, log_origin=log_origin, log_key=log_key)
    release = _included(evidence, is_notice=False, log_origin=log_origin, log_key=log_key)
    require(evidence.leaf.leaf_hash == manifest.leaf_hash, "the manifest names another leaf")
    fields = wanted.leaf_fields(proposal.proposal_id, proposal.digest(), proposal.requester)
    opens = str(int(announced.owner_at.timestamp()))
    deferred = deferred_chain(wanted.mailbox_id)
    for record, kind in ((notice, ANNOUNCE_LEAF), (release, RECOVER_LEAF)):
        require((record.kind, record.organization_id) == (kind, proposal.organization_id), "a leaf is of another act")
        # The owner's chain always will do; the other one only within the legal delay, with the date of its end.
        is_deferred = record.chain_id == deferred
        require(is_deferred or record.chain_id == wanted.mailbox_id, "a leaf is in another chain")
        require(not is_deferred or record.time < announced.owner_at, "the legal delay is over: the owner is told")
        require(not is_deferred or record.fields.get("opens") == opens, "a leaf names another end of the legal delay")
        require(fields.items() <= record.fields.items(), "a leaf is of another recovery")
    keys = ",".join(key.spki_sha256.hex() for key in manifest.released_keys())
    require(release.fields.get("keys", "") == keys, "the leaf names other keys")


def _included(evidence: RecoveryEvidence, *, is_notice: bool, log_origin: str, log_key: bytes) -> LeafRecord:
    leaf, checkpoint = (
        (evidence.notice, evidence.notice_checkpoint) if is_notice else (evidence.leaf, evidence.checkpoint)
    )
    try:
        return check_leaf(leaf, checkpoint, log_origin, log_key)
    except SealwrightError as error:
        raise PermissionDeniedError("the recovery is not in the organization's log") from error


def _wrapped(item: ContentKeyItem) -> WrappedKey:
    return decode_recipient_info(item.recipient_info, item.key_bytes, item.originator_certificate)

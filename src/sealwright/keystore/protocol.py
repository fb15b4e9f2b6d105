"""The keystore's protocol: what the other processes may ask.

Every argument that says why something may be opened is evidence, and the keystore checks it itself.
"""

from datetime import datetime
from typing import Protocol

from sealwright.keystore.model import (
    AnnouncementEvidence,
    ApprovalEvidence,
    BegunProof,
    DeviceCredential,
    DeviceReleaseEvidence,
    ExitEvidence,
    FactorEvidence,
    MadeSecret,
    ProofBinding,
    Qualified,
    RecoveryEvidence,
    RemoteDecryptEvidence,
    SealedRecord,
    SealedRelease,
    SignedApproval,
    SignedImportKey,
    VouchedRow,
)
from sealwright.keystore.release_rules import MailboxRelease, ReleaseRules
from sealwright.keystore.sign_on import SignOn
from sealwright.wire.destruction import DestructionReceipt
from sealwright.wire.log_break import LogBreakRequest
from sealwright.wire.manifest import KeyState
from sealwright.wire.recovery import RecoveryRule


class ServiceKeystore(Protocol):
    """What needs no evidence: service keys that sign, and sealed secrets that are no keys.

    Raises (any method): `SealedError` if the seal is closed or the processes are gone; `VerificationError` if a record's
    ciphertext, identity, algorithm or version do not belong together.
    """

    def generate_service_key(self, organization_id: str, purpose: str, algorithm: str) -> SealedRecord:
        """Make a signing key of the service: purpose "issuer/<name>", "release", "log", "statement", "escrow".

        Args:
            organization_id: 32 hex digits.
            purpose: Becomes the record's owner.
            algorithm: "ed25519", "p256", "p384", "rsa-3072" or "rsa-4096".
        """
        ...

    def sign(self, key: SealedRecord, algorithm: str, message: bytes) -> bytes:
        """Sign with a service key.

        Args:
            key: A record of kind "service-key".
            algorithm: "ed25519", "ecdsa-sha256", "ecdsa-sha384" or "rsa-pkcs1v15-sha256".
            message: The whole message, not its digest.

        Raises:
            PermissionDeniedError: If the record is not a service key.
            UnsupportedAlgorithmError: If the key has another kind.
        """
        ...

    def seal_secret(self, organization_id: str, purpose: str, record_id: str, secret: bytes) -> SealedRecord:
        """Seal something that is no private key, such as a leaf's salt."""
        ...

    def open_secret(self, sealed: SealedRecord) -> bytes:
        """Open what `seal_secret` made.

        Raises:
            PermissionDeniedError: If the record is of another kind: keys never come out here.
        """
        ...


class LogKeystore(ServiceKeystore, Protocol):
    """What signs the log: no checkpoint but one that continues the newest."""

    def signed_checkpoint(self, organization_id: str) -> str:
        """Return the text of the newest checkpoint that was signed for an organization's log; empty if there is none."""
        ...

    def sign_checkpoint(self, key: SealedRecord, text: str, old: str, proof: tuple[bytes, ...]) -> bytes:
        """Sign a checkpoint that continues the newest one; remembered before it is signed.

        Args:
            key: The log's.
            text: Of the checkpoint.
            old: What `signed_checkpoint` returned.
            proof: From that to this (RFC 9162 section 2.1.4); empty where the old one is empty or over no leaves.

        Raises:
            PermissionDeniedError: If it does not continue the newest: another history, or a shorter one.
            ConflictError: If another one was signed meanwhile.
            UnavailableError: If it cannot be written down.
        """
        ...


class Keystore(LogKeystore, Protocol):
    """Private-key operations. Every call is synchronous, safe from any thread, and may take the time of its algorithm.

    Raises (any method): `SealedError` if the seal is closed or the processes are gone; `VerificationError` if a record's
    ciphertext, identity, algorithm or version do not belong together.
    """

    def generate_encryption_key(self, organization_id: str, algorithm: str) -> SealedRecord:
        """Make an encryption key for the pool (owner `POOL`). Runs at low priority; RSA takes 0.03 to 0.5 s."""
        ...

    def assign_encryption_key(self, pooled: SealedRecord, mailbox_id: str, generation: int) -> SealedRecord:
        """Re-seal a pooled key as `generation` (1 ...) of a mailbox; the record id stays.

        Raises:
            PermissionDeniedError: If the record is not a pooled encryption key.
        """
        ...

    def examine(self, record: SealedRecord, certificate: bytes) -> bool:
        """Tell whether an encryption key's record opens, and its key decrypts what is encrypted for its certificate.

        Args:
            record: Of a mailbox or of the pool.
            certificate: DER; empty where there is none yet: then only the record's own public key counts.

        Raises:
            PermissionDeniedError: If the record is no encryption key.
        """
        ...

    def vouch_key_state(
        self,
        organization_id: str,
        key_id: str,
        old: KeyState,
        new: KeyState,
        from_version: int,
        evidence: ApprovalEvidence | None = None,
    ) -> VouchedRow | None:
        """Vouch for a key's next state, to which it is held from then on; None if nobody ever decided on it.

        Raises:
            ApprovalsMissingError: If it is a destruction that two security officers must approve.
            PermissionDeniedError: If the approvals are for something else, or the proposal was vetoed.
            ConflictError: If there is no such transition, or a newer row.
        """
        ...

    def sign_destruction(self, receipt: DestructionReceipt) -> bytes:
        """Remember that a key is destroyed - its record is never opened again, wherever it turns up - and sign that.

        Raises:
            PermissionDeniedError: If its state was not vouched to be DESTROYED.
            UnavailableError: If it cannot be written down.
        """
        ...

    def import_public_key(self, organization_id: str) -> SignedImportKey:
        """Return what keys of another system are sealed to; the same at every start and node."""
        ...

    def import_encryption_key(
        self, organization_id: str, mailbox_id: str, spki: bytes, sealed_key: bytes
    ) -> SealedRecord:
        """Seal a key of another system into a mailbox's history, without a generation.

        Args:
            organization_id: 32 hex digits.
            mailbox_id: 32 hex digits.
            spki: Of the certificate that came with it, DER.
            sealed_key: HPKE ciphertext to the import key.

        Raises:
            InputError: If it was sealed for another mailbox, is no private key, or not that of `spki`.
            UnsupportedAlgorithmError: If mail is not decrypted with such keys.
        """
        ...

    def derive_secret(self, organization_id: str, purpose: str) -> bytes:
        """Derive 32 octets for the web process, such as the key of DPoP nonces; the same at every start and node."""
        ...

    def begin_proof(self, binding: ProofBinding) -> BegunProof:
        """Make a mailbox challenge."""
        ...

    def finish_proof(
        self, sealed_proof: SealedRecord, answer: bytes, device_id: str, now: datetime
    ) -> DeviceCredential:
        """Check the answer of a challenge and vouch for the device (state "active", version 1).

        Single use is the caller's duty (a state change in the database).

        Raises:
            AuthenticationError: If the answer is wrong, too late, or the address was unknown. Same time, same words.
        """
        ...

    def change_device(self, credential: DeviceCredential, state: str) -> DeviceCredential:
        """Vouch for a device's next state: "locked", "active" again, or "removed", which is final.

        Raises:
            PermissionDeniedError: If the credential was changed or is an old one.
            ConflictError: If it has this state already, was removed, or has another state by now.
            UnavailableError: If the change cannot be written down.
        """
        ...

    def qualify_device(self, credential: DeviceCredential, evidence: FactorEvidence) -> Qualified:
        """Check a factor of release level 2 to 4 and vouch for the device's level.

        Raises:
            AuthenticationError: If password, secret or sign-on is not right.
            RateLimitedError: If passwords were guessed too often for this mailbox.
            PermissionDeniedError: If the device is not active, or the factor is not for it.
        """
        ...

    def make_enrolment_secret(self, organization_id: str, mailbox_id: str, expires: datetime) -> MadeSecret:
        """Make a secret that lets one device of a mailbox in, handed over outside mail.

        Raises:
            InputError: If it would be valid for more than 30 days.
        """
        ...

    def new_shared_mailbox_id(self, organization_id: str) -> str:
        """Make the identifier of a shared mailbox; no other mailbox can ever have members."""
        ...

    def vouch_membership(
        self, organization_id: str, mailbox_id: str, member_id: str, state: str, from_version: int
    ) -> VouchedRow:
        """Vouch for a person who joined or left a shared mailbox.

        Args:
            organization_id: 32 hex digits.
            mailbox_id: The shared mailbox.
            member_id: The person's own mailbox.
            state: "joined" or "left".
            from_version: Of the row that this follows; 0 for the first.

        Raises:
            InputError: If the state is none, or the member's mailbox is a shared one.
            PermissionDeniedError: If the mailbox is not shared.
            ConflictError: If there is a newer row.
        """
        ...

    def vouch_release_rules(
        self,
        organization_id: str,
        row_id: str,
        rules: ReleaseRules,
        from_version: int,
        evidence: ApprovalEvidence | None = None,
    ) -> VouchedRow:
        """Vouch for an organization's or a group's rules.

        Args:
            organization_id: 32 hex digits.
            row_id: The organization's id, or the group's.
            rules: Compared with the newest that this keystore vouched for.
            from_version: Of the row that they follow; 0 for the first.
            evidence: Approvals of two security officers (`keystore.weaker`); needed for weaker rules alone.

        Raises:
            InputError: If the rules are none.
            ApprovalsMissingError: If they let anything through that the newest did not.
            ConflictError: If there is a newer row.
        """
        ...

    def vouch_mailbox_release(
        self,
        organization_id: str,
        mailbox_id: str,
        content: MailboxRelease,
        from_version: int,
        evidence: ApprovalEvidence | None = None,
    ) -> VouchedRow:
        """Vouch for a mailbox's group and whether it is frozen; as `vouch_release_rules`."""
        ...

    def vouch_sign_on(
        self, organization_id: str, sign_on: SignOn, from_version: int, evidence: ApprovalEvidence | None = None
    ) -> VouchedRow:
        """Vouch for the organization's sign-on; another issuer, client or claim needs approvals as weaker rules do."""
        ...

    def vouch_role(
        self,
        organization_id: str,
        mailbox_id: str,
        roles: tuple[str, ...],
        from_version: int,
        evidence: ApprovalEvidence | None,
    ) -> VouchedRow:
        """Vouch for what roles a person has.

        Args:
            organization_id: 32 hex digits.
            mailbox_id: Whose.
            roles: All of them.
            from_version: Of the row that this follows; 0 for the first.
            evidence: Approvals by two security officers; not needed while there are fewer of them.

        Raises:
            InputError: If a role is not known.
            ApprovalsMissingError: If it has to be approved and was not.
            PermissionDeniedError: If the approvals are for something else, or the proposal was vetoed.
            ConflictError: If there is a newer row.
        """
        ...

    def veto_proposal(self, approval: SignedApproval, evidence: ApprovalEvidence, role: str) -> None:
        """Remember a veto for ever.

        Args:
            approval: The veto.
            evidence: The proposal; its approvals do not matter.
            role: That the approver must have.

        Raises:
            PermissionDeniedError: If it is not what it must be.
            ConflictError: If the proposal was used.
        """
        ...

    def open_for_exit(self, records: tuple[SealedRecord, ...], evidence: ExitEvidence) -> SealedRelease:
        """Open one mailbox's keys for an organization that leaves, and seal them to the requester's device.

        Raises:
            ApprovalsMissingError: If too few recovery officers approved.
            PermissionDeniedError: If any other part of the evidence does not hold.
        """
        ...

    def open(self, records: tuple[SealedRecord, ...], evidence: DeviceReleaseEvidence) -> SealedRelease:
        """Open a mailbox's keys and seal them to the device of the evidence. The only way a private key leaves.

        Raises:
            PermissionDeniedError: If any part of the evidence does not hold.
        """
        ...

    def unwrap_content_keys(self, records: tuple[SealedRecord, ...], evidence: RemoteDecryptEvidence) -> SealedRelease:
        """Unwrap content keys with a mailbox's keys, which stay; always keys of the length that was asked for.

        Args:
            records: One for each item of the request, in their order.
            evidence: Why.

        Raises:
            PermissionDeniedError: If any part of the evidence does not hold.
            InputError: If an item cannot be read.
        """
        ...

    def storage_key_version(self) -> int:
        """Return the storage key version that new records are sealed with."""
        ...

    def rotate_storage_key(self) -> int:
        """Add a storage key version, for all organizations, and return it; old records stay readable.

        Raises:
            UnavailableError: If it cannot be written down.
        """
        ...

    def rewrap(self, records: tuple[SealedRecord, ...]) -> tuple[SealedRecord, ...]:
        """Re-seal records under the current storage key; identity, algorithm and public key stay, nothing comes out.

        Raises:
            PermissionDeniedError: If a key was destroyed.
        """
        ...

    def vouch_recovery_rule(
        self, organization_id: str, rule: RecoveryRule, from_version: int, evidence: ApprovalEvidence | None
    ) -> VouchedRow:
        """Vouch for an organization's recovery rule.

        Args:
            organization_id: 32 hex digits.
            rule: From then on.
            from_version: Of the row that this follows; 0 for the first.
            evidence: Approvals by two security officers; not needed while there are fewer of them.

        Raises:
            InputError: If the rule cannot be kept.
            ApprovalsMissingError: If it has to be approved and was not.
            PermissionDeniedError: If the approvals are for something else, or the proposal was vetoed.
            ConflictError: If there is a newer row.
        """
        ...

    def sign_log_break(
        self, organization_id: str, wanted: LogBreakRequest, proof: tuple[bytes, ...], evidence: ApprovalEvidence | None
    ) -> tuple[int, str]:
        """Sign that the log goes on from an older state; return the break's number and note.

        Args:
            organization_id: 32 hex digits.
            wanted: What is to be signed.
            proof: From its size to what `signed_checkpoint` says.
            evidence: Approvals by two security officers; not needed while there are fewer of them.

        Raises:
            InputError: If the reason is none.
            ApprovalsMissingError: If it has to be approved and was not.
            PermissionDeniedError: If the approvals are for something else, or the break is not of the log that is signed now.
        """
        ...

    def announce_recovery(self, evidence: AnnouncementEvidence) -> VouchedRow:
        """Write down, by the keystore's own clock, that a recovery is approved; again, it is what was written down first.

        Raises:
            ApprovalsMissingError: If too few approvals are good.
            PermissionDeniedError: If any part of the evidence does not hold.
        """
        ...

    def recover(self, records: tuple[SealedRecord, ...], evidence: RecoveryEvidence) -> SealedRelease:
        """Open a mailbox's keys for another person, or unwrap content keys of named messages, sealed to that one's device.

        Args:
            records: The manifest's released keys in its order; of messages, the key of each item of the request.
            evidence: Why.

        Returns:
            Private keys, or content keys: always of the length that was approved, right or wrong.

        Raises:
            ApprovalsMissingError: If too few approvals are good, or the delay is not over.
            PermissionDeniedError: If any other part of the evidence does not hold.
            ConflictError: If the proposal was vetoed meanwhile.
            InputError: If a RecipientInfo cannot be read.
        """
        ...

    def close(self) -> None:
        """End the keystore's processes."""
        ...

"""Keystores in software: records sealed under storage keys, opened in this process.

`SoftwareServiceKeystore` needs only a root wrapping key in a file and holds no key of a person. `SoftwareKeystore` is the
whole protocol over a seal; the server runs it in processes of their own (`keystore.pool`).
"""

import secrets
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_der_public_key

from sealwright.clock import Clock, SystemClock
from sealwright.errors import (
    InputError,
    PermissionDeniedError,
    SealedError,
    UnavailableError,
    UnsupportedAlgorithmError,
    VerificationError,
)
from sealwright.keystore.access import MAILBOX, POLICY, DeviceAccess
from sealwright.keystore.approvals import Approvers
from sealwright.keystore.content_keys import check_remote_decrypt, unwrap_content_key
from sealwright.keystore.destroyed import DESTROYED_NAME, DestroyedKeys
from sealwright.keystore.evidence import check_device_release
from sealwright.keystore.examination import is_key_of
from sealwright.keystore.exits import Exits
from sealwright.keystore.factors import Factors
from sealwright.keystore.guesses import GUESSES_NAME, GuessLimit
from sealwright.keystore.importing import open_imported_key
from sealwright.keystore.key_states import KeyStates
from sealwright.keystore.log_signing import CHECKPOINTS_NAME, LogSigning
from sealwright.keystore.memberships import Memberships
from sealwright.keystore.model import (
    POOL,
    UNKNOWN_MAILBOX,
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
    RecordIdentity,
    RecoveryEvidence,
    RemoteDecryptEvidence,
    SealedRecord,
    SealedRelease,
    SignedApproval,
    SignedImportKey,
    VouchedRow,
)
from sealwright.keystore.proofs import check_answer, encode_proof
from sealwright.keystore.records import (
    ENCRYPTION_ALGORITHMS,
    generate_key,
)
from sealwright.keystore.recovery import Recoveries
from sealwright.keystore.registry import LOG_PREFIX, REGISTRY_NAME, RELEASE_PURPOSE, Registry, is_registered_purpose
from sealwright.keystore.release_rules import MailboxRelease, ReleaseRules
from sealwright.keystore.rewrapping import rewrap_record
from sealwright.keystore.seal import Seal, create_root_key, rotate_storage_key
from sealwright.keystore.service_keys import SoftwareServiceKeystore
from sealwright.keystore.sign_on import SIGN_ON, SignOn
from sealwright.keystore.versions import VERSIONS_NAME, Versions
from sealwright.keystore.vouching import Vouching
from sealwright.keystore.weaker import check_weaker
from sealwright.wire.content_keys import (
    ContentKeyRequest,
    content_keys_info,
    content_keys_input,
    encode_content_keys,
)
from sealwright.wire.destruction import DestructionReceipt
from sealwright.wire.hpke import HpkeKeyPair, expand_hpke_seed, hpke_open, hpke_seal
from sealwright.wire.key_import import import_key_input
from sealwright.wire.manifest import KeyState, ReleasedKey, encode_released_keys
from sealwright.wire.proof import PART_BYTES
from sealwright.wire.recovery import RecoveryRule

__all__ = ["SoftwareKeystore", "SoftwareServiceKeystore", "create_root_key"]

MAX_GENERATION = 0xFFFF


class SoftwareKeystore(SoftwareServiceKeystore):
    """Implements `keystore.protocol.Keystore` in this process.

    Args:
        seal_key_file: The root wrapping key.
        seal_file: What `keystore.seal.create_seal` made; the registry lies next to it.
        clock: The time; the system's without.

    Raises:
        SealedError: If the seal does not open, or the registry was changed.
    """

    def __init__(self, seal_key_file: Path, seal_file: Path, clock: Clock | None = None) -> None:
        seal = Seal(seal_key_file, seal_file)
        self._seal_file, self._seal_key_file = seal_file, seal_key_file
        self._keys = seal
        self._derive = seal.derive
        self._clock = clock or SystemClock()
        self._vouching = Vouching(seal.derive("keystore", "vouching"))
        self._destroyed = DestroyedKeys(seal_file.with_name(DESTROYED_NAME))
        self._versions = Versions(seal_file.with_name(VERSIONS_NAME))
        self._access = DeviceAccess(self._vouching, self._versions)
        self._log_signing = LogSigning(Versions(seal_file.with_name(CHECKPOINTS_NAME)))
        self._approvers = Approvers(self._vouching, self._versions, self._access)
        self._key_states = KeyStates(self._vouching, self._versions, self._destroyed, self._approvers)
        self._exits = Exits(self._versions, self._approvers)
        self._factors = Factors(
            self._access,
            self._vouching,
            self._versions,
            GuessLimit(seal_file.with_name(GUESSES_NAME)),
            seal_record=lambda identity, algorithm, content: self._seal(identity, algorithm, content, b""),
            open_record=self._open,
            open_sealed=lambda owner, info, sealed: hpke_open(self._import_pair(owner).private_key, info, sealed),
            roles_of=self._approvers.roles_of,
        )
        self._memberships = Memberships(seal.derive("keystore", "shared-mailbox"), self._vouching, self._versions)
        self._recoveries = Recoveries(self._vouching, self._versions, self._approvers)
        self._registry = Registry(seal_file.with_name(REGISTRY_NAME), seal.derive("keystore", "registry"))

    def generate_service_key(self, organization_id: str, purpose: str, algorithm: str) -> SealedRecord:
        """Make a signing key of the service. The purposes "release" and "log/<origin>" are remembered for evidence.

        An organization has one release key and one log key, both "ed25519": asking again returns the same record.

        Raises:
            UnsupportedAlgorithmError: If the algorithm is not one of the protocol's, or not the purpose's.
            ConflictError: If the organization has a log of another origin.
        """
        if not is_registered_purpose(purpose):
            return super().generate_service_key(organization_id, purpose, algorithm)
        if algorithm != "ed25519":
            raise UnsupportedAlgorithmError("release and log keys are ed25519")
        return self._registry.add(super().generate_service_key(organization_id, purpose, algorithm))

    def sign(self, key: SealedRecord, algorithm: str, message: bytes) -> bytes:
        """Sign a whole message with a service key; release and log keys sign nothing here.

        Releases are signed by `open`, after the evidence was checked; checkpoints by `sign_checkpoint`.

        Raises:
            PermissionDeniedError: If the record is no service key, or does not sign such a message.
            UnsupportedAlgorithmError: If key and algorithm do not fit.
        """
        purpose = key.identity.owner
        if purpose == RELEASE_PURPOSE:
            raise PermissionDeniedError("the release key signs releases only")
        if purpose.startswith(LOG_PREFIX):
            raise PermissionDeniedError("a log key signs checkpoints only")
        return super().sign(key, algorithm, message)

    def signed_checkpoint(self, organization_id: str) -> str:
        """Return the text of the newest checkpoint that was signed for an organization's log; empty if there is none."""
        self._storage_keys()
        return self._log_signing.newest(organization_id)

    def sign_checkpoint(self, key: SealedRecord, text: str, old: str, proof: tuple[bytes, ...]) -> bytes:
        """Sign a checkpoint that continues the newest one.

        Raises:
            PermissionDeniedError: If it does not, or the key is not the log's.
            ConflictError: If another one was signed meanwhile.
            UnavailableError: If it cannot be written down.
            SealedError: If the organization has no log.
        """
        organization_id = key.identity.organization_id
        origin, registered = self._registry.log(organization_id)
        if key.identity != registered.identity:
            raise PermissionDeniedError("the key is not that of the organization's log")
        self._log_signing.advance(organization_id, origin, text, old, proof)
        return super().sign(registered, "ed25519", text.encode())

    def generate_encryption_key(self, organization_id: str, algorithm: str) -> SealedRecord:
        """Make an encryption key for the pool, of one of `records.ENCRYPTION_ALGORITHMS`.

        Raises:
            UnsupportedAlgorithmError: If the algorithm is another.
        """
        content, spki = generate_key(algorithm, ENCRYPTION_ALGORITHMS)
        identity = RecordIdentity("encryption-key", organization_id, secrets.token_hex(16), POOL)
        return self._seal(identity, algorithm, content, spki)

    def assign_encryption_key(self, pooled: SealedRecord, mailbox_id: str, generation: int) -> SealedRecord:
        """Re-seal a pooled key as a generation of a mailbox.

        Raises:
            PermissionDeniedError: If the record is not a pooled encryption key.
            InputError: If the mailbox or the generation cannot be one.
        """
        if pooled.identity.kind != "encryption-key" or pooled.identity.owner != POOL or pooled.identity.generation:
            raise PermissionDeniedError("only a pooled encryption key can be assigned")
        if mailbox_id in {POOL, UNKNOWN_MAILBOX, ""} or not 1 <= generation <= MAX_GENERATION:
            raise InputError("a key is assigned to a mailbox, as generation 1 or later")
        self._destroyed.check(pooled.identity)
        identity = replace(pooled.identity, owner=mailbox_id, generation=generation)
        return self._seal(identity, pooled.algorithm, self._open(pooled), pooled.spki)

    def examine(self, record: SealedRecord, certificate: bytes) -> bool:
        """Tell whether an encryption key's record opens, and its key decrypts what is encrypted for its certificate.

        Raises:
            PermissionDeniedError: If the record is no encryption key.
        """
        if record.identity.kind != "encryption-key":
            raise PermissionDeniedError("only encryption keys are examined")
        try:
            self._destroyed.check(record.identity)
            return is_key_of(self._open(record), record.spki, certificate)
        except (VerificationError, PermissionDeniedError):
            return False

    def vouch_key_state(
        self,
        organization_id: str,
        key_id: str,
        old: KeyState,
        new: KeyState,
        from_version: int,
        evidence: ApprovalEvidence | None = None,
    ) -> VouchedRow:
        """Vouch for a key's next state, to which it is held from then on.

        Raises:
            ApprovalsMissingError: If it is a destruction that two security officers must approve.
            PermissionDeniedError: If the approvals are for something else, or the proposal was vetoed.
            ConflictError: If there is no such transition, or a newer row.
        """
        self._storage_keys()
        now = self._clock.now()
        return self._key_states.vouch(organization_id, key_id, (old, new), from_version, evidence, now)

    def sign_destruction(self, receipt: DestructionReceipt) -> bytes:
        """Remember that a key is destroyed, and sign that with the organization's release key.

        Raises:
            PermissionDeniedError: If its state was not vouched to be DESTROYED.
            SealedError: If the organization has no release key.
            UnavailableError: If it cannot be written down.
        """
        release_key = self._registry.release_key(receipt.organization_id)
        self._key_states.destroy(receipt.organization_id, receipt.key_id)
        return super().sign(release_key, "ed25519", receipt.encode())

    def import_public_key(self, organization_id: str) -> SignedImportKey:
        """Return what keys of another system are sealed to, signed by the release key.

        Raises:
            SealedError: If the organization has no release key.
        """
        public_key = self._import_pair(organization_id).public_key
        release_key = self._registry.release_key(organization_id)
        signature = super().sign(release_key, "ed25519", import_key_input(organization_id, public_key))
        return SignedImportKey(public_key, signature)

    def import_encryption_key(
        self, organization_id: str, mailbox_id: str, spki: bytes, sealed_key: bytes
    ) -> SealedRecord:
        """Seal a key of another system into a mailbox's history, without a generation.

        Raises:
            InputError: If it was sealed for another mailbox, is no private key, or not that of `spki`.
            UnsupportedAlgorithmError: If mail is not decrypted with such keys.
        """
        if mailbox_id in {POOL, UNKNOWN_MAILBOX, ""}:
            raise InputError("a key is imported for a mailbox")
        pair = self._import_pair(organization_id)
        algorithm, content = open_imported_key(pair, organization_id, mailbox_id, spki, sealed_key)
        identity = RecordIdentity("encryption-key", organization_id, secrets.token_hex(16), mailbox_id)
        return self._seal(identity, algorithm, content, spki)

    def _import_pair(self, organization_id: str) -> HpkeKeyPair:
        self._storage_keys()
        return expand_hpke_seed(self._derive("keystore", "import", organization_id))

    def derive_secret(self, organization_id: str, purpose: str) -> bytes:
        """Derive 32 octets for the web process; the same at every start and node."""
        self._storage_keys()
        return self._derive("web", organization_id, purpose)

    def begin_proof(self, binding: ProofBinding) -> BegunProof:
        """Make a mailbox challenge."""
        part1, part2, nonce = (secrets.token_bytes(PART_BYTES) for _ in range(3))
        content = encode_proof(binding, part1, part2, nonce)
        identity = RecordIdentity("proof", binding.organization_id, binding.enrolment_id, binding.mailbox_id)
        return BegunProof(part1, part2, nonce, self._seal(identity, "proof", content, b""))

    def finish_proof(
        self, sealed_proof: SealedRecord, answer: bytes, device_id: str, now: datetime
    ) -> DeviceCredential:
        """Check the answer of a challenge and vouch for the device.

        Raises:
            AuthenticationError: If the answer is wrong, too late, or the address was unknown.
            PermissionDeniedError: If the record is no proof.
        """
        identity = sealed_proof.identity
        if identity.kind != "proof":
            raise PermissionDeniedError("the record is no mailbox proof")
        shared = self._memberships.is_shared(identity.organization_id, identity.owner)
        is_known = identity.owner != UNKNOWN_MAILBOX and not shared
        device, address = check_answer(self._open(sealed_proof), answer, now, is_known=is_known)
        return self._access.enrol(
            DeviceCredential(
                organization_id=identity.organization_id,
                mailbox_id=identity.owner,
                device_id=device_id,
                device=device,
                state="active",
                version=1,
                mac=b"",
                address=address,
            )
        )

    def change_device(self, credential: DeviceCredential, state: str) -> DeviceCredential:
        """Vouch for a device's next state: "locked", "active" again, or "removed".

        Raises:
            PermissionDeniedError: If the credential was changed.
            ConflictError: If it cannot follow the state that the device has now.
            UnavailableError: If the change cannot be written down.
        """
        self._storage_keys()
        return self._access.change_device(credential, state)

    def qualify_device(self, credential: DeviceCredential, evidence: FactorEvidence) -> Qualified:
        """Check a factor of release level 2 to 4 and vouch for the device's level.

        Raises:
            AuthenticationError: If password, secret or sign-on is not right.
            RateLimitedError: If passwords were guessed too often for this mailbox.
            PermissionDeniedError: If the device is not active, or the factor is not for it.
        """
        self._storage_keys()
        return self._factors.qualify(credential, evidence, self._clock.now())

    def make_enrolment_secret(self, organization_id: str, mailbox_id: str, expires: datetime) -> MadeSecret:
        """Make a secret that lets one device of a mailbox in.

        Raises:
            InputError: If it would be valid for more than 30 days.
        """
        self._storage_keys()
        return MadeSecret(*self._factors.make_secret(organization_id, mailbox_id, expires, self._clock.now()))

    def new_shared_mailbox_id(self, organization_id: str) -> str:
        """Make the identifier of a shared mailbox."""
        self._storage_keys()
        return self._memberships.new_mailbox_id(organization_id)

    def vouch_membership(
        self, organization_id: str, mailbox_id: str, member_id: str, state: str, from_version: int
    ) -> VouchedRow:
        """Vouch for a person who joined or left a shared mailbox.

        Raises:
            InputError: If the state is none, or the member's mailbox is a shared one.
            PermissionDeniedError: If the mailbox is not shared.
            ConflictError: If there is a newer row.
        """
        self._storage_keys()
        return self._memberships.vouch(organization_id, mailbox_id, member_id, state, from_version)

    def vouch_release_rules(
        self,
        organization_id: str,
        row_id: str,
        rules: ReleaseRules,
        from_version: int,
        evidence: ApprovalEvidence | None = None,
    ) -> VouchedRow:
        """Vouch for an organization's or a group's rules.

        Raises:
            InputError: If the rules are none.
            ApprovalsMissingError: If they let anything through that the newest did not.
            ConflictError: If there is a newer row.
        """
        self._storage_keys()
        if evidence is not None:
            row = VouchedRow(POLICY, organization_id, row_id, from_version, rules.encode(), b"")
            check_weaker(self._approvers, evidence, row, self._clock.now())
        is_approved = evidence is not None
        return self._access.vouch_release_rules(organization_id, row_id, rules, from_version, is_approved=is_approved)

    def vouch_mailbox_release(
        self,
        organization_id: str,
        mailbox_id: str,
        content: MailboxRelease,
        from_version: int,
        evidence: ApprovalEvidence | None = None,
    ) -> VouchedRow:
        """Vouch for a mailbox's group and whether it is frozen.

        Raises:
            ApprovalsMissingError: If it leaves its group or is not frozen any more.
            ConflictError: If there is a newer row.
        """
        self._storage_keys()
        if evidence is not None:
            row = VouchedRow(MAILBOX, organization_id, mailbox_id, from_version, content.encode(), b"")
            check_weaker(self._approvers, evidence, row, self._clock.now())
        is_approved = evidence is not None
        return self._access.vouch_mailbox_release(
            organization_id, mailbox_id, content, from_version, is_approved=is_approved
        )

    def vouch_sign_on(
        self, organization_id: str, sign_on: SignOn, from_version: int, evidence: ApprovalEvidence | None = None
    ) -> VouchedRow:
        """Vouch for the organization's sign-on; another issuer, client or claim needs approvals.

        Raises:
            InputError: If it cannot be used.
            ApprovalsMissingError: If it needs approvals.
            ConflictError: If there is a newer row.
        """
        if evidence is not None:
            row = VouchedRow(SIGN_ON, organization_id, organization_id, from_version, sign_on.encode(), b"")
            check_weaker(self._approvers, evidence, row, self._clock.now())
        return self._access.vouch_sign_on(organization_id, sign_on, from_version, is_approved=evidence is not None)

    def vouch_role(
        self,
        organization_id: str,
        mailbox_id: str,
        roles: tuple[str, ...],
        from_version: int,
        evidence: ApprovalEvidence | None,
    ) -> VouchedRow:
        """Vouch for what roles a person has.

        Raises:
            InputError: If a role is not known.
            ApprovalsMissingError: If it has to be approved and was not.
            PermissionDeniedError: If the approvals are for something else, or the proposal was vetoed.
            ConflictError: If there is a newer row.
        """
        self._storage_keys()
        now = self._clock.now()
        return self._approvers.vouch_role(organization_id, mailbox_id, roles, from_version, evidence, now)

    def veto_proposal(self, approval: SignedApproval, evidence: ApprovalEvidence, role: str) -> None:
        """Remember a veto for ever.

        Raises:
            PermissionDeniedError: If it is not what it must be.
            ConflictError: If the proposal was used.
        """
        self._storage_keys()
        self._approvers.veto(approval, evidence, role)

    def open_for_exit(self, records: tuple[SealedRecord, ...], evidence: ExitEvidence) -> SealedRelease:
        """Open one mailbox's keys for an organization that leaves, and seal them to the requester's device.

        Raises:
            ApprovalsMissingError: If too few recovery officers approved.
            PermissionDeniedError: If any other part of the evidence does not hold.
            SealedError: If the organization has no release key or log.
        """
        organization_id, device = evidence.requester.organization_id, evidence.requester.device
        origin, log_key = self._log_key(organization_id)
        release_key = self._registry.release_key(organization_id)
        # 1 All evidence holds.
        self._key_states.check(records, evidence.state_rows, evidence.manifest.keys)
        self._exits.check(records, evidence, self._clock.now(), origin, log_key)
        # 2 Open, seal to the device, sign.
        keys = tuple(ReleasedKey(record.identity.record_id, self._open(record)) for record in records)
        info = evidence.manifest.encode()
        sealed_keys = hpke_seal(device.hpke_public_key, info, encode_released_keys(keys))
        return SealedRelease(sealed_keys, super().sign(release_key, "ed25519", info))

    def vouch_recovery_rule(
        self, organization_id: str, rule: RecoveryRule, from_version: int, evidence: ApprovalEvidence | None
    ) -> VouchedRow:
        """Vouch for an organization's recovery rule.

        Raises:
            InputError: If the rule cannot be kept.
            ApprovalsMissingError: If it has to be approved and was not.
            PermissionDeniedError: If the approvals are for something else, or the proposal was vetoed.
            ConflictError: If there is a newer row.
        """
        self._storage_keys()
        return self._recoveries.vouch_rule(organization_id, rule, from_version, evidence, self._clock.now())

    def announce_recovery(self, evidence: AnnouncementEvidence) -> VouchedRow:
        """Write down that a recovery is approved; again, it is what was written down first.

        Raises:
            ApprovalsMissingError: If too few approvals are good.
            PermissionDeniedError: If any part of the evidence does not hold.
        """
        self._storage_keys()
        return self._recoveries.announce(evidence, self._clock.now())

    def recover(self, records: tuple[SealedRecord, ...], evidence: RecoveryEvidence) -> SealedRelease:
        """Open a mailbox's keys for another person, or unwrap content keys of named messages, sealed to that one's device.

        Raises:
            ApprovalsMissingError: If too few approvals are good, or the delay is not over.
            PermissionDeniedError: If any other part of the evidence does not hold.
            SealedError: If the organization has no release key or log.
        """
        # 1 Trust comes from the registry, never from the caller.
        organization_id = evidence.terms.approval.proposal.organization_id
        origin, log_key = self._log_key(organization_id)
        release_key = self._registry.release_key(organization_id)
        # 2 All evidence holds.
        self._key_states.check(records, evidence.state_rows, evidence.manifest.keys)
        items = self._recoveries.check(records, evidence, self._clock.now(), origin, log_key)
        # 3 Private keys of an approved history; of approved messages the content keys alone.
        if items:
            secret = self._derive("keystore", "substitute", organization_id)
            content = encode_content_keys(
                tuple(unwrap_content_key(self._open(record), wrapped, info, secret) for record, wrapped, info in items)
            )
        else:
            content = encode_released_keys(
                tuple(ReleasedKey(record.identity.record_id, self._open(record)) for record in records)
            )
        # 4 Seal to the requester's device, sign.
        info = evidence.manifest.encode()
        sealed = hpke_seal(evidence.terms.requester.device.hpke_public_key, info, content)
        return SealedRelease(sealed, super().sign(release_key, "ed25519", info))

    def open(self, records: tuple[SealedRecord, ...], evidence: DeviceReleaseEvidence) -> SealedRelease:
        """Open a mailbox's keys and seal them to the device of the evidence.

        Raises:
            PermissionDeniedError: If any part of the evidence does not hold.
            SealedError: If the organization has no release key or log.
        """
        manifest, device = evidence.manifest, evidence.credential.device
        # 1 Trust comes from the registry, never from the caller.
        organization_id = evidence.credential.organization_id
        origin, log_key = self._log_key(organization_id)
        release_key = self._registry.release_key(organization_id)
        # 2 All evidence holds.
        now = self._clock.now()
        check_device_release(records, evidence, self._access, self._memberships, now, origin, log_key)
        self._key_states.check(records, evidence.state_rows, manifest.keys)
        # 3 Open, unless the keys stay here; seal to the device, sign.
        leaving = () if manifest.delivery == "remote" else records
        keys = tuple(ReleasedKey(record.identity.record_id, self._open(record)) for record in leaving)
        info = manifest.encode()
        sealed_keys = hpke_seal(device.hpke_public_key, info, encode_released_keys(keys))
        return SealedRelease(sealed_keys, super().sign(release_key, "ed25519", info))

    def unwrap_content_keys(self, records: tuple[SealedRecord, ...], evidence: RemoteDecryptEvidence) -> SealedRelease:
        """Unwrap content keys with a mailbox's keys, which stay; always keys of the length that was asked for.

        Raises:
            PermissionDeniedError: If any part of the evidence does not hold.
            InputError: If an item cannot be read.
            SealedError: If the organization has no release key or log.
        """
        credential = evidence.credential
        organization_id, device = credential.organization_id, credential.device
        origin, log_key = self._log_key(organization_id)
        release_key = self._registry.release_key(organization_id)
        # 1 The device may, and its keys are used here.
        self._access.check_access(credential, evidence.policy, self._clock.now(), evidence.source)
        if self._access.rules_of(evidence.policy, organization_id, credential.mailbox_id).delivery != "remote":
            raise PermissionDeniedError("this mailbox's keys are delivered to its devices")
        # 2 All evidence holds.
        items = check_remote_decrypt(records, evidence, origin, log_key)
        self._key_states.check(records, evidence.state_rows)
        # 3 Unwrap, seal to the device, sign.
        secret = self._derive("keystore", "substitute", organization_id)
        keys = tuple(unwrap_content_key(self._open(record), wrapped, info, secret) for record, wrapped, info in items)
        nonce = msgspec.json.decode(evidence.request.body, type=ContentKeyRequest).request_nonce
        info = content_keys_info(
            organization_id, credential.mailbox_id, device.thumbprint(), nonce, evidence.leaf.leaf_hash
        )
        sealed_keys = hpke_seal(device.hpke_public_key, info, encode_content_keys(keys))
        return SealedRelease(sealed_keys, super().sign(release_key, "ed25519", content_keys_input(info, sealed_keys)))

    def _log_key(self, organization_id: str) -> tuple[str, bytes]:
        """Return origin and raw Ed25519 public key of the organization's log, as the registry has them."""
        origin, record = self._registry.log(organization_id)
        key = load_der_public_key(record.spki)
        if not isinstance(key, ed25519.Ed25519PublicKey):
            raise SealedError("the organization's log key is of another kind")
        return origin, key.public_bytes_raw()

    def storage_key_version(self) -> int:
        """Return the storage key version that new records are sealed with."""
        return self._storage_keys().current_version

    def rotate_storage_key(self) -> int:
        """Add a storage key version, for all organizations, and return it.

        Raises:
            SealedError: If the seal does not open.
            UnavailableError: If it cannot be written down.
        """
        self._storage_keys()
        try:
            return rotate_storage_key(self._seal_key_file, self._seal_file)
        except OSError as error:
            raise UnavailableError(f"the storage key cannot be written down: {error.strerror}") from error

    def rewrap(self, records: tuple[SealedRecord, ...]) -> tuple[SealedRecord, ...]:
        """Re-seal records under the current storage key, those of the keystore's own registry with the first call.

        Raises:
            PermissionDeniedError: If a key was destroyed.
            VerificationError: If a record was changed.
        """
        keys = self._storage_keys()
        self._registry.rewrap(keys)
        for record in records:
            self._destroyed.check(record.identity)
        return tuple(rewrap_record(keys, record) for record in records)

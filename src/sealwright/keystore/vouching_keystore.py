"""What the keystore vouches for: devices and their factors, roles, rules, members of shared mailboxes, states of keys."""

import secrets
from datetime import datetime

from sealwright.clock import Clock, SystemClock
from sealwright.errors import (
    PermissionDeniedError,
)
from sealwright.keystore.access import MAILBOX, POLICY, DeviceAccess
from sealwright.keystore.approvals import Approvers
from sealwright.keystore.destroyed import DESTROYED_NAME, DestroyedKeys
from sealwright.keystore.exits import Exits
from sealwright.keystore.factors import Factors
from sealwright.keystore.guesses import GUESSES_NAME, GuessLimit
from sealwright.keystore.key_states import KeyStates
from sealwright.keystore.log_breaks import LogBreaks
from sealwright.keystore.log_signing import CHECKPOINTS_NAME, LogSigning
from sealwright.keystore.memberships import Memberships
from sealwright.keystore.model import (
    UNKNOWN_MAILBOX,
    AnnouncementEvidence,
    ApprovalEvidence,
    BegunProof,
    DeviceCredential,
    FactorEvidence,
    MadeSecret,
    ProofBinding,
    Qualified,
    RecordIdentity,
    SealedRecord,
    SignedApproval,
    VouchedRow,
)
from sealwright.keystore.proofs import check_answer, encode_proof
from sealwright.keystore.recovery import Recoveries
from sealwright.keystore.registry import REGISTRY_NAME, Registry
from sealwright.keystore.release_rules import MailboxRelease, ReleaseRules
from sealwright.keystore.seal import Seal
from sealwright.keystore.service_keys import SoftwareServiceKeystore
from sealwright.keystore.sign_on import SIGN_ON, SignOn
from sealwright.keystore.versions import VERSIONS_NAME, Versions
from sealwright.keystore.vouching import VOUCHING_LABELS, Vouching
from sealwright.keystore.weaker import check_weaker
from sealwright.wire.hpke import HpkeKeyPair, expand_hpke_seed, hpke_open
from sealwright.wire.manifest import KeyState
from sealwright.wire.proof import PART_BYTES
from sealwright.wire.recovery import RecoveryRule


class VouchingKeystore(SoftwareServiceKeystore):
    """Service keys, secrets, and every method of `keystore.protocol.Keystore` that vouches for a row.

    Args:
        seal: Open; the registry lies next to its file.
        clock: The time; the system's without.

    Raises:
        SealedError: If the registry was changed.
    """

    def __init__(self, seal: Seal, clock: Clock | None = None) -> None:
        seal_file = seal.path
        self._keys = self._opened_seal = seal
        self._derive = seal.derive
        self._clock = clock or SystemClock()
        self._vouching = Vouching(seal.derive(*VOUCHING_LABELS))
        self._destroyed = DestroyedKeys(seal_file.with_name(DESTROYED_NAME))
        self._versions = Versions(seal_file.with_name(VERSIONS_NAME))
        self._access = DeviceAccess(self._vouching, self._versions)
        self._log_signing = LogSigning(Versions(seal_file.with_name(CHECKPOINTS_NAME)))
        self._approvers = Approvers(self._vouching, self._versions, self._access)
        self._key_states = KeyStates(self._vouching, self._versions, self._destroyed, self._approvers)
        self._log_breaks = LogBreaks(self._versions, self._log_signing, self._approvers)
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

    def vouch_key_state(
        self,
        organization_id: str,
        key_id: str,
        old: KeyState,
        new: KeyState,
        from_version: int,
        evidence: ApprovalEvidence | None = None,
    ) -> VouchedRow | None:
        """Vouch for a key's next state, to which it is held from then on; None if nobody ever decided on the key.

        Raises:
            ApprovalsMissingError: If it is a destruction that two security officers must approve.
            PermissionDeniedError: If the approvals are for something else, or the proposal was vetoed.
            ConflictError: If there is no such transition, or a newer row.
        """
        self._storage_keys()
        now = self._clock.now()
        return self._key_states.vouch(organization_id, key_id, (old, new), from_version, evidence, now)

    def _import_pair(self, organization_id: str) -> HpkeKeyPair:
        self._storage_keys()
        return expand_hpke_seed(self._derive("keystore", "import", organization_id))

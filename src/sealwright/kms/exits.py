"""Exit: an organization takes all its keys with it, under a quorum; the requester's device fetches them mailbox by mailbox."""

from sealwright.audit.log import AuditLog
from sealwright.clock import Clock
from sealwright.errors import ApprovalsMissingError, InputError, NotFoundError, PermissionDeniedError
from sealwright.identity.approvals import ApprovalService, ProposalKind
from sealwright.identity.devices import DeviceService
from sealwright.identity.model import AuthenticatedDevice
from sealwright.keystore.model import ExitEvidence, SignedRequestEvidence
from sealwright.keystore.protocol import Keystore
from sealwright.kms.model import KeyRelease, state_rows
from sealwright.kms.ports import MailboxLister, RoleReader
from sealwright.kms.recovery_rules import RecoveryRules
from sealwright.kms.releases import Releases, release_answer
from sealwright.kms.store import KeyStore
from sealwright.storage.engine import Storage, Transaction
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.api import REQUEST_NONCE_BYTES, ReleaseAnswer
from sealwright.wire.encoding import decode_json
from sealwright.wire.exits import (
    EXIT,
    ExitKeysRequest,
    ExitMailbox,
    ExitMailboxes,
    ExitRequest,
    officers_needed,
)
from sealwright.wire.manifest import RELEASED_STATES, ReleaseManifest
from sealwright.wire.recovery import REQUESTER_ROLES
from sealwright.wire.roles import RECOVERY_OFFICER


class ExitService:
    """Gives out what a quorum approved.

    Args:
        storage: The database.
        store: SQL of keys.
        keystore: Checks the approvals and opens the keys.
        audit: The owner-visible log.
        clock: The time.
        approvals: Collects approvals; gets the kind `EXIT`.
        devices: The requester's device as it is now.
        mailboxes: All mailboxes of an organization.
        roles: Vouched rows of roles.
        rules: Tell how many recovery officers must approve.
    """

    def __init__(
        self,
        storage: Storage,
        store: KeyStore,
        keystore: Keystore,
        audit: AuditLog,
        clock: Clock,
        *,
        approvals: ApprovalService,
        devices: DeviceService,
        mailboxes: MailboxLister,
        roles: RoleReader,
        rules: RecoveryRules,
    ) -> None:
        self._storage, self._store, self._keystore, self._audit = storage, store, keystore, audit
        self._approvals, self._devices = approvals, devices
        self._releases = Releases(storage, store, audit, clock)
        self._mailboxes, self._roles, self._rules = mailboxes, roles, rules
        approvals.register(
            ProposalKind(
                EXIT,
                RECOVERY_OFFICER,
                self._needed,
                self._check,
                None,
                REQUESTER_ROLES,
            )
        )

    def mailboxes(self, device: AuthenticatedDevice, proposal_id: str) -> ExitMailboxes:
        """Return all mailboxes of the organization, for the requester of an approved exit.

        Raises:
            NotFoundError: If there is no such proposal of this device.
            ApprovalsMissingError: If it is not approved.
        """
        self._check_approved(device, proposal_id)
        return ExitMailboxes(
            mailboxes=tuple(
                ExitMailbox(mailbox_id=each.mailbox_id, address=each.address, state=each.state)
                for each in self._mailboxes.everybody(device.organization_id)
            )
        )

    def keys(
        self, device: AuthenticatedDevice, proposal_id: str, request: ExitKeysRequest, signed: SignedRequestEvidence
    ) -> ReleaseAnswer:
        """Give out one mailbox's key history, frozen ones too; a retry is answered from the same leaf.

        Raises:
            InputError: If the nonce has not 32 octets.
            NotFoundError: If there is no such proposal of this device, or the mailbox has no keys.
            ApprovalsMissingError: If it is not approved.
            PermissionDeniedError: If the evidence does not hold.
            UnavailableError: If the leaf is not signed in time.
            ConflictError: If the idempotency key was used for another request.
        """
        organization_id = device.organization_id
        # 1 It was approved, for this device.
        if len(request.request_nonce) != REQUEST_NONCE_BYTES:
            raise InputError("a request's nonce has 32 octets")
        self._check_approved(device, proposal_id)
        # 2 The act and its leaf, once.
        release = self._record(device, proposal_id, request, signed)
        included = self._audit.wait_included(organization_id, release.leaf_id, salt=release.salt)
        # 3 The manifest over exactly the keys that the leaf names.
        with self._storage.read(organization_id) as tx:
            history = self._store.keys(tx, organization_id, request.mailbox_id)
            certificates = self._store.all_certificates(tx, organization_id, request.mailbox_id)
        keys = [key for key in history if key.key_id in release.key_ids]
        manifest = ReleaseManifest(
            organization_id=organization_id,
            mailbox_id=request.mailbox_id,
            device_thumbprint=device.credential.device.thumbprint(),
            request_nonce=request.request_nonce,
            leaf_hash=included.leaf_hash,
            chain_number=decode_leaf_record(included.record).chain_number,
            delivery="sealed",
            keys=tuple(key.manifest_key() for key in keys),
        )
        # 4 The keystore opens them, or not.
        released = {key.key_id for key in manifest.released_keys()}
        evidence = ExitEvidence(
            approval=self._approvals.evidence(organization_id, proposal_id),
            requester=self._devices.credential(organization_id, device.device_id),
            requester_role=self._roles.role(organization_id, device.mailbox_id),
            request=signed,
            log=included.evidence(),
            manifest=manifest,
            state_rows=state_rows(keys),
        )
        sealed = self._keystore.open_for_exit(tuple(key.record for key in keys if key.key_id in released), evidence)
        return release_answer(release, manifest, sealed, certificates, included)

    def _needed(self, organization_id: str) -> int:
        row = self._rules.row(organization_id)
        return officers_needed(b"" if row is None else row.content)

    def _check(self, organization_id: str, requester: str, content: bytes) -> None:
        wanted = decode_json(content, ExitRequest)
        if not requester:
            raise PermissionDeniedError("an exit is asked for by a person, on the device that gets the keys")
        credential = self._devices.credential(organization_id, wanted.device_id)
        theirs = (credential.mailbox_id, credential.device.thumbprint())
        if theirs != (requester, wanted.device_thumbprint):
            raise InputError("the device is not the requester's")

    def _check_approved(self, device: AuthenticatedDevice, proposal_id: str) -> None:
        row = self._approvals.state(device.organization_id, proposal_id)
        wanted = decode_json(row.proposal.content, ExitRequest) if row.proposal.kind == EXIT else None
        if wanted is None or (row.proposal.requester, wanted.device_id) != (device.mailbox_id, device.device_id):
            raise NotFoundError("there is no such exit that this device asked for")
        if row.state != "APPROVED":
            raise ApprovalsMissingError(f"the exit is {row.state.lower()}: nothing is given out")

    def _record(
        self, device: AuthenticatedDevice, proposal_id: str, request: ExitKeysRequest, signed: SignedRequestEvidence
    ) -> KeyRelease:
        def choose(tx: Transaction) -> tuple[tuple[str, ...], dict[str, str]]:
            keys = self._store.keys(tx, device.organization_id, request.mailbox_id)
            if not keys:
                raise NotFoundError("the mailbox has no keys")
            fields = {
                "device": device.credential.device.thumbprint().hex(),
                "keys": ",".join(key.spki_sha256.hex() for key in keys if key.state in RELEASED_STATES),
                "nonce": request.request_nonce.hex(),
                "proposal": proposal_id,
            }
            return tuple(key.key_id for key in keys), fields

        return self._releases.record(device, request.mailbox_id, "exit", signed.body, device.idempotency_key, choose)

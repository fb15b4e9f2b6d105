"""Exit: an organization takes all its keys with it, under a quorum; the requester's device fetches them mailbox by mailbox."""

from sealwright.audit.log import Act, AuditLog
from sealwright.clock import Clock
from sealwright.errors import ApprovalsMissingError, ConflictError, InputError, NotFoundError, PermissionDeniedError
from sealwright.identity.approvals import ApprovalService, ProposalKind
from sealwright.identity.devices import DeviceService
from sealwright.identity.model import AuthenticatedDevice
from sealwright.keystore.model import ExitEvidence, LogEvidence, SignedRequestEvidence
from sealwright.keystore.protocol import Keystore
from sealwright.kms.model import KeyRelease
from sealwright.kms.ports import MailboxLister, RoleReader
from sealwright.kms.service import NONCE_BYTES, opening
from sealwright.kms.store import KeyStore
from sealwright.storage.engine import Storage
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.api import KeyCertificate, ReleaseAnswer
from sealwright.wire.encoding import decode_json, sha256
from sealwright.wire.exits import (
    EXIT,
    REQUESTER_ROLES,
    ExitKeysRequest,
    ExitMailbox,
    ExitMailboxes,
    ExitRequest,
    officers_needed,
)
from sealwright.wire.manifest import RELEASED_STATES, ReleaseManifest
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
        roles: Vouched rows of roles and of the recovery rule.
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
    ) -> None:
        self._storage, self._store, self._keystore, self._audit = storage, store, keystore, audit
        self._clock, self._approvals, self._devices = clock, approvals, devices
        self._mailboxes, self._roles = mailboxes, roles
        approvals.register(
            ProposalKind(
                EXIT,
                RECOVERY_OFFICER,
                lambda organization_id: officers_needed(roles.recovery_rule(organization_id)),
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
        if len(request.request_nonce) != NONCE_BYTES:
            raise InputError("a request's nonce has 32 octets")
        self._check_approved(device, proposal_id)
        # 2 The act and its leaf, once.
        release = self._record(device, proposal_id, request, signed)
        included = self._audit.wait_included(organization_id, release.leaf_id)
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
            log=LogEvidence(
                record=included.record,
                salt=included.salt,
                index=included.index,
                tree_size=included.tree_size,
                inclusion_proof=included.inclusion_proof,
                checkpoint=included.checkpoint,
            ),
            manifest=manifest,
        )
        sealed = self._keystore.open_for_exit(tuple(key.record for key in keys if key.key_id in released), evidence)
        return ReleaseAnswer(
            manifest=manifest,
            signature=sealed.signature,
            sealed_keys=sealed.sealed_keys,
            certificates=tuple(
                KeyCertificate(key_id=row.key_id, certificate=row.certificate, chain=row.chain)
                for row in certificates
                if row.key_id in release.key_ids
            ),
            leaf=opening(included),
            checkpoint=included.checkpoint,
        )

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
        organization_id, wanted = device.organization_id, sha256(signed.body).hex()
        salt = self._audit.seal_salt(organization_id)
        with self._storage.transaction(organization_id) as tx:
            found = self._store.release(tx, organization_id, device.device_id, device.idempotency_key)
            if found is None:
                keys = self._store.keys(tx, organization_id, request.mailbox_id)
                if not keys:
                    raise NotFoundError("the mailbox has no keys")
                shown = [key for key in keys if key.state in RELEASED_STATES]
                fields = {
                    "device": device.credential.device.thumbprint().hex(),
                    "keys": ",".join(key.spki_sha256.hex() for key in shown),
                    "nonce": request.request_nonce.hex(),
                    "proposal": proposal_id,
                }
                leaf = self._audit.append(tx, Act(organization_id, request.mailbox_id, EXIT, fields), salt)
                found = KeyRelease(
                    organization_id=organization_id,
                    device_id=device.device_id,
                    idempotency_key=device.idempotency_key,
                    kind="exit",
                    request_sha256=wanted,
                    key_ids=tuple(key.key_id for key in keys),
                    leaf_id=leaf.leaf_id,
                    created=self._clock.now(),
                )
                self._store.add_release(tx, found)
        if (found.kind, found.request_sha256) != ("exit", wanted):
            raise ConflictError("the idempotency key was used for another request")
        return found

"""Key management: what it gives to devices (release, export permission), and the life of keys for jobs and operators."""

import os
from datetime import datetime

from sealwright.audit.log import AuditLog, IncludedLeaf
from sealwright.clock import Clock
from sealwright.errors import InputError, NotFoundError, PermissionDeniedError, UnavailableError
from sealwright.identity.approvals import ApprovalService
from sealwright.identity.devices import DeviceService
from sealwright.identity.model import AuthenticatedDevice, KeySummary
from sealwright.identity.ports import PutOutbox
from sealwright.keystore.access import read_rules
from sealwright.keystore.model import (
    DeviceReleaseEvidence,
    MemberEvidence,
    ReleasePolicy,
    SignedRequestEvidence,
)
from sealwright.keystore.protocol import Keystore
from sealwright.kms import policy as rules
from sealwright.kms.acts import KeyActs
from sealwright.kms.certification import Certifier
from sealwright.kms.holds import LegalHolds
from sealwright.kms.importing import KeyImporter
from sealwright.kms.key_pool import KeyPool
from sealwright.kms.lifecycle import KeyLifecycle
from sealwright.kms.model import KeyRelease, KmsSettings, MailboxKey, state_rows
from sealwright.kms.ports import (
    CertificateIssuer,
    CertificatePublisher,
    EscrowKeyReader,
    MailboxReader,
    PolicyReader,
    SharedMailboxReader,
)
from sealwright.kms.provisioning import Provisioner
from sealwright.kms.releases import Releases, release_answer
from sealwright.kms.remote_decrypt import RemoteDecryption
from sealwright.kms.store import KeyStore
from sealwright.kms.upkeep import KeyUpkeep
from sealwright.storage.engine import Storage, Transaction
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.api import REQUEST_NONCE_BYTES, ExportAnswer, ExportRequest, ReleaseAnswer, ReleaseRequest
from sealwright.wire.encoding import sha256
from sealwright.wire.manifest import RELEASED_STATES, ReleaseManifest


class KeyService:
    """One service for all organizations of this server.

    Args:
        storage: The database.
        store: Its SQL.
        keystore: Where keys are opened.
        audit: The owner-visible log.
        issuer: The CA.
        directory: Where certificates are published.
        clock: The time.
        settings: How keys are made.
        escrow_key: The registered service key "escrow" of an organization.
        mailboxes: Who owns a mailbox.
        policies: Release policies.
        devices: Tells a mailbox's devices.
        shared: Who may act for a shared mailbox.
        approvals: Collects approvals of destructions.
        put_outbox: Queues "mailbox.provision" and "key.revoke".

    Attributes:
        lifecycle: Suspends, resumes, compromises and destroys keys.
        holds: Legal holds.
        upkeep: Fire drill, and rotation when its time has come.
    """

    def __init__(
        self,
        storage: Storage,
        store: KeyStore,
        keystore: Keystore,
        audit: AuditLog,
        issuer: CertificateIssuer,
        directory: CertificatePublisher,
        clock: Clock,
        settings: KmsSettings,
        *,
        escrow_key: EscrowKeyReader,
        mailboxes: MailboxReader,
        policies: PolicyReader,
        devices: DeviceService,
        shared: SharedMailboxReader,
        approvals: ApprovalService,
        put_outbox: PutOutbox,
    ) -> None:
        self._storage, self._store, self._keystore, self._audit = storage, store, keystore, audit
        self._clock, self._policies, self._devices, self._shared = clock, policies, devices, shared
        self._releases = Releases(storage, store, audit, clock)
        self.importer = KeyImporter(storage, store, keystore, audit, clock, mailboxes=mailboxes, devices=devices)
        self.remote = RemoteDecryption(
            storage,
            store,
            keystore,
            audit,
            clock,
            policies=policies,
            devices=devices,
            record_use=lambda device, body, idempotency_key, nonce, key_ids: self._record(
                device, "use", body, idempotency_key, nonce, key_ids
            ),
        )
        acts = KeyActs(store, keystore, audit, directory, devices)
        certifier = Certifier(
            storage,
            store,
            keystore,
            acts,
            issuer,
            directory,
            clock,
            escrow_key=escrow_key,
            mailboxes=mailboxes,
        )
        self._settings = settings
        self._pool = KeyPool(storage, store, keystore, clock, settings, os.cpu_count() or 1)
        self._provisioner = Provisioner(
            storage,
            store,
            keystore,
            audit,
            acts,
            self._pool,
            certifier,
            clock,
            settings,
            mailboxes=mailboxes,
            put_outbox=put_outbox,
        )
        self.lifecycle = KeyLifecycle(
            storage,
            store,
            keystore,
            audit,
            acts,
            clock,
            mailboxes=mailboxes,
            approvals=approvals,
            put_outbox=put_outbox,
        )
        self.upkeep = KeyUpkeep(storage, store, keystore, audit, acts, self._pool, self._provisioner, clock, settings)
        self.holds = LegalHolds(storage, store, audit, clock, mailboxes)

    def refill_pool(self, organization_id: str) -> int:
        """Make ready keys until the pool is full (job); return how many were made."""
        return self._pool.refill(organization_id)

    def pool_ready(self, organization_id: str) -> int:
        """Return how many ready keys of the classical algorithm there are."""
        return self._pool.ready(organization_id, self._settings.algorithm)

    def provision(self, organization_id: str, mailbox_id: str) -> None:
        """Give a mailbox key and certificate (outbox "mailbox.provision"); can be repeated."""
        self._provisioner.provision(organization_id, mailbox_id)

    def rotate(self, organization_id: str, mailbox_id: str, *, made_until: datetime | None = None) -> None:
        """Put a new generation in the place of the active key.

        Raises:
            NotFoundError: If the mailbox is withdrawn or has no active key.
            ConflictError: If it was rotated meanwhile.
        """
        self._provisioner.rotate(organization_id, mailbox_id, made_until=made_until)

    def withdraw(self, organization_id: str, mailbox_id: str) -> None:
        """Deactivate and freeze the keys of an ended tenure (outbox "mailbox.withdraw"); can be repeated."""
        self._provisioner.withdraw(organization_id, mailbox_id)

    def renew_due(self, organization_id: str) -> int:
        """Queue renewal of certificates that end soon (job); return for how many mailboxes."""
        return self._provisioner.renew_due(organization_id)

    def summaries(self, organization_id: str) -> dict[str, KeySummary]:
        """Return the active keys' summaries by mailbox id."""
        with self._storage.read(organization_id) as tx:
            return self._store.summaries(tx, organization_id)

    def history(self, organization_id: str, mailbox_id: str) -> list[MailboxKey]:
        """Return all generations of a mailbox, ordered by slot and generation, for administrators."""
        with self._storage.read(organization_id) as tx:
            return self._store.keys(tx, organization_id, mailbox_id)

    def release(
        self,
        device: AuthenticatedDevice,
        request: ReleaseRequest,
        evidence: SignedRequestEvidence,
        idempotency_key: str,
    ) -> ReleaseAnswer:
        """Release all keys of a mailbox but suspended and destroyed ones, sealed to the device.

        The mailbox is the device's own, or a shared one that its owner is a member of. A retry is answered from the same leaf.

        Raises:
            InputError: If the nonce has not 32 octets.
            NotFoundError: If the device's owner is no member of the mailbox that is named.
            ApprovalsMissingError: If the policy needs more than was shown.
            PermissionDeniedError: If the keys are frozen or the evidence does not hold.
            UnavailableError: If the mailbox has no key yet, or the leaf is not signed in time.
            ConflictError: If the idempotency key was used for another request, or a key was suspended or resumed since.
        """
        # 1 The policy, and the device as it is now.
        if len(request.request_nonce) != REQUEST_NONCE_BYTES:
            raise InputError("a release request's nonce has 32 octets")
        device = self._shared.acting(device, request.mailbox_id)
        in_force = self._policies.policy(device.organization_id, device.mailbox_id)
        rules.check_release(device.credential, in_force, self._clock.now(), device.source)
        if device.membership is not None:
            of_member = self._policies.policy(device.organization_id, device.owner_id)
            rules.check_release(device.credential, of_member, self._clock.now(), device.source)
        # 2 The act and its leaf, once.
        release = self._record(device, "release", evidence.body, idempotency_key, request.request_nonce, None)
        included = self._audit.wait_included(device.organization_id, release.leaf_id, salt=release.salt)
        # 3 The manifest over exactly the keys that the leaf names.
        with self._storage.read(device.organization_id) as tx:
            history = self._store.keys(tx, device.organization_id, device.mailbox_id)
            certificates = self._store.all_certificates(tx, device.organization_id, device.mailbox_id)
        rules.check_history(history)
        keys = rules.listed_keys(history, release.key_ids)
        manifest = ReleaseManifest(
            organization_id=device.organization_id,
            mailbox_id=device.mailbox_id,
            device_thumbprint=device.credential.device.thumbprint(),
            request_nonce=request.request_nonce,
            leaf_hash=included.leaf_hash,
            chain_number=decode_leaf_record(included.record).chain_number,
            delivery="remote" if read_rules(in_force).delivery == "remote" else "sealed",
            keys=tuple(key.manifest_key() for key in keys),
        )
        # 4 The keystore opens them, or not.
        sealed = self._keystore.open(
            tuple(key.record for key in keys if key.state in RELEASED_STATES),
            self._evidence(device, in_force, evidence, included, manifest, keys),
        )
        return release_answer(release, manifest, sealed, certificates, included)

    def export_permission(
        self,
        device: AuthenticatedDevice,
        request: ExportRequest,
        evidence: SignedRequestEvidence,
        idempotency_key: str,
    ) -> ExportAnswer:
        """Permit a device to write one key of its mailbox to a file, with a leaf; a retry gets the same leaf.

        Raises:
            PermissionDeniedError: If the organization does not permit it, or the keys are frozen.
            NotFoundError: If the mailbox has no such key.
            UnavailableError: If the leaf is not signed in time.
            ConflictError: If the idempotency key was used for another request.
        """
        in_force = self._policies.policy(device.organization_id, device.mailbox_id)
        rules.check_export(device.credential, in_force, self._clock.now(), device.source)
        release = self._record(device, "export", evidence.body, idempotency_key, b"", (request.key_id,))
        included = self._audit.wait_included(device.organization_id, release.leaf_id, salt=release.salt)
        return ExportAnswer(leaf=included.opening(), checkpoint=included.checkpoint)

    def _record(
        self,
        device: AuthenticatedDevice,
        kind: str,
        body: bytes,
        idempotency_key: str,
        nonce: bytes,
        key_ids: tuple[str, ...] | None,
    ) -> KeyRelease:
        def choose(tx: Transaction) -> tuple[tuple[str, ...], dict[str, str]]:
            keys = self._releasable(tx, device, key_ids)
            fields = {
                "device": device.credential.device.thumbprint().hex(),
                "keys": ",".join(key.spki_sha256.hex() for key in keys),
                "request": sha256(body).hex(),
            }
            if nonce:
                fields["nonce"] = nonce.hex()
            if kind == "export":
                self._provisioner.note_export(tx, keys)
            return tuple(key.key_id for key in keys), fields

        return self._releases.record(device, device.mailbox_id, kind, body, idempotency_key, choose)

    def _releasable(
        self, tx: Transaction, device: AuthenticatedDevice, key_ids: tuple[str, ...] | None
    ) -> list[MailboxKey]:
        history = self._store.keys(tx, device.organization_id, device.mailbox_id)
        if not history:
            raise UnavailableError("the keys of this mailbox are being made: ask again in a moment")
        rules.check_history(history)
        keys = [key for key in history if key_ids is None or key.key_id in key_ids]
        keys = [key for key in keys if key.state in RELEASED_STATES]
        if not keys and key_ids is None:
            raise PermissionDeniedError("every key of this mailbox is suspended or destroyed")
        if not keys:
            raise NotFoundError("the mailbox has no such key")
        return keys

    def _evidence(
        self,
        device: AuthenticatedDevice,
        in_force: ReleasePolicy,
        request: SignedRequestEvidence,
        included: IncludedLeaf,
        manifest: ReleaseManifest,
        keys: list[MailboxKey],
    ) -> DeviceReleaseEvidence:
        credential = self._devices.credential(device.organization_id, device.device_id)
        if credential.state != "active":
            raise PermissionDeniedError("the device was locked or removed")
        member = None
        if device.membership is not None:
            of_member = self._policies.policy(device.organization_id, device.owner_id)
            member = MemberEvidence(device.membership, of_member)
        return DeviceReleaseEvidence(
            credential, in_force, request, included.evidence(), manifest, device.source, member, state_rows(keys)
        )

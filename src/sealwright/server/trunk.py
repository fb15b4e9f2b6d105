"""What `init` and the server both stand on: stores, log, CA and key management over an open database and keystore."""

import os

from sealwright.audit.log import AuditLog
from sealwright.ca.model import Subject as CaSubject
from sealwright.ca.policy import CaSettings
from sealwright.ca.service import CertificateAuthority
from sealwright.ca.store import CaStore
from sealwright.clock import Clock
from sealwright.directory.service import Directory
from sealwright.directory.store import SqlDirectoryStore
from sealwright.identity.approval_store import ApprovalStore
from sealwright.identity.approvals import ApprovalService
from sealwright.identity.device_store import DeviceStore
from sealwright.identity.devices import DeviceService
from sealwright.identity.log_breaks import LogBreakService
from sealwright.identity.people import Mailboxes
from sealwright.identity.policy import PolicyService
from sealwright.identity.roles import RoleService
from sealwright.identity.shared_mailboxes import SharedMailboxService
from sealwright.identity.shared_store import SharedStore
from sealwright.identity.store import PeopleStore
from sealwright.identity.weaker_policy import WeakerPolicies
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.protocol import Keystore
from sealwright.kms.exits import ExitService
from sealwright.kms.recovery import RecoveryService
from sealwright.kms.recovery_rules import RecoveryRules
from sealwright.kms.service import KeyService
from sealwright.kms.store import KeyStore
from sealwright.outbox.queue import put
from sealwright.server import store
from sealwright.server.settings import Settings
from sealwright.storage.engine import Storage

EXTRA_THREADS = 32
"""Request threads besides one per core: most of them wait for database or keystore."""


def worker_threads() -> int:
    """Return how many threads serve requests; the database pool is as large."""
    return (os.cpu_count() or 1) + EXTRA_THREADS


def log_origin(settings: Settings) -> str:
    """Return the origin line of the organization's log."""
    return f"{settings.organization.domain}/sealwright/{settings.organization.organization_id}"


def log_key_purpose(settings: Settings) -> str:
    """Return the purpose of the log's service key; the keystore registers the log's origin by it."""
    return f"log/{log_origin(settings)}"


class Subjects:
    """The CA's `SubjectReader` over identity."""

    def __init__(self, mailboxes: Mailboxes) -> None:
        self._mailboxes = mailboxes

    def subject(self, organization_id: str, mailbox_id: str) -> CaSubject:
        """Return the subject of an active mailbox.

        Raises:
            NotFoundError: If there is no such mailbox, or it is withdrawn.
        """
        mailbox = self._mailboxes.mailbox(organization_id, mailbox_id)
        return CaSubject(
            address=mailbox.address,
            addresses=mailbox.addresses,
            given_name=mailbox.given_name,
            surname=mailbox.surname,
            common_name=mailbox.display_name,
            mailbox_id=mailbox_id,
        )


class Trunk:
    """What `init` and the server both need: log and CA over an open database and keystore."""

    def __init__(self, settings: Settings, storage: Storage, keystore: Keystore, clock: Clock) -> None:
        self.settings, self.storage, self.keystore, self.clock = settings, storage, keystore, clock
        self.people_store = PeopleStore()
        self.device_store = DeviceStore()
        self.kms_store = KeyStore()
        self.audit = AuditLog(storage, keystore, clock, settings.data_folder / "node")
        self.policies = PolicyService(storage, keystore, self.audit)
        self.mailboxes = Mailboxes(storage, self.people_store)
        self.subjects = Subjects(self.mailboxes)
        self.authority = CertificateAuthority(
            storage,
            CaStore(),
            keystore,
            self.audit,
            clock,
            CaSettings(settings.server.status_url),
            subjects=self.subjects,
            put_outbox=put,
        )
        self.devices = DeviceService(storage, self.device_store, keystore, self.audit, clock, put_outbox=put)
        self.approvals = ApprovalService(
            storage,
            ApprovalStore(),
            self.people_store,
            keystore,
            self.audit,
            clock,
            devices=self.devices,
            put_outbox=put,
        )
        self.roles = RoleService(storage, keystore, self.audit, mailboxes=self.mailboxes, approvals=self.approvals)
        self.log_breaks = LogBreakService(storage, keystore, self.audit, approvals=self.approvals)
        self.weaker = WeakerPolicies(self.policies, self.approvals)
        self.shared = SharedMailboxService(
            storage,
            SharedStore(),
            self.people_store,
            keystore,
            self.audit,
            clock,
            devices=self.devices,
            put_outbox=put,
        )
        self.recovery_rules = RecoveryRules(storage, keystore, self.audit, approvals=self.approvals)
        self.recoveries = RecoveryService(
            storage,
            keystore,
            self.audit,
            clock,
            rules=self.recovery_rules,
            approvals=self.approvals,
            mailboxes=self.mailboxes,
            devices=self.devices,
        )
        self.directory = Directory(storage, SqlDirectoryStore(), clock)
        self.keys = KeyService(
            storage,
            self.kms_store,
            keystore,
            self.audit,
            self.authority,
            self.directory,
            clock,
            settings.keys.for_kms(),
            escrow_key=self.escrow_key,
            mailboxes=self.mailboxes,
            policies=self.policies,
            devices=self.devices,
            shared=self.shared,
            approvals=self.approvals,
            put_outbox=put,
        )
        self.exits = ExitService(
            storage,
            self.kms_store,
            keystore,
            self.audit,
            clock,
            approvals=self.approvals,
            devices=self.devices,
            mailboxes=self.mailboxes,
            roles=self.roles,
            rules=self.recovery_rules,
        )

    def escrow_key(self, organization_id: str) -> SealedRecord:
        """Return the key that signs an organization's escrow statements."""
        with self.storage.read(organization_id) as tx:
            return store.load_service_key(tx, organization_id, "escrow")

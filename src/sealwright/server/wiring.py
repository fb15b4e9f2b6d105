"""The only place where rooms meet: makes every service and hands each what its ports ask for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import structlog

from sealwright.audit.log import AuditLog
from sealwright.audit.report import DailyReports
from sealwright.audit.witnessing import Witnessing
from sealwright.ca.model import ISSUERS, ROOT
from sealwright.ca.service import CertificateAuthority
from sealwright.clock import Clock, SystemClock
from sealwright.directory.service import Directory
from sealwright.identity.access import AccessService
from sealwright.identity.administrator_store import AdministratorStore
from sealwright.identity.administrators import AdministratorService
from sealwright.identity.approvals import ApprovalService
from sealwright.identity.devices import DeviceService
from sealwright.identity.enrolment import EnrolmentService
from sealwright.identity.feed_watch import FeedWatch
from sealwright.identity.freshness import NonceIssuer
from sealwright.identity.log_breaks import LogBreakService
from sealwright.identity.passkeys import PasskeyService
from sealwright.identity.people import Mailboxes, PeopleService
from sealwright.identity.policy import PolicyService
from sealwright.identity.requests import RequestVerifier
from sealwright.identity.roles import RoleService
from sealwright.identity.shared_mailboxes import SharedMailboxService
from sealwright.identity.tokens import TokenService
from sealwright.identity.weaker_policy import WeakerPolicies
from sealwright.keystore.pool import PooledKeystore, open_keystore
from sealwright.keystore.protocol import Keystore
from sealwright.kms.exits import ExitService
from sealwright.kms.recovery import RecoveryService
from sealwright.kms.recovery_rules import RecoveryRules
from sealwright.kms.service import KeyService
from sealwright.net.http import HttpClient
from sealwright.net.sign_on import fetch_issuer_keys
from sealwright.outbox.queue import put
from sealwright.outbox.worker import OutboxWorker
from sealwright.server import metrics, store
from sealwright.server.backup import check_quarantine
from sealwright.server.handlers import Handlers
from sealwright.server.health import Readiness, check_database
from sealwright.server.jobs import Job, JobRunner
from sealwright.server.mail import Mailer
from sealwright.server.report import REPORT_PURPOSE, ReportWriter
from sealwright.server.rotation import StorageKeyRotation
from sealwright.server.schema import check_schema
from sealwright.server.sealing import OpenServer, SealService
from sealwright.server.settings import Settings
from sealwright.server.statement import StatementContent, StatementIssuer
from sealwright.server.trunk import Subjects, Trunk, log_key_purpose, log_origin, worker_threads
from sealwright.storage.engine import Storage, open_storage
from sealwright.tlog.note import MAX_NOTE_BYTES

LOG = structlog.get_logger("sealwright.server")


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the applications serve."""

    settings: Settings
    clock: Clock
    storage: Storage
    keystore: Keystore
    audit: AuditLog
    witnessing: Witnessing
    reports: ReportWriter
    log_breaks: LogBreakService
    authority: CertificateAuthority
    subjects: Subjects
    directory: Directory
    statements: StatementIssuer
    statement_content: StatementContent
    requests: RequestVerifier
    tokens: TokenService
    devices: DeviceService
    feed_watch: FeedWatch
    enrolments: EnrolmentService
    access: AccessService
    people: PeopleService
    mailboxes: Mailboxes
    administrators: AdministratorService
    passkeys: PasskeyService
    policies: PolicyService
    weaker: WeakerPolicies
    fetch_issuer_keys: Callable[[str], bytes]
    approvals: ApprovalService
    roles: RoleService
    shared: SharedMailboxService
    recovery_rules: RecoveryRules
    recoveries: RecoveryService
    keys: KeyService
    rotation: StorageKeyRotation
    seal: SealService
    exits: ExitService
    readiness: Readiness
    _worker: OutboxWorker = field(repr=False)
    _jobs: JobRunner = field(repr=False)

    @property
    def organization_id(self) -> str:
        """The organization of this server, 32 hex digits."""
        return self.settings.organization.organization_id

    def start(self) -> None:
        """Start the sequencer, the outbox worker and the jobs."""
        self.seal.note()
        self.seal.note_opening()
        self.audit.start()
        self._worker.start()
        self._jobs.start()

    def stop(self) -> None:
        """Stop what `start` started."""
        self._jobs.stop()
        self._worker.stop()
        self.audit.stop()

    def check(self) -> None:
        """Check database, keystore and statement once.

        Raises:
            SealwrightError: What does not hold.
        """
        for check in self.readiness.checks.values():
            check()

    def close(self) -> None:
        """End the keystore's processes and close the database."""
        self.keystore.close()
        self.storage.close()


def build(settings: Settings, clock: Clock | None = None, keystore: PooledKeystore | None = None) -> Services:
    """Open the database and make every service; nothing runs yet.

    Args:
        settings: Of the data folder.
        clock: The time; the system's without.
        keystore: Open; made and opened without.

    Raises:
        ConfigurationError: If the settings do not fit the database.
        SealedError: If the seal cannot be opened, or the data folder is in quarantine.
    """
    check_quarantine(settings.data_folder)
    clock = clock or SystemClock()
    storage = open_storage(settings.database_url, worker_threads())
    try:
        check_schema(storage)
        opened = keystore or open_keystore(settings.seal_options, settings.seal.workers)
    except BaseException:
        storage.close()
        raise
    try:
        return _services(Trunk(settings, storage, opened, clock), opened)
    except BaseException:
        if keystore is None:
            opened.close()
        storage.close()
        raise


def _services(trunk: Trunk, keystore: PooledKeystore) -> Services:
    settings, storage, clock, audit = trunk.settings, trunk.storage, trunk.clock, trunk.audit
    organization_id = settings.organization.organization_id
    # 1 Keys and anchors of the organization.
    with storage.read(organization_id) as tx:
        log_key = store.load_service_key(tx, organization_id, log_key_purpose(settings))
        statement_key = store.load_service_key(tx, organization_id, "statement")
        release_key = store.load_service_key(tx, organization_id, "release")
        report_key = store.load_service_key(tx, organization_id, REPORT_PURPOSE)
    root = trunk.authority.issuer_certificate(organization_id, ROOT)
    keys = ServiceKeys(release=release_key.spki[-32:], log=log_key.spki[-32:], report=report_key.spki[-32:])
    content = _statement_content(settings, root, keys)
    statements = StatementIssuer(storage, keystore, clock, statement_key, content)
    # 2 Identity.
    requests = RequestVerifier(NonceIssuer(keystore, clock, organization_id), settings.server.endpoints)
    tokens = TokenService(storage, trunk.device_store, trunk.people_store, requests, clock)
    enrolments = EnrolmentService(
        storage,
        trunk.device_store,
        trunk.people_store,
        keystore,
        audit,
        clock,
        requests=requests,
        tokens=tokens,
        devices=trunk.devices,
        policies=trunk.policies,
        put_outbox=put,
    )
    access = AccessService(
        storage,
        trunk.device_store,
        keystore,
        audit,
        clock,
        devices=trunk.devices,
        policies=trunk.policies,
    )
    administrator_store = AdministratorStore()
    administrators = AdministratorService(storage, administrator_store, audit, clock, store.use_sign_in_link)
    passkeys = PasskeyService(storage, administrator_store, administrators, clock, settings.server.endpoints)
    # 3 Roles.
    people = PeopleService(
        storage,
        trunk.people_store,
        audit,
        clock,
        devices=trunk.devices,
        keys=trunk.keys,
        policies=trunk.policies,
        memberships=trunk.shared,
        put_outbox=put,
    )
    rotation = StorageKeyRotation(storage, keystore, audit, clock, organization_id)
    seal = SealService(keystore, OpenServer(organization_id, storage, audit, clock, trunk.approvals, rotation))
    # 4 What runs by itself.
    witnessing = Witnessing(
        storage,
        clock,
        partial(_post, HttpClient((root,), allow_plain=True)),
        settings.witnesses.known(),
        settings.witnesses.quorum,
    )
    reports = ReportWriter(
        DailyReports(storage, clock, organization_id, settings.organization.name),
        keystore,
        report_key,
        settings.data_folder / "reports",
    )
    fetch = partial(fetch_issuer_keys, HttpClient((root,)))
    handlers = Handlers(trunk, enrolments, Mailer(settings.mail, (root,)))
    worker = OutboxWorker(
        storage,
        clock,
        {
            "mailbox.provision": handlers.provision,
            "mailbox.withdraw": handlers.withdraw,
            "mailbox.rotate": handlers.rotate,
            "member.left": handlers.part_member,
            "key.revoke": handlers.revoke_key,
            "device.removed": handlers.remove_device,
            "challenge.mail": handlers.mail_challenge,
            "proposal.apply": handlers.apply_proposal,
            "certificate.published": handlers.settle,
            "certificate.revoked": handlers.unpublish,
        },
    )
    jobs = JobRunner(
        (
            Job("pool.refill", 5.0, lambda: trunk.keys.refill_pool(organization_id)),
            Job("certificate.renew", 3600.0, lambda: trunk.keys.renew_due(organization_id)),
            Job("key.drill", 60.0, lambda: _drill(trunk, organization_id)),
            Job("key.rotate-due", 600.0, lambda: trunk.keys.upkeep.rotate_due(organization_id)),
            Job("time.mark", 60.0, lambda: trunk.audit.mark_time(organization_id)),
            Job("crl.refresh", 600.0, lambda: [trunk.authority.crl(organization_id, name) for name in ISSUERS]),
            Job("statement.refresh", 3600.0, lambda: _refresh_statement(statements)),
            Job("sign-on.refresh", 3600.0, lambda: trunk.weaker.refresh_sign_on(organization_id, fetch)),
            Job("log.report", 600.0, reports.write_newest),
            Job("log.witness", 10.0, lambda: witnessing.collect(organization_id)),
            Job("policy.apply", 60.0, lambda: trunk.weaker.apply_due(organization_id)),
            Job("proposal.expire", 60.0, lambda: trunk.approvals.expire(organization_id)),
            Job("seal.rewrap", 5.0, rotation.finish),
            Job("recovery.tell", 60.0, lambda: trunk.recoveries.tell_owners(organization_id)),
            Job("recovery.lapse", 60.0, lambda: trunk.recoveries.lapse(organization_id)),
            Job("enrolment.purge", 3600.0, lambda: enrolments.purge(organization_id)),
        )
    )
    readiness = Readiness(
        {
            "database": lambda: check_database(storage),
            "keystore": lambda: keystore.derive_secret(organization_id, "readiness"),
            "statement": statements.current,
        }
    )
    return Services(
        settings=settings,
        clock=clock,
        storage=storage,
        keystore=keystore,
        audit=audit,
        witnessing=witnessing,
        reports=reports,
        log_breaks=trunk.log_breaks,
        authority=trunk.authority,
        subjects=trunk.subjects,
        directory=trunk.directory,
        statements=statements,
        statement_content=content,
        requests=requests,
        tokens=tokens,
        devices=trunk.devices,
        feed_watch=FeedWatch(storage, trunk.device_store),
        enrolments=enrolments,
        access=access,
        people=people,
        mailboxes=trunk.mailboxes,
        administrators=administrators,
        passkeys=passkeys,
        policies=trunk.policies,
        weaker=trunk.weaker,
        fetch_issuer_keys=fetch,
        approvals=trunk.approvals,
        roles=trunk.roles,
        shared=trunk.shared,
        recovery_rules=trunk.recovery_rules,
        recoveries=trunk.recoveries,
        keys=trunk.keys,
        rotation=rotation,
        seal=seal,
        exits=trunk.exits,
        readiness=readiness,
        _worker=worker,
        _jobs=jobs,
    )


@dataclass(frozen=True, slots=True)
class ServiceKeys:
    """Public keys of the organization's services, raw Ed25519."""

    release: bytes
    log: bytes
    report: bytes


def _statement_content(settings: Settings, root: bytes, keys: ServiceKeys) -> StatementContent:
    return StatementContent(
        domain=settings.organization.domain,
        organization_id=settings.organization.organization_id,
        organization_name=settings.organization.name,
        endpoints=settings.server.endpoints,
        tls_anchors=(root,),
        smime_anchors=(root,),
        release_key=keys.release,
        log_origin=log_origin(settings),
        log_key=keys.log,
        report_key=keys.report,
        witness_keys=tuple(witness.key.public_key for witness in settings.witnesses.known()),
        witness_quorum=settings.witnesses.quorum if settings.witnesses.keys else 0,
        imap=settings.imap.for_statement(),
        submission=settings.submission.for_statement(),
        file_sent_mail=settings.devices.file_sent_mail,
    )


def _post(http: HttpClient, url: str, body: bytes) -> tuple[int, bytes]:
    answer = http.request("POST", url, body=body, max_bytes=MAX_NOTE_BYTES)
    return answer.status, answer.body


def _drill(trunk: Trunk, organization_id: str) -> None:
    """Examine a batch of keys; those that fail page whoever watches the event log or the metric."""
    failing = trunk.keys.upkeep.drill_due(organization_id).failing
    metrics.FAILING_KEYS.set(len(failing))
    if failing:
        LOG.error("key.examine.failed", keys=failing[:20], count=len(failing))


def _refresh_statement(statements: StatementIssuer) -> None:
    statements.current()
    metrics.DELEGATION_ENDS.set(statements.delegation_ends().timestamp())

"""An organization with people over SQLite and the in-memory keystore; devices that sign as real ones do."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support.memory_keystore import MemoryKeystore
from support.release_evidence import make_device

import sealwright.kms.tables  # noqa: F401 - makes its tables
from sealwright.audit.log import AuditLog
from sealwright.cms.algorithms import ML_KEM
from sealwright.identity.access import AccessService
from sealwright.identity.approval_store import ApprovalStore
from sealwright.identity.approvals import ApprovalService
from sealwright.identity.device_store import DeviceStore
from sealwright.identity.devices import DeviceService
from sealwright.identity.enrolment import EnrolmentService
from sealwright.identity.freshness import NonceIssuer
from sealwright.identity.model import Organization
from sealwright.identity.people import Mailboxes, PeopleService
from sealwright.identity.policy import PolicyService
from sealwright.identity.requests import RequestVerifier
from sealwright.identity.shared_mailboxes import SharedMailboxService
from sealwright.identity.shared_store import SharedStore
from sealwright.identity.store import PeopleStore
from sealwright.identity.tokens import TokenService
from sealwright.keystore.model import SignedRequestEvidence
from sealwright.kms.model import KmsSettings
from sealwright.kms.service import KeyService
from sealwright.kms.store import KeyStore
from sealwright.pkix.requests import load_subscriber_key
from sealwright.storage.engine import open_storage
from sealwright.storage.schema import metadata, new_id
from sealwright.wire.api import EnrolmentRequest, ProofRequest
from sealwright.wire.dpop import make_proof
from sealwright.wire.escrow import verify_escrow_statement
from sealwright.wire.operator import PersonRow
from sealwright.wire.proof import proof_answer, proof_transcript
from sealwright.wire.signed_request import sign_request

ORGANIZATION = "a" * 32
DOMAIN = "example.test"
ORIGIN = "https://kms.example.test"
LOG_ORIGIN = "example.test/log"


class MovableClock:
    def __init__(self):
        self.time = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def now(self):
        return self.time

    def move(self, **by):
        self.time += timedelta(**by)


class FakeIssuer:
    """A CA that checks the statement and signs with a throw-away key."""

    def __init__(self, clock, escrow_key):
        self.clock, self.escrow_key, self.statements, self.days = clock, escrow_key, [], 365
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.broken = False

    def issue_encryption(self, payload, signature):
        if self.broken:
            raise RuntimeError
        statement = verify_escrow_statement(payload, signature, self.escrow_key, self.clock.now())
        self.statements.append(statement)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, statement.addresses[0])])
        not_after = self.clock.now() + timedelta(days=self.days)
        names = [x509.RFC822Name(address) for address in statement.addresses]
        certificate = (
            x509.CertificateBuilder(name, name, load_subscriber_key(statement.spki), x509.random_serial_number())
            .not_valid_before(self.clock.now())
            .not_valid_after(not_after)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        from cryptography.hazmat.primitives.serialization import Encoding

        return SimpleNamespace(certificate=certificate.public_bytes(Encoding.DER), chain=(), not_after=not_after)


class FakeDirectory:
    """Shows the newest certificate of each slot: classical ones in `published`, those for ML-KEM in `kem`."""

    def __init__(self):
        self.published, self.kem = {}, {}

    def publish(self, tx, organization_id, address, certificate, chain):
        oid = x509.load_der_x509_certificate(certificate).public_key_algorithm_oid.dotted_string
        (self.kem if oid in ML_KEM else self.published)[address] = certificate

    def unpublish(self, tx, organization_id, address, certificate=b""):
        for shown in (self.published, self.kem):
            if certificate in (b"", shown.get(address)):
                shown.pop(address, None)

    def republish(self, tx, organization_id, address, certificate):
        self.publish(tx, organization_id, address, certificate, ())


class World:
    """The organization.

    Args:
        folder: For its files.
        storage: An open database; SQLite without.
        make_keystore: Folder and clock -> keystore; the in-memory one without.
        kem: Of the second key of each pair; empty for no pairs.
    """

    def __init__(self, folder, storage=None, make_keystore=MemoryKeystore, kem=""):
        self.storage = storage or open_storage(f"sqlite:///{folder / 'test.db'}")
        metadata.create_all(self.storage.engine)
        self.clock, self.outbox = MovableClock(), []
        self.keystore = make_keystore(folder, self.clock)
        self.audit = AuditLog(self.storage, self.keystore, self.clock)
        self.people_store, self.device_store = PeopleStore(), DeviceStore()
        requests = RequestVerifier(NonceIssuer(self.keystore, self.clock, ORGANIZATION), [ORIGIN])
        self.tokens = TokenService(self.storage, self.device_store, self.people_store, requests, self.clock)
        self.devices = DeviceService(
            self.storage, self.device_store, self.keystore, self.audit, self.clock, put_outbox=self.put
        )
        self.policies = PolicyService(self.storage, self.keystore, self.audit)
        self.enrolments = EnrolmentService(
            self.storage,
            self.device_store,
            self.people_store,
            self.keystore,
            self.audit,
            self.clock,
            requests=requests,
            tokens=self.tokens,
            devices=self.devices,
            policies=self.policies,
            put_outbox=self.put,
        )
        self.access = AccessService(
            self.storage,
            self.device_store,
            self.keystore,
            self.audit,
            self.clock,
            devices=self.devices,
            policies=self.policies,
        )
        self.mailboxes = Mailboxes(self.storage, self.people_store)
        self.approvals = ApprovalService(
            self.storage,
            ApprovalStore(),
            self.people_store,
            self.keystore,
            self.audit,
            self.clock,
            devices=self.devices,
            put_outbox=self.put,
        )
        self.shared = SharedMailboxService(
            self.storage,
            SharedStore(),
            self.people_store,
            self.keystore,
            self.audit,
            self.clock,
            devices=self.devices,
            put_outbox=self.put,
        )
        escrow = self.keystore.generate_service_key(ORGANIZATION, "escrow", "ed25519")
        self.release_key = self.keystore.generate_service_key(ORGANIZATION, "release", "ed25519").spki[-32:]
        self.issuer, self.directory = FakeIssuer(self.clock, escrow.spki[-32:]), FakeDirectory()
        self.keys = KeyService(
            self.storage,
            KeyStore(),
            self.keystore,
            self.audit,
            self.issuer,
            self.directory,
            self.clock,
            KmsSettings(algorithm="p256", kem=kem, pool_size=3),
            escrow_key=lambda organization_id: escrow,
            mailboxes=self.mailboxes,
            policies=self.policies,
            devices=self.devices,
            shared=self.shared,
            approvals=self.approvals,
            put_outbox=self.put,
        )
        self.people = PeopleService(
            self.storage,
            self.people_store,
            self.audit,
            self.clock,
            devices=self.devices,
            keys=self.keys,
            policies=self.policies,
            memberships=self.shared,
            put_outbox=self.put,
        )
        log_key = self.keystore.generate_service_key(ORGANIZATION, f"log/{LOG_ORIGIN}", "ed25519")
        self.log_key = log_key.spki[-32:]
        with self.storage.transaction(ORGANIZATION) as tx:
            self.audit.create_log(tx, ORGANIZATION, LOG_ORIGIN, log_key)
            organization = Organization(ORGANIZATION, "Example", DOMAIN)
            self.people_store.add_organization(tx, organization, self.clock.now())
            self.policies.create(tx, ORGANIZATION)
        rows = (PersonRow(address="alice@example.test", given_name="Alice"), PersonRow(address="bob@example.test"))
        assert self.people.import_people(ORGANIZATION, rows).created == 2
        self.alice = self.people.find_mailbox(ORGANIZATION, "alice@example.test")

    def put(self, tx, organization_id, topic, payload, key=None):
        json.dumps(payload)
        self.outbox.append((topic, payload))

    def mails(self):
        return [payload for topic, payload in self.outbox if topic == "challenge.mail"]

    def signed(self, device, method, path, body=b"", nonce=None, key="", origin=ORIGIN):
        """Return a request as a device signs it; a fresh idempotency key unless one is given; None for no key."""
        key = new_id() if key == "" else key
        nonce = self.tokens.nonce() if nonce is None else nonce
        headers = sign_request(device.key, method, origin + path, body, self.clock.now(), nonce, key)
        lower = {name.lower(): value for name, value in headers.items()}
        return SignedRequestEvidence(method, origin + path, lower, body)

    def begin(self, device, address="alice@example.test", source="192.0.2.1", **options):
        request = EnrolmentRequest(address=address, device=device.public, device_name="laptop", platform="linux")
        signed = self.signed(device, "POST", "/v1/enrolments", msgspec.json.encode(request), **options)
        return self.enrolments.begin(request, signed, source)

    def part1(self, begun):
        payload = next(p for p in self.mails() if p["enrolment_id"] == begun.enrolment_id)
        challenge = self.enrolments.challenge(ORGANIZATION, payload)
        assert challenge is not None
        return challenge.part1

    def answer(self, device, begun, address="alice@example.test"):
        transcript = proof_transcript(DOMAIN, address, device.public.thumbprint(), begun.server_nonce)
        return proof_answer(self.part1(begun), begun.part2, transcript)

    def prove(self, device, begun, answer, **options):
        request = ProofRequest(answer=answer)
        path = f"/v1/enrolments/{begun.enrolment_id}/proof"
        signed = self.signed(device, "POST", path, msgspec.json.encode(request), **options)
        return self.enrolments.prove(begun.enrolment_id, request, signed)

    def enrol(self, device=None, address="alice@example.test"):
        device = device or make_device()
        begun = self.begin(device, address)
        return device, self.prove(device, begun, self.answer(device, begun, address))

    def headers(self, device, token, method, path, body=b"", key=None, nonce=None):
        """Return headers of an authenticated request; signed if there is an idempotency key."""
        nonce = self.tokens.nonce() if nonce is None else nonce
        proof = make_proof(device.key, method, ORIGIN + path, token, nonce or None, self.clock.now())
        headers = {"authorization": f"DPoP {token}", "dpop": proof}
        if key is not None:
            headers |= self.signed(device, method, path, body, key=key).headers
        return headers

    def authenticate(self, device, token, method="GET", path="/v1/devices", body=b"", key=None, nonce=None):
        headers = self.headers(device, token, method, path, body, key, nonce)
        return self.tokens.authenticate(headers, method, ORIGIN + path, body, state_changing=key is not None)

"""Issuing, renewing, revoking and publishing status, over SQLite and an in-memory keystore."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sqlalchemy import select
from support.bad_requests import bad_requests, close_modulus
from support.lint import certificate_findings
from support.memory_keystore import MemoryKeystore

from sealwright.asn1.der import object_identifier
from sealwright.asn1.writer import tlv
from sealwright.ca.fronts.status import StatusFront
from sealwright.ca.lint import PRIVATE_CA_FINDINGS, draft, lint
from sealwright.ca.model import ISSUERS, Organization, Subject
from sealwright.ca.policy import CaSettings
from sealwright.ca.service import CertificateAuthority
from sealwright.ca.store import CaStore
from sealwright.ca.tables import ca_certificate, ca_issuer, ca_organization, certified_key
from sealwright.errors import (
    ConflictError,
    InputError,
    InvalidSignatureError,
    PathValidationError,
    ProfileViolationError,
    UnavailableError,
)
from sealwright.pkix import profiles
from sealwright.pkix.levels import identity_level
from sealwright.pkix.names import certificate_addresses
from sealwright.pkix.path import validate_path
from sealwright.storage.engine import Storage, open_storage
from sealwright.storage.schema import metadata
from sealwright.wire.encoding import sha256
from sealwright.wire.escrow import EscrowStatement, escrow_signature_input

ORGANIZATION_ID = "a" * 32
SUBJECT = Subject(
    "alice@example.test", ("alice@example.test", "am@example.test"), "Alice", "Muster", "Alice Muster", "b" * 32
)


class MovableClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 6, 1, 12, 0, 0, 500, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class House:
    """A CA with everything around it."""

    def __init__(self, path: Path) -> None:
        self.storage: Storage = open_storage(f"sqlite:///{path}/ca.db")
        metadata.create_all(self.storage.engine, tables=[ca_organization, ca_issuer, certified_key, ca_certificate])
        self.keystore = MemoryKeystore()
        self.clock = MovableClock()
        self.acts: list[Any] = []
        self.outbox: list[tuple[str, dict[str, str]]] = []
        self.kms_key = self.keystore.generate_service_key(ORGANIZATION_ID, "escrow", "ed25519")
        self.authority = CertificateAuthority(
            self.storage,
            CaStore(),
            self.keystore,
            self,
            self.clock,
            CaSettings("http://127.0.0.1:8080"),
            subjects=self,
            put_outbox=self.put,
        )
        self.organization = Organization(
            ORGANIZATION_ID, "Example GmbH", "DE", "NTRDE-DER3306.HRB12345", self.kms_key.spki[-32:]
        )
        with self.storage.transaction(ORGANIZATION_ID) as tx:
            self.root = x509.load_der_x509_certificate(self.authority.create(tx, self.organization))

    def seal_salt(self, organization_id: str) -> Any:
        return None

    def append(self, tx: Any, act: Any, salt: Any = None) -> None:
        self.acts.append(act)

    def put(self, tx: Any, organization_id: str, topic: str, payload: dict[str, str], key: str | None = None) -> None:
        self.outbox.append((topic, payload))

    def subject(self, organization_id: str, mailbox_id: str) -> Subject:
        return replace(SUBJECT, mailbox_id=mailbox_id)

    def crl(self, name: str) -> x509.CertificateRevocationList:
        return x509.load_der_x509_crl(self.authority.crl(ORGANIZATION_ID, name))

    def escrow(self, **changes: Any) -> tuple[bytes, bytes]:
        key = self.keystore.generate_encryption_key(ORGANIZATION_ID, "rsa-2048")
        statement = EscrowStatement(
            organization_id=ORGANIZATION_ID,
            mailbox_id=SUBJECT.mailbox_id,
            addresses=SUBJECT.addresses,
            spki=key.spki,
            slot="classical",
            generation=1,
            proof_method="domain-control",
            proof_time=self.clock.now(),
            expires=self.clock.now() + timedelta(hours=1),
        )
        payload = msgspec.json.encode(msgspec.structs.replace(statement, **changes))
        return payload, self.keystore.sign(self.kms_key, "ed25519", escrow_signature_input(payload))

    def findings(self) -> list[str]:
        """Lint everything that was signed, when it is finished; what an intranet's names cause does not count."""
        with self.storage.read(ORGANIZATION_ID) as tx:
            rows = [*tx.fetch_all(select(ca_certificate.c.certificate)), *tx.fetch_all(select(ca_issuer.c.certificate))]
        signed = {der for row in rows for der in row if der}
        found = [finding for der in signed for finding in certificate_findings(x509.load_der_x509_certificate(der))]
        return [finding for finding in found if finding.partition(":")[0] not in PRIVATE_CA_FINDINGS]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = House(tmp_path)
    yield built
    findings = built.findings()
    built.storage.close()
    assert findings == []


def make_request() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)


def load(issued: Any) -> tuple[x509.Certificate, list[x509.Certificate]]:
    chain = [x509.load_der_x509_certificate(der) for der in issued.chain]
    return x509.load_der_x509_certificate(issued.certificate), chain


def test_a_signing_certificate_names_the_person_and_validates(house: House) -> None:
    leaf, chain = load(house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, make_request()))
    path = validate_path(leaf, chain, [house.root], now=house.clock.now(), purpose="sign").certificates
    assert path == (leaf, *chain, house.root)
    assert identity_level(leaf) == "sponsor-validated"
    assert certificate_addresses(leaf) == SUBJECT.addresses
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc) < timedelta(days=824)
    assert [act.kind for act in house.acts] == ["issuer.create"] * 4 + ["certificate.issue"]
    assert [topic for topic, _ in house.outbox] == ["certificate.published"]


def test_an_encryption_certificate_is_issued_on_the_registered_kms_word(house: House) -> None:
    leaf, chain = load(house.authority.issue_encryption(*house.escrow()))
    validate_path(leaf, chain, [house.root], now=house.clock.now(), purpose="encrypt")
    payload, signature = house.escrow()
    with pytest.raises(InvalidSignatureError):
        house.authority.issue_encryption(payload, bytes(64))
    with pytest.raises(InvalidSignatureError):
        house.authority.issue_encryption(payload.replace(b"alice@", b"mally@"), signature)
    with pytest.raises(ProfileViolationError):
        house.authority.issue_encryption(*house.escrow(addresses=("mallory@example.test",)))


@pytest.mark.parametrize("algorithm", ["ml-kem-768", "ml-kem-1024"])
def test_an_ml_kem_key_is_certified_for_key_encipherment_alone(house: House, algorithm: str) -> None:
    key = house.keystore.generate_encryption_key(ORGANIZATION_ID, algorithm)
    leaf, chain = load(house.authority.issue_encryption(*house.escrow(spki=key.spki, slot="kem")))
    validate_path(leaf, chain, [house.root], now=house.clock.now(), purpose="encrypt")
    with pytest.raises(PathValidationError, match="not made to sign"):
        validate_path(leaf, chain, [house.root], now=house.clock.now(), purpose="sign")
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.public_bytes() == bytes.fromhex("03020520")  # keyEncipherment and no other bit
    identifier = {"ml-kem-768": "2.16.840.1.101.3.4.4.2", "ml-kem-1024": "2.16.840.1.101.3.4.4.3"}[algorithm]
    without_parameters = tlv(0x30, object_identifier(identifier))  # RFC 9935 section 3
    assert without_parameters in leaf.tbs_certificate_bytes
    leaf.verify_directly_issued_by(chain[0])
    with pytest.raises(ProfileViolationError, match="cannot sign"):
        profiles.subscriber_key_usage(leaf.public_key(), "signing")


def test_issuing_is_idempotent_until_renewal_is_due(house: House) -> None:
    request = make_request()
    first = house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, request)
    assert house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, request) == first
    house.clock.time += timedelta(days=600)
    second = house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, request)
    assert second.not_after > first.not_after


def test_eight_threads_get_one_certificate(house: House) -> None:
    request, results, failures = make_request(), [], []

    def issue() -> None:
        try:
            results.append(house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, request).certificate)
        except Exception as error:  # noqa: BLE001 - the test shows whatever went wrong
            failures.append(error)

    threads = [threading.Thread(target=issue) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(set(results)) == 1


def test_an_interrupted_issue_is_finished_with_the_same_certificate(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = make_request()
    with monkeypatch.context() as patch:
        patch.setattr(house.keystore, "sign", lambda *_: b"0\x06\x02\x01\x01\x02\x01\x01")
        with pytest.raises(InvalidSignatureError):
            house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, request)
    (pending,) = house.authority.certificates(ORGANIZATION_ID, SUBJECT.mailbox_id)
    assert pending.state == "PENDING"
    leaf, _ = load(house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, request))
    assert leaf.serial_number == pending.serial_number
    assert leaf.tbs_certificate_bytes == pending.tbs_certificate


def test_a_key_stays_with_its_holder(house: House) -> None:
    request = make_request()
    house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, request)
    with pytest.raises(ProfileViolationError):
        house.authority.issue_signing(ORGANIZATION_ID, replace(SUBJECT, mailbox_id="c" * 32), request)


def test_revocation_reaches_the_list_and_the_number_grows(house: House) -> None:
    request = make_request()
    leaf, chain = load(house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, request))
    before = house.crl("signing")
    house.authority.revoke(ORGANIZATION_ID, leaf.serial_number, "keyCompromise")
    after = house.crl("signing")
    numbers = [crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for crl in (before, after)]
    assert numbers[0] < numbers[1]
    assert after.next_update_utc == house.clock.now().replace(microsecond=0) + timedelta(days=7)
    validate_path(leaf, chain, [house.root], now=house.clock.now(), purpose="sign", crls=[before])
    with pytest.raises(PathValidationError, match="revoked"):
        validate_path(leaf, chain, [house.root], now=house.clock.now(), purpose="sign", crls=[after])
    with pytest.raises(ConflictError):
        house.authority.revoke(ORGANIZATION_ID, leaf.serial_number, "superseded")
    with pytest.raises(ProfileViolationError, match="compromised"):
        house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, request)
    assert house.crl("signing") == after
    house.clock.time += timedelta(days=4)
    assert house.crl("signing") != after


def test_a_removed_devices_certificates_are_revoked_and_no_other(house: House) -> None:
    lost, kept = "1" * 32, "2" * 32
    gone = [load(house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, make_request(), lost))[0] for _ in range(2)]
    stays, _ = load(house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, make_request(), kept))
    assert house.authority.revoke_all(ORGANIZATION_ID, SUBJECT.mailbox_id, "cessationOfOperation", lost) == 2
    crl = house.crl("signing")
    assert all(crl.get_revoked_certificate_by_serial_number(leaf.serial_number) for leaf in gone)
    assert crl.get_revoked_certificate_by_serial_number(stays.serial_number) is None
    assert house.authority.revoke_all(ORGANIZATION_ID, SUBJECT.mailbox_id, "cessationOfOperation", lost) == 0
    assert sum(act.kind == "certificate.revoke" for act in house.acts) == 2


def test_what_is_not_signed_yet_when_a_device_goes_is_never_handed_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign = house.keystore.sign
    done: list[int] = []

    def remove_meanwhile(key: Any, algorithm: str, message: bytes) -> bytes:
        if not done:
            done.append(-1)
            done.append(house.authority.revoke_all(ORGANIZATION_ID, SUBJECT.mailbox_id, "superseded", "1" * 32))
        return sign(key, algorithm, message)

    monkeypatch.setattr(house.keystore, "sign", remove_meanwhile)
    with pytest.raises(ConflictError):
        house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, make_request(), "1" * 32)
    assert done == [-1, 1]
    assert [record.state for record in house.authority.certificates(ORGANIZATION_ID, SUBJECT.mailbox_id)] == [
        "ABANDONED"
    ]


def test_a_list_from_before_a_revocation_is_never_handed_out_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf, _ = load(house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, make_request()))
    house.crl("signing")

    def fail(*_: Any) -> bytes:
        raise UnavailableError("the keystore is gone")

    with monkeypatch.context() as broken:
        broken.setattr(house.keystore, "sign", fail)
        with pytest.raises(UnavailableError):
            house.authority.revoke(ORGANIZATION_ID, leaf.serial_number, "keyCompromise")
        with pytest.raises(UnavailableError):
            house.crl("signing")
    assert house.crl("signing").get_revoked_certificate_by_serial_number(leaf.serial_number) is not None


def test_tls_certificates_name_hosts_and_addresses(house: House) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = house.authority.issue_tls(ORGANIZATION_ID, ["127.0.0.1", "localhost", "mail.example.test"], key.public_key())
    leaf, issuer = x509.load_pem_x509_certificates(pem.encode())
    leaf.verify_directly_issued_by(issuer)
    issuer.verify_directly_issued_by(house.root)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["127.0.0.1", "localhost", "mail.example.test"]
    with pytest.raises(PathValidationError, match="not for mail"):
        validate_path(leaf, [issuer], [house.root], now=house.clock.now(), purpose="sign")


@pytest.mark.parametrize(
    ("url", "is_permitted"),
    [
        ("http://127.0.0.1:8080/crl/a.crl", True),
        ("http://localhost/crl/a.crl", True),
        ("http://intranet:8080/crl/a.crl", True),
        ("http://crl.example.test/a.crl", True),
        ("http://in tranet/a.crl", False),
        ("http://intranet/%zz", False),
        ("http://user@intranet/a.crl", False),
        ("http://intranet:123456/a.crl", False),
        ("intranet", False),
    ],
)
def test_lint_forgives_private_hosts_and_no_other_address(url: str, is_permitted: bool) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()).public_key(), x509.Name([])
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
    now = datetime(2026, 6, 1, tzinfo=UTC)
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Example GmbH")])
    builder = (
        x509.CertificateBuilder(issuer, name, key, x509.random_serial_number(), now, now + timedelta(days=30))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("mail.example.test")]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.CRLDistributionPoints([point]), critical=False)
    )
    drafted = draft(builder, key)
    if is_permitted:
        lint(drafted)
    else:
        with pytest.raises(ProfileViolationError, match=r"pkix\.invalid_uri_syntax"):
            lint(drafted)


def test_an_organization_has_one_ca(house: House) -> None:
    with pytest.raises(ConflictError), house.storage.transaction(ORGANIZATION_ID) as tx:
        house.authority.create(tx, house.organization)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/ca/{ORGANIZATION_ID}/root.crt", 200),
        ("GET", f"/crl/{ORGANIZATION_ID}/signing.crl", 200),
        ("HEAD", f"/crl/{ORGANIZATION_ID}/signing.crl", 200),
        ("GET", f"/crl/{ORGANIZATION_ID}/signing.crt", 404),
        ("GET", f"/crl/{'0' * 32}/signing.crl", 404),
        ("GET", "/crl/../signing.crl", 404),
        ("POST", f"/ca/{ORGANIZATION_ID}/root.crt", 405),
    ],
)
def test_status_front(house: House, method: str, path: str, status: int) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {}

    asyncio.run(StatusFront(house.authority)({"type": "http", "method": method, "path": path}, receive, send))
    assert sent[0]["status"] == status
    if status == 200 and method == "GET":
        kind = "root" if path.endswith("crt") else "signing"
        read = house.authority.issuer_certificate if path.endswith("crt") else house.authority.crl
        assert sent[1]["body"] == read(ORGANIZATION_ID, kind)


def test_bad_requests_are_refused_for_their_reason_and_leave_nothing(house: House) -> None:
    before = house.authority.certificates(ORGANIZATION_ID)
    for name, (request, reason) in bad_requests().items():
        with pytest.raises((InputError, InvalidSignatureError), match=reason):
            pytest.fail(f"{name}: {house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, request)}")
    assert house.authority.certificates(ORGANIZATION_ID) == before


def test_a_weak_encryption_key_is_not_certified_on_anybodys_word(house: House) -> None:
    spki = (
        rsa.RSAPublicNumbers(65537, close_modulus())
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(ProfileViolationError, match="too close"):
        house.authority.issue_encryption(*house.escrow(spki=spki))


def request_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)


def spki_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_a_key_serves_one_usage(house: House) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, request_of(key))
    with pytest.raises(ProfileViolationError, match="another usage"):
        house.authority.issue_encryption(*house.escrow(spki=spki_of(key)))


def test_the_keys_of_the_ca_are_not_certified_for_anybody(house: House) -> None:
    for name in ISSUERS:
        certificate = x509.load_der_x509_certificate(house.authority.issuer_certificate(ORGANIZATION_ID, name))
        spki = certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        with pytest.raises(ProfileViolationError, match="the CA itself"):
            house.authority.issue_encryption(*house.escrow(spki=spki))
        with pytest.raises(ProfileViolationError, match="the CA itself"):
            house.authority.issue_tls(ORGANIZATION_ID, ["localhost"], certificate.public_key())


def test_a_key_that_was_reported_before_it_was_certified_never_is(house: House) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert house.authority.revoke_key(ORGANIZATION_ID, sha256(spki_of(key)).hex(), "keyCompromise") == 0
    with pytest.raises(ProfileViolationError, match="compromised"):
        house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, request_of(key))


def test_a_key_that_is_reported_while_it_is_certified_is_given_up_for_good(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, sign = ec.generate_private_key(ec.SECP256R1()), house.keystore.sign

    def report_meanwhile(issuer_key: Any, algorithm: str, message: bytes) -> bytes:
        monkeypatch.undo()
        house.authority.revoke_key(ORGANIZATION_ID, sha256(spki_of(key)).hex(), "keyCompromise")
        return sign(issuer_key, algorithm, message)

    monkeypatch.setattr(house.keystore, "sign", report_meanwhile)
    with pytest.raises(ConflictError):
        house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, request_of(key))
    with pytest.raises(ProfileViolationError, match="compromised"):
        house.authority.issue_signing(ORGANIZATION_ID, SUBJECT, request_of(key))


def test_of_eight_people_with_one_key_one_gets_a_certificate(house: House) -> None:
    request, refused, issued = make_request(), [], []
    barrier = threading.Barrier(8)

    def ask(digit: int) -> None:
        barrier.wait()
        try:
            issued.append(
                house.authority.issue_signing(ORGANIZATION_ID, replace(SUBJECT, mailbox_id=f"{digit}" * 32), request)
            )
        except ProfileViolationError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=ask, args=(digit,)) for digit in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(issued), len(refused)) == (1, 7)
    assert all("another certificate's holder" in reason for reason in refused)

"""The demo: an organization's trust core works, and mail made by it and by OpenSSL is read both ways.

It uses the product's own rooms over a new data folder, and the `openssl` command as the other side. Every step checks what
it claims; the first that does not hold ends the demo with exit status 1.
"""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from rich.console import Console

from sealwright.audit.log import AuditLog
from sealwright.ca.model import SIGNING, IssuedCertificate, Organization, Subject
from sealwright.ca.policy import CaSettings
from sealwright.ca.service import CertificateAuthority
from sealwright.ca.store import CaStore
from sealwright.clock import SystemClock
from sealwright.cms import enveloped, signed
from sealwright.errors import DecodingError, DecryptionError, InvalidSignatureError, NotFoundError, PathValidationError
from sealwright.keystore.software import SoftwareServiceKeystore, create_root_key
from sealwright.pkix.levels import identity_level
from sealwright.pkix.names import certificate_addresses
from sealwright.pkix.path import validate_path
from sealwright.smime.compose import protect
from sealwright.smime.read import open_message
from sealwright.storage.engine import Transaction, open_storage
from sealwright.storage.schema import metadata, new_id
from sealwright.tlog.checkpoint import open_note
from sealwright.tlog.leaf import ORGANIZATION_CHAIN, commit, decode_leaf_record
from sealwright.tlog.tree import verify_inclusion
from sealwright.wire.escrow import EscrowStatement, escrow_signature_input

CONTENT = b"Content-Type: text/plain; charset=utf-8\r\n\r\nThe quarterly figures. For Bob alone.\r\n"
MAIL = (
    b"From: Alice Example <alice@example.test>\r\nTo: bob@example.test\r\nSubject: Quarterly figures\r\n"
    b"Message-ID: <1@example.test>\r\nMIME-Version: 1.0\r\n" + CONTENT
)
ORIGIN = "log.example.test"
TELL = Console(highlight=False)


class DemoError(Exception):
    """A step does not hold."""


def check(holds: bool, claim: str) -> None:
    """Say what holds, or end the demo."""
    if not holds:
        raise DemoError(claim)
    TELL.print(f"  [green]✓[/green] {claim}")


@dataclass
class Person:
    """Somebody with the two certificates of a mailbox."""

    subject: Subject
    signing_key: ec.EllipticCurvePrivateKey
    encryption_key: rsa.RSAPrivateKey
    signing: x509.Certificate
    encryption: x509.Certificate
    chain: list[x509.Certificate]


class ExampleOrganization:
    """Example GmbH with its keystore, log and CA over SQLite in `folder`."""

    def __init__(self, folder: Path) -> None:
        create_root_key(folder / "root.key")
        self.keystore = SoftwareServiceKeystore(folder / "root.key")
        self.storage = open_storage(f"sqlite:///{folder / 'sealwright.db'}")
        metadata.create_all(self.storage.engine)
        self.clock, self.organization_id = SystemClock(), new_id()
        self.people: dict[str, Subject] = {}
        self.published: list[dict[str, str]] = []
        self.log = AuditLog(self.storage, self.keystore, self.clock)
        self.escrow_key = self.keystore.generate_service_key(self.organization_id, "escrow", "ed25519")
        log_key = self.keystore.generate_service_key(self.organization_id, "log", "ed25519")
        self.log_key = log_key.spki[-32:]
        self.authority = CertificateAuthority(
            self.storage,
            CaStore(),
            self.keystore,
            self.log,
            self.clock,
            CaSettings("http://127.0.0.1:8080"),
            subjects=self,
            put_outbox=self._publish,
        )
        organization = Organization(
            self.organization_id, "Example GmbH", "DE", "NTRDE-DER3306.HRB12345", self.escrow_key.spki[-32:]
        )
        with self.storage.transaction(self.organization_id) as tx:
            self.log.create_log(tx, self.organization_id, ORIGIN, log_key)
            self.root = x509.load_der_x509_certificate(self.authority.create(tx, organization))

    def subject(self, organization_id: str, mailbox_id: str) -> Subject:
        """Return whose mailbox it is (the CA's port)."""
        if organization_id != self.organization_id or mailbox_id not in self.people:
            raise NotFoundError("there is no such mailbox")
        return self.people[mailbox_id]

    def employ(self, given_name: str, surname: str) -> Person:
        """Give an employee the two certificates of a mailbox."""
        address = f"{given_name.lower()}@example.test"
        subject = Subject(address, (address,), given_name, surname, f"{given_name} {surname}", new_id())
        self.people[subject.mailbox_id] = subject
        signing_key = ec.generate_private_key(ec.SECP256R1())
        request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(signing_key, hashes.SHA256())
        signing = self.authority.issue_signing(self.organization_id, subject, request.public_bytes(Encoding.DER))
        encryption_key = rsa.generate_private_key(65537, 3072)
        encryption = self.authority.issue_encryption(*self._escrow(subject, encryption_key))
        chain = [load(der) for der in (*signing.chain, *encryption.chain)]
        return Person(subject, signing_key, encryption_key, leaf(signing), leaf(encryption), chain)

    def _escrow(self, subject: Subject, key: rsa.RSAPrivateKey) -> tuple[bytes, bytes]:
        statement = EscrowStatement(
            organization_id=self.organization_id,
            mailbox_id=subject.mailbox_id,
            addresses=subject.addresses,
            spki=key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            slot="classical",
            generation=1,
            proof_method="domain-control",
            proof_time=self.clock.now(),
            expires=self.clock.now() + timedelta(hours=1),
        )
        payload = msgspec.json.encode(statement)
        return payload, self.keystore.sign(self.escrow_key, "ed25519", escrow_signature_input(payload))

    def _publish(
        self, tx: Transaction, organization_id: str, topic: str, payload: dict[str, str], key: str | None = None
    ) -> None:
        self.published.append({"topic": topic, "organization": organization_id, "key": key or "", **payload})
        if tx.organization_id != organization_id:
            raise DemoError(f"{topic} was written outside the act's transaction")


def load(der: bytes) -> x509.Certificate:
    """Load a certificate."""
    return x509.load_der_x509_certificate(der)


def leaf(issued: IssuedCertificate) -> x509.Certificate:
    """Return the end-entity certificate."""
    return load(issued.certificate)


def openssl(folder: Path, *arguments: str) -> bytes:
    """Run `openssl cms` in `folder`."""
    program = shutil.which("openssl")
    if program is None:
        raise DemoError("the openssl command is not installed: apt-get install openssl")
    result = subprocess.run([program, "cms", *arguments], cwd=folder, capture_output=True, check=False)
    if result.returncode != 0:
        raise DemoError(f"openssl cms {arguments[0]} failed: {result.stderr.decode(errors='replace').strip()}")
    return result.stdout


def exchange(organization: ExampleOrganization, alice: Person, bob: Person) -> bytes:
    """Send Alice's signed and encrypted message to Bob; return its octets."""
    TELL.print("\n[bold]Alice writes to Bob[/bold]: signed with her device's key, encrypted to Bob and to herself")
    now = organization.clock.now()
    signer_of = (alice.signing, alice.signing_key, alice.chain)
    message = protect(MAIL, signer_of, [bob.encryption, alice.encryption], signing_time=now)
    check(b"uarterly" not in message, f"{len(message):,} octets travel: none of the words and not the subject")
    opened = open_message(message, lambda who: bob.encryption_key if who.matches(bob.encryption) else None)
    verified = opened.verified
    if verified is None:
        raise DemoError(f"the signature does not hold: {opened.signature_error}")
    signer = verified.signers[0].certificate
    check(opened.subject == "Quarterly figures" and "For Bob alone." in opened.body_text, "Bob's key opens it")
    check(opened.headers_protected, "the subject he sees is the one that Alice signed")
    path = validate_path(signer, verified.certificates, [organization.root], now=now, purpose="sign")
    check(len(path) == 3, "the signer's certification path leads to the organization's root")
    check(certificate_addresses(signer) == opened.from_addresses, f"signed by {opened.from_addresses[0]}, as From says")
    check(identity_level(signer) == "sponsor-validated", "identity level: employee of a validated organization")
    try:
        stranger = open_message(message, lambda _: rsa.generate_private_key(65537, 2048))
    except (DecryptionError, DecodingError):
        check(True, "somebody else's key opens nothing")
    else:  # once in 256 times the padding looks right by chance, over noise
        check("For Bob" not in stranger.body_text and stranger.verified is None, "somebody else's key shows noise")
    return message


def both_ways(folder: Path, organization: ExampleOrganization, alice: Person, bob: Person, message: bytes) -> None:
    """Read ours with OpenSSL and OpenSSL's with ours."""
    TELL.print("\n[bold]The same with OpenSSL[/bold], as the other side")
    files = {
        "root.pem": organization.root.public_bytes(Encoding.PEM),
        "bob.pem": bob.encryption.public_bytes(Encoding.PEM),
        "bob.key": bob.encryption_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "alice.pem": alice.signing.public_bytes(Encoding.PEM),
        "alice.key": alice.signing_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "message.eml": message,
        "content": CONTENT,
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    decrypted = openssl(folder, "-decrypt", "-in", "message.eml", "-recip", "bob.pem", "-inkey", "bob.key")
    (folder / "inner.eml").write_bytes(decrypted)
    content = openssl(folder, "-verify", "-in", "inner.eml", "-CAfile", "root.pem", "-purpose", "smimesign")
    check(b"For Bob alone." in content, "OpenSSL decrypts our mail and verifies the signature up to our root")
    theirs = openssl(
        folder, "-encrypt", "-binary", "-stream", "-aes256", "-outform", "DER", "-in", "content", "bob.pem"
    )
    opened = enveloped.decrypt(theirs, lambda who: bob.encryption_key if who.matches(bob.encryption) else None)
    check(opened.content == CONTENT, "we open what OpenSSL encrypted (BER, in chunks)")
    signer = ("-signer", "alice.pem", "-inkey", "alice.key", "-nodetach", "-outform", "DER")
    theirs = openssl(folder, "-sign", "-binary", "-in", "content", *signer)
    check(signed.verify(theirs, None).content == CONTENT, "we verify what OpenSSL signed")
    try:
        signed.verify(theirs.replace(b"Bob", b"Eve"), None)
    except InvalidSignatureError:
        check(True, "one changed word breaks the signature")
    else:
        raise DemoError("a changed message verified")


def revoke(organization: ExampleOrganization, alice: Person) -> None:
    """Revoke Alice's signing certificate and see it refused."""
    TELL.print("\n[bold]Alice loses her laptop[/bold]: its signing certificate is revoked")
    organization.authority.revoke(organization.organization_id, alice.signing.serial_number, "keyCompromise")
    crl = x509.load_der_x509_crl(organization.authority.crl(organization.organization_id, SIGNING))
    now = organization.clock.now() + timedelta(seconds=1)
    try:
        validate_path(alice.signing, alice.chain, [organization.root], now=now, purpose="sign", crls=[crl])
    except PathValidationError as error:
        check(True, f"readers with the new revocation list refuse it: {error.message}")
    else:
        raise DemoError("a revoked certificate was accepted")


def read_log(organization: ExampleOrganization) -> None:
    """Check the log as an owner would."""
    TELL.print("\n[bold]The log[/bold]: every act is a leaf, none can be left out")
    chains = [ORGANIZATION_CHAIN, *organization.people]
    kinds: list[str] = []
    for chain_id in chains:
        view = organization.log.chain(organization.organization_id, chain_id)
        previous = bytes(32)
        for number, entry in enumerate(view.leaves, start=1):
            record = decode_leaf_record(entry.record)
            point = open_note(entry.checkpoint, ORIGIN, organization.log_key)
            verify_inclusion(entry.leaf_hash, entry.index, entry.tree_size, entry.inclusion_proof, point.root)
            if (record.chain_number, record.previous) != (number, previous):
                raise DemoError("the chain has a gap")
            previous = commit(entry.salt, entry.record)
            kinds.append(record.kind)
        if previous != view.head_hash:
            raise DemoError("the chain does not end in its head")
    check(kinds.count("certificate.issue") == 4, "four certificates, four leaves, each proved to be in the signed log")
    check(kinds.count("certificate.revoke") == 1, "the revocation is there too")
    size = open_note(organization.log.checkpoint(organization.organization_id), ORIGIN, organization.log_key).size
    check(size == len(kinds), f"{size} leaves in the log, {len(kinds)} in the chains: nothing left out")


def main() -> int:
    """Tell the story."""
    with tempfile.TemporaryDirectory(prefix="sealwright-demo-") as name:
        folder = Path(name)
        try:
            TELL.print("[bold]Example GmbH[/bold] gets a sealed keystore, a log, a root and its intermediates")
            organization = ExampleOrganization(folder)
            alice, bob = organization.employ("Alice", "Example"), organization.employ("Bob", "Example")
            check(
                alice.signing.serial_number != alice.encryption.serial_number,
                "Alice and Bob have two certificates each",
            )
            message = exchange(organization, alice, bob)
            both_ways(folder, organization, alice, bob, message)
            revoke(organization, alice)
            read_log(organization)
        except DemoError as error:
            TELL.print(f"  [red]✗[/red] {error}")
            return 1
        organization.storage.close()
    TELL.print("\n[bold green]Every step held.[/bold green]")
    return 0


if __name__ == "__main__":
    sys.exit(main())

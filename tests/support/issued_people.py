"""People with certificates from the product's own CA, for tests that hand them to other programs. Everything is linted."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key
from support.lint import certificate_findings, crl_findings
from support.memory_keystore import MemoryKeystore

from sealwright.ca.model import Organization, Subject
from sealwright.ca.policy import CaSettings
from sealwright.ca.service import CertificateAuthority
from sealwright.ca.store import CaStore
from sealwright.ca.tables import ca_certificate, ca_issuer, ca_organization, certified_key
from sealwright.clock import Clock, SystemClock
from sealwright.storage.engine import open_storage
from sealwright.storage.schema import metadata
from sealwright.wire.escrow import EscrowStatement, escrow_signature_input

ORGANIZATION_ID = "a" * 32
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Issued:
    """A key with its certificate.

    Attributes:
        key: Private key.
        certificate: Issued by the CA.
        chain: The intermediates.
        root: What a reader trusts.
    """

    key: Key
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    root: x509.Certificate


class IssuedPeople:
    """An organization's CA.

    Args:
        folder: Holds its database.
        clock: Real time without.
    """

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.storage = open_storage(f"sqlite:///{folder}/ca.db")
        metadata.create_all(self.storage.engine, tables=[ca_organization, ca_issuer, certified_key, ca_certificate])
        self.keystore, self.clock = MemoryKeystore(), clock or SystemClock()
        self._subjects: dict[str, Subject] = {}
        self._kms_key = self.keystore.generate_service_key(ORGANIZATION_ID, "escrow", "ed25519")
        self.authority = CertificateAuthority(
            self.storage,
            CaStore(),
            self.keystore,
            self,
            self.clock,
            CaSettings("http://pki.example.com"),
            subjects=self,
            put_outbox=self.put,
        )
        organization = Organization(
            ORGANIZATION_ID, "Example GmbH", "DE", "NTRDE-DER3306.HRB12345", self._kms_key.spki[-32:]
        )
        with self.storage.transaction(ORGANIZATION_ID) as tx:
            self.root = x509.load_der_x509_certificate(self.authority.create(tx, organization))
        self.signed: list[x509.Certificate] = [self.root]

    def seal_salt(self, organization_id: str) -> Any:
        """Make no salt."""

    def append(self, tx: Any, act: Any, salt: Any = None) -> None:
        """Take a log leaf; the log is not what is tested here."""

    def put(self, tx: Any, organization_id: str, topic: str, payload: dict[str, str], key: str | None = None) -> None:
        """Take a side effect; nothing is published here."""

    def subject(self, organization_id: str, mailbox_id: str) -> Subject:
        """Return who has a mailbox."""
        return self._subjects[mailbox_id]

    def signer(self, name: str, key: Key) -> Issued:
        """Issue a signing certificate for a device's key."""
        request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
        answer = self.authority.issue_signing(ORGANIZATION_ID, self._person(name), request.public_bytes(Encoding.DER))
        return self._issued(key, answer)

    def recipient(self, name: str, algorithm: str) -> Issued:
        """Issue an encryption certificate for a key of the key management service."""
        record, person = self.keystore.generate_encryption_key(ORGANIZATION_ID, algorithm), self._person(name)
        statement = EscrowStatement(
            organization_id=ORGANIZATION_ID,
            mailbox_id=person.mailbox_id,
            addresses=person.addresses,
            spki=record.spki,
            slot="classical",
            generation=1,
            proof_method="domain-control",
            proof_time=self.clock.now(),
            expires=self.clock.now() + timedelta(hours=1),
        )
        payload = msgspec.json.encode(statement)
        signature = self.keystore.sign(self._kms_key, "ed25519", escrow_signature_input(payload))
        key = load_der_private_key(self.keystore._unseal(record), None)
        assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        return self._issued(key, self.authority.issue_encryption(payload, signature))

    def findings(self) -> list[str]:
        """Lint everything that was signed, lists included; empty is good."""
        lists = [self.authority.crl(ORGANIZATION_ID, name) for name in ("signing", "encryption")]
        found = [finding for certificate in dict.fromkeys(self.signed) for finding in certificate_findings(certificate)]
        return found + [finding for each in lists for finding in crl_findings(each)]

    def close(self) -> None:
        """Close the database."""
        self.storage.close()

    def _person(self, name: str) -> Subject:
        mailbox_id = name.encode().hex().ljust(32, "0")
        address = f"{name}@example.com"
        person = Subject(address, (address,), name.title(), "Muster", f"{name.title()} Muster", mailbox_id)
        return self._subjects.setdefault(mailbox_id, person)

    def _issued(self, key: Key, answer: Any) -> Issued:
        certificate = x509.load_der_x509_certificate(answer.certificate)
        chain = tuple(x509.load_der_x509_certificate(each) for each in answer.chain)
        self.signed += [certificate, *chain]
        return Issued(key, certificate, chain, self.root)

"""From a to-be-signed certificate to a published one: steps 5 to 9 of "Issue" in the architecture.

Serial number, to-be-signed bytes and leaf are durable before a signature exists. Whoever is interrupted after that is
finished by the next equal request, with the very same certificate.
"""

from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from sealwright.audit.log import Act
from sealwright.ca import policy, signer
from sealwright.ca.lint import draft, lint
from sealwright.ca.model import CA_KEY, CertificateRecord, IssuedCertificate, Issuer
from sealwright.ca.ports import AuditPort, PutOutbox
from sealwright.ca.store import CaStore
from sealwright.clock import Clock
from sealwright.errors import ConflictError
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.protocol import ServiceKeystore
from sealwright.pkix import profiles
from sealwright.pkix.requests import SubscriberPublicKey
from sealwright.storage.engine import Storage, Transaction
from sealwright.storage.schema import new_id
from sealwright.tlog.leaf import ORGANIZATION_CHAIN
from sealwright.wire.encoding import sha256


class Issuance:
    """What all kinds of certificates have in common."""

    def __init__(
        self,
        storage: Storage,
        store: CaStore,
        keystore: ServiceKeystore,
        audit: AuditPort,
        clock: Clock,
        put_outbox: PutOutbox,
    ) -> None:
        self._storage = storage
        self._store = store
        self._keystore = keystore
        self._audit = audit
        self._clock = clock
        self._put_outbox = put_outbox

    def issue(
        self,
        issuer: Issuer,
        builder: x509.CertificateBuilder,
        public_key: SubscriberPublicKey,
        mailbox_id: str,
        address: str,
        names: list[str],
        *,
        device_id: str = "",
    ) -> IssuedCertificate:
        """Run steps 5 to 9 for one certificate; equal requests get the same one until renewal is due.

        Args:
            issuer: Who issues.
            builder: The to-be-signed certificate.
            public_key: The subject's key.
            mailbox_id: 32 hex digits, or empty for a server.
            address: Primary address, or first server name.
            names: Everything that makes two requests for the same key different.
            device_id: Whose signing key it is, 32 hex digits; empty for all others.

        Raises:
            ProfileViolationError: If lint or key policy refuses.
            ConflictError: If somebody else took the same request up at this moment.
            UnavailableError: If the clock went back.
        """
        spki = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        # 5 Lint; the token permits one signature over exactly this.
        drafted = draft(builder, signer.issuer_public_key(issuer.key))
        token = lint(drafted)
        request_key = policy.request_key(issuer.name, spki, names)
        record = replace(_record(issuer, drafted, mailbox_id, address, spki, request_key), device_id=device_id)
        salt = self._audit.seal_salt(issuer.organization_id)
        # 3, 6 Key policy; serial number, to-be-signed bytes and leaf, before there is a signature.
        with self._storage.transaction(issuer.organization_id) as tx:
            policy.check_key_reuse(self._store.claim_key(tx, record, issuer.name), issuer.name, mailbox_id)
            latest = self._store.latest_by_request(tx, issuer.organization_id, record.request_key)
            now = self._clock.now()
            if latest is not None and latest.state == "ISSUED" and not policy.is_renewal_due(latest, now):
                return issued_certificate(latest, issuer)
            if latest is not None:
                started = latest.not_before + profiles.BACKDATED
                if latest.state == "PENDING" and now - started < policy.PENDING_VALIDITY:
                    # Somebody was interrupted here, or is a moment ahead: finish the very same certificate.
                    record, token = latest, lint(self._redraft(issuer, latest))
                else:
                    record = replace(record, renewal=latest.renewal + 1)
            if record is not latest:
                self._store.add_certificate(tx, record)
                self._audit.append(tx, _issue_act(record, issuer.name), salt)
        # 7, 8 Sign, verify the signature, compare the to-be-signed bytes.
        certificate = signer.sign_certificate(self._keystore, issuer.key, record.tbs_certificate, token)
        # 9 The certificate and the word to whoever publishes it.
        try:
            with self._storage.transaction(issuer.organization_id) as tx:
                self._store.complete_certificate(tx, record, certificate)
                self.announce(tx, "certificate.published", record, issuer.name)
        except ConflictError:
            return self._finished(issuer, record)
        return issued_certificate(replace(record, state="ISSUED", certificate=certificate), issuer)

    def _redraft(self, issuer: Issuer, record: CertificateRecord) -> x509.Certificate:
        return signer.draft_from_tbs(record.tbs_certificate, signer.issuer_public_key(issuer.key))

    def add_issuer(
        self,
        tx: Transaction,
        organization_id: str,
        name: str,
        key: SealedRecord,
        signing_key: SealedRecord,
        builder: x509.CertificateBuilder,
        issued_by: str | None = None,
    ) -> Issuer:
        """Sign and store an issuer; `issued_by` is the parent's identifier, None for a root."""
        drafted = draft(builder, signer.issuer_public_key(signing_key))
        certificate = signer.sign_certificate(self._keystore, signing_key, drafted.tbs_certificate_bytes, lint(drafted))
        issuer = Issuer(new_id(), organization_id, name, certificate, key)
        self._store.add_issuer(tx, issuer)
        parent = issuer if issued_by is None else replace(issuer, issuer_id=issued_by)
        record = _record(parent, drafted, "", "", key.spki, policy.request_key(f"issuer/{name}", key.spki, ()))
        self._store.claim_key(tx, record, CA_KEY)
        self._store.add_certificate(tx, replace(record, state="ISSUED", certificate=certificate))
        fields = {"issuer": name, "certificate_sha256": sha256(certificate).hex(), "spki_sha256": record.spki_sha256}
        self._audit.append(tx, Act(organization_id, ORGANIZATION_CHAIN, "issuer.create", fields))
        return issuer

    def announce(self, tx: Transaction, topic: str, record: CertificateRecord, issuer_name: str) -> None:
        """Queue the word about a mailbox's certificate; nobody waits for one of a server."""
        if not record.mailbox_id:
            return
        payload = {
            "serial_number": f"{record.serial_number:x}",
            "issuer": issuer_name,
            "mailbox_id": record.mailbox_id,
            "address": record.address,
        }
        self._put_outbox(tx, record.organization_id, topic, payload, key=f"{topic}/{record.certificate_id}")

    def _finished(self, issuer: Issuer, record: CertificateRecord) -> IssuedCertificate:
        with self._storage.read(issuer.organization_id) as tx:
            return issued_certificate(self._store.by_serial(tx, issuer.organization_id, record.serial_number), issuer)


def _record(
    issuer: Issuer, drafted: x509.Certificate, mailbox_id: str, address: str, spki: bytes, request_key: str
) -> CertificateRecord:
    return CertificateRecord(
        certificate_id=new_id(),
        organization_id=issuer.organization_id,
        issuer_id=issuer.issuer_id,
        serial_number=drafted.serial_number,
        mailbox_id=mailbox_id,
        address=address,
        spki_sha256=sha256(spki).hex(),
        request_key=request_key,
        renewal=0,
        tbs_certificate=drafted.tbs_certificate_bytes,
        certificate=b"",
        state="PENDING",
        not_before=drafted.not_valid_before_utc,
        not_after=drafted.not_valid_after_utc,
    )


def _issue_act(record: CertificateRecord, issuer_name: str) -> Act:
    fields = {
        "serial_number": f"{record.serial_number:x}",
        "issuer": issuer_name,
        "spki_sha256": record.spki_sha256,
        "tbs_sha256": sha256(record.tbs_certificate).hex(),
    }
    return Act(record.organization_id, record.mailbox_id or ORGANIZATION_CHAIN, "certificate.issue", fields)


def issued_certificate(record: CertificateRecord, issuer: Issuer) -> IssuedCertificate:
    """Return a finished certificate with its chain.

    Raises:
        ConflictError: If it is not finished.
    """
    if not record.certificate:
        raise ConflictError("the certificate is not finished yet: ask again")
    return IssuedCertificate(record.certificate, (issuer.certificate,), record.not_after)

"""The certification authority: makes issuers, issues, revokes, and keeps the lists. Steps as in "Issue" of the architecture."""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from sealwright.ca import policy, signer
from sealwright.ca.issuance import Issuance, issued_certificate
from sealwright.ca.model import (
    ENCRYPTION,
    INTERMEDIATES,
    ISSUERS,
    ROOT,
    SIGNING,
    TLS,
    CertificateRecord,
    IssuedCertificate,
    Issuer,
    Organization,
    Subject,
)
from sealwright.ca.ports import AuditPort, PutOutbox, SubjectReader
from sealwright.ca.revocation import Revocation
from sealwright.ca.store import CaStore
from sealwright.clock import Clock
from sealwright.keystore.protocol import ServiceKeystore
from sealwright.pkix import profiles
from sealwright.pkix.requests import (
    SubscriberPublicKey,
    check_certification_request,
    check_public_key,
    load_subscriber_key,
)
from sealwright.storage.engine import Storage, Transaction
from sealwright.wire.encoding import decode_json
from sealwright.wire.escrow import EscrowStatement, verify_escrow_statement


class CertificateAuthority:
    """One service for all organizations of this server.

    Args:
        storage: The database.
        store: Its SQL.
        keystore: Where issuers' keys are.
        audit: The owner-visible log.
        clock: The time.
        settings: Where status is fetched.
        subjects: Who owns a mailbox.
        put_outbox: Queues "certificate.published" and "certificate.revoked" with serial_number (hex), issuer,
            mailbox_id and address.
    """

    def __init__(
        self,
        storage: Storage,
        store: CaStore,
        keystore: ServiceKeystore,
        audit: AuditPort,
        clock: Clock,
        settings: policy.CaSettings,
        *,
        subjects: SubjectReader,
        put_outbox: PutOutbox,
    ) -> None:
        policy.check_base_url(settings.base_url)
        self._storage = storage
        self._store = store
        self._keystore = keystore
        self._clock = clock
        self._settings = settings
        self._subjects = subjects
        self._issuance = Issuance(storage, store, keystore, audit, clock, put_outbox)
        self._revocation = Revocation(storage, store, keystore, audit, clock, self._issuance.announce)

    def create(self, tx: Transaction, organization: Organization) -> bytes:
        """Make an organization's root and its intermediates for signing, encryption and TLS.

        Returns:
            The root certificate, DER.

        Raises:
            ConflictError: If the organization has a CA already.
        """
        self._store.add_organization(tx, organization)
        now = self._now()
        name = profiles.OrganizationName(organization.name, organization.country, organization.organization_identifier)
        root_key = self._keystore.generate_service_key(organization.organization_id, f"issuer/{ROOT}", "p384")
        root_public_key = signer.issuer_public_key(root_key)
        root_name = profiles.issuer_name(name, "Sealwright Root CA")
        builder = profiles.root_builder(root_name, root_public_key, x509.random_serial_number(), now)
        root = self._issuance.add_issuer(tx, organization.organization_id, ROOT, root_key, root_key, builder)
        root_certificate = x509.load_der_x509_certificate(root.certificate)
        for issuer_name in INTERMEDIATES:
            key = self._keystore.generate_service_key(organization.organization_id, f"issuer/{issuer_name}", "p256")
            builder = profiles.intermediate_builder(
                self._placement(root, root_certificate, now),
                profiles.issuer_name(
                    name, f"Sealwright {issuer_name.upper() if issuer_name == TLS else issuer_name} CA"
                ),
                signer.issuer_public_key(key),
                is_tls=issuer_name == TLS,
            )
            self._issuance.add_issuer(
                tx, organization.organization_id, issuer_name, key, root_key, builder, root.issuer_id
            )
        return root.certificate

    def issue_signing(
        self, organization_id: str, subject: Subject, certification_request: bytes, device_id: str = ""
    ) -> IssuedCertificate:
        """Issue a device's signing certificate; the same key and subject get the same certificate until renewal is due.

        The certificate is booked to the device, so that `revoke_all` finds it when the device is removed.

        Raises:
            InputError: If the request, the key or the profile is not right.
            InvalidSignatureError: If the request is not signed by its key.
            NotFoundError: If the organization has no CA.
        """
        # 2 The request, and the proof that whoever asks has the key.
        public_key = check_certification_request(certification_request)
        return self._issue_subscriber(organization_id, SIGNING, subject, subject.addresses, public_key, device_id)

    def issue_encryption(self, statement_payload: bytes, signature: bytes) -> IssuedCertificate:
        """Issue the certificate of an archived key on the key management's word.

        Raises:
            VerificationError: If the statement is not signed by the registered key management, or has expired.
            InputError: If statement, key or profile is not right.
            NotFoundError: If organization or mailbox is unknown.
        """
        # 1 The statement names the organization; only that organization's registered key may have signed it.
        claimed = decode_json(statement_payload, EscrowStatement)
        with self._storage.read(claimed.organization_id) as tx:
            kms_key = self._store.organization(tx, claimed.organization_id).kms_key
        statement = verify_escrow_statement(statement_payload, signature, kms_key, self._clock.now())
        subject = self._subjects.subject(statement.organization_id, statement.mailbox_id)
        policy.check_names(statement.addresses, subject.addresses)
        # 2 The key that the statement vouches for.
        public_key = load_subscriber_key(statement.spki)
        return self._issue_subscriber(statement.organization_id, ENCRYPTION, subject, statement.addresses, public_key)

    def issue_tls(self, organization_id: str, names: list[str], public_key: object) -> str:
        """Issue a server certificate of the organization's own machines.

        Args:
            organization_id: 32 hex digits.
            names: DNS names and IP addresses.
            public_key: The server's public key.

        Returns:
            PEM, server certificate first, then the intermediate.
        """
        key = check_public_key(public_key)
        issuer, certificate = self._issuer(organization_id, TLS)
        builder = profiles.tls_builder(self._placement(issuer, certificate, self._now()), names, key)
        issued = self._issuance.issue(issuer, builder, key, "", names[0], names)
        return "".join(_pem(der) for der in (issued.certificate, *issued.chain))

    def revoke(self, organization_id: str, serial_number: int, reason: str) -> None:
        """Revoke a certificate and make the issuer's next list.

        Raises:
            NotFoundError: If there is no such certificate.
            ConflictError: If it is revoked already.
            InputError: If the reason is none of `pkix.crl.REASONS`.
        """
        self._revocation.revoke(organization_id, serial_number, reason)

    def revoke_all(self, organization_id: str, mailbox_id: str, reason: str, device_id: str | None = None) -> int:
        """Revoke whatever a mailbox has, or one of its devices; return how many. Can be repeated.

        Raises:
            ConflictError: If something changed meanwhile; repeat it.
            InputError: If the reason is none of `pkix.crl.REASONS`.
        """
        return self._revocation.revoke_all(organization_id, mailbox_id, reason, device_id)

    def revoke_key(self, organization_id: str, spki_sha256: str, reason: str) -> int:
        """Revoke every certificate of a key, named by its hash in hex; return how many. Can be repeated.

        Raises:
            ConflictError: If something changed meanwhile; repeat it.
            InputError: If the reason is none of `pkix.crl.REASONS`.
        """
        return self._revocation.revoke_key(organization_id, spki_sha256, reason)

    def crl(self, organization_id: str, issuer_name: str) -> bytes:
        """Return an issuer's revocation list, DER; it is made anew when less than half its life is left.

        Raises:
            NotFoundError: If there is no such issuer.
        """
        return self._revocation.crl(organization_id, issuer_name)

    def issuer_certificate(self, organization_id: str, issuer_name: str) -> bytes:
        """Return an issuer's certificate, DER.

        Raises:
            NotFoundError: If there is no such issuer.
        """
        with self._storage.read(organization_id) as tx:
            return self._store.issuer(tx, organization_id, issuer_name).certificate

    def issuer_names(self, organization_id: str) -> dict[str, str]:
        """Return which of `ISSUERS` an issuer is, by its identifier."""
        with self._storage.read(organization_id) as tx:
            return {self._store.issuer(tx, organization_id, name).issuer_id: name for name in ISSUERS}

    def certificate(self, organization_id: str, serial_number: int) -> IssuedCertificate:
        """Return an issued or revoked certificate with its chain.

        Raises:
            NotFoundError: If there is none, or it is not finished.
        """
        with self._storage.read(organization_id) as tx:
            record = self._store.by_serial(tx, organization_id, serial_number)
            issuer = self._store.issuer_by_id(tx, organization_id, record.issuer_id)
        return issued_certificate(record, issuer)

    def certificates(self, organization_id: str, mailbox_id: str | None = None) -> list[CertificateRecord]:
        """Return at most 1,000 certificates of a mailbox or of the whole organization, newest first."""
        with self._storage.read(organization_id) as tx:
            return self._store.list_certificates(tx, organization_id, mailbox_id)

    def _issue_subscriber(
        self,
        organization_id: str,
        usage: profiles.Usage,
        subject: Subject,
        addresses: tuple[str, ...],
        public_key: SubscriberPublicKey,
        device_id: str = "",
    ) -> IssuedCertificate:
        issuer, issuer_certificate = self._issuer(organization_id, usage)
        with self._storage.read(organization_id) as tx:
            organization = self._store.organization(tx, organization_id)
        # 4 Template and request make the to-be-signed certificate.
        name = profiles.OrganizationName(organization.name, organization.country, organization.organization_identifier)
        ordered = tuple(dict.fromkeys((subject.address, *addresses))) if subject.address in addresses else addresses
        holder = profiles.Holder(ordered, subject.given_name, subject.surname, subject.common_name)
        placement = self._placement(issuer, issuer_certificate, self._now() - profiles.BACKDATED)
        builder = profiles.subscriber_builder(placement, name, holder, public_key, usage)
        names = [subject.mailbox_id, subject.given_name, subject.surname, *ordered, *filter(None, (device_id,))]
        return self._issuance.issue(
            issuer, builder, public_key, subject.mailbox_id, ordered[0], names, device_id=device_id
        )

    def _issuer(self, organization_id: str, name: str) -> tuple[Issuer, x509.Certificate]:
        with self._storage.read(organization_id) as tx:
            issuer = self._store.issuer(tx, organization_id, name)
        return issuer, x509.load_der_x509_certificate(issuer.certificate)

    def _placement(self, issuer: Issuer, certificate: x509.Certificate, not_before: datetime) -> profiles.Placement:
        return profiles.Placement(
            issuer=certificate,
            serial_number=x509.random_serial_number(),
            not_before=not_before,
            crl_url=self._settings.crl_url(issuer.organization_id, issuer.name),
            issuer_url=self._settings.issuer_url(issuer.organization_id, issuer.name),
        )

    def _now(self) -> datetime:
        return self._clock.now().replace(microsecond=0)


def _pem(der: bytes) -> str:
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM).decode("ascii")

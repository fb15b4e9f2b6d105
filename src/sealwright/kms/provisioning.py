"""The life of a mailbox's keys: pool, first key, certificate, rotation, end of the tenure. Every step can be repeated."""

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealwright.audit.log import Act, AuditLog, PendingLeaf
from sealwright.clock import Clock
from sealwright.errors import ConflictError, DecodingError, NotFoundError, UnavailableError, VerificationError
from sealwright.identity.devices import DeviceService
from sealwright.identity.model import Mailbox
from sealwright.identity.people import PROVISION_TOPIC
from sealwright.identity.ports import PutOutbox
from sealwright.keystore.model import Keystore, SealedRecord
from sealwright.kms import policy
from sealwright.kms.model import CLASSICAL, KeyCertificateRow, KmsSettings, MailboxKey
from sealwright.kms.ports import (
    CertificateIssuer,
    CertificatePublisher,
    EscrowKeyReader,
    IssuedCertificate,
    MailboxReader,
)
from sealwright.kms.store import KeyStore
from sealwright.pkix.extensions import UNDECODABLE
from sealwright.pkix.names import certificate_addresses
from sealwright.storage.engine import Storage, Transaction
from sealwright.wire.encoding import sha256
from sealwright.wire.escrow import EscrowStatement, escrow_signature_input

_CLAIM_ATTEMPTS = 5


class Provisioner:
    """Makes, certifies, rotates and retires encryption keys; `kms.service.KeyService` shows it to others."""

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
        devices: DeviceService,
        put_outbox: PutOutbox,
    ) -> None:
        self._storage, self._store, self._keystore, self._audit = storage, store, keystore, audit
        self._issuer, self._directory, self._clock, self._settings = issuer, directory, clock, settings
        self._mailboxes, self._devices, self._put_outbox = mailboxes, devices, put_outbox
        self._escrow_key = escrow_key

    def refill_pool(self, organization_id: str) -> int:
        """Make ready keys until the pool is full; return how many were made."""
        made = 0
        while True:
            with self._storage.read(organization_id) as tx:
                if self._store.pool_ready(tx, organization_id) >= self._settings.pool_size:
                    return made
            record = self._keystore.generate_encryption_key(organization_id, self._settings.algorithm)
            with self._storage.transaction(organization_id) as tx:
                self._store.add_pooled(tx, record, self._clock.now())
            made += 1

    def provision(self, organization_id: str, mailbox_id: str) -> None:
        """Give a mailbox its key and a certificate that lasts; what is there already stays."""
        try:
            mailbox = self._mailboxes.mailbox(organization_id, mailbox_id)
        except NotFoundError:
            return  # withdrawn before its turn came
        key = self._active(organization_id, mailbox_id)
        if key is None:
            self._new_generation(organization_id, mailbox_id, old=None)
            key = self._active(organization_id, mailbox_id)
        if key is None:
            raise ConflictError("the mailbox was withdrawn while its key was made")
        with self._storage.read(organization_id) as tx:
            certificate = self._store.certificates(tx, organization_id, mailbox_id).get(key.key_id)
        if not policy.is_certificate_usable(certificate, self._clock.now()):
            self._certify(mailbox, key, certificate)

    def rotate(self, organization_id: str, mailbox_id: str) -> None:
        """Deactivate the active key, withdraw its certificates and put a new generation in its place.

        Raises:
            NotFoundError: If the mailbox is withdrawn or has no active key.
            ConflictError: If it was rotated meanwhile.
        """
        self._mailboxes.mailbox(organization_id, mailbox_id)
        old = self._active(organization_id, mailbox_id)
        if old is None:
            raise NotFoundError("the mailbox has no active key yet")
        self._new_generation(organization_id, mailbox_id, old=old)
        self.provision(organization_id, mailbox_id)

    def withdraw(self, organization_id: str, mailbox_id: str) -> None:
        """Deactivate and freeze the keys of an ended tenure, and withdraw its certificates."""
        mailbox = self._mailboxes.tenure(organization_id, mailbox_id)
        if mailbox.state == "active":
            raise ConflictError("the mailbox is still in use")
        now = self._clock.now()
        with self._storage.transaction(organization_id) as tx:
            keys = self._store.keys(tx, organization_id, mailbox_id)
            for key in keys:
                if key.state == "ACTIVE":
                    self._store.deactivate(tx, key, now)
                    self._unpublish(tx, mailbox, key)
            if self._store.freeze(tx, organization_id, mailbox_id):
                fields = {"keys": ",".join(key.key_id for key in keys)}
                self._audit.append(tx, Act(organization_id, mailbox_id, "key.freeze", fields))

    def renew_due(self, organization_id: str) -> int:
        """Ask for renewal of certificates that end soon; return for how many mailboxes."""
        before = self._clock.now() + policy.RENEW_BEFORE
        with self._storage.transaction(organization_id) as tx:
            due = self._store.ending_certificates(tx, organization_id, before)
            for mailbox_id in due:
                self._put_outbox(tx, organization_id, PROVISION_TOPIC, {"mailbox_id": mailbox_id}, mailbox_id)
        return len(due)

    def _active(self, organization_id: str, mailbox_id: str) -> MailboxKey | None:
        with self._storage.read(organization_id) as tx:
            keys = self._store.keys(tx, organization_id, mailbox_id)
        return next((key for key in keys if key.state == "ACTIVE" and key.slot == CLASSICAL), None)

    def _new_generation(self, organization_id: str, mailbox_id: str, old: MailboxKey | None) -> None:
        for _ in range(_CLAIM_ATTEMPTS):
            # 1 A ready key; RSA is never made inside a transaction.
            with self._storage.read(organization_id) as tx:
                pooled = self._store.oldest_pooled(tx, organization_id, self._settings.algorithm)
            if pooled is None:
                made = self._keystore.generate_encryption_key(organization_id, self._settings.algorithm)
                with self._storage.transaction(organization_id) as tx:
                    self._store.add_pooled(tx, made, self._clock.now())
                continue
            # 2 One transaction: out of the pool, the old one down, the new one up, leaves, the certificate's order.
            try:
                with self._storage.transaction(organization_id) as tx:
                    self._store.take_pooled(tx, pooled)
                    self._install(tx, organization_id, mailbox_id, pooled, old)
            except ConflictError:
                now_active = self._active(organization_id, mailbox_id)
                if (now_active and now_active.key_id) != (old and old.key_id):
                    if old is None:
                        return  # another worker was faster, which is as good
                    raise
                self._mailboxes.mailbox(organization_id, mailbox_id)
                continue
            return
        raise UnavailableError("no key could be claimed: try again")

    def _install(
        self, tx: Transaction, organization_id: str, mailbox_id: str, pooled: SealedRecord, old: MailboxKey | None
    ) -> None:
        self._mailboxes.hold(tx, organization_id, mailbox_id)
        now = self._clock.now()
        if old is not None:
            self._store.deactivate(tx, old, now)
            self._unpublish(tx, self._mailboxes.tenure(organization_id, mailbox_id), old)
        history = self._store.keys(tx, organization_id, mailbox_id)
        generation = 1 + max((key.generation for key in history if key.slot == CLASSICAL), default=0)
        record = self._keystore.assign_encryption_key(pooled, mailbox_id, generation)
        key = MailboxKey(record, CLASSICAL, "ACTIVE", frozen=False, created=now)
        self._store.add_key(tx, key)
        leaf = self._log(tx, key, "key.create")
        if old is not None:
            leaf = self._log(tx, key, "key.rotate", old_key=old.key_id)
            notice = self._devices.notice("key-rotated", key.key_id, leaf)
            self._devices.notify(tx, organization_id, mailbox_id, notice)
        self._put_outbox(tx, organization_id, PROVISION_TOPIC, {"mailbox_id": mailbox_id}, mailbox_id)

    def _certify(self, mailbox: Mailbox, key: MailboxKey, newest: KeyCertificateRow | None) -> None:
        # 1 The escrow statement: this key is archived here, for this mailbox.
        organization_id, now = mailbox.organization_id, self._clock.now()
        statement = EscrowStatement(
            organization_id=organization_id,
            mailbox_id=mailbox.mailbox_id,
            addresses=mailbox.addresses,
            spki=key.record.spki,
            slot=key.slot,
            generation=key.generation,
            proof_method="domain-control",
            proof_time=mailbox.created,
            expires=now + policy.STATEMENT_LIFE,
        )
        payload = msgspec.json.encode(statement)
        signature = self._keystore.sign(self._escrow_key(organization_id), "ed25519", escrow_signature_input(payload))
        # 2 The certificate, checked before it is believed.
        issued = self._issuer.issue_encryption(payload, signature)
        _check_issued(issued, mailbox, key)
        if newest is not None and newest.certificate == issued.certificate:
            return  # the CA does not think that renewal is due
        # 3 One transaction: association, leaf, publication, notices.
        row = KeyCertificateRow(key.key_id, issued.certificate, issued.chain, issued.not_after, now)
        with self._storage.transaction(organization_id) as tx:
            self._mailboxes.hold(tx, organization_id, mailbox.mailbox_id)
            keys = self._store.keys(tx, organization_id, mailbox.mailbox_id)
            if not any(other.key_id == key.key_id and other.state == "ACTIVE" for other in keys):
                raise ConflictError("the key was rotated while it was certified")
            known = self._store.certificates(tx, organization_id, mailbox.mailbox_id).get(key.key_id)
            if known is not None and known.certificate == issued.certificate:
                return  # whoever rotates and the outbox's worker both certify; the CA gives both the same
            self._store.add_certificate(tx, organization_id, row)
            leaf = self._log(tx, key, "key.certify", certificate=sha256(issued.certificate).hex())
            for address in mailbox.addresses:
                self._directory.publish(tx, organization_id, address, issued.certificate, issued.chain)
            notice = self._devices.notice("certificate-issued", key.key_id, leaf)
            self._devices.notify(tx, organization_id, mailbox.mailbox_id, notice)

    def _unpublish(self, tx: Transaction, mailbox: Mailbox, key: MailboxKey) -> None:
        certificates = self._store.certificates(tx, mailbox.organization_id, mailbox.mailbox_id)
        if key.key_id not in certificates:
            return
        for address in mailbox.addresses:
            self._directory.unpublish(tx, mailbox.organization_id, address)

    def _log(self, tx: Transaction, key: MailboxKey, kind: str, **more: str) -> PendingLeaf:
        identity = key.record.identity
        fields = {
            "key": key.key_id,
            "slot": key.slot,
            "generation": str(key.generation),
            "spki_sha256": key.spki_sha256.hex(),
            **more,
        }
        return self._audit.append(tx, Act(identity.organization_id, identity.owner, kind, fields))


def _check_issued(issued: IssuedCertificate, mailbox: Mailbox, key: MailboxKey) -> None:
    """Check that a certificate is for this key and mailbox, and by its chain."""
    try:
        certificate = x509.load_der_x509_certificate(issued.certificate)
        spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if issued.chain:
            certificate.verify_directly_issued_by(x509.load_der_x509_certificate(issued.chain[0]))
    except (InvalidSignature, TypeError) as error:
        raise VerificationError("the issued certificate is not by the chain that came with it") from error
    except UNDECODABLE as error:
        raise DecodingError("the issued certificate cannot be read") from error
    if spki != key.record.spki or not set(certificate_addresses(certificate)) <= set(mailbox.addresses):
        raise VerificationError("the issued certificate is for another key or mailbox")

"""The certificate of an archived key: asked for with an escrow statement, and published once the key is proved to be its own."""

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealwright.clock import Clock
from sealwright.errors import ConflictError, DecodingError, VerificationError
from sealwright.identity.model import Mailbox
from sealwright.keystore.protocol import Keystore
from sealwright.kms import policy
from sealwright.kms.acts import KeyActs
from sealwright.kms.model import KeyCertificateRow, MailboxKey
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
from sealwright.storage.engine import Storage
from sealwright.wire.encoding import sha256
from sealwright.wire.escrow import EscrowStatement, escrow_signature_input


class Certifier:
    """Gets certificates from the CA and publishes them.

    Args:
        storage: The database.
        store: Its SQL.
        keystore: Signs escrow statements and proves archived keys.
        acts: Leaf and notice.
        issuer: The CA.
        directory: Where certificates are published.
        clock: The time.
        escrow_key: The registered service key "escrow" of an organization.
        mailboxes: Who owns a mailbox.
    """

    def __init__(
        self,
        storage: Storage,
        store: KeyStore,
        keystore: Keystore,
        acts: KeyActs,
        issuer: CertificateIssuer,
        directory: CertificatePublisher,
        clock: Clock,
        *,
        escrow_key: EscrowKeyReader,
        mailboxes: MailboxReader,
    ) -> None:
        self._storage, self._store, self._keystore, self._acts = storage, store, keystore, acts
        self._issuer, self._directory, self._clock = issuer, directory, clock
        self._escrow_key, self._mailboxes = escrow_key, mailboxes

    def certify(self, mailbox: Mailbox, key: MailboxKey, newest: KeyCertificateRow | None) -> None:
        """Give an ACTIVE key a certificate that lasts, and publish it.

        Raises:
            VerificationError: If the certificate is not of this key and mailbox, or the archived key does not open what is
                encrypted for it; nothing is published then.
            ConflictError: If the key is not ACTIVE any more.
        """
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
        # 3 The archived key opens what is encrypted for this certificate: else mail would be lost from now on.
        if not self._keystore.examine(key.record, issued.certificate):
            raise VerificationError("the archived key is not the certified one: nothing is published")
        # 4 One transaction: association, leaf, publication, notices.
        row = KeyCertificateRow(key.key_id, issued.certificate, issued.chain, issued.not_after, now)
        salt = self._acts.seal_salt(organization_id)
        with self._storage.transaction(organization_id) as tx:
            self._mailboxes.hold(tx, organization_id, mailbox.mailbox_id)
            found = self._store.key(tx, organization_id, key.key_id)
            if found is None or found.state != "ACTIVE":
                raise ConflictError("the key's state was changed while it was certified")
            known = self._store.certificates(tx, organization_id, mailbox.mailbox_id).get(key.key_id)
            if known is not None and known.certificate == issued.certificate:
                return  # whoever rotates and the outbox's worker both certify; the CA gives both the same
            self._store.add_certificate(tx, organization_id, row)
            leaf = self._acts.log(tx, key, "key.certify", salt, certificate=sha256(issued.certificate).hex())
            for address in mailbox.addresses:
                self._directory.publish(tx, organization_id, address, issued.certificate, issued.chain)
            self._acts.tell(tx, key, "certificate-issued", leaf)


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

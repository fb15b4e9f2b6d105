"""Revocation and the lists that tell of it. A list that lacks a revocation is never handed out again, whatever breaks."""

from collections.abc import Callable
from datetime import datetime

from cryptography import x509

from sealwright.audit.log import Act
from sealwright.ca import policy, signer
from sealwright.ca.model import CertificateRecord, Issuer
from sealwright.ca.ports import AuditPort
from sealwright.ca.store import CaStore
from sealwright.clock import Clock
from sealwright.errors import ConflictError, UnavailableError
from sealwright.keystore.protocol import ServiceKeystore
from sealwright.pkix.crl import check_reason, crl_builder
from sealwright.storage.engine import Storage, Transaction
from sealwright.tlog.leaf import ORGANIZATION_CHAIN

_CRL_ATTEMPTS = 8
Announce = Callable[[Transaction, str, CertificateRecord, str], None]


class Revocation:
    """What the CA takes back.

    Args:
        storage: The database.
        store: Its SQL.
        keystore: Where issuers' keys are.
        audit: The owner-visible log.
        clock: The time.
        announce: Queues the word about a certificate.
    """

    def __init__(
        self,
        storage: Storage,
        store: CaStore,
        keystore: ServiceKeystore,
        audit: AuditPort,
        clock: Clock,
        announce: Announce,
    ) -> None:
        self._storage, self._store, self._keystore = storage, store, keystore
        self._audit, self._clock, self._announce = audit, clock, announce

    def revoke(self, organization_id: str, serial_number: int, reason: str) -> None:
        """Revoke a certificate and make the issuer's next list.

        Raises:
            NotFoundError: If there is no such certificate.
            ConflictError: If it is revoked already.
            InputError: If the reason is none of `pkix.crl.REASONS`.
        """
        check_reason(reason)
        with self._storage.transaction(organization_id) as tx:
            record = self._store.by_serial(tx, organization_id, serial_number)
            issuer = self._store.issuer_by_id(tx, organization_id, record.issuer_id)
            self._note_compromise(tx, organization_id, record.spki_sha256, reason)
            self._revoke_in(tx, record, issuer, reason)
        self._make_crl(organization_id, issuer.name)

    def revoke_all(self, organization_id: str, mailbox_id: str, reason: str, device_id: str | None = None) -> int:
        """Revoke whatever a mailbox has, or one of its devices; what is not signed yet will not be. Can be repeated.

        Returns:
            How many certificates were revoked or given up.

        Raises:
            ConflictError: If something changed meanwhile: nothing of the last batch was done, repeat it.
            InputError: If the reason is none of `pkix.crl.REASONS`.
        """
        check_reason(reason)
        issuers: dict[str, Issuer] = {}
        count = 0
        while True:
            with self._storage.transaction(organization_id) as tx:
                records = self._store.unrevoked(tx, organization_id, mailbox_id, device_id)
                for record in records:
                    self._take_back(tx, record, reason, issuers)
            count += len(records)
            if not records:
                break
        for name in issuers:
            self._make_crl(organization_id, name)
        return count

    def revoke_key(self, organization_id: str, spki_sha256: str, reason: str) -> int:
        """Revoke every certificate of a key; what is not signed yet will not be. Can be repeated.

        Args:
            organization_id: 32 hex digits.
            spki_sha256: Of the key, hex.
            reason: A key of `pkix.crl.REASONS`.

        Returns:
            How many certificates were revoked or given up.

        Raises:
            ConflictError: If something changed meanwhile: nothing was done, repeat it.
            InputError: If the reason is none of `pkix.crl.REASONS`.
        """
        check_reason(reason)
        issuers: dict[str, Issuer] = {}
        with self._storage.transaction(organization_id) as tx:
            self._note_compromise(tx, organization_id, spki_sha256, reason)
            found = self._store.by_spki(tx, organization_id, spki_sha256)
            records = [record for record in found if record.state in ("PENDING", "ISSUED")]
            for record in records:
                self._take_back(tx, record, reason, issuers)
        for name in issuers:
            self._make_crl(organization_id, name)
        return len(records)

    def crl(self, organization_id: str, issuer_name: str) -> bytes:
        """Return an issuer's list, DER; it is made anew after a revocation or when less than half its life is left.

        Raises:
            NotFoundError: If there is no such issuer.
        """
        with self._storage.read(organization_id) as tx:
            issuer = self._store.issuer(tx, organization_id, issuer_name)
        fresh_until = self._clock.now() + policy.CRL_RENEWAL
        if issuer.crl_next_update is not None and issuer.crl_next_update > fresh_until:
            return issuer.crl
        return self._make_crl(organization_id, issuer_name)

    def _take_back(self, tx: Transaction, record: CertificateRecord, reason: str, issuers: dict[str, Issuer]) -> None:
        """Revoke or give up one certificate, and note its issuer in `issuers`: its list is due."""
        self._note_compromise(tx, record.organization_id, record.spki_sha256, reason)
        issuer = self._store.issuer_by_id(tx, record.organization_id, record.issuer_id)
        issuers[issuer.name] = issuer
        if record.state == "PENDING":
            self._store.abandon_certificate(tx, record)
        else:
            self._revoke_in(tx, record, issuer, reason)

    def _note_compromise(self, tx: Transaction, organization_id: str, spki_sha256: str, reason: str) -> None:
        if reason == "keyCompromise":
            self._store.mark_compromised(tx, organization_id, spki_sha256)

    def _revoke_in(self, tx: Transaction, record: CertificateRecord, issuer: Issuer, reason: str) -> None:
        self._store.revoke_certificate(tx, record, self._now(), reason)
        # Whoever makes a list now without this revocation loses the race; a crash after the commit leaves no list at all.
        self._store.expire_crl(tx, issuer)
        fields = {"serial_number": f"{record.serial_number:x}", "issuer": issuer.name, "reason": reason}
        chain_id = record.mailbox_id or ORGANIZATION_CHAIN
        self._audit.append(tx, Act(record.organization_id, chain_id, "certificate.revoke", fields))
        self._announce(tx, "certificate.revoked", record, issuer.name)

    def _make_crl(self, organization_id: str, issuer_name: str) -> bytes:
        # the list is signed outside the transaction; whoever loses the race reads again and lists more
        for _ in range(_CRL_ATTEMPTS):
            now = self._now()
            with self._storage.read(organization_id) as tx:
                issuer = self._store.issuer(tx, organization_id, issuer_name)
                entries = self._store.revoked_entries(tx, organization_id, issuer.issuer_id)
            certificate = x509.load_der_x509_certificate(issuer.certificate)
            next_update = now + policy.CRL_VALIDITY
            builder = crl_builder(certificate, entries, issuer.crl_number + 1, now, next_update)
            crl = signer.sign_crl(self._keystore, issuer.key, builder)
            try:
                with self._storage.transaction(organization_id) as tx:
                    self._store.replace_crl(tx, issuer, crl, next_update)
            except ConflictError:
                continue
            return crl
        raise UnavailableError("the revocation list is being made by many at once: ask again")

    def _now(self) -> datetime:
        return self._clock.now().replace(microsecond=0)

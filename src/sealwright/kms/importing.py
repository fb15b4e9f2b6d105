"""Keys of another system, taken into a mailbox's history: they decrypt, and protect nothing new."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealwright.audit.log import Act, AuditLog, PendingLeaf
from sealwright.clock import Clock
from sealwright.errors import ConflictError, DecodingError, InputError, PermissionDeniedError
from sealwright.identity.devices import DeviceService
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.protocol import Keystore
from sealwright.kms.model import CLASSICAL, KEM, KeyCertificateRow, MailboxKey
from sealwright.kms.ports import MailboxReader
from sealwright.kms.store import KeyStore
from sealwright.pkix.extensions import UNDECODABLE
from sealwright.storage.engine import Storage, Transaction
from sealwright.wire.encoding import sha256
from sealwright.wire.key_import import MAX_CERTIFICATES, MAX_KEYS, ImportKeyAnswer, ImportOutcome, KeyToImport

MAX_IMPORTED = 500
"""Of one mailbox; a release carries them all."""
OWNER, ADMINISTRATOR = "owner", "administrator"


class KeyImporter:
    """Imports keys; each is an act of its own, so a cut-off import is finished by repeating it.

    Args:
        storage: The database.
        store: Its SQL.
        keystore: Opens what was sealed to the import key.
        audit: The owner-visible log.
        clock: The time.
        mailboxes: Who owns a mailbox.
        devices: Tells a mailbox's devices.
    """

    def __init__(
        self,
        storage: Storage,
        store: KeyStore,
        keystore: Keystore,
        audit: AuditLog,
        clock: Clock,
        *,
        mailboxes: MailboxReader,
        devices: DeviceService,
    ) -> None:
        self._storage, self._store, self._keystore = storage, store, keystore
        self._audit, self._clock, self._mailboxes, self._devices = audit, clock, mailboxes, devices

    def import_key(self, organization_id: str) -> ImportKeyAnswer:
        """Return what private keys are sealed to."""
        signed = self._keystore.import_public_key(organization_id)
        return ImportKeyAnswer(
            organization_id=organization_id, public_key=signed.public_key, signature=signed.signature
        )

    def import_keys(
        self, organization_id: str, mailbox_id: str, keys: Sequence[KeyToImport], origin: str, by: str
    ) -> tuple[ImportOutcome, ...]:
        """Take keys into the history; a key that is there gains the certificates that it has not.

        Args:
            organization_id: 32 hex digits.
            mailbox_id: 32 hex digits.
            keys: At most `MAX_KEYS`.
            origin: `OWNER` or `ADMINISTRATOR`.
            by: Who did it, for the leaf: a device's thumbprint (hex), or "operator".

        Returns:
            One outcome for each key, in their order; a key that cannot be used is refused and the others go on.

        Raises:
            InputError: If there are too many keys in the request.
            NotFoundError: If there is no such mailbox.
            UnavailableError: If keystore or log do not answer; what was imported before stays.
        """
        if not 1 <= len(keys) <= MAX_KEYS:
            raise InputError(f"one request imports 1 to {MAX_KEYS} keys")
        self._mailboxes.mailbox(organization_id, mailbox_id)
        outcomes = []
        for key in keys:
            try:
                outcomes.append(self._import_one(organization_id, mailbox_id, key, origin, by))
            except (InputError, PermissionDeniedError) as error:
                outcomes.append(ImportOutcome(key_id="", outcome="refused", reason=error.message))
        return tuple(outcomes)

    def _import_one(
        self, organization_id: str, mailbox_id: str, wanted: KeyToImport, origin: str, by: str
    ) -> ImportOutcome:
        # 1 What certificates say of the key; the keystore proves that the private key is theirs.
        certificates = _load(wanted.certificates)
        spki = _spki(certificates[0])
        if any(_spki(each) != spki for each in certificates):
            raise InputError("a key's certificates are all of this key")
        _load(wanted.chain or wanted.certificates)
        record = self._keystore.import_encryption_key(organization_id, mailbox_id, spki, wanted.sealed_key)
        # 2 One transaction: the key unless it is there, its certificates, the leaf, the notice.
        try:
            with self._storage.transaction(organization_id) as tx:
                return self._add(tx, record, certificates, wanted.chain, origin, by)
        except ConflictError:  # another request was faster: now it is there
            with self._storage.transaction(organization_id) as tx:
                return self._add(tx, record, certificates, wanted.chain, origin, by)

    def _add(
        self,
        tx: Transaction,
        record: SealedRecord,
        certificates: Sequence[x509.Certificate],
        chain: tuple[bytes, ...],
        origin: str,
        by: str,
    ) -> ImportOutcome:
        organization_id, mailbox_id = record.identity.organization_id, record.identity.owner
        self._mailboxes.hold(tx, organization_id, mailbox_id)
        history = self._store.keys(tx, organization_id, mailbox_id)
        known = next((key for key in history if key.record.spki == record.spki), None)
        now = self._clock.now()
        key = known
        if key is None:
            if sum(1 for each in history if not each.generation) >= MAX_IMPORTED:
                raise InputError(f"a mailbox's history takes at most {MAX_IMPORTED} imported keys")
            slot = KEM if record.algorithm.startswith("ml-kem-") else CLASSICAL
            key = MailboxKey(record, slot, "DEACTIVATED", frozen=False, created=now, origin=origin)
            self._store.add_key(tx, key)
        added = self._add_certificates(tx, key, certificates, chain)
        if known is None or added:
            leaf = self._log(tx, key, "key.import" if known is None else "key.certify", added, by)
            self._devices.notify(
                tx, organization_id, mailbox_id, self._devices.notice("key-imported", key.key_id, leaf)
            )
        return ImportOutcome(key_id=key.key_id, outcome="imported" if known is None else "existing")

    def _add_certificates(
        self, tx: Transaction, key: MailboxKey, certificates: Sequence[x509.Certificate], chain: tuple[bytes, ...]
    ) -> list[bytes]:
        identity = key.record.identity
        rows = self._store.all_certificates(tx, identity.organization_id, identity.owner)
        there = {row.certificate for row in rows if row.key_id == key.key_id}
        added = []
        for position, certificate in enumerate(certificates):
            encoded = certificate.public_bytes(Encoding.DER)
            if encoded in there:
                continue
            row = KeyCertificateRow(
                key.key_id,
                encoded,
                chain if position == 0 else (),
                certificate.not_valid_after_utc,
                self._clock.now(),
            )
            self._store.add_certificate(tx, identity.organization_id, row)
            there.add(encoded)
            added.append(encoded)
        return added

    def _log(self, tx: Transaction, key: MailboxKey, kind: str, certificates: list[bytes], by: str) -> PendingLeaf:
        identity = key.record.identity
        fields = {
            "key": key.key_id,
            "slot": key.slot,
            "generation": str(key.generation),
            "spki_sha256": key.spki_sha256.hex(),
            "certificates": ",".join(sha256(each).hex() for each in certificates),
            "by": by,
        }
        return self._audit.append(tx, Act(identity.organization_id, identity.owner, kind, fields))


def _load(encoded: Sequence[bytes]) -> list[x509.Certificate]:
    if not 1 <= len(encoded) <= MAX_CERTIFICATES:
        raise InputError(f"a key comes with 1 to {MAX_CERTIFICATES} certificates")
    try:
        loaded = [x509.load_der_x509_certificate(each) for each in encoded]
        for each in loaded:
            _ = _spki(each), each.issuer, each.subject, each.extensions, each.not_valid_after_utc
    except UNDECODABLE as error:
        raise DecodingError("a certificate of the key cannot be read") from error
    return loaded


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

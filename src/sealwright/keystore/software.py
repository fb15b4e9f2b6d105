"""Keystores in software: records sealed under storage keys, opened in this process.

`SoftwareServiceKeystore` needs only a root wrapping key in a file and holds no key of a person. `SoftwareKeystore` is the
whole protocol over a seal; the server runs it in processes of their own (`keystore.pool`).
"""

import secrets
from dataclasses import replace

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_der_public_key

from sealwright.errors import (
    InputError,
    PermissionDeniedError,
    SealedError,
    UnavailableError,
    UnsupportedAlgorithmError,
    VerificationError,
)
from sealwright.keystore.content_keys import check_remote_decrypt, unwrap_content_key
from sealwright.keystore.evidence import check_device_release
from sealwright.keystore.examination import is_key_of
from sealwright.keystore.importing import open_imported_key
from sealwright.keystore.model import (
    POOL,
    UNKNOWN_MAILBOX,
    ApprovalEvidence,
    DeviceReleaseEvidence,
    ExitEvidence,
    RecordIdentity,
    RecoveryEvidence,
    RemoteDecryptEvidence,
    SealedRecord,
    SealedRelease,
    SignedImportKey,
)
from sealwright.keystore.records import ENCRYPTION_ALGORITHMS, generate_key
from sealwright.keystore.registry import LOG_PREFIX, RELEASE_PURPOSE, is_registered_purpose
from sealwright.keystore.rewrapping import rewrap_record
from sealwright.keystore.vouching_keystore import VouchingKeystore
from sealwright.wire.content_keys import (
    ContentKeyRequest,
    content_keys_info,
    content_keys_input,
    encode_content_keys,
)
from sealwright.wire.destruction import DestructionReceipt
from sealwright.wire.hpke import hpke_seal
from sealwright.wire.key_import import import_key_input
from sealwright.wire.log_break import LogBreakRequest, log_break_note
from sealwright.wire.manifest import ReleasedKey, encode_released_keys

MAX_GENERATION = 0xFFFF


class SoftwareKeystore(VouchingKeystore):
    """Implements `keystore.protocol.Keystore` in this process.

    Args:
        seal: Open; the registry lies next to its file.
        clock: The time; the system's without.

    Raises:
        SealedError: If the registry was changed.
    """

    def generate_service_key(self, organization_id: str, purpose: str, algorithm: str) -> SealedRecord:
        """Make a signing key of the service. The purposes "release" and "log/<origin>" are remembered for evidence.

        An organization has one release key and one log key, both "ed25519": asking again returns the same record.

        Raises:
            UnsupportedAlgorithmError: If the algorithm is not one of the protocol's, or not the purpose's.
            ConflictError: If the organization has a log of another origin.
        """
        if not is_registered_purpose(purpose):
            return super().generate_service_key(organization_id, purpose, algorithm)
        if algorithm != "ed25519":
            raise UnsupportedAlgorithmError("release and log keys are ed25519")
        return self._registry.add(super().generate_service_key(organization_id, purpose, algorithm))

    def sign(self, key: SealedRecord, algorithm: str, message: bytes) -> bytes:
        """Sign a whole message with a service key; release and log keys sign nothing here.

        Releases are signed by `open`, after the evidence was checked; checkpoints by `sign_checkpoint`.

        Raises:
            PermissionDeniedError: If the record is no service key, or does not sign such a message.
            UnsupportedAlgorithmError: If key and algorithm do not fit.
        """
        purpose = key.identity.owner
        if purpose == RELEASE_PURPOSE:
            raise PermissionDeniedError("the release key signs releases only")
        if purpose.startswith(LOG_PREFIX):
            raise PermissionDeniedError("a log key signs checkpoints only")
        return super().sign(key, algorithm, message)

    def signed_checkpoint(self, organization_id: str) -> str:
        """Return the text of the newest checkpoint that was signed for an organization's log; empty if there is none."""
        self._storage_keys()
        return self._log_signing.newest(organization_id)

    def sign_checkpoint(self, key: SealedRecord, text: str, old: str, proof: tuple[bytes, ...]) -> bytes:
        """Sign a checkpoint that continues the newest one.

        Raises:
            PermissionDeniedError: If it does not, or the key is not the log's.
            ConflictError: If another one was signed meanwhile.
            UnavailableError: If it cannot be written down.
            SealedError: If the organization has no log.
        """
        organization_id = key.identity.organization_id
        origin, registered = self._registry.log(organization_id)
        if key.identity != registered.identity:
            raise PermissionDeniedError("the key is not that of the organization's log")
        self._log_signing.advance(organization_id, origin, text, old, proof)
        return super().sign(registered, "ed25519", text.encode())

    def sign_log_break(
        self, organization_id: str, wanted: LogBreakRequest, proof: tuple[bytes, ...], evidence: ApprovalEvidence | None
    ) -> tuple[int, str]:
        """Sign that the log goes on from an older state; return the break's number and note.

        Raises:
            InputError: If the reason is none.
            ApprovalsMissingError: If it has to be approved and was not.
            PermissionDeniedError: If the approvals are for something else, or the break is not of the log that is signed now.
        """
        self._storage_keys()
        _, record = self._registry.log(organization_id)
        found = self._log_breaks.approved(organization_id, wanted, proof, evidence, self._clock.now())
        text = found.encode()
        return found.number, log_break_note(text, record.spki[-32:], super().sign(record, "ed25519", text.encode()))

    def generate_encryption_key(self, organization_id: str, algorithm: str) -> SealedRecord:
        """Make an encryption key for the pool, of one of `records.ENCRYPTION_ALGORITHMS`.

        Raises:
            UnsupportedAlgorithmError: If the algorithm is another.
        """
        content, spki = generate_key(algorithm, ENCRYPTION_ALGORITHMS)
        identity = RecordIdentity("encryption-key", organization_id, secrets.token_hex(16), POOL)
        return self._seal(identity, algorithm, content, spki)

    def assign_encryption_key(self, pooled: SealedRecord, mailbox_id: str, generation: int) -> SealedRecord:
        """Re-seal a pooled key as a generation of a mailbox.

        Raises:
            PermissionDeniedError: If the record is not a pooled encryption key.
            InputError: If the mailbox or the generation cannot be one.
        """
        if pooled.identity.kind != "encryption-key" or pooled.identity.owner != POOL or pooled.identity.generation:
            raise PermissionDeniedError("only a pooled encryption key can be assigned")
        if mailbox_id in {POOL, UNKNOWN_MAILBOX, ""} or not 1 <= generation <= MAX_GENERATION:
            raise InputError("a key is assigned to a mailbox, as generation 1 or later")
        self._destroyed.check(pooled.identity)
        identity = replace(pooled.identity, owner=mailbox_id, generation=generation)
        return self._seal(identity, pooled.algorithm, self._open(pooled), pooled.spki)

    def examine(self, record: SealedRecord, certificate: bytes) -> bool:
        """Tell whether an encryption key's record opens, and its key decrypts what is encrypted for its certificate.

        Raises:
            PermissionDeniedError: If the record is no encryption key.
        """
        if record.identity.kind != "encryption-key":
            raise PermissionDeniedError("only encryption keys are examined")
        try:
            self._destroyed.check(record.identity)
            return is_key_of(self._open(record), record.spki, certificate)
        except (VerificationError, PermissionDeniedError):
            return False

    def sign_destruction(self, receipt: DestructionReceipt) -> bytes:
        """Remember that a key is destroyed, and sign that with the organization's release key.

        Raises:
            PermissionDeniedError: If its state was not vouched to be DESTROYED.
            SealedError: If the organization has no release key.
            UnavailableError: If it cannot be written down.
        """
        release_key = self._registry.release_key(receipt.organization_id)
        self._key_states.destroy(receipt.organization_id, receipt.key_id)
        return super().sign(release_key, "ed25519", receipt.encode())

    def import_public_key(self, organization_id: str) -> SignedImportKey:
        """Return what keys of another system are sealed to, signed by the release key.

        Raises:
            SealedError: If the organization has no release key.
        """
        public_key = self._import_pair(organization_id).public_key
        release_key = self._registry.release_key(organization_id)
        signature = super().sign(release_key, "ed25519", import_key_input(organization_id, public_key))
        return SignedImportKey(public_key, signature)

    def import_encryption_key(
        self, organization_id: str, mailbox_id: str, spki: bytes, sealed_key: bytes
    ) -> SealedRecord:
        """Seal a key of another system into a mailbox's history, without a generation.

        Raises:
            InputError: If it was sealed for another mailbox, is no private key, or not that of `spki`.
            UnsupportedAlgorithmError: If mail is not decrypted with such keys.
        """
        if mailbox_id in {POOL, UNKNOWN_MAILBOX, ""}:
            raise InputError("a key is imported for a mailbox")
        pair = self._import_pair(organization_id)
        algorithm, content = open_imported_key(pair, organization_id, mailbox_id, spki, sealed_key)
        identity = RecordIdentity("encryption-key", organization_id, secrets.token_hex(16), mailbox_id)
        return self._seal(identity, algorithm, content, spki)

    def open_for_exit(self, records: tuple[SealedRecord, ...], evidence: ExitEvidence) -> SealedRelease:
        """Open one mailbox's keys for an organization that leaves, and seal them to the requester's device.

        Raises:
            ApprovalsMissingError: If too few recovery officers approved.
            PermissionDeniedError: If any other part of the evidence does not hold.
            SealedError: If the organization has no release key or log.
        """
        organization_id, device = evidence.requester.organization_id, evidence.requester.device
        origin, log_key = self._log_key(organization_id)
        release_key = self._registry.release_key(organization_id)
        # 1 All evidence holds.
        self._key_states.check(records, evidence.state_rows, evidence.manifest.keys)
        self._exits.check(records, evidence, self._clock.now(), origin, log_key)
        # 2 Open, seal to the device, sign.
        keys = tuple(ReleasedKey(record.identity.record_id, self._open(record)) for record in records)
        info = evidence.manifest.encode()
        sealed_keys = hpke_seal(device.hpke_public_key, info, encode_released_keys(keys))
        return SealedRelease(sealed_keys, super().sign(release_key, "ed25519", info))

    def recover(self, records: tuple[SealedRecord, ...], evidence: RecoveryEvidence) -> SealedRelease:
        """Open a mailbox's keys for another person, or unwrap content keys of named messages, sealed to that one's device.

        Raises:
            ApprovalsMissingError: If too few approvals are good, or the delay is not over.
            PermissionDeniedError: If any other part of the evidence does not hold.
            SealedError: If the organization has no release key or log.
        """
        # 1 Trust comes from the registry, never from the caller.
        organization_id = evidence.terms.approval.proposal.organization_id
        origin, log_key = self._log_key(organization_id)
        release_key = self._registry.release_key(organization_id)
        # 2 All evidence holds.
        self._key_states.check(records, evidence.state_rows, evidence.manifest.keys)
        items = self._recoveries.check(records, evidence, self._clock.now(), origin, log_key)
        # 3 Private keys of an approved history; of approved messages the content keys alone.
        if items:
            secret = self._derive("keystore", "substitute", organization_id)
            content = encode_content_keys(
                tuple(unwrap_content_key(self._open(record), wrapped, info, secret) for record, wrapped, info in items)
            )
        else:
            content = encode_released_keys(
                tuple(ReleasedKey(record.identity.record_id, self._open(record)) for record in records)
            )
        # 4 Seal to the requester's device, sign.
        info = evidence.manifest.encode()
        sealed = hpke_seal(evidence.terms.requester.device.hpke_public_key, info, content)
        return SealedRelease(sealed, super().sign(release_key, "ed25519", info))

    def open(self, records: tuple[SealedRecord, ...], evidence: DeviceReleaseEvidence) -> SealedRelease:
        """Open a mailbox's keys and seal them to the device of the evidence.

        Raises:
            PermissionDeniedError: If any part of the evidence does not hold.
            SealedError: If the organization has no release key or log.
        """
        manifest, device = evidence.manifest, evidence.credential.device
        # 1 Trust comes from the registry, never from the caller.
        organization_id = evidence.credential.organization_id
        origin, log_key = self._log_key(organization_id)
        release_key = self._registry.release_key(organization_id)
        # 2 All evidence holds.
        now = self._clock.now()
        check_device_release(records, evidence, self._access, self._memberships, now, origin, log_key)
        self._key_states.check(records, evidence.state_rows, manifest.keys)
        # 3 Open, unless the keys stay here; seal to the device, sign.
        leaving = () if manifest.delivery == "remote" else records
        keys = tuple(ReleasedKey(record.identity.record_id, self._open(record)) for record in leaving)
        info = manifest.encode()
        sealed_keys = hpke_seal(device.hpke_public_key, info, encode_released_keys(keys))
        return SealedRelease(sealed_keys, super().sign(release_key, "ed25519", info))

    def unwrap_content_keys(self, records: tuple[SealedRecord, ...], evidence: RemoteDecryptEvidence) -> SealedRelease:
        """Unwrap content keys with a mailbox's keys, which stay; always keys of the length that was asked for.

        Raises:
            PermissionDeniedError: If any part of the evidence does not hold.
            InputError: If an item cannot be read.
            SealedError: If the organization has no release key or log.
        """
        credential = evidence.credential
        organization_id, device = credential.organization_id, credential.device
        origin, log_key = self._log_key(organization_id)
        release_key = self._registry.release_key(organization_id)
        # 1 The device may, and its keys are used here.
        self._access.check_access(credential, evidence.policy, self._clock.now(), evidence.source)
        if self._access.rules_of(evidence.policy, organization_id, credential.mailbox_id).delivery != "remote":
            raise PermissionDeniedError("this mailbox's keys are delivered to its devices")
        # 2 All evidence holds.
        items = check_remote_decrypt(records, evidence, origin, log_key)
        self._key_states.check(records, evidence.state_rows)
        # 3 Unwrap, seal to the device, sign.
        secret = self._derive("keystore", "substitute", organization_id)
        keys = tuple(unwrap_content_key(self._open(record), wrapped, info, secret) for record, wrapped, info in items)
        nonce = msgspec.json.decode(evidence.request.body, type=ContentKeyRequest).request_nonce
        info = content_keys_info(
            organization_id, credential.mailbox_id, device.thumbprint(), nonce, evidence.leaf.leaf_hash
        )
        sealed_keys = hpke_seal(device.hpke_public_key, info, encode_content_keys(keys))
        return SealedRelease(sealed_keys, super().sign(release_key, "ed25519", content_keys_input(info, sealed_keys)))

    def _log_key(self, organization_id: str) -> tuple[str, bytes]:
        """Return origin and raw Ed25519 public key of the organization's log, as the registry has them."""
        origin, record = self._registry.log(organization_id)
        key = load_der_public_key(record.spki)
        if not isinstance(key, ed25519.Ed25519PublicKey):
            raise SealedError("the organization's log key is of another kind")
        return origin, key.public_bytes_raw()

    def storage_key_version(self) -> int:
        """Return the storage key version that new records are sealed with."""
        return self._storage_keys().current_version

    def rotate_storage_key(self) -> int:
        """Add a storage key version, for all organizations, and return it.

        Raises:
            SealedError: If the seal does not open.
            UnavailableError: If it cannot be written down.
        """
        self._storage_keys()
        try:
            return self._opened_seal.rotate()
        except OSError as error:
            raise UnavailableError(f"the storage key cannot be written down: {error.strerror}") from error

    def rewrap(self, records: tuple[SealedRecord, ...]) -> tuple[SealedRecord, ...]:
        """Re-seal records under the current storage key, those of the keystore's own registry with the first call.

        Raises:
            PermissionDeniedError: If a key was destroyed.
            VerificationError: If a record was changed.
        """
        keys = self._storage_keys()
        self._registry.rewrap(keys)
        for record in records:
            self._destroyed.check(record.identity)
        return tuple(rewrap_record(keys, record) for record in records)

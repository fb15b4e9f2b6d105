"""A keystore for tests: the whole protocol in this process, with plain `cryptography` and no processes or files.

It checks what a unit test needs to be refused (kinds, owners, MACs, answers); log inclusion is the real keystore's work.
"""

import copy
import hmac
import secrets
import shutil
import tempfile
import weakref
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealwright.clock import Clock, SystemClock
from sealwright.cms.recipient_encoding import decode_recipient_info
from sealwright.errors import (
    AuthenticationError,
    PermissionDeniedError,
    SealedError,
    UnsupportedAlgorithmError,
    VerificationError,
)
from sealwright.keystore.access import MAILBOX, POLICY, DeviceAccess
from sealwright.keystore.approvals import Approvers
from sealwright.keystore.content_keys import unwrap_content_key
from sealwright.keystore.destroyed import DestroyedKeys
from sealwright.keystore.examination import is_key_of
from sealwright.keystore.factors import Factors
from sealwright.keystore.guesses import GuessLimit
from sealwright.keystore.importing import open_imported_key
from sealwright.keystore.key_states import KeyStates
from sealwright.keystore.log_breaks import LogBreaks
from sealwright.keystore.log_signing import LogSigning
from sealwright.keystore.memberships import Memberships
from sealwright.keystore.model import (
    POOL,
    UNKNOWN_MAILBOX,
    ApprovalEvidence,
    BegunProof,
    DeviceCredential,
    DeviceReleaseEvidence,
    ExitEvidence,
    FactorEvidence,
    MadeSecret,
    ProofBinding,
    Qualified,
    RecordIdentity,
    RemoteDecryptEvidence,
    SealedRecord,
    SealedRelease,
    SignedImportKey,
    VouchedRow,
)
from sealwright.keystore.release_rules import MailboxRelease, ReleaseRules
from sealwright.keystore.sign_on import SIGN_ON, SignOn
from sealwright.keystore.versions import Versions
from sealwright.keystore.vouching import Vouching
from sealwright.keystore.weaker import check_weaker
from sealwright.tlog.checkpoint import decode_checkpoint
from sealwright.wire.content_keys import (
    ContentKeyRequest,
    content_keys_info,
    content_keys_input,
    encode_content_keys,
)
from sealwright.wire.destruction import DestructionReceipt
from sealwright.wire.device import DevicePublicKeys
from sealwright.wire.encoding import decode_fields, encode_fields
from sealwright.wire.hpke import expand_hpke_seed, hpke_open, hpke_seal
from sealwright.wire.key_import import import_key_input
from sealwright.wire.log_break import LogBreakRequest, log_break_note
from sealwright.wire.manifest import KeyState, ReleasedKey, encode_released_keys
from sealwright.wire.proof import proof_answer, proof_transcript


class MemoryKeystore:
    """Implements `keystore.protocol.Keystore`; every instance has keys of its own.

    Args:
        folder: For the versions of rows; one of its own without.
        clock: Real time without.
    """

    def __init__(self, folder: Path | None = None, clock: Clock | None = None) -> None:
        self._key, self._clock = secrets.token_bytes(32), clock or SystemClock()
        self._version = 1
        if folder is None:
            folder = Path(tempfile.mkdtemp())
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        vouching, versions = Vouching(self._key), Versions(folder / "versions")
        self._folder, self.log_signing = folder, LogSigning(versions)
        self._log_keys: dict[str, SealedRecord] = {}
        self.access = DeviceAccess(vouching, versions)
        self.approvers = Approvers(vouching, versions, self.access)
        self.pair = expand_hpke_seed(self._key)
        self.factors = Factors(
            self.access,
            vouching,
            versions,
            GuessLimit(folder / "guesses"),
            seal_record=self._seal,
            open_record=self._unseal,
            open_sealed=lambda _owner, info, sealed: hpke_open(self.pair.private_key, info, sealed),
            roles_of=self.approvers.roles_of,
        )
        self.memberships = Memberships(self._key, vouching, versions)
        self._release_keys: dict[str, SealedRecord] = {}
        self.rsa_bits: dict[str, int] = {"rsa-2048": 2048, "rsa-3072": 3072, "rsa-4096": 4096}
        self.sealed = False
        destroyed = DestroyedKeys(folder / "destroyed-keys")
        self.key_states = KeyStates(vouching, versions, destroyed, self.approvers)

    def generate_encryption_key(self, organization_id: str, algorithm: str) -> SealedRecord:
        """Make a pooled key."""
        return self._make_key("encryption-key", organization_id, POOL, algorithm)

    def assign_encryption_key(self, pooled: SealedRecord, mailbox_id: str, generation: int) -> SealedRecord:
        """Re-seal a pooled key for a mailbox."""
        if pooled.identity.kind != "encryption-key" or pooled.identity.owner != POOL:
            raise PermissionDeniedError("only a pooled encryption key can be assigned")
        identity = replace(pooled.identity, owner=mailbox_id, generation=generation)
        return self._seal(identity, pooled.algorithm, self._unseal(pooled), pooled.spki)

    def import_public_key(self, organization_id: str) -> SignedImportKey:
        """Return the import key, signed by the release key."""
        public_key = expand_hpke_seed(self._key).public_key
        signed = import_key_input(organization_id, public_key)
        return SignedImportKey(public_key, self.sign(self._release_keys[organization_id], "ed25519", signed))

    def import_encryption_key(
        self, organization_id: str, mailbox_id: str, spki: bytes, sealed_key: bytes
    ) -> SealedRecord:
        """Seal a key of another system."""
        pair = expand_hpke_seed(self._key)
        algorithm, content = open_imported_key(pair, organization_id, mailbox_id, spki, sealed_key)
        identity = RecordIdentity("encryption-key", organization_id, secrets.token_hex(16), mailbox_id)
        return self._seal(identity, algorithm, content, spki)

    def generate_service_key(self, organization_id: str, purpose: str, algorithm: str) -> SealedRecord:
        """Make a signing key of the service."""
        record = self._make_key("service-key", organization_id, purpose, algorithm)
        if purpose == "release":
            self._release_keys[organization_id] = record
        return record

    def sign(self, key: SealedRecord, algorithm: str, message: bytes) -> bytes:
        """Sign with a service key."""
        if key.identity.kind != "service-key":
            raise PermissionDeniedError("only a service key signs")
        private_key = serialization.load_der_private_key(self._unseal(key), None)
        if isinstance(private_key, ed25519.Ed25519PrivateKey) and algorithm == "ed25519":
            return private_key.sign(message)
        if isinstance(private_key, ec.EllipticCurvePrivateKey) and algorithm == "ecdsa-sha256":
            return private_key.sign(message, ec.ECDSA(hashes.SHA256()))
        if isinstance(private_key, ec.EllipticCurvePrivateKey) and algorithm == "ecdsa-sha384":
            return private_key.sign(message, ec.ECDSA(hashes.SHA384()))
        if isinstance(private_key, rsa.RSAPrivateKey) and algorithm == "rsa-pkcs1v15-sha256":
            return private_key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        raise UnsupportedAlgorithmError(f"{algorithm} does not fit a key of {key.algorithm}")

    def signed_checkpoint(self, organization_id: str) -> str:
        """Return the newest checkpoint's text."""
        return self.log_signing.newest(organization_id)

    def sign_checkpoint(self, key: SealedRecord, text: str, old: str, proof: tuple[bytes, ...]) -> bytes:
        """Sign a checkpoint that continues the newest one."""
        self._log_keys[key.identity.organization_id] = key
        self.log_signing.advance(key.identity.organization_id, decode_checkpoint(text).origin, text, old, proof)
        return self.sign(key, "ed25519", text.encode())

    def sign_log_break(
        self, organization_id: str, wanted: LogBreakRequest, proof: tuple[bytes, ...], evidence: ApprovalEvidence | None
    ) -> tuple[int, str]:
        """Sign that the log goes on from an older state."""
        breaks = LogBreaks(Versions(self._folder / "breaks"), self.log_signing, self.approvers)
        found = breaks.approved(organization_id, wanted, proof, evidence, self._clock.now())
        key = self._log_keys[organization_id]
        return found.number, log_break_note(
            found.encode(), key.spki[-32:], self.sign(key, "ed25519", found.encode().encode())
        )

    def forgetful(self) -> "MemoryKeystore":
        """Return a keystore with the same keys that knows nothing of what this one signed: for whoever forks a log."""
        other = copy.copy(self)
        other._folder = Path(tempfile.mkdtemp())
        weakref.finalize(other, shutil.rmtree, other._folder, ignore_errors=True)
        other.log_signing = LogSigning(Versions(other._folder / "versions"))
        return other

    def seal_secret(self, organization_id: str, purpose: str, record_id: str, secret: bytes) -> SealedRecord:
        """Seal a secret."""
        return self._seal(RecordIdentity("secret", organization_id, record_id, purpose), "secret", secret)

    def open_secret(self, sealed: SealedRecord) -> bytes:
        """Open a secret."""
        if sealed.identity.kind != "secret":
            raise PermissionDeniedError("only a secret comes out here")
        return self._unseal(sealed)

    def examine(self, record: SealedRecord, certificate: bytes) -> bool:
        """Tell whether a key is the one of its certificate."""
        try:
            return is_key_of(self._unseal(record), record.spki, certificate)
        except VerificationError:
            return False

    def vouch_key_state(
        self,
        organization_id: str,
        key_id: str,
        old: KeyState,
        new: KeyState,
        from_version: int,
        evidence: ApprovalEvidence | None = None,
    ) -> VouchedRow | None:
        """Vouch for a key's next state."""
        now = self._clock.now()
        return self.key_states.vouch(organization_id, key_id, (old, new), from_version, evidence, now)

    def sign_destruction(self, receipt: DestructionReceipt) -> bytes:
        """Remember and sign a destruction."""
        self.key_states.destroy(receipt.organization_id, receipt.key_id)
        return self.sign(self._release_keys[receipt.organization_id], "ed25519", receipt.encode())

    def derive_secret(self, organization_id: str, purpose: str) -> bytes:
        """Derive 32 octets."""
        return self._mac("derive", organization_id.encode(), purpose.encode())

    def begin_proof(self, binding: ProofBinding) -> BegunProof:
        """Make a mailbox challenge."""
        part1, part2, nonce = (secrets.token_bytes(32) for _ in range(3))
        identity = RecordIdentity("proof", binding.organization_id, binding.enrolment_id, binding.mailbox_id)
        content = encode_fields(
            "memory proof",
            1,
            binding.domain.encode(),
            binding.address.encode(),
            binding.device.authentication_key_spki,
            binding.device.hpke_public_key,
            binding.expires.astimezone(UTC).isoformat().encode(),
            part1,
            part2,
            nonce,
        )
        return BegunProof(part1, part2, nonce, self._seal(identity, "proof", content))

    def finish_proof(
        self, sealed_proof: SealedRecord, answer: bytes, device_id: str, now: datetime
    ) -> DeviceCredential:
        """Check an answer and vouch for the device."""
        if sealed_proof.identity.kind != "proof":
            raise PermissionDeniedError("not a proof")
        domain, address, spki, hpke, expires, part1, part2, nonce = decode_fields(
            "memory proof", 1, self._unseal(sealed_proof)
        )
        device = DevicePublicKeys(spki, hpke)
        transcript = proof_transcript(domain.decode(), address.decode(), device.thumbprint(), nonce)
        right = hmac.compare_digest(answer, proof_answer(part1, part2, transcript))
        owner = sealed_proof.identity.owner
        shared = self.memberships.is_shared(sealed_proof.identity.organization_id, owner)
        known = owner != UNKNOWN_MAILBOX and not shared
        if not right or not known or now > datetime.fromisoformat(expires.decode()):
            raise AuthenticationError("the mailbox proof is not right or came too late: start again")
        identity = sealed_proof.identity
        own = (identity.organization_id, identity.owner, device_id, device, "active", 1, b"")
        credential = DeviceCredential(*own, address=address.decode())
        return self.access.enrol(credential)

    def change_device(self, credential: DeviceCredential, state: str) -> DeviceCredential:
        """Vouch for a device's next state."""
        return self.access.change_device(credential, state)

    def vouch_sign_on(
        self, organization_id: str, sign_on: SignOn, from_version: int, evidence: ApprovalEvidence | None = None
    ) -> VouchedRow:
        """Vouch for the organization's sign-on; another issuer, client or claim needs approvals.

        Raises:
            InputError: If it cannot be used.
            ApprovalsMissingError: If it needs approvals.
            ConflictError: If there is a newer row.
        """
        if evidence is not None:
            row = VouchedRow(SIGN_ON, organization_id, organization_id, from_version, sign_on.encode(), b"")
            check_weaker(self.approvers, evidence, row, self._clock.now())
        return self.access.vouch_sign_on(organization_id, sign_on, from_version, is_approved=evidence is not None)

    def vouch_role(self, organization_id, mailbox_id, roles, from_version, evidence):
        """Vouch for what roles a person has."""
        return self.approvers.vouch_role(organization_id, mailbox_id, roles, from_version, evidence, self._clock.now())

    def veto_proposal(self, approval, evidence, role):
        """Remember a veto."""
        self.approvers.veto(approval, evidence, role)

    def qualify_device(self, credential: DeviceCredential, evidence: FactorEvidence) -> Qualified:
        """Check a factor."""
        return self.factors.qualify(credential, evidence, self._clock.now())

    def make_enrolment_secret(self, organization_id: str, mailbox_id: str, expires: datetime) -> MadeSecret:
        """Make an enrolment secret."""
        return MadeSecret(*self.factors.make_secret(organization_id, mailbox_id, expires, self._clock.now()))

    def open_for_exit(self, records: tuple[SealedRecord, ...], evidence: ExitEvidence) -> SealedRelease:
        """Refuse: approvals and log are the real keystore's work."""
        raise PermissionDeniedError(f"no exit of {len(records)} keys for {evidence.requester.device_id}")

    def new_shared_mailbox_id(self, organization_id: str) -> str:
        """Make an identifier."""
        return self.memberships.new_mailbox_id(organization_id)

    def vouch_membership(
        self, organization_id: str, mailbox_id: str, member_id: str, state: str, from_version: int
    ) -> VouchedRow:
        """Vouch for a member."""
        return self.memberships.vouch(organization_id, mailbox_id, member_id, state, from_version)

    def vouch_release_rules(
        self,
        organization_id: str,
        row_id: str,
        rules: ReleaseRules,
        from_version: int,
        evidence: ApprovalEvidence | None = None,
    ) -> VouchedRow:
        """Vouch for rules."""
        if evidence is not None:
            row = VouchedRow(POLICY, organization_id, row_id, from_version, rules.encode(), b"")
            check_weaker(self.approvers, evidence, row, self._clock.now())
        is_approved = evidence is not None
        return self.access.vouch_release_rules(organization_id, row_id, rules, from_version, is_approved=is_approved)

    def vouch_mailbox_release(
        self,
        organization_id: str,
        mailbox_id: str,
        content: MailboxRelease,
        from_version: int,
        evidence: ApprovalEvidence | None = None,
    ) -> VouchedRow:
        """Vouch for what holds for a mailbox."""
        if evidence is not None:
            row = VouchedRow(MAILBOX, organization_id, mailbox_id, from_version, content.encode(), b"")
            check_weaker(self.approvers, evidence, row, self._clock.now())
        is_approved = evidence is not None
        return self.access.vouch_mailbox_release(
            organization_id, mailbox_id, content, from_version, is_approved=is_approved
        )

    def open(self, records: tuple[SealedRecord, ...], evidence: DeviceReleaseEvidence) -> SealedRelease:
        """Open a mailbox's keys for the device of the evidence."""
        credential, manifest = evidence.credential, evidence.manifest
        now = self._clock.now()
        if evidence.member is not None:
            self.access.check_access(credential, evidence.member.policy, now, evidence.source)
            row, owner = evidence.member.membership, credential.mailbox_id
            self.memberships.check(row, manifest.organization_id, manifest.mailbox_id, owner)
        else:
            self.access.check_access(credential, evidence.policy, now, evidence.source)
            if credential.mailbox_id != manifest.mailbox_id:
                raise PermissionDeniedError("the device is not one of this mailbox")
        if credential.device.thumbprint() != manifest.device_thumbprint:
            raise PermissionDeniedError("the manifest names another device")
        if any(r.identity.kind != "encryption-key" or r.identity.owner != manifest.mailbox_id for r in records):
            raise PermissionDeniedError("a record belongs to another mailbox")
        if credential.organization_id not in self._release_keys:
            raise SealedError("the organization has no release key")
        self.key_states.check(records, evidence.state_rows, manifest.keys)
        leaving = () if manifest.delivery == "remote" else records
        keys = tuple(ReleasedKey(record.identity.record_id, self._unseal(record)) for record in leaving)
        info = manifest.encode()
        sealed_keys = hpke_seal(credential.device.hpke_public_key, info, encode_released_keys(keys))
        return SealedRelease(sealed_keys, self.sign(self._release_keys[credential.organization_id], "ed25519", info))

    def unwrap_content_keys(self, records: tuple[SealedRecord, ...], evidence: RemoteDecryptEvidence) -> SealedRelease:
        """Unwrap content keys; the signed request and the leaf are the real keystore's work."""
        credential = evidence.credential
        self.access.check_access(credential, evidence.policy, self._clock.now(), evidence.source)
        request = msgspec.json.decode(evidence.request.body, type=ContentKeyRequest)
        self.key_states.check(records, evidence.state_rows)
        keys = tuple(
            unwrap_content_key(
                self._unseal(record),
                decode_recipient_info(item.recipient_info, item.key_bytes, item.originator_certificate),
                item.recipient_info,
                self._key,
            )
            for record, item in zip(records, request.items, strict=True)
        )
        info = content_keys_info(
            credential.organization_id,
            credential.mailbox_id,
            credential.device.thumbprint(),
            request.request_nonce,
            evidence.leaf.leaf_hash,
        )
        sealed_keys = hpke_seal(credential.device.hpke_public_key, info, encode_content_keys(keys))
        release_key = self._release_keys[credential.organization_id]
        return SealedRelease(sealed_keys, self.sign(release_key, "ed25519", content_keys_input(info, sealed_keys)))

    def storage_key_version(self) -> int:
        """Return the version that new records are sealed with."""
        return self._version

    def rotate_storage_key(self) -> int:
        """Count on; the key stays the same."""
        self._version += 1
        return self._version

    def rewrap(self, records: tuple[SealedRecord, ...]) -> tuple[SealedRecord, ...]:
        """Re-seal records under the newest version."""
        return tuple(self._seal(old.identity, old.algorithm, self._unseal(old), old.spki) for old in records)

    def close(self) -> None:
        """Refuse everything from now on."""
        self.sealed = True

    def _make_key(self, kind: str, organization_id: str, owner: str, algorithm: str) -> SealedRecord:
        private_key: (
            ec.EllipticCurvePrivateKey
            | ed25519.Ed25519PrivateKey
            | mlkem.MLKEM768PrivateKey
            | mlkem.MLKEM1024PrivateKey
            | rsa.RSAPrivateKey
        )
        if algorithm == "ed25519":
            private_key = ed25519.Ed25519PrivateKey.generate()
        elif algorithm == "p256":
            private_key = ec.generate_private_key(ec.SECP256R1())
        elif algorithm == "ml-kem-768":
            private_key = mlkem.MLKEM768PrivateKey.generate()
        elif algorithm == "ml-kem-1024":
            private_key = mlkem.MLKEM1024PrivateKey.generate()
        elif algorithm == "p384":
            private_key = ec.generate_private_key(ec.SECP384R1())
        elif algorithm in self.rsa_bits:
            private_key = rsa.generate_private_key(65537, self.rsa_bits[algorithm])
        else:
            raise UnsupportedAlgorithmError(f"no key of {algorithm}")
        pkcs8 = private_key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        spki = private_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return self._seal(RecordIdentity(kind, organization_id, secrets.token_hex(16), owner), algorithm, pkcs8, spki)

    def _seal(self, identity: RecordIdentity, algorithm: str, content: bytes, spki: bytes = b"") -> SealedRecord:
        nonce = secrets.token_bytes(12)
        aad = _associated_data(identity, algorithm, spki)
        ciphertext = nonce + AESGCM(self._key).encrypt(nonce, content, aad)
        return SealedRecord(identity, algorithm, self._version, ciphertext, spki)

    def _unseal(self, record: SealedRecord) -> bytes:
        if self.sealed:
            raise SealedError("the keystore is sealed")
        aad = _associated_data(record.identity, record.algorithm, record.spki)
        try:
            return AESGCM(self._key).decrypt(record.ciphertext[:12], record.ciphertext[12:], aad)
        except (InvalidTag, ValueError) as error:
            raise VerificationError("the sealed record and its identity do not belong together") from error

    def _mac(self, purpose: str, *fields: bytes) -> bytes:
        return hmac.digest(self._key, encode_fields("memory " + purpose, 1, *fields), "sha256")


def _associated_data(identity: RecordIdentity, algorithm: str, spki: bytes) -> bytes:
    texts = (identity.kind, identity.organization_id, identity.record_id, identity.owner, algorithm)
    fields = [text.encode() for text in texts]
    return encode_fields("memory record", 1, *fields, identity.generation.to_bytes(4, "big"), spki)

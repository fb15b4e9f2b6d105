"""Service keys and secrets sealed under a root wrapping key in a file.

    root wrapping key (key file, 0600, on a path that backups leave out)
      └── storage key of an organization and version = HKDF-SHA256(root, organization, version)
            └── record: nonce (12) || AES-256-GCM(storage key, content, associated data = identity, algorithm, version)

The key file is the embedded default and is less than an HSM: whoever reads it and the database has every key.
"""

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from sealwright.errors import (
    ConflictError,
    PermissionDeniedError,
    SealedError,
    UnsupportedAlgorithmError,
    VerificationError,
)
from sealwright.keystore.model import RecordIdentity, SealedRecord
from sealwright.wire.encoding import encode_fields

ROOT_KEY_BYTES = 32
NONCE_BYTES = 12
STORAGE_KEY_VERSION = 1

ServiceKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def create_root_key(path: Path) -> None:
    """Make a root wrapping key in a new file of mode 0600, durably.

    Raises:
        ConflictError: If the file exists: it is never overwritten, what it sealed would be lost.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConflictError(f"{path} exists; a root wrapping key is never overwritten") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(ROOT_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())


class SoftwareServiceKeystore:
    """Implements `keystore.model.ServiceKeystore` in this process.

    Args:
        root_key_file: What `create_root_key` made.

    Raises:
        SealedError: If the file cannot be read, or is open to others.
    """

    def __init__(self, root_key_file: Path) -> None:
        try:
            mode, root_key = root_key_file.stat().st_mode, root_key_file.read_bytes()
        except OSError as error:
            raise SealedError(f"the root wrapping key cannot be read: {error.strerror}") from error
        if mode & 0o077:
            raise SealedError("the root wrapping key file is open to others: set its mode to 0600")
        if len(root_key) != ROOT_KEY_BYTES:
            raise SealedError("the root wrapping key file does not hold a root wrapping key")
        self._root_key = root_key

    def generate_service_key(self, organization_id: str, purpose: str, algorithm: str) -> SealedRecord:
        """Make a signing key of the service; "ed25519", "p256" or "p384".

        Raises:
            UnsupportedAlgorithmError: If the algorithm is another.
        """
        key = _generate(algorithm)
        content = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        identity = RecordIdentity("service-key", organization_id, secrets.token_hex(16), purpose)
        return self._seal(identity, algorithm, content, spki)

    def sign(self, key: SealedRecord, algorithm: str, message: bytes) -> bytes:
        """Sign a whole message with a service key.

        Raises:
            PermissionDeniedError: If the record is not a service key.
            UnsupportedAlgorithmError: If key and algorithm do not fit.
        """
        if key.identity.kind != "service-key":
            raise PermissionDeniedError("only service keys sign")
        private_key = load_der_private_key(self._open(key), None)
        if isinstance(private_key, ed25519.Ed25519PrivateKey) and algorithm == "ed25519":
            return private_key.sign(message)
        digests = {"ecdsa-sha256": hashes.SHA256(), "ecdsa-sha384": hashes.SHA384()}
        if isinstance(private_key, ec.EllipticCurvePrivateKey) and algorithm in digests:
            return private_key.sign(message, ec.ECDSA(digests[algorithm]))
        raise UnsupportedAlgorithmError("the service key does not sign with that algorithm")

    def seal_secret(self, organization_id: str, purpose: str, record_id: str, secret: bytes) -> SealedRecord:
        """Seal something that is no private key."""
        return self._seal(RecordIdentity("secret", organization_id, record_id, purpose), "secret", secret, b"")

    def open_secret(self, sealed: SealedRecord) -> bytes:
        """Open what `seal_secret` made.

        Raises:
            PermissionDeniedError: If the record is of another kind.
        """
        if sealed.identity.kind != "secret":
            raise PermissionDeniedError("keys do not leave the keystore")
        return self._open(sealed)

    def _seal(self, identity: RecordIdentity, algorithm: str, content: bytes, spki: bytes) -> SealedRecord:
        nonce = secrets.token_bytes(NONCE_BYTES)
        cipher = self._storage_key(identity.organization_id, STORAGE_KEY_VERSION)
        data = _associated_data(identity, algorithm, STORAGE_KEY_VERSION, spki)
        ciphertext = nonce + cipher.encrypt(nonce, content, data)
        return SealedRecord(identity, algorithm, STORAGE_KEY_VERSION, ciphertext, spki)

    def _open(self, sealed: SealedRecord) -> bytes:
        cipher = self._storage_key(sealed.identity.organization_id, sealed.storage_key_version)
        data = _associated_data(sealed.identity, sealed.algorithm, sealed.storage_key_version, sealed.spki)
        try:
            return cipher.decrypt(sealed.ciphertext[:NONCE_BYTES], sealed.ciphertext[NONCE_BYTES:], data)
        except (InvalidTag, ValueError) as error:
            raise VerificationError("a sealed record was changed or belongs elsewhere") from error

    def _storage_key(self, organization_id: str, version: int) -> AESGCM:
        info = encode_fields("sealwright storage key", 1, organization_id.encode("ascii"), version.to_bytes(4, "big"))
        return AESGCM(HKDF(hashes.SHA256(), 32, None, info).derive(self._root_key))


def _generate(algorithm: str) -> ServiceKey:
    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curves: dict[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}
    if algorithm not in curves:
        raise UnsupportedAlgorithmError(f"no service key is made with {algorithm}")
    return ec.generate_private_key(curves[algorithm])


def _associated_data(identity: RecordIdentity, algorithm: str, version: int, spki: bytes) -> bytes:
    return encode_fields(
        "sealwright sealed record",
        1,
        identity.kind.encode("ascii"),
        identity.organization_id.encode("ascii"),
        identity.record_id.encode("ascii"),
        identity.owner.encode("ascii"),
        identity.generation.to_bytes(4, "big"),
        algorithm.encode("ascii"),
        version.to_bytes(4, "big"),
        spki,
    )

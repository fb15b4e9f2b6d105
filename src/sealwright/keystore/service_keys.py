"""Service keys and secrets in this process: records sealed under storage keys. Holds no key of a person."""

import secrets
from pathlib import Path

from sealwright.errors import PermissionDeniedError, SealedError, VerificationError
from sealwright.keystore.key_file import read_root_key
from sealwright.keystore.model import RecordIdentity, SealedRecord
from sealwright.keystore.records import (
    SERVICE_ALGORITHMS,
    StorageKeys,
    generate_key,
    open_record,
    seal_record,
    sign_with,
)
from sealwright.keystore.seal import derive_storage_key


class RootStorageKeys:
    """Storage keys derived from a root wrapping key alone: one version, no emergency key.

    Args:
        root_key: 32 octets.
    """

    current_version = 1

    def __init__(self, root_key: bytes) -> None:
        self._root_key = root_key

    def storage_key(self, organization_id: str, version: int) -> bytes:
        """Return an organization's storage key.

        Raises:
            VerificationError: If the version is not 1.
        """
        if version != self.current_version:
            raise VerificationError("a sealed record names a storage key that does not exist")
        return derive_storage_key(self._root_key, organization_id, version)


class SoftwareServiceKeystore:
    """Implements `keystore.protocol.ServiceKeystore` in this process.

    Args:
        root_key_file: What `create_root_key` made.

    Raises:
        SealedError: If the file cannot be read, or is open to others.
    """

    _keys: StorageKeys | None

    def __init__(self, root_key_file: Path) -> None:
        self._keys = RootStorageKeys(read_root_key(root_key_file))

    def generate_service_key(self, organization_id: str, purpose: str, algorithm: str) -> SealedRecord:
        """Make a signing key of the service.

        Raises:
            UnsupportedAlgorithmError: If the algorithm is not one of the protocol's.
        """
        content, spki = generate_key(algorithm, SERVICE_ALGORITHMS)
        return self._seal(
            RecordIdentity("service-key", organization_id, secrets.token_hex(16), purpose), algorithm, content, spki
        )

    def sign(self, key: SealedRecord, algorithm: str, message: bytes) -> bytes:
        """Sign a whole message with a service key.

        Raises:
            PermissionDeniedError: If the record is not a service key.
            UnsupportedAlgorithmError: If key and algorithm do not fit.
        """
        if key.identity.kind != "service-key":
            raise PermissionDeniedError("only service keys sign")
        return sign_with(self._open(key), algorithm, message)

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

    def close(self) -> None:
        """Forget the keys; every later call raises `SealedError`."""
        self._keys = None

    def _storage_keys(self) -> StorageKeys:
        if self._keys is None:
            raise SealedError("the keystore is closed")
        return self._keys

    def _seal(self, identity: RecordIdentity, algorithm: str, content: bytes, spki: bytes) -> SealedRecord:
        return seal_record(self._storage_keys(), identity, algorithm, content, spki)

    def _open(self, record: SealedRecord) -> bytes:
        return open_record(self._storage_keys(), record)

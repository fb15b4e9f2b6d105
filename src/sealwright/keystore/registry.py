"""The registry: which release key and which log an organization has, next to the seal, shared by all keystore processes.

The evidence check must not take the log's public key or the release key from the caller. Both are remembered here when
they are made, under a MAC; a registry that was changed or is missing fails closed.
"""

import hmac
import threading
from pathlib import Path

import msgspec
from msgspec import Struct

from sealwright.errors import ConflictError, SealedError
from sealwright.files import file_stamp, locked, replace_file
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.records import StorageKeys
from sealwright.keystore.rewrapping import rewrap_record
from sealwright.wire.encoding import encode_fields

RELEASE_PURPOSE = "release"
LOG_PREFIX = "log/"
REGISTRY_NAME = "registry.json"


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    records: tuple[SealedRecord, ...]
    mac: bytes = b""


def is_registered_purpose(purpose: str) -> bool:
    """Return whether service keys of this purpose are remembered: "release" and "log/<origin>"."""
    return purpose == RELEASE_PURPOSE or (purpose.startswith(LOG_PREFIX) and len(purpose) > len(LOG_PREFIX))


class Registry:
    """The registry file; safe from any thread and between processes.

    Args:
        path: The file; made with the first entry.
        mac_key: 32 octets, the same in all processes.
    """

    def __init__(self, path: Path, mac_key: bytes) -> None:
        self._path, self._mac_key = path, mac_key
        self._lock = threading.Lock()
        self._stamp = file_stamp(path)
        self._records = self._read()

    def release_key(self, organization_id: str) -> SealedRecord:
        """Return the organization's release key.

        Raises:
            SealedError: If it has none, or the registry was changed.
        """
        return self._find(organization_id, log=False)

    def log(self, organization_id: str) -> tuple[str, SealedRecord]:
        """Return origin and key of the organization's log.

        Raises:
            SealedError: If it has none, or the registry was changed.
        """
        record = self._find(organization_id, log=True)
        return record.identity.owner.removeprefix(LOG_PREFIX), record

    def add(self, record: SealedRecord) -> SealedRecord:
        """Remember a service key, or return the one that has the same organization and purpose already.

        Raises:
            ConflictError: If the organization has a log of another origin.
            SealedError: If the registry was changed.
        """
        identity = record.identity
        with self._lock, locked(self._path):
            self._records, self._stamp = self._read(), file_stamp(self._path)
            for known in self._records:
                if known.identity.organization_id != identity.organization_id:
                    continue
                if known.identity.owner == identity.owner:
                    return known
                if RELEASE_PURPOSE not in (known.identity.owner, identity.owner):
                    raise ConflictError("the organization has a log already, of another origin")
            self._write((*self._records, record))
            return record

    def rewrap(self, keys: StorageKeys) -> None:
        """Re-seal the keys that an older storage key seals.

        Raises:
            VerificationError: If a record was changed.
            SealedError: If the registry was changed.
        """
        if all(record.storage_key_version == keys.current_version for record in self._records):
            return
        with self._lock, locked(self._path):
            self._write(tuple(rewrap_record(keys, record) for record in self._read()))

    def _write(self, records: tuple[SealedRecord, ...]) -> None:
        encoded = msgspec.json.encode(_File(records, self._mac(records)))
        replace_file(self._path, msgspec.json.format(encoded, indent=1) + b"\n")
        self._records, self._stamp = records, file_stamp(self._path)

    def _find(self, organization_id: str, *, log: bool) -> SealedRecord:
        with self._lock:
            stamp = file_stamp(self._path)
            if stamp != self._stamp:
                self._records, self._stamp = self._read(), stamp
            for record in self._records:
                if record.identity.organization_id == organization_id and log == (
                    record.identity.owner != RELEASE_PURPOSE
                ):
                    return record
        raise SealedError(f"the keystore knows no {'log' if log else 'release key'} of this organization")

    def _read(self) -> tuple[SealedRecord, ...]:
        try:
            file = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise SealedError(f"the keystore's registry cannot be read: {error.strerror}") from error
        except (msgspec.MsgspecError, ValueError) as error:
            raise SealedError("the keystore's registry is damaged") from error
        if not hmac.compare_digest(file.mac, self._mac(file.records)):
            raise SealedError("the keystore's registry was changed by somebody else")
        return file.records

    def _mac(self, records: tuple[SealedRecord, ...]) -> bytes:
        content = encode_fields("sealwright key registry", 1, *(msgspec.json.encode(record) for record in records))
        return hmac.digest(self._mac_key, content, "sha256")

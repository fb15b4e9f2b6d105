"""Re-sealing under a newer storage key: a record goes in and a record of the same identity comes out, never its content."""

from sealwright.keystore.model import SealedRecord
from sealwright.keystore.records import StorageKeys, open_record, seal_record


def rewrap_record(keys: StorageKeys, record: SealedRecord) -> SealedRecord:
    """Return the record sealed under the current storage key; the same one if it is already.

    Raises:
        VerificationError: If any part of it was changed.
    """
    if record.storage_key_version == keys.current_version:
        return record
    return seal_record(keys, record.identity, record.algorithm, open_record(keys, record), record.spki)

"""A new storage key: every sealed record of a database is opened and sealed anew, beside AES-256-GCM alone."""

import time
from itertools import islice
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.measure import Effort, Row, Timing, row_of, time_calls
from bench.site import made_organization
from sealwright.keystore.seal import open_with_key_file
from sealwright.keystore.software import SoftwareKeystore
from sealwright.kms.store import KeyStore
from sealwright.server.wiring import Services

_NONCE = bytes(12)
_KEY = AESGCM(bytes(32))
_ROWS = 1_000


def measure(effort: Effort) -> list[Row]:
    """Rotate the storage key and re-seal until nothing is left; the records are keys of the pool."""
    with made_organization() as services:
        size = _fill(services, effort.records)
        services.rotation.rotate()
        started = time.perf_counter()
        services.rotation.finish()
        seconds = time.perf_counter() - started
        remaining = services.rotation.status().remaining_records
        if remaining:
            raise AssertionError(f"{remaining} records were not re-sealed")
    sealed = _KEY.encrypt(_NONCE, bytes(size), b"")
    references = [time_calls(lambda: _open_and_seal(sealed), effort.slice_seconds) for _ in range(effort.slices)]
    timings = [Timing(effort.records / seconds, (seconds,))]
    what = f"re-sealing {effort.records:,} records under a new storage key"
    return [row_of(what, timings, "AES-256-GCM alone, open and seal", references)]


def _open_and_seal(sealed: bytes) -> None:
    _KEY.encrypt(_NONCE, _KEY.decrypt(_NONCE, sealed, b""), b"")


def _fill(services: Services, count: int) -> int:
    """Put keys into the pool, sealed by a keystore in this process with the same seal; return how large one is."""
    settings = services.settings
    keystore = SoftwareKeystore(open_with_key_file(Path(settings.seal.key_file), settings.seal_file))
    keys = (keystore.generate_encryption_key(services.organization_id, "p256") for _ in range(count))
    store, now, size = KeyStore(), services.clock.now(), 0
    while batch := list(islice(keys, _ROWS)):
        with services.storage.transaction(services.organization_id) as tx:
            for key in batch:
                store.add_pooled(tx, key, now)
        size = len(batch[0].ciphertext)
    return size

"""Check a data folder without serving: settings, seal, database, TLS certificate."""

from sealwright.errors import SealedError
from sealwright.keystore.pool import PooledKeystore
from sealwright.server.run import tls_context
from sealwright.server.schema import check_schema
from sealwright.server.settings import Settings
from sealwright.server.trunk import worker_threads
from sealwright.server.wiring import build
from sealwright.storage.engine import open_storage


def check_data_folder(settings: Settings) -> bool:
    """Check everything that can be checked; return False if people are needed to open the seal, so that keys were not seen.

    Raises:
        SealwrightError: What does not hold.
    """
    tls_context(settings)
    keystore = PooledKeystore(settings.seal_options, settings.seal.workers)
    try:
        status = keystore.seal_status()
        if status.problem:
            raise SealedError(status.problem)
        if status.state == "open":
            services = build(settings, keystore=keystore)
            try:
                services.statements.delegation_ends()
                services.check()
            finally:
                services.storage.close()
            return True
    finally:
        keystore.close()
    storage = open_storage(settings.database_url, worker_threads())
    try:
        check_schema(storage)
    finally:
        storage.close()
    return False

"""Which devices were removed, next to the seal: a removed device's old row, put back into the database, opens nothing.

The row's MAC says only that the keystore vouched for it once. So each removal leaves an empty file here, for ever, which all
keystore processes see; whoever can delete it has the seal's folder, not only the database.
"""

import contextlib
from pathlib import Path

from sealwright.errors import ConflictError, PermissionDeniedError, UnavailableError
from sealwright.keystore.files import create_private_file
from sealwright.keystore.model import DeviceCredential
from sealwright.wire.encoding import encode_fields, sha256

REMOVED_NAME = "removed-devices"


class RemovedDevices:
    """The folder of removals; safe from any thread and between processes.

    Args:
        folder: Made with the first removal.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, credential: DeviceCredential) -> None:
        """Remember a removal, durably; one that is remembered already stays so.

        Raises:
            UnavailableError: If it cannot be written.
        """
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with contextlib.suppress(ConflictError):
                create_private_file(self._path(credential), b"")
        except OSError as error:
            raise UnavailableError(f"the removal cannot be written down: {error.strerror}") from error

    def check(self, credential: DeviceCredential) -> None:
        """Check that a device was not removed.

        Raises:
            PermissionDeniedError: If it was, whatever its row says.
        """
        if self._path(credential).exists():
            raise PermissionDeniedError("the device was removed")

    def _path(self, credential: DeviceCredential) -> Path:
        identity = (credential.organization_id.encode("utf-8"), credential.device_id.encode("utf-8"))
        return self._folder / sha256(encode_fields("sealwright removed device", 1, *identity)).hex()

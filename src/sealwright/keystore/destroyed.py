"""Which keys were destroyed, next to the seal: a destroyed key's record, put back into the database, opens nowhere.

Each destruction leaves an empty file, for ever, which all keystore processes see. A backup of the database may still hold
the sealed record; with this folder in place it is of no use to this keystore.
"""

import contextlib
from pathlib import Path

from sealwright.errors import ConflictError, PermissionDeniedError, UnavailableError
from sealwright.files import create_private_file
from sealwright.keystore.model import RecordIdentity
from sealwright.wire.encoding import encode_fields, sha256

DESTROYED_NAME = "destroyed-keys"


class DestroyedKeys:
    """The folder of destructions; safe from any thread and between processes.

    Args:
        folder: Made with the first destruction.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, organization_id: str, key_id: str) -> None:
        """Remember a destruction, durably; one that is remembered already stays so.

        Raises:
            UnavailableError: If it cannot be written.
        """
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with contextlib.suppress(ConflictError):
                create_private_file(self._path(organization_id, key_id), b"")
        except OSError as error:
            raise UnavailableError(f"the destruction cannot be written down: {error.strerror}") from error

    def check(self, identity: RecordIdentity) -> None:
        """Check that a key was not destroyed.

        Raises:
            PermissionDeniedError: If it was, wherever its record comes from.
        """
        if self._path(identity.organization_id, identity.record_id).exists():
            raise PermissionDeniedError("the key was destroyed")

    def _path(self, organization_id: str, key_id: str) -> Path:
        fields = encode_fields("sealwright destroyed key", 1, organization_id.encode("utf-8"), key_id.encode("utf-8"))
        return self._folder / sha256(fields).hex()

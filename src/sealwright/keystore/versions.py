"""The newest version of each row that the keystore vouched for, next to the seal: an older row put back is refused.

A row's MAC says only that the keystore vouched for it once. So each change is written down here, before its row is handed
out, in a file of its own that all keystore processes see; whoever can delete it has the seal's folder, not only the
database. A caller that lost the new row asks for the same change again and gets the same row.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from sealwright.errors import ConflictError, DecodingError, PermissionDeniedError, SealedError, UnavailableError
from sealwright.files import create_private_file, locked, replace_file
from sealwright.wire.encoding import decode_fields, encode_fields, sha256

VERSIONS_NAME = "versions"
_PURPOSE = "sealwright row version"


@dataclass(frozen=True, slots=True)
class RowName:
    """Which row.

    Attributes:
        kind: "device", "release-policy", "role" ...
        organization_id: 32 hex digits.
        row_id: 32 hex digits.
    """

    kind: str
    organization_id: str
    row_id: str


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest version and what it says; version 0 and no content if none is known."""

    version: int = 0
    content: bytes = b""


class Versions:
    """The folder of versions; safe from any thread and between processes.

    Args:
        folder: Made with the first entry.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self, name: RowName) -> Newest:
        """Return the newest version of a row.

        Raises:
            SealedError: If it cannot be read.
        """
        try:
            version, content = decode_fields(_PURPOSE, 1, self._path(name).read_bytes())
            return Newest(int(version), content)
        except FileNotFoundError:
            return Newest()
        except (OSError, ValueError, DecodingError) as error:
            raise SealedError("what the keystore remembers of a row's version cannot be read") from error

    def check(self, name: RowName, version: int) -> None:
        """Check that a row is not older than the newest; version 0 stands for a row that is not there.

        Raises:
            PermissionDeniedError: If it is.
        """
        if version < self.newest(name).version:
            raise PermissionDeniedError(f"the {name.kind} row is an old one that was put back, or is missing")

    def advance(self, name: RowName, from_version: int, content: bytes, *, is_final: bool = False) -> int:
        """Write down that a row of `from_version` is followed by one that says `content`; return its version.

        Args:
            name: Which row.
            from_version: Of the row that the caller has; 0 for a new one.
            content: What the new row says, or a digest of it.
            is_final: Whether it may follow any version: nothing comes after it, so nothing is lost.

        Raises:
            ConflictError: If a newer row exists that says something else.
            UnavailableError: If it cannot be written down.
        """
        path = self._path(name)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with locked(path):
                newest = self.newest(name)
                # 1 The same change once more: the caller lost the row that came of it.
                if newest.version > from_version and newest.content == content:
                    return newest.version
                # 2 Another one was made since.
                if newest.version > from_version and not is_final:
                    raise ConflictError(f"the {name.kind} row was changed meanwhile: read it again")
                # 3 The next one.
                version = max(newest.version, from_version) + 1
                encoded = encode_fields(_PURPOSE, 1, str(version).encode("ascii"), content)
                with contextlib.suppress(ConflictError):
                    create_private_file(path, encoded)
                    return version
                replace_file(path, encoded)
                return version
        except OSError as error:
            raise UnavailableError(f"the change cannot be written down: {error.strerror}") from error

    def _path(self, name: RowName) -> Path:
        parts = (part.encode("utf-8") for part in (name.kind, name.organization_id, name.row_id))
        return self._folder / sha256(encode_fields(_PURPOSE, 1, *parts)).hex()

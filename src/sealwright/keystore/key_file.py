"""The root wrapping key in a file: the embedded default.

It is less than an HSM: whoever reads this file and the data folder has every key.
"""

import secrets
from pathlib import Path

from sealwright.errors import SealedError
from sealwright.files import create_private_file
from sealwright.keystore.seal_file import ROOT_KEY_BYTES

_NEW_SUFFIX = ".new"


def new_root_key() -> bytes:
    """Return a fresh root wrapping key, 32 octets."""
    return secrets.token_bytes(ROOT_KEY_BYTES)


def create_root_key(path: Path) -> bytes:
    """Make a root wrapping key in a new file of mode 0600, durably, and return it.

    Raises:
        ConflictError: If the file exists: it is never overwritten, what it sealed would be lost.
    """
    root_key = new_root_key()
    create_private_file(path, root_key)
    return root_key


def read_root_key(path: Path) -> bytes:
    """Read a root wrapping key.

    Raises:
        SealedError: If the file cannot be read, is open to others, or is no such key.
    """
    try:
        mode, root_key = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise SealedError(f"the root wrapping key cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise SealedError("the root wrapping key file is open to others: set its mode to 0600")
    if len(root_key) != ROOT_KEY_BYTES:
        raise SealedError("the root wrapping key file does not hold a root wrapping key")
    return root_key


def next_key_file(path: Path) -> Path:
    """Return where the next root wrapping key lies until the seal is changed to it."""
    return path.with_name(path.name + _NEW_SUFFIX)

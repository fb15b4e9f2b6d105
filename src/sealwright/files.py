"""Durable files, of the server and of devices: written whole or not at all, and read again when they changed."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sealwright.errors import ConflictError

if sys.platform != "win32":
    import fcntl

_SUFFIX = ".part"
FileStamp = tuple[int, int, int]
"""(inode, modification time in ns, size): changes whenever `replace_file` wrote."""


def create_private_file(path: Path, content: bytes) -> None:
    """Write a new file of mode 0600, whole and durably: it is there with its content, or not at all.

    Raises:
        ConflictError: If the file exists.
    """
    with spooled(path, replaces=False) as file:
        file.write(content)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 in place of an older one, whole and durably.

    Raises:
        OSError: If it cannot be written; the old file is untouched then.
    """
    with spooled(path) as file:
        file.write(content)


@contextlib.contextmanager
def spooled(path: Path, *, replaces: bool = True) -> Iterator[BinaryIO]:
    """Give a file of mode 0600 beside `path` that takes its place when the block ends, and is removed when it fails.

    What a killed process left of the same path is removed first: it may be plaintext that was never checked.

    Args:
        path: The file.
        replaces: Whether it may take the place of an older one.

    Raises:
        ConflictError: If there is an older one that it may not replace.
        OSError: If it cannot be written; the old file is untouched then.
    """
    if not replaces and path.exists():
        raise ConflictError(f"{path} exists and is never overwritten")
    if sys.platform != "win32":
        _remove_leftovers(path)
    descriptor, temporary = _locked_file(path)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if replaces:
            Path(temporary).replace(path)
        else:
            os.link(temporary, path)  # fails where a file is, unlike a rename
            Path(temporary).unlink()
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise ConflictError(f"{path} exists and is never overwritten") from error
        raise
    _sync_folder(path.parent)


def _locked_file(path: Path) -> tuple[int, str]:
    """Make the file, locked for as long as it is written."""
    while True:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_SUFFIX)
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, temporary
        os.close(descriptor)  # another process took it for a leftover before it was locked


def _remove_leftovers(path: Path) -> None:
    prefix = f".{path.name}."
    for name in os.listdir(path.parent):  # noqa: PTH208 - of a folder of ten thousands, each time a file is replaced
        # mkstemp puts eight characters between the two
        if name.startswith(prefix) and name.endswith(_SUFFIX) and len(name) == len(prefix) + 8 + len(_SUFFIX):
            left = path.with_name(name)
            with contextlib.suppress(OSError), left.open("rb") as file:  # somebody writes it now, or it is not ours
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes and threads from changing a file while this one reads, changes and replaces it."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def file_stamp(path: Path) -> FileStamp | None:
    """Return what tells versions of a file apart; None if there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

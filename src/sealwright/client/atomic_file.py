"""Writing a file so that a crash leaves either the old or the new content, and nobody sees half of it."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_SUFFIX = ".part"


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` with mode 0600: temporary file, fsync, rename, fsync of the folder.

    Raises:
        OSError: If it cannot be written; the old file is untouched then.
    """
    with spooled(path) as file:
        file.write(content)


@contextmanager
def spooled(path: Path) -> Iterator[BinaryIO]:
    """Give a file of mode 0600 beside `path` that takes its place when the block ends, and is removed when it fails.

    What a killed process left of the same path is removed first: it may be plaintext that was never checked.

    Raises:
        OSError: If it cannot be written; the old file is untouched then.
    """
    if sys.platform != "win32":
        _remove_leftovers(path)
    descriptor, temporary = _locked_file(path)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _locked_file(path: Path) -> tuple[int, str]:
    """Make the file, locked for as long as it is written."""
    while True:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_SUFFIX)
        if sys.platform != "win32":
            import fcntl  # noqa: PLC0415 - POSIX only

            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, temporary
        os.close(descriptor)  # another process took it for a leftover before it was locked


def _remove_leftovers(path: Path) -> None:
    import fcntl  # noqa: PLC0415 - POSIX only

    prefix = f".{path.name}."
    for left in path.parent.iterdir():
        # mkstemp puts eight characters between the two
        if not left.name.startswith(prefix) or len(left.name) != len(prefix) + 8 + len(_SUFFIX):
            continue
        if left.name.endswith(_SUFFIX):
            with suppress(OSError), left.open("rb") as file:  # somebody writes it now, or it is not ours
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()

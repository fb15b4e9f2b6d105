"""Where a process is killed: right before its n-th durable write below a folder.

Writes are what the next start finds: a file made, filled, renamed or removed, a folder made, a commit that changes rows, and
each item that the outbox hands over. The product knows nothing of this: it is the interpreter that tells (`sys.addaudithook`)
and SQLAlchemy that commits.
"""

import os
import signal
import sys
from pathlib import Path

from sqlalchemy.engine.default import DefaultDialect

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CLIENT = "client.json"


class Points:
    """The writes of this process from now on; cannot be taken back, so it is made in a process of its own.

    Args:
        folder: Writes elsewhere do not count.
        last: Number of the write (from 1) that is not done any more; 0 counts only.
    """

    def __init__(self, folder, last):
        self._folder, self._last = str(folder), last
        self.names = []
        self._changes = {}
        sys.addaudithook(self._audit)
        self._patch(
            os, "fdopen", lambda inner, descriptor, *rest, **options: self._filling(inner, descriptor, rest, options)
        )
        self._patch(DefaultDialect, "do_commit", self._commit)

    def step(self, name):
        """Count a write that comes now."""
        self.names.append(name)
        if len(self.names) == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def _patch(self, holder, name, wrapper):
        inner = getattr(holder, name)
        setattr(holder, name, lambda *arguments, **options: wrapper(inner, *arguments, **options))

    def _audit(self, event, arguments):
        if event == "open":
            path, _, flags = arguments
            if flags & _WRITING:
                self._file("open", path)
        elif event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "sqlite3.connect"):
            self._file(event, arguments[1] if event == "os.rename" else arguments[0])

    def _file(self, event, path):
        if not isinstance(path, str | bytes | os.PathLike):
            return
        path = os.fsdecode(path)
        if not path.startswith(self._folder) or path.endswith(".lock"):
            return
        if event == "os.mkdir" and Path(path).exists():
            return
        if event == "os.rename" or CLIENT not in path:  # what a device kept, it has whole
            self.step(f"{event} {path.removeprefix(self._folder)}")

    def _filling(self, inner, descriptor, rest, options):
        if "w" in "".join(map(str, rest)):
            self._file("fill", Path(f"/proc/self/fd/{descriptor}").readlink())
        return inner(descriptor, *rest, **options)

    def _commit(self, inner, dialect, raw):
        changes = getattr(raw, "total_changes", 0)
        if changes != self._changes.get(id(raw), 0):
            self._changes[id(raw)] = changes
            self.step("commit")
        inner(dialect, raw)

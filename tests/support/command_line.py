"""The command line in this process: what it prints, and its exit code."""

import contextlib
import io
import sys
from dataclasses import dataclass

import pytest

from sealwright.cli.main import main


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did.

    Attributes:
        code: Exit code.
        out: Standard output.
        err: Standard error.
    """

    code: int
    out: bytes
    err: str


def run(*arguments: object, given: bytes = b"", environment: dict[str, str] | None = None) -> Done:
    """Run `sealwright` with arguments and standard input."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        code = 0
        try:
            main([str(each) for each in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
    for stream in (out, err):
        stream.flush()
    assert isinstance(out.buffer, io.BytesIO)
    assert isinstance(err.buffer, io.BytesIO)
    return Done(code, out.buffer.getvalue(), err.buffer.getvalue().decode())

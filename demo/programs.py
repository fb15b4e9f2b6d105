"""The programs that the story runs: Sealwright's own command line, as a server and as people's devices, and OpenSSL."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

START_TIMEOUT_SECONDS = 60.0
COMMAND_TIMEOUT_SECONDS = 240.0
PROGRAM = Path(sys.executable).parent / "sealwright"


class ProgramError(Exception):
    """A program did not do what it was asked to."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program came to."""

    status: int
    output: str
    errors: str


def run(
    command: list[str], *, env: Mapping[str, str] | None = None, given: str | None = None, may_fail: bool = False
) -> Outcome:
    """Run a program to its end.

    Args:
        command: Program and arguments.
        env: Besides this process's own environment.
        given: Standard input.
        may_fail: Whether an exit status other than 0 is an outcome like any other.

    Raises:
        ProgramError: If it fails and may not.
    """
    result = subprocess.run(
        command,
        input=given or "",
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT_SECONDS,
    )
    if result.returncode != 0 and not may_fail:
        name = " ".join([Path(command[0]).name, *command[1:3]])
        raise ProgramError(f"{name} ended with {result.returncode}: {(result.stderr or result.stdout).strip()[-600:]}")
    return Outcome(result.returncode, result.stdout, result.stderr)


def openssl(folder: Path, *arguments: str) -> str:
    """Run OpenSSL in a folder and return its output."""
    program = shutil.which("openssl")
    if program is None:
        raise ProgramError("the openssl command is not installed: apt-get install openssl")
    result = subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    if result.returncode != 0:
        raise ProgramError(
            f"openssl {' '.join(arguments[:2])} failed: {result.stderr.decode(errors='replace').strip()}"
        )
    return result.stdout.decode("utf-8", "replace")


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class Server:
    """A Sealwright server as its administrator sees it.

    Args:
        data: Its data folder.
        log: Where its event log goes.
    """

    def __init__(self, data: Path, log: Path) -> None:
        self.data, self._log = data, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, sealed: bool = False) -> None:
        """Start it and wait until it answers the operator.

        Args:
            sealed: Whether people have to open its seal, so that it says nothing more than that.

        Raises:
            ProgramError: If it ends, or does not answer within a minute.
        """
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(PROGRAM), "serve", str(self.data)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        asked = ("seal", "status") if sealed else ("status",)
        while self.operate(*asked, may_fail=True).status != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ProgramError(f"the server does not answer: {self.log_text()[-800:]}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop it; stopping twice is no error."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def process_ids(self) -> list[int]:
        """Return the server's process and those that it started, with theirs (Linux)."""
        found = [] if self._process is None else [self._process.pid]
        for pid in found:  # grows while it is walked
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        return found

    def operate(self, *arguments: str, may_fail: bool = False) -> Outcome:
        """Run an operator's command."""
        return run([str(PROGRAM), *arguments], env={"SEALWRIGHT_DATA": str(self.data)}, may_fail=may_fail)

    def log_text(self) -> str:
        """Return its event log."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""


@dataclass(frozen=True, slots=True)
class Device:
    """One device of one person: a home folder of its own.

    Attributes:
        address: Its mailbox.
        name: As its owner calls it.
        home: SEALWRIGHT_HOME.
    """

    address: str
    name: str
    home: Path

    def run(self, *arguments: str, given: str | None = None, may_fail: bool = False) -> Outcome:
        """Run a command of Sealwright on this device."""
        env = {"SEALWRIGHT_HOME": str(self.home), "SEALWRIGHT_KEY_FILE": str(self.home / "store.key")}
        return run([str(PROGRAM), *arguments], env=env, given=given, may_fail=may_fail)

    def set_up(self, invitation: Path, password_file: Path) -> str:
        """Set this device up and return what was said."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        named = (
            "--invitation",
            str(invitation),
            "--mail-password-file",
            str(password_file),
            "--device-name",
            self.name,
            "--wait",
            "45",
        )
        return self.run("setup", self.address, *named).output

"""A mail system of its own: Dovecot and Postfix on free loopback ports, beside whatever this machine runs already.

Postfix needs root to start; the mailboxes belong to an account that cannot log in.
"""

import base64
import hashlib
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.mail_config import MAIL_GROUP, MAIL_USER, MailLayout, dovecot_conf, main_cf, master_cf

START_TIMEOUT_SECONDS = 20.0
COMMAND_TIMEOUT_SECONDS = 60.0
MAX_FOLDER_LENGTH = 80
"""The path of a Unix socket has at most 107 octets."""
SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


class MailSystemError(Exception):
    """The mail system cannot be started."""


def why_not() -> str | None:
    """Say in one line why no mail system can be started here; None if one can."""
    missing = [name for name in ("dovecot", "doveconf", "postfix") if shutil.which(name, path=SEARCH_PATH) is None]
    missing += [f"dovecot {name}" for name in ("imap", "lmtp") if not Path("/usr/lib/dovecot", name).exists()]
    if missing:
        return f"no {', '.join(missing)} here: apt-get install dovecot-core dovecot-imapd dovecot-lmtpd postfix"
    if os.geteuid() != 0:
        return "Postfix starts as root only"
    return None


class MailSystem:
    """Dovecot and Postfix for one domain. Use as a context manager, or call `start` and `stop`.

    Args:
        folder: For all state; made if missing. Every account must be able to pass through the folders above it.
        domain: Whose mail is delivered.
        users: Address -> password.
        tls_certificate: PEM file with the chain, for 127.0.0.1.
        tls_key: PEM file.
    """

    def __init__(
        self, folder: Path, domain: str, users: Mapping[str, str], tls_certificate: Path, tls_key: Path
    ) -> None:
        self._users = dict(users)
        self._layout = MailLayout(
            folder.resolve(), domain, tls_certificate.resolve(), tls_key.resolve(), *_free_ports(5)
        )
        self._dovecot: subprocess.Popen[bytes] | None = None
        self._postfix_runs = False

    @property
    def imap_port(self) -> int:
        """IMAP over TLS from the first octet, on 127.0.0.1."""
        return self._layout.imap_port

    @property
    def submission_port(self) -> int:
        """Submission with STARTTLS and log-in, on 127.0.0.1."""
        return self._layout.submission_port

    @property
    def submissions_port(self) -> int:
        """Submission with TLS from the first octet and log-in, on 127.0.0.1."""
        return self._layout.submissions_port

    @property
    def smtp_port(self) -> int:
        """SMTP in clear without log-in, on 127.0.0.1, for mail to this domain."""
        return self._layout.smtp_port

    def start(self) -> None:
        """Start both servers; return when all ports answer.

        Raises:
            MailSystemError: If a server is missing, cannot be started, or does not answer within 20 seconds.
        """
        reason = why_not()
        if reason is not None:
            raise MailSystemError(reason)
        with ExitStack() as undo:
            undo.callback(self.stop)
            self._prepare()
            self._start_dovecot()
            self._postfix("start")
            self._postfix_runs = True
            layout = self._layout
            deadline = time.monotonic() + START_TIMEOUT_SECONDS
            for port in (
                layout.imap_port,
                layout.lmtp_port,
                layout.smtp_port,
                layout.submission_port,
                layout.submissions_port,
            ):
                self._wait_for(port, deadline)
            undo.pop_all()

    def stop(self) -> None:
        """Stop both servers; stopping twice is no error. Mailboxes stay."""
        try:
            if self._postfix_runs:
                self._postfix_runs = False
                self._postfix("stop")
        finally:
            if self._dovecot is not None:
                _end(self._dovecot)
                self._dovecot = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def raw_messages(self, user: str, folder: str = "") -> list[bytes]:
        """Return the messages of a user's INBOX, or of a folder such as ".Sent", as they lie on disk, oldest first."""
        maildir = self._layout.mail / user / folder
        files = [path for name in ("new", "cur") for path in (maildir / name).glob("*")]
        return [path.read_bytes() for path in sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name))]

    def wait_for_messages(self, user: str, count: int, timeout_seconds: float = 15.0) -> list[bytes]:
        """Return the messages of a user's INBOX as soon as there are `count` of them.

        Raises:
            MailSystemError: If there are fewer after the timeout.
        """
        deadline = time.monotonic() + timeout_seconds
        while len(messages := self.raw_messages(user)) < count:
            if time.monotonic() > deadline:
                raise MailSystemError(f"{user} has {len(messages)} messages instead of {count}: {self._last_words()}")
            time.sleep(0.05)
        return messages

    def queued(self) -> int:
        """Return how many messages wait in Postfix's queue."""
        queue = self._layout.queue
        return sum(1 for name in ("incoming", "active", "deferred", "hold") for _ in _files(queue / name))

    def log_text(self) -> str:
        """Return what Postfix has logged."""
        return self._layout.maillog.read_text(errors="replace") if self._layout.maillog.exists() else ""

    def _prepare(self) -> None:
        layout = self._layout
        if len(str(layout.folder)) > MAX_FOLDER_LENGTH:
            raise MailSystemError(f"the folder's path is too long for Unix sockets: {layout.folder}")
        for path in (layout.folder, layout.mail, layout.run, layout.postfix, layout.queue, layout.data):
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
            path.chmod(0o755)
        for parent in layout.folder.parents:
            if not parent.stat().st_mode & stat.S_IXOTH:
                raise MailSystemError(f"other accounts cannot pass through {parent}, and the mail servers run as such")
        private = layout.queue / "private"
        private.mkdir(mode=0o700, exist_ok=True)
        shutil.chown(private, "postfix")
        shutil.chown(layout.data, "postfix")
        shutil.chown(layout.mail, MAIL_USER, MAIL_GROUP)
        _write(layout.passwords, "".join(f"{user}:{_hashed(password)}\n" for user, password in self._users.items()))
        shutil.chown(layout.passwords, group="dovecot")
        layout.dovecot.write_text(dovecot_conf(layout, _dovecot_version()))
        (layout.postfix / "users").write_text("".join(f"{user} {user}\n" for user in self._users))
        (layout.postfix / "main.cf").write_text(main_cf(layout))
        (layout.postfix / "master.cf").write_text(master_cf(layout))

    def _start_dovecot(self) -> None:
        command = [_program("dovecot"), "-F", "-c", str(self._layout.dovecot)]
        output = (self._layout.folder / "dovecot.out").open("wb")
        with output:
            self._dovecot = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def _postfix(self, verb: str) -> None:
        command = [_program("postfix"), "-c", str(self._layout.postfix), verb]
        output = self._layout.folder / f"postfix-{verb}.out"
        with output.open("wb") as stream:  # a pipe would be kept open by the daemons
            result = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=COMMAND_TIMEOUT_SECONDS,
                env={**os.environ, "PATH": SEARCH_PATH},
            )
        if result.returncode != 0:
            raise MailSystemError(f"postfix {verb} failed: {output.read_text(errors='replace')}{self._last_words()}")

    def _wait_for(self, port: int, deadline: float) -> None:
        while True:
            if self._dovecot is None or self._dovecot.poll() is not None:
                raise MailSystemError(f"Dovecot ended: {self._last_words()}")
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise MailSystemError(f"port {port} does not answer: {self._last_words()}") from error
            time.sleep(0.02)

    def _last_words(self) -> str:
        folder = self._layout.folder
        files = [folder / "dovecot.out", folder / "dovecot.log", self._layout.maillog]
        return " | ".join(path.read_text(errors="replace")[-600:] for path in files if path.exists())


def _program(name: str) -> str:
    program = shutil.which(name, path=SEARCH_PATH)
    if program is None:
        raise MailSystemError(f"no {name} here")
    return program


def _dovecot_version() -> tuple[int, ...]:
    """Return for example (2, 3, 19) for "2.3.19.1 (9b53102964)"."""
    result = subprocess.run([_program("dovecot"), "--version"], check=True, capture_output=True, text=True)
    numbers = result.stdout.split()[0].split("-")[0].split(".")
    return tuple(int(number) for number in numbers[:3])


def _free_ports(count: int) -> list[int]:
    """Return different ports that nobody listens on now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _hashed(password: str) -> str:
    salt = secrets.token_bytes(8)
    return "{SSHA512}" + base64.b64encode(hashlib.sha512(password.encode() + salt).digest() + salt).decode()


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o640)
    path.write_text(text)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

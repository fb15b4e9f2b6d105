"""A PostgreSQL cluster of one's own in a temporary folder: started for a test session, gone after it."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

START_SECONDS = 30


@dataclass(frozen=True)
class PostgresCluster:
    """A running cluster.

    Attributes:
        socket_folder: Where its Unix socket lies.
        port: On loopback, and part of the socket's name.
        password: Of the superuser `postgres` on loopback.
    """

    socket_folder: Path
    port: int
    password: str

    def new_database(self) -> str:
        """Create an empty database and return its SQLAlchemy URL, over the Unix socket."""
        name = f"t{secrets.token_hex(8)}"
        conninfo = f"host={self.socket_folder} port={self.port} user=postgres dbname=postgres"
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"postgresql+psycopg://postgres@/{name}?host={self.socket_folder}&port={self.port}"


def find_binaries() -> Path | None:
    """Return the folder of the newest installed PostgreSQL's programs, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if found:
        return found[-1].parent
    if shutil.which("pg_config"):
        folder = Path(
            subprocess.run(["pg_config", "--bindir"], check=True, capture_output=True, text=True).stdout.strip()
        )
        return folder if (folder / "initdb").exists() else None
    return None


@contextmanager
def postgres_cluster(binaries: Path) -> Iterator[PostgresCluster]:
    """Run a throw-away cluster, as user postgres where this process is root (PostgreSQL refuses root)."""
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    root = Path(tempfile.mkdtemp(prefix="swpg"))
    process = None
    try:
        password, data = secrets.token_hex(16), root / "data"
        (root / "password").write_text(password)
        for path in (root, root / "password"):
            if identity:
                os.chown(path, identity["user"], identity["group"])
        options = [
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
        ]
        subprocess.run(
            [binaries / "initdb", "-D", data, *options, f"--pwfile={root / 'password'}", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=root,
            **identity,
        )
        port = _free_port()
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": root, "fsync": "off"}
        with (root / "server.log").open("wb") as log:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items())],
                stdout=log,
                stderr=log,
                cwd=root,
                **identity,
            )
        _wait_until_ready(process, root, port)
        yield PostgresCluster(root, port, password)
    finally:
        if process is not None:
            process.send_signal(2)  # SIGINT: fast shutdown
            process.wait(START_SECONDS)
        shutil.rmtree(root, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[Any], root: Path, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(root, port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError((root / "server.log").read_text())
        time.sleep(0.05)


def _answers(root: Path, port: int) -> bool:
    try:
        psycopg.connect(f"host={root} port={port} user=postgres dbname=postgres").close()
    except psycopg.OperationalError:
        return False
    return True

import subprocess
import sys

import pytest

from sealwright.cli.exit_codes import exit_code
from sealwright.cli.output import clean, one_line
from sealwright.errors import DecryptionError, MailHeldError, SealedError, SealwrightError

SERVER = ("server", "kms", "ca", "directory", "identity", "outbox", "audit", "storage", "console", "keystore")
CLIENT_COMMANDS = (
    "setup",
    "send",
    "read",
    "held",
    "message",
    "encrypt",
    "decrypt",
    "sign",
    "verify",
    "inspect",
    "devices",
    "keys",
    "certificate",
    "log",
)


def test_client_commands_load_no_server_module():
    code = f"""
import sys, click
from sealwright.cli.main import cli
for name in {CLIENT_COMMANDS!r}:
    assert cli.get_command(click.Context(cli), name) is not None
bad = [m for m in sys.modules if m.startswith(tuple("sealwright." + room for room in {SERVER!r}))]
bad += [m for m in ("litestar", "sqlalchemy", "uvicorn") if m in sys.modules]
assert not bad, bad
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [(DecryptionError(), 3), (MailHeldError("x"), 11), (SealedError("x"), 9), (SealwrightError("x"), 1)],
)
def test_exit_codes_follow_the_class(error, code):
    assert exit_code(error) == code


def test_unknown_device_is_one_line_and_a_code(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "sealwright.cli.main", "keys", "list"],
        env={"SEALWRIGHT_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr.startswith("sealwright: this device is not set up")
    assert done.stderr.count("\n") == 1


def test_text_from_outside_cannot_steer_the_terminal():
    assert "\x1b" not in clean("a\x1b[2J")
    assert one_line("a\r\nb") == "a b"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["no-such-command"], 2),
        (["people", "import"], 2),
        (["certificate", "show", "{folder}/not-a-certificate"], 2),
        (["keys", "list"], 4),
        (["backup", "{folder}/data", "-o", "{folder}/there"], 5),
        (["status", "--data", "{folder}"], 9),
        (["check-config", "{folder}"], 10),
        (["lift-quarantine", "--yes", "{folder}"], 5),
        (["--help"], 0),
    ],
)
def test_exit_codes_of_the_program(tmp_path, arguments, code):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sealwright.db").touch()
    for name in ("there", "not-a-certificate"):
        (tmp_path / name).write_text("x")
    done = subprocess.run(
        [sys.executable, "-m", "sealwright.cli.main", *(each.format(folder=tmp_path) for each in arguments)],
        env={"SEALWRIGHT_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert bool(done.stdout) is (code == 0)

"""An organization with a running server and, if wanted, a mail system; its people's devices run the command line."""

import os
import subprocess
import sys
import time
from contextlib import ExitStack

from support.soft_hsm import init_arguments

from demo.mail_system import MailSystem
from demo.programs import PROGRAM, Device, Server, free_port, run

ALICE, BOB = "alice@example.test", "bob@example.test"
SENDER = "sealwright@example.test"
KILLED = -9

_KILLING = """
import os, signal, sys
from sealwright.client import store, store_key
from sealwright import files
write, left = files.replace_file, [{writes}]
def counted(path, content):
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    write(path, content)
store.replace_file = store_key.replace_file = counted
from sealwright.cli.main import main
main(sys.argv[1:])
"""
"""The command line, killed right before it keeps something for the n-th time: what it did outside is done by then."""

_CLOCK = """
import datetime, sys
from sealwright import clock
class Wrong:
    def now(self):
        return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days={days})
clock.SystemClock = Wrong
from sealwright.cli.main import main
main(sys.argv[1:])
"""


class Organization:
    """Use as a context manager.

    Args:
        folder: Empty; other accounts can pass through it.
        people: Addresses, all with the password "mail password of ADDRESS".
        init: More arguments of `sealwright init`.
    """

    def __init__(self, folder, people=(ALICE, BOB), init=()):
        self.folder, self.people, self.init = folder, people, init
        self.private = folder / "private"
        self.private.mkdir(mode=0o700)
        self.passwords = {each: f"mail password of {each}" for each in people}
        tls = folder / "mail-tls"
        self.mail = MailSystem(folder / "mail", "example.test", self.passwords, tls / "server.pem", tls / "server.key")
        self.tls = tls
        self.server = Server(self.private / "server", self.private / "server.log")
        self.invitation = self.private / "invitation"
        self._running = ExitStack()

    def __enter__(self):
        https, status = free_port(), free_port()
        run([
            str(PROGRAM), "init", str(self.server.data), "--organization", "Example GmbH", "--domain", "example.test",
            "--endpoint", f"https://127.0.0.1:{https}", "--listen", f"127.0.0.1:{https}",
            "--status-url", f"http://127.0.0.1:{status}", "--key-algorithm", "p256",
            "--imap-host", "127.0.0.1", "--imap-port", str(self.mail.imap_port),
            "--submission-host", "127.0.0.1", "--submission-port", str(self.mail.submission_port),
            "--submission-security", "starttls",
            "--mail-port", str(self.mail.smtp_port), "--mail-from", SENDER,
            *init_arguments(), *self.init,
        ])  # fmt: skip
        with ExitStack() as running:
            running.callback(self.server.stop)
            self.server.start()
            self.server.operate("tls-certificate", "127.0.0.1", "-o", str(self.tls))
            running.enter_context(self.mail)
            self.import_people(*self.people)
            self.wait_for_keys()
            self.server.operate("invite", "-o", str(self.invitation))
            self._running = running.pop_all()
        return self

    def __exit__(self, *_):
        self._running.close()

    def import_people(self, *addresses):
        """Import a staff list."""
        people = self.private / "people.csv"
        people.write_text("address,given_name,surname\n" + "".join(f"{each},A,B\n" for each in addresses))
        return self.server.operate("people", "import", str(people))

    def wait_for_keys(self, seconds=30):
        """Wait until everybody has a certificate."""
        deadline = time.monotonic() + seconds
        while ", 0 still wait" not in (listed := self.server.operate("people", "list").output):
            assert time.monotonic() < deadline, listed + self.server.log_text()[-600:]
            time.sleep(0.2)

    def device(self, address, name):
        """Return a device with an empty home folder."""
        device = self.existing(address, name)
        device.home.mkdir(mode=0o700)
        return device

    def setup_arguments(self, device, password=None, wait=20):
        """Return the arguments of its first set-up."""
        file = self.private / f"{device.address}-{device.name}.password"
        file.write_text((password or self.passwords[device.address]) + "\n")
        return [
            "setup", device.address, "--invitation", str(self.invitation), "--mail-password-file", str(file),
            "--device-name", device.name, "--wait", str(wait),
        ]  # fmt: skip

    def existing(self, address, name):
        """Return a device whose home folder is there."""
        return Device(address, name, self.private / f"{address.partition('@')[0]}-{name}")

    def kill_server(self):
        """Kill the server with SIGKILL and wait until it is gone."""
        self.server.kill()

    def start_operating(self, *arguments):
        """Start an operator's command and do not wait for it."""
        env = {**os.environ, "SEALWRIGHT_DATA": str(self.server.data)}
        nothing = subprocess.DEVNULL
        return subprocess.Popen([str(PROGRAM), *arguments], env=env, stdin=nothing, stdout=nothing, stderr=nothing)

    def set_up(self, address, name):
        """Return a device that is set up."""
        device = self.device(address, name)
        device.run(*self.setup_arguments(device))
        return device


def environment(device):
    """Return what makes a process one of this device."""
    return {"SEALWRIGHT_HOME": str(device.home), "SEALWRIGHT_KEY_FILE": str(device.home / "store.key")}


def run_killed(device, arguments, writes):
    """Run a command that is killed right before its write number `writes` (from 0)."""
    return run(
        [sys.executable, "-c", _KILLING.format(writes=writes), *arguments], env=environment(device), may_fail=True
    )


def run_at_wrong_time(device, arguments, days):
    """Run a command on a device whose clock is days off."""
    return run([sys.executable, "-c", _CLOCK.format(days=days), *arguments], env=environment(device), may_fail=True)


def contents(device):
    """Return everything that lies in a device's home folder, but for its lock."""
    files = [path for path in device.home.rglob("*") if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(device.home)): path.read_bytes() for path in files}


def is_one_line(outcome, status, *words):
    """Check that a command failed with one line on standard error that names all of these words."""
    lines = [line for line in outcome.errors.splitlines() if line.startswith("sealwright: ")]
    others = [line for line in outcome.errors.splitlines() if not line.startswith(("sealwright: ", " "))]
    assert outcome.status == status, outcome
    assert len(lines) == 1, outcome.errors
    assert all(line[:1].isdigit() for line in others), outcome.errors  # set-up's steps
    for word in words:
        assert word in lines[0], lines[0]


def start(device, *arguments):
    """Start a command and do not wait for it."""
    return subprocess.Popen(
        [str(PROGRAM), *arguments],
        env={**os.environ, **environment(device)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

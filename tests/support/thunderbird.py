"""The real Thunderbird, headless, driven through Marionette: it reads a mailbox and shows what it thinks, and it sends.

Profile, home folder and port are its own. Every wait has an end, and the whole process group is killed after the test. Modal
dialogues would block the driver for ever, so nothing that asks is left on: the password is in the profile's own store, and no
server is asked before the session exists.
"""

import base64
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12
from support.issued_people import Issued
from support.marionette import Marionette, MarionetteError

START_TIMEOUT_SECONDS = 90.0
"""It answers after two seconds; on a machine with other work, much later."""
ANSWER_TIMEOUT_SECONDS = 45.0
_PASSWORD = "only for the way into the profile"
_PREFERENCES = Path(__file__).with_name("thunderbird_profile.js")
_SCRIPTS = Path(__file__).with_name("thunderbird_scripts.js")


def why_not() -> str | None:
    """Say in one line why Thunderbird cannot be driven here; None if it can."""
    missing = [name for name in ("thunderbird", "certutil", "pk12util") if shutil.which(name) is None]
    return f"no {', '.join(missing)} here: apt-get install thunderbird libnss3-tools" if missing else None


@dataclass(frozen=True, slots=True)
class Account:
    """Whose mail Thunderbird reads and sends.

    Attributes:
        address: Also the name to log in with.
        name: In From.
        password: Of IMAP and submission.
        imap_port: On 127.0.0.1, TLS from the first octet.
        submission_port: The same.
        signing: Key and certificate that it signs with.
        decryption: Keys that it reads with; the first one is that of the account.
        anchors: Trusted roots, that of the mail servers among them.
    """

    address: str
    name: str
    password: str
    imap_port: int
    submission_port: int
    signing: Issued
    decryption: Sequence[Issued]
    anchors: Sequence[x509.Certificate]


@dataclass(frozen=True, slots=True)
class Shown:
    """What Thunderbird shows of a message.

    Attributes:
        subject: In the message's header pane.
        text: Of the body.
        encrypted: State of the lock: "ok", "notok" or "" for none.
        signed: State of the seal: "ok", "mismatch" ... or "" for none, as for a signature alone that does not hold.
    """

    subject: str
    text: str
    encrypted: str
    signed: str


class Thunderbird:
    """Use as a context manager.

    Args:
        folder: For profile, home and log.
        account: The one account.
        port: Free port for Marionette.
    """

    def __init__(self, folder: Path, account: Account, port: int) -> None:
        self.folder, self.account, self._port = folder, account, port
        self._profile = folder / "profile"
        self._process: subprocess.Popen[bytes] | None = None
        self._session: Marionette | None = None

    def __enter__(self) -> Self:
        try:
            self._make_profile()
            self._start()
            self._run("logIn", self.account.address, self.account.password)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Kill the whole process group: there is nothing in the profile worth an orderly end."""
        if self._session is not None:
            self._session.close()
            self._session = None
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def open_inbox(self, messages: int) -> None:
        """Show the inbox; return when it lists so many messages."""
        uri = self._wait(lambda: self._run("inboxUri"), "the inbox")
        self._run("showFolder", uri)
        self._wait(lambda: self._run("rowCount") >= messages, f"{messages} messages in the list")

    def show(self, message_id: str, expected: Shown) -> Shown:
        """Select a message; return what is shown as soon as it is what is expected, else what is shown at the end."""
        self._run("select", message_id)
        shown: Shown | None = None
        deadline, fitting = time.monotonic() + ANSWER_TIMEOUT_SECONDS, 0
        # A seal appears late: that there is none must stay true for a second.
        while fitting < (1 if expected.signed else 10) and time.monotonic() < deadline:
            time.sleep(0.1)
            found = self._run("shown", message_id)
            shown = Shown(**found) if found else shown
            fitting = fitting + 1 if shown == expected else 0
        assert shown is not None, f"{message_id} is not shown at all"
        return shown

    def send(self, to: str, subject: str, text: str, *, encrypted: bool, signed: bool) -> None:
        """Write a message in the compose window and send it; return when the window has closed.

        Raises:
            AssertionError: If it cannot be sent, for lack of a certificate for example.
        """
        self._run("compose", to, subject, text)
        self._wait(lambda: self._run("composeReady"), "the compose window")
        self._run("chooseProtection", encrypted, signed)
        self._wait(lambda: not encrypted or self._run("hasCertificate", to), f"the certificate of {to}")
        self._run("sendNow")
        self._wait(lambda: not self._run("composeReady"), "the compose window to close")

    def learn_certificate(self, certificate: x509.Certificate) -> None:
        """Put somebody's certificate into the address book of certificates."""
        self._run("learnCertificate", base64.b64encode(certificate.public_bytes(Encoding.DER)).decode())

    def screenshot(self, file: Path) -> None:
        """Take a picture of the main window, for people."""
        file.write_bytes(base64.b64decode(self._driver.screenshot()))

    @property
    def _driver(self) -> Marionette:
        assert self._session is not None, "Thunderbird was not started"
        return self._session

    def _run(self, function: str, *arguments: Any) -> Any:
        """Call a function of the scripts file in the application's own context."""
        script = f"""
            const given = [...arguments], answer = given.pop();
            {_SCRIPTS.read_text()}
            {function}(...given).then(result => answer({{ result }}), error => answer({{ error: String(error) }}));"""
        answer = self._driver.run(script, *arguments)
        if "error" in answer:
            raise AssertionError(f"{function}: {answer['error']}")
        return answer.get("result")

    def _wait(self, condition: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + ANSWER_TIMEOUT_SECONDS
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"Thunderbird keeps us waiting for {what}; windows: {self._run('windows')}")
            time.sleep(0.1)
        return found

    def _start(self) -> None:
        home = self.folder / "home"
        home.mkdir()
        environment = {
            **{name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")},
            "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8", "MOZ_HEADLESS": "1", "NO_AT_BRIDGE": "1",
            "MOZ_CRASHREPORTER_DISABLE": "1", "MOZ_DISABLE_CONTENT_SANDBOX": "1",
        }  # fmt: skip
        command = ["thunderbird", "--marionette", "--remote-allow-system-access", "--no-remote"]
        with (self.folder / "thunderbird.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--profile", str(self._profile)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while self._session is None:
            try:
                self._session = Marionette(self._port, ANSWER_TIMEOUT_SECONDS)
            except MarionetteError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log_text = (self.folder / "thunderbird.log").read_text(errors="replace")
                    raise AssertionError(f"Thunderbird does not answer: {error} {log_text[-800:]}") from error
                time.sleep(0.2)

    def _make_profile(self) -> None:
        """Make the NSS database and the preferences: everything that would otherwise be asked."""
        account = self.account
        self._profile.mkdir(mode=0o700)
        self._nss("certutil", "-N", "--empty-password")
        for number, root in enumerate(account.anchors):
            self._nss("certutil", "-A", "-n", f"root {number}", "-t", "C,C,C", given=root.public_bytes(Encoding.DER))
        held = dict.fromkeys((account.signing, *account.decryption))
        for number, issued in enumerate(held):
            for place, each in enumerate(issued.chain):
                name = f"intermediate {number}.{place}"
                self._nss("certutil", "-A", "-n", name, "-t", ",,", given=each.public_bytes(Encoding.DER))
            file, protection = self.folder / f"{number}.p12", BestAvailableEncryption(_PASSWORD.encode())
            content = pkcs12.serialize_key_and_certificates(
                f"key {number}".encode(), issued.key, issued.certificate, None, protection
            )
            file.write_bytes(content)
            self._nss("pk12util", "-i", str(file), "-W", _PASSWORD, "-K", "")
        values = {
            "IMAP_PORT": account.imap_port, "SUBMISSION_PORT": account.submission_port, "MARIONETTE_PORT": self._port,
            "ADDRESS": account.address, "NAME": account.name,
            "SIGNING": _database_key(account.signing.certificate),
            "ENCRYPTION": _database_key(account.decryption[0].certificate),
        }  # fmt: skip
        text = _PREFERENCES.read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        (self._profile / "user.js").write_text(text)

    def _nss(self, program: str, *arguments: str, given: bytes | None = None) -> None:
        command = [program, *arguments, "-d", f"sql:{self._profile}"]
        done = subprocess.run(command, input=given, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stderr.decode(errors='replace')}"


def _database_key(certificate: x509.Certificate) -> str:
    """Return nsIX509Cert.dbKey: two zeros, the lengths, serial number and issuer."""
    number, issuer = certificate.serial_number, certificate.issuer.public_bytes()
    serial = number.to_bytes(number.bit_length() // 8 + 1, "big")
    lengths = b"".join(value.to_bytes(4, "big") for value in (0, 0, len(serial), len(issuer)))
    return base64.b64encode(lengths + serial + issuer).decode()

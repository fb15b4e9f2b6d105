"""The whole story with Sealwright's own command line: an organization, its people, their devices and their mail.

A server, Postfix and Dovecot run on loopback ports; every person's device is a home folder of its own. Each step checks
what it claims; the first that does not hold ends the story with exit status 1. Without CI=true everything stays up at the
end until Ctrl-C.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from email import message_from_bytes
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from rich.markup import escape

from demo import custody
from demo.letters import ATTACHMENT_NAME, answer, raw_lines, read_newest, send
from demo.mail_system import MailSystem, MailSystemError
from demo.programs import PROGRAM as SEALWRIGHT
from demo.programs import Device, ProgramError, Server, free_port, openssl, run
from demo.telling import ALICE, BOB, CAROL, DAVE, TELL, StoryError, chapter, check
from sealwright.errors import SealwrightError
from sealwright.net.http import HttpClient
from sealwright.net.smtp import submit_mail
from sealwright.wire.api import DirectoryEntry
from sealwright.wire.statement import Invitation, MailServer

STRANGER = "stranger@elsewhere.test"
PEOPLE = "address,given_name,surname\n" + "".join(
    f"{each},{each[0].upper()}{each[1:-13]},Example\n" for each in (ALICE, BOB, CAROL, DAVE)
)
SUBJECT, TEXT = "Quarterly figures", "The figures are attached. For Bob alone."
REPLY = "Thank you, Alice. I have read them."
ATTACHMENT = "quarter,result\n3,1234567\n"
SERVER_ADDRESS = "sealwright@example.test"
KEYS_TIMEOUT_SECONDS = 120.0


class Story:
    """The organization's machine room and its people, in one folder.

    Args:
        folder: Empty; other accounts can pass through it, because the mail servers run under their own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tls = folder / "mail-tls"
        self.private = folder / "private"
        self.private.mkdir(mode=0o700)
        self.passwords = {each: f"mail password of {each}" for each in (ALICE, BOB, CAROL, DAVE)}
        self.mail = MailSystem(
            folder / "mail", "example.test", self.passwords, self.tls / "server.pem", self.tls / "server.key"
        )
        self.server = Server(self.private / "server", self.private / "server.log")
        self.invitation = self.private / "example.test.invitation"

    def device(self, address: str, name: str) -> Device:
        """Return a device that is not set up yet."""
        return Device(address, name, self.private / f"{address.partition('@')[0]}-{name}")

    def set_up(self, address: str, name: str) -> Device:
        """Set a device up with the invitation and the mail password, and nothing else."""
        password_file = self.private / f"{address}.password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.passwords[address] + "\n")
        device = self.device(address, name)
        device.set_up(self.invitation, password_file)
        return device

    def machine_room(self, running: ExitStack) -> None:
        """Make and start the server and the mail system; import people."""
        chapter("An administrator installs the server")
        https, status = free_port(), free_port()
        made = run([
            str(SEALWRIGHT), "init", str(self.server.data), "--organization", "Example GmbH", "--domain", "example.test",
            "--organization-identifier", "NTRDE-DER3306.HRB12345",
            "--endpoint", f"https://127.0.0.1:{https}", "--listen", f"127.0.0.1:{https}",
            "--status-url", f"http://127.0.0.1:{status}",
            "--imap-host", "127.0.0.1", "--imap-port", str(self.mail.imap_port),
            "--submission-host", "127.0.0.1", "--submission-port", str(self.mail.submission_port),
            "--submission-security", "starttls",
            "--mail-port", str(self.mail.smtp_port), "--mail-from", SERVER_ADDRESS,
        ])  # fmt: skip
        check(
            "Emergency shares" in made.output, "init makes keys, certificates and log, and shows emergency shares once"
        )
        running.callback(self.server.stop)
        self.server.start()
        check(True, "the server runs and answers its operator")
        self.server.operate("tls-certificate", "127.0.0.1", "-o", str(self.tls))
        running.enter_context(self.mail)
        check(True, "Postfix and Dovecot run with certificates of the organization's own CA")
        people = self.private / "people.csv"
        people.write_text(PEOPLE)
        imported = self.server.operate("people", "import", str(people))
        check(imported.output.startswith("4 imported"), "a staff list of four is imported")
        deadline = time.monotonic() + KEYS_TIMEOUT_SECONDS
        while ", 0 still wait" not in self.server.operate("people", "list").output:
            if time.monotonic() > deadline:
                raise StoryError(f"keys and certificates are made by themselves: {self.server.log_text()[-800:]}")
            time.sleep(0.3)
        check(True, "keys and certificates are made by themselves")
        self.server.operate("invite", "-o", str(self.invitation))
        check(self.invitation.exists(), "one invitation file for everybody")

    def first_mail(self) -> tuple[Device, Device]:
        """Set up Alice and Bob; send a mail from one to the other."""
        chapter("Alice and Bob set up their laptops")
        alice = self.set_up(ALICE, "laptop")
        check(not self.mail.raw_messages(ALICE), "Alice's mailbox is proved without her help; no challenge mail stays")
        bob = self.set_up(BOB, "laptop")
        check(True, "Bob is set up too")
        chapter("Alice writes to Bob, with an attachment")
        before = len(self.mail.raw_messages(BOB))
        send(alice, BOB, SUBJECT, TEXT, ATTACHMENT)
        raw = self.mail.wait_for_messages(BOB, before + 1)[-1]
        check(b"application/pkcs7-mime" in raw and b"figures" not in raw, "on the mail server's disk lies ciphertext")
        check(SUBJECT.encode() not in raw and b"Subject: [...]" in raw, "the subject is hidden")
        read = read_newest(bob)
        check(SUBJECT in read and TEXT in read and ATTACHMENT_NAME in read, "Bob reads subject, text and attachment")
        check(ALICE in read, "and sees whose signature it is")
        TELL.print("  The mail as it lies on the mail server's disk, where it begins and where its content begins:")
        for line in raw_lines(raw):
            TELL.print(f"    [dim]{escape(line)}[/dim]")
        return alice, bob

    def answer(self, alice: Device, bob: Device) -> None:
        """Let Bob answer Alice's mail."""
        chapter("Bob answers Alice")
        asked = str(message_from_bytes(self.mail.raw_messages(BOB)[-1])["Message-ID"])
        before = len(self.mail.raw_messages(ALICE))
        answer(bob, REPLY)
        raw = self.mail.wait_for_messages(ALICE, before + 1)[-1]
        check(REPLY.encode() not in raw and SUBJECT.encode() not in raw, "his answer lies there as ciphertext, too")
        check(message_from_bytes(raw)["In-Reply-To"] == asked, "and says which mail it answers")
        check(
            b"authEnveloped-data" in raw,
            "encrypted with AES-256-GCM: from her mail Bob's laptop learnt that hers reads it",
        )
        read = read_newest(alice)
        check(f"Re: {SUBJECT}" in read and REPLY in read and BOB in read, "Alice reads it, signed by Bob")
        check(f"> {TEXT}" in read, "and sees what it answers")

    def more_devices(self, bob: Device) -> None:
        """Add a second device, rotate the key, add a third."""
        chapter("Bob gets a telephone, a new key, and a tablet")
        telephone = self.set_up(BOB, "telephone")
        check(TEXT in read_newest(telephone), "the second device reads the mail that came before it")
        told = bob.run("devices", "list")
        check("notice" in told.errors and "telephone" in told.errors, "the first one is told of the new device")
        self.server.operate("people", "rotate", BOB)
        tablet = self.set_up(BOB, "tablet")
        check(TEXT in read_newest(tablet), "after a rotation a third device still reads the old mail")

    def held(self, alice: Device) -> None:
        """Try to write to somebody without a certificate."""
        chapter("Alice writes to somebody who has no certificate")
        before = self.mail.log_text()
        outcome = send(alice, STRANGER, "Hello", "in clear?", may_fail=True)
        check(outcome.status != 0, f"the mail is held: {outcome.errors.strip().splitlines()[-1]}")
        new = self.mail.log_text()[len(before) :]
        check(STRANGER not in new and self.mail.queued() == 0, "nothing of it reached the mail server")

    def log(self, bob: Device) -> None:
        """Check the log as its owner."""
        chapter("Bob checks the log")
        outcome = bob.run("log", "verify")
        check(
            outcome.status == 0, f"every act on his keys is there and proved: {outcome.output.strip().splitlines()[-1]}"
        )

    def other_programs(self, bob: Device) -> None:
        """Exchange mail with OpenSSL."""
        chapter("The same with OpenSSL, as the other side")
        work = self.private
        self.server.operate("policy", "export-key", "allow")
        passphrase = work / "passphrase"
        passphrase.write_text("a passphrase for the export\n")
        bob.run("devices", "list")  # reads the feed, and with it the new key
        chosen = ("--key", "1", "--export-passphrase-file", str(passphrase), "-o", str(work / "bob.p12"))
        bob.run("keys", "export", *chosen)
        (work / "raw.eml").write_bytes(next(raw for raw in self.mail.raw_messages(BOB) if b"pkcs7-mime" in raw))
        openssl(work, "pkcs12", "-in", "bob.p12", "-passin", "file:passphrase", "-nodes", "-out", "bob.pem")
        decrypted = openssl(work, "cms", "-decrypt", "-in", "raw.eml", "-recip", "bob.pem", "-inkey", "bob.pem")
        (work / "inner.eml").write_text(decrypted, newline="")
        content = openssl(work, "cms", "-verify", "-noverify", "-in", "inner.eml")
        check(SUBJECT in content and TEXT in content, "OpenSSL opens Alice's mail with Bob's exported key")
        (work / "outside.txt").write_bytes(b"Content-Type: text/plain\r\n\r\nWritten outside, with OpenSSL.\r\n")
        certificate = x509.load_der_x509_certificate(self.directory_certificate(BOB))
        (work / "recipient.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        header = ("-from", SERVER_ADDRESS, "-to", BOB, "-subject", "From outside")
        openssl(
            work, "cms", "-encrypt", "-aes256", "-in", "outside.txt", *header, "-out", "outside.eml", "recipient.pem"
        )
        smtp = MailServer(host="127.0.0.1", port=self.mail.smtp_port, security="none")
        before = len(self.mail.raw_messages(BOB))
        submit_mail(smtp, SERVER_ADDRESS, [BOB], (work / "outside.eml").read_bytes())
        self.mail.wait_for_messages(BOB, before + 1)
        check("Written outside, with OpenSSL." in read_newest(bob), "Bob reads what OpenSSL encrypted for his new key")

    def directory_certificate(self, address: str) -> bytes:
        """Look an address up as anybody can."""
        invitation = msgspec.json.decode(self.invitation.read_bytes(), type=Invitation)
        url = f"{invitation.endpoints[0]}/v1/directory/certificates?address={address}"
        answer = HttpClient(invitation.tls_anchors).request("GET", url)
        entry = msgspec.json.decode(answer.body, type=DirectoryEntry)
        check(len(entry.certificates) == 1, f"the directory gives exactly one certificate for {address}")
        return entry.certificates[0].certificate


def show_console(story: Story) -> None:
    """Say where the console is and how to get in."""
    invitation = msgspec.json.decode(story.invitation.read_bytes(), type=Invitation)
    root = story.private / "root.pem"
    root.write_bytes(x509.load_der_x509_certificate(invitation.tls_anchors[0]).public_bytes(Encoding.PEM))
    link = story.server.operate("sign-in-link").output.split("\n", 1)[0].strip()
    TELL.print(f"Console: {link.partition('/sign-in')[0]}")
    TELL.print("To sign in, open this link once, within 24 hours:")
    TELL.print(f"  {link}", markup=False)
    TELL.print(f"Your browser does not know the organization's root yet: import {root}, or go on past its warning.")


def tell(story: Story, running: ExitStack) -> None:
    """Tell everything in its order."""
    story.machine_room(running)
    alice, bob = story.first_mail()
    story.answer(alice, bob)
    story.more_devices(bob)
    story.held(alice)
    custody.old_key(story, bob)
    custody.three_people(story, bob)
    carol = custody.nobody_alone(story, alice)
    custody.recovery(story, alice, bob, carol)
    story.log(bob)
    story.other_programs(bob)


def main() -> int:
    """Tell the story; return the exit status."""
    folder = Path(tempfile.mkdtemp(prefix="sealwright-demo-", dir="/tmp"))
    folder.chmod(0o711)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is stopped then too
    try:
        with ExitStack() as running:
            story = Story(folder)
            try:
                tell(story, running)
            except (StoryError, ProgramError, MailSystemError, SealwrightError, subprocess.TimeoutExpired) as error:
                TELL.print(f"  [red]✗[/red] {escape(str(error))}")
                warnings = [line for line in story.server.log_text().splitlines() if "info" not in line][-8:]
                TELL.print("\n".join(["  The server said:", *warnings]), markup=False)
                return 1
            TELL.print("\n[bold green]Every step held.[/bold green]")
            if os.environ.get("CI") != "true":
                TELL.print(f"All is still running, in {folder}. End it with Ctrl-C.")
                show_console(story)
                try:
                    while True:
                        time.sleep(3600)
                except KeyboardInterrupt:
                    TELL.print("Ending.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

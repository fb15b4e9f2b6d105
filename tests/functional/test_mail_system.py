"""The example mail system does what clients and server rely on: submission, delivery, IMAP, and what it refuses."""

import ipaddress
import smtplib
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.mail_system import MailSystem, MailSystemError, why_not

from sealwright.errors import AuthenticationError, InputError, VerificationError
from sealwright.net.imap import open_mailbox
from sealwright.net.smtp import MailCredentials, submit_mail
from sealwright.wire.statement import MailServer

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

ALICE, BOB = "alice@example.test", "bob@example.test"
USERS = {ALICE: "pass:word of Alice", BOB: "bob"}
MESSAGE = f"From: {ALICE}\r\nTo: {BOB}\r\nSubject: hello\r\n\r\nHello Bob\r\n".encode()


def tls_files(folder: Path) -> tuple[Path, Path, bytes]:
    """Make a self-signed certificate for 127.0.0.1: PEM files and DER."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "tls.pem", folder / "tls.key"
    certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.touch(mode=0o600)
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate_file, key_file, certificate.public_bytes(Encoding.DER)


@pytest.fixture(scope="module")
def anchor_and_mail(passable_folder: Path) -> Iterator[tuple[bytes, MailSystem]]:
    certificate, key, anchor = tls_files(passable_folder)
    with MailSystem(passable_folder / "mail", "example.test", USERS, certificate, key) as mail:
        yield anchor, mail


def server(port: int, security: str) -> MailServer:
    return MailServer(host="127.0.0.1", port=port, security=security)


def test_a_mail_goes_from_submission_to_the_mailbox(anchor_and_mail: tuple[bytes, MailSystem]) -> None:
    anchor, mail = anchor_and_mail
    account = MailCredentials(ALICE, USERS[ALICE])
    before = len(mail.raw_messages(BOB))
    for port, security in ((mail.submission_port, "starttls"), (mail.submissions_port, "tls")):
        submit_mail(server(port, security), ALICE, [BOB], MESSAGE, credentials=account, anchors=[anchor])
    raw = mail.wait_for_messages(BOB, before + 2)
    assert raw[-1].endswith(b"\n\nHello Bob\n")
    with open_mailbox(server(mail.imap_port, "tls"), MailCredentials(BOB, USERS[BOB]), [anchor]) as mailbox:
        assert mailbox.inbox_and_junk() == ("INBOX", "Junk")
        newest = mailbox.fetch("INBOX", mailbox.newest("INBOX", 1)[0])
    assert newest is not None
    assert newest.endswith(b"\r\n\r\nHello Bob\r\n")
    assert mail.queued() == 0


def test_the_folder_for_sent_mail_is_made_once_and_shown(anchor_and_mail: tuple[bytes, MailSystem]) -> None:
    anchor, mail = anchor_and_mail
    at, account = server(mail.imap_port, "tls"), MailCredentials(ALICE, USERS[ALICE])
    for _ in range(2):
        with open_mailbox(at, account, [anchor]) as mailbox:
            mailbox.append_sent(MESSAGE)
    with open_mailbox(at, account, [anchor]) as mailbox:
        assert len(mailbox.newest("Sent", 10)) == 2
        assert {name for _, _, name in mailbox._client.list_folders()} == {"INBOX", "Junk", "Sent"}
        assert "Sent" in {name for _, _, name in mailbox._client.list_sub_folders()}


def test_programs_of_this_machine_send_without_log_in(anchor_and_mail: tuple[bytes, MailSystem]) -> None:
    _, mail = anchor_and_mail
    before = len(mail.raw_messages(ALICE))
    submit_mail(server(mail.smtp_port, "none"), "sealwright@example.test", [ALICE], MESSAGE)
    assert len(mail.wait_for_messages(ALICE, before + 1)) == before + 1


def test_mail_for_strangers_and_unknown_people_is_refused(anchor_and_mail: tuple[bytes, MailSystem]) -> None:
    anchor, mail = anchor_and_mail
    account = MailCredentials(ALICE, USERS[ALICE])
    for recipient in ("somebody@elsewhere.test", "nobody@example.test"):
        with pytest.raises(InputError, match="recipient"):
            submit_mail(server(mail.smtp_port, "none"), ALICE, [recipient], MESSAGE)
        with pytest.raises(InputError, match="recipient"):
            submit_mail(
                server(mail.submission_port, "starttls"),
                ALICE,
                [recipient],
                MESSAGE,
                credentials=account,
                anchors=[anchor],
            )


def test_submission_needs_the_right_account(anchor_and_mail: tuple[bytes, MailSystem]) -> None:
    anchor, mail = anchor_and_mail
    submission = server(mail.submission_port, "starttls")
    with pytest.raises(AuthenticationError):
        submit_mail(submission, ALICE, [BOB], MESSAGE, credentials=MailCredentials(ALICE, "x"), anchors=[anchor])
    with pytest.raises(InputError, match="not owned by user"):
        submit_mail(submission, ALICE, [BOB], MESSAGE, credentials=MailCredentials(BOB, "bob"), anchors=[anchor])
    with pytest.raises(InputError):
        submit_mail(submission, ALICE, [BOB], MESSAGE, anchors=[anchor])
    with smtplib.SMTP("127.0.0.1", mail.submission_port, "localhost") as clear:
        clear.ehlo()
        assert not clear.has_extn("auth")


def test_passwords_go_only_to_a_server_that_proved_its_name(anchor_and_mail: tuple[bytes, MailSystem]) -> None:
    _, mail = anchor_and_mail
    account = MailCredentials(BOB, USERS[BOB])
    with pytest.raises(VerificationError), open_mailbox(server(mail.imap_port, "tls"), account):
        pass
    with pytest.raises(VerificationError):
        submit_mail(server(mail.submission_port, "starttls"), BOB, [ALICE], MESSAGE, credentials=account)


def test_a_wrong_password_reads_nothing(anchor_and_mail: tuple[bytes, MailSystem]) -> None:
    anchor, mail = anchor_and_mail
    account = MailCredentials(BOB, "wrong")
    with pytest.raises(AuthenticationError), open_mailbox(server(mail.imap_port, "tls"), account, [anchor]):
        pass


def test_it_stops_and_starts_again_with_its_mail(passable_folder: Path) -> None:
    certificate, key, _ = tls_files(passable_folder)
    mail = MailSystem(passable_folder / "again", "example.test", USERS, certificate, key)
    with mail:
        submit_mail(server(mail.smtp_port, "none"), ALICE, [BOB], MESSAGE)
        mail.wait_for_messages(BOB, 1)
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", mail.imap_port)):
        pass
    with mail:
        assert len(mail.raw_messages(BOB)) == 1
    mail.stop()


def test_a_private_folder_is_named_in_the_error(tmp_path: Path) -> None:
    certificate, key, _ = tls_files(tmp_path)
    tmp_path.chmod(0o700)
    mail = MailSystem(tmp_path / "mail", "example.test", USERS, certificate, key)
    with pytest.raises(MailSystemError, match=r"cannot pass|too long"):
        mail.start()

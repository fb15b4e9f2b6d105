"""Both directions with the real Thunderbird on a real IMAP server, under certificates of the product's own CA."""

import ipaddress
import smtplib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support import mail_system, thunderbird
from support.certificates import NOW, ec_key
from support.decryption import keys_of
from support.mail_people import MailRoot
from support.mail_system import MailSystem
from support.thunderbird import Account, Shown, Thunderbird

from demo.programs import free_port
from sealwright.cms.signers import PrivateKeySigner
from sealwright.smime import capabilities
from sealwright.smime.algorithm_choice import Algorithms
from sealwright.smime.compose import Protection, protect
from sealwright.smime.trust import Trust
from sealwright.smime.verdict import judge_message

WHY_NOT = thunderbird.why_not() or mail_system.why_not()
pytestmark = [pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)), pytest.mark.timeout(300)]
ERIN, TIM = "erin@example.com", "tim@example.com"
HIDDEN = "[...]"
SHOWN = {
    # message -> what Thunderbird 153 shows of it. It does not read header protection (RFC 9788) in S/MIME: an encrypted
    # message's subject is seen only where it is repeated at the top of the text.
    "signed": Shown("The plan", "The text.", "", "ok"),
    "signed-opaque": Shown("The plan", "The text.", "", "ok"),
    "encrypted": Shown(HIDDEN, "The text.", "ok", ""),
    "both": Shown(HIDDEN, "The text.", "ok", "ok"),
    "both-p256": Shown(HIDDEN, "The text.", "ok", "ok"),
    "both-p384": Shown(HIDDEN, "The text.", "ok", "ok"),
    "both-all-keys": Shown(HIDDEN, "The text.", "ok", "ok"),
    "both-oaep": Shown(HIDDEN, "The text.", "ok", "ok"),
    "both-legacy-display": Shown(HIDDEN, "Subject: The plan\n\nThe text.", "ok", "ok"),
    "plain": Shown("The plan", "The text.", "", ""),
    # What it cannot read; never sent to it, because its capabilities do not name it.
    "gcm": Shown(HIDDEN, "", "", ""),
    # What it must not take for good.
    "changed": Shown("The plan", "The test.", "", ""),
    "by-another": Shown("The plan", "The text.", "", ""),
    "both-by-another": Shown(HIDDEN, "The text.", "ok", "mismatch"),
    # Last: told to ignore the outer signature, Thunderbird 153 ignores those of the messages after it, too.
    "triple": Shown(HIDDEN, "The text.", "ok", "ok"),
}


@pytest.fixture(scope="module")
def tim(people):
    """Who reads in Thunderbird: a device's signing key and three escrowed keys."""
    decryption = [people.recipient("tim", algorithm) for algorithm in ("rsa-3072", "p256", "p384")]
    return people.signer("tim", ec_key()), decryption


@pytest.fixture(scope="module")
def erin(people):
    """Who writes with Sealwright."""
    return people.signer("erin", ec_key()), people.recipient("erin", "rsa-3072")


@pytest.fixture(scope="module")
def tls_root():
    return MailRoot("Mail servers")


@pytest.fixture(scope="module")
def mail(passable_folder, tls_root):
    key = ec_key()
    certificate = (
        x509.CertificateBuilder(tls_root.subject, x509.Name([]), key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=True)
        .sign(tls_root.key, hashes.SHA256())
    )
    chain, key_file = passable_folder / "tls.pem", passable_folder / "tls.key"
    chain.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in (certificate, tls_root.certificate)))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    users = {ERIN: "password of Erin", TIM: "password of Tim"}
    with MailSystem(passable_folder / "mail", "example.com", users, chain, key_file) as running:
        yield running


@pytest.fixture(scope="module")
def messages(people, tim, erin):
    """What Sealwright makes, by name; the name is also the local part of the Message-ID."""
    signer = PrivateKeySigner(erin[0].certificate, erin[0].key, erin[0].chain)
    rsa, p256, p384 = (each.certificate for each in tim[1])

    def text_of(name):
        lines = (f"From: Erin <{ERIN}>", f"To: Tim <{TIM}>", "Subject: The plan", f"Message-ID: <{name}@example.com>")
        # Thunderbird gives no good seal where Date and signing time are more than an hour apart
        return "\r\n".join((*lines, f"Date: {NOW:%a, %d %b %Y %H:%M:%S +0000}", "", "The text.", "")).encode()

    def made(name, *recipients, by=signer, **how):
        return name, protect(text_of(name), by, recipients, signing_time=NOW, protection=Protection(**how))

    fred = people.signer("fred", ec_key())
    another = PrivateKeySigner(fred.certificate, fred.key, fred.chain)
    found = dict(
        [
            made("signed"),
            made("signed-opaque", opaque=True),
            made("encrypted", rsa, by=None),
            made("both", rsa),
            made("both-p256", p256),
            made("both-p384", p384),
            made("both-all-keys", rsa, p256, p384),
            made("both-oaep", rsa, algorithms=Algorithms(key_transport="rsa-oaep-sha256")),
            made("both-legacy-display", rsa, legacy_display=True),
            made("triple", rsa, triple_wrap=True),
            made("changed"),
            made("by-another", by=another),
            made("both-by-another", rsa, by=another),
            made("gcm", rsa, algorithms=Algorithms(cipher="aes-256-gcm")),
        ]
    )
    found["plain"] = text_of("plain")
    found["changed"] = found["changed"].replace(b"The text.", b"The test.")
    return found


@pytest.fixture(scope="module")
def running(passable_folder, people, tls_root, mail, tim, messages):
    with smtplib.SMTP("127.0.0.1", mail.smtp_port) as submission:
        for message in messages.values():
            submission.sendmail(ERIN, [TIM], message)
    mail.wait_for_messages(TIM, len(messages), timeout_seconds=60)
    account = Account(
        address=TIM,
        name="Tim Muster",
        password="password of Tim",
        imap_port=mail.imap_port,
        submission_port=mail.submissions_port,
        signing=tim[0],
        decryption=tim[1],
        anchors=[tls_root.certificate, people.root],
    )
    folder = passable_folder / "thunderbird"
    folder.mkdir()
    with Thunderbird(folder, account, free_port()) as program:
        program.open_inbox(len(messages))
        yield program


def test_thunderbird_shows_what_we_protect(running, messages):
    assert set(messages) == set(SHOWN)
    assert {name: running.show(f"{name}@example.com", expected) for name, expected in SHOWN.items()} == SHOWN


def test_we_read_what_thunderbird_sends(running, people, mail, erin):
    running.learn_certificate(erin[1].certificate)
    for number, (encrypted, signed) in enumerate([(True, True), (False, True), (True, False)], 1):
        running.send(ERIN, "Back to you", "Typed in Thunderbird.", encrypted=encrypted, signed=signed)
        raw = mail.wait_for_messages(ERIN, number, timeout_seconds=60)[-1]
        trust = Trust(now=datetime.now(UTC), anchors=(people.root,))
        verdict = judge_message(raw, keys_of((erin[1].certificate, erin[1].key)), trust)
        assert verdict.body_text == "Typed in Thunderbird.\n"
        assert verdict.headers.subject == "Back to you"
        assert verdict.headers.protected == ()  # Thunderbird 153 protects no header in S/MIME
        assert (verdict.summary.encrypted, verdict.summary.signed) == (encrypted, signed)
        assert verdict.summary.authentic_author == (TIM if signed else None)
        if signed:
            known = capabilities.parse(verdict.signature.signers[0].capabilities)
            assert "aes-256-cbc" in known.names
            assert not any("gcm" in name for name in known.names)

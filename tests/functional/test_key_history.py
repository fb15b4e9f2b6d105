"""Old keys of another program: imported by their owner and by an administrator, and the old mail is read on every device."""

import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12
from cryptography.x509.oid import NameOID
from support.organization import ALICE, BOB, Organization

from demo.letters import send
from sealwright.net.smtp import submit_mail
from sealwright.wire.statement import MailServer

PASSWORD = "exported long ago"


@pytest.fixture(scope="module")
def organization(passable_folder):
    with Organization(passable_folder) as made:
        yield made


def old_file(folder, address, name):
    """Write a PKCS#12 file and its certificate, as an old system would have made them."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    certificate = (
        builder.not_valid_before(now - timedelta(days=3000))
        .not_valid_after(now - timedelta(days=2000))
        .sign(key, hashes.SHA256())
    )
    content = pkcs12.serialize_key_and_certificates(
        address.encode(), key, certificate, None, BestAvailableEncryption(PASSWORD.encode())
    )
    (folder / f"{name}.p12").write_bytes(content)
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))


def old_mail(organization, address, name, text):
    """Deliver a mail that was encrypted for the old certificate."""
    folder = organization.private
    (folder / "text").write_text(f"Content-Type: text/plain\r\n\r\n{text}\r\n")
    made = subprocess.run(
        ["openssl", "cms", "-encrypt", "-aes256", "-in", "text", "-from", "x@example.org", "-to", address,
         "-subject", text, f"{name}.pem"],
        cwd=folder, check=True, capture_output=True,
    ).stdout  # fmt: skip
    server = MailServer(host="127.0.0.1", port=organization.mail.smtp_port, security="none")
    before = len(organization.mail.raw_messages(address))
    submit_mail(server, "x@example.org", [address], made)
    organization.mail.wait_for_messages(address, before + 1)


def newest(device):
    return device.run("read", "1").output


def test_the_owner_imports_a_key_and_a_second_device_has_it(organization):
    old_file(organization.private, ALICE, "alice")
    (organization.private / "password").write_text(PASSWORD + "\n")
    laptop = organization.set_up(ALICE, "laptop")
    arguments = ("keys", "import", str(organization.private / "alice.p12"))
    arguments += ("--password-file", str(organization.private / "password"))
    assert laptop.run(*arguments).output.startswith("imported ")
    assert laptop.run(*arguments).output.startswith("existing ")
    old_mail(organization, ALICE, "alice", "from the time before")
    assert "from the time before" in newest(laptop)
    telephone = organization.set_up(ALICE, "telephone")
    assert "from the time before" in newest(telephone)
    assert laptop.run("log", "verify").status == 0


def test_an_administrator_imports_for_many_and_the_command_goes_on_where_it_stopped(organization):
    folder = organization.private
    old_file(folder, BOB, "bob")
    bob = organization.set_up(BOB, "laptop")
    rows = f"address,file,password\n{BOB},bob.p12,{PASSWORD}\nnobody@example.test,bob.p12,{PASSWORD}\n{BOB},gone.p12,\n"
    (folder / "old.csv").write_text(rows)
    first = organization.server.operate("people", "import-keys", str(folder / "old.csv"), "--json", may_fail=True)
    assert first.status != 0
    counts = json.loads(first.output)
    assert (counts["imported"], counts["refused"], counts["done before"]) == (1, 2, 0)
    reasons = [json.loads(line)["reason"] for line in (folder / "old.csv.report").read_text().splitlines()]
    assert [bool(reason) for reason in reasons] == [False, True, True]
    assert PASSWORD not in (folder / "old.csv.report").read_text()
    with (folder / "old.csv.report").open("a") as report:
        report.write('{"address": "' + BOB)  # the machine stopped here
    second = organization.server.operate("people", "import-keys", str(folder / "old.csv"), "--json", may_fail=True)
    counts = json.loads(second.output)
    assert (counts["imported"], counts["refused"], counts["done before"]) == (0, 2, 1)
    old_mail(organization, BOB, "bob", "an old mail to Bob")
    assert "a key of another program" in bob.run("devices", "list").errors
    assert "an old mail to Bob" in newest(bob)


def test_keys_that_stay_in_the_key_management_open_mail_all_the_same(organization):
    organization.server.operate("policy", "delivery", "remote")
    organization.server.operate("policy", "export-key", "allow")
    tablet = organization.set_up(ALICE, "tablet")
    old_mail(organization, ALICE, "alice", "once more from the time before")
    assert "once more from the time before" in newest(tablet)
    bob = organization.existing(BOB, "laptop")
    before = len(organization.mail.raw_messages(ALICE))
    send(bob, ALICE, "kept there", "for a device without a key")
    organization.mail.wait_for_messages(ALICE, before + 1)
    assert "for a device without a key" in newest(tablet)
    refused = tablet.run("keys", "export", "-o", str(organization.private / "x.p12"), may_fail=True)
    assert refused.status != 0
    assert not (organization.private / "x.p12").exists()
    assert tablet.run("log", "verify").status == 0
    assert "key.use" in tablet.run("log", "verify", "--json").output

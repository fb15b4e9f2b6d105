"""A pair of keys on a real server: mail for ML-KEM between our own programs, on two devices and over a rotation."""

import base64
import json
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from support import openssl36
from support.mail_system import why_not
from support.organization import ALICE, BOB, Organization, is_one_line

from demo.letters import send
from sealwright.asn1.der import object_identifier
from sealwright.client.store import ClientStore
from sealwright.client.store_key import KeyChoice
from sealwright.net.smtp import submit_mail
from sealwright.wire.statement import MailServer

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
INPUT = 2
ML_KEM_768 = "2.16.840.1.101.3.4.4.2"


@pytest.fixture
def organization(passable_folder):
    with Organization(passable_folder, init=("--kem", "ml-kem-768")) as made:
        yield made


def keys_of(device):
    return json.loads(device.run("keys", "list", "--json").output)


def synced(device, states):
    """Return the device's keys when it has those of these states, as (slot, generation, state)."""
    deadline = time.monotonic() + 30
    while True:
        device.run("devices", "list")
        found = [(key["slot"], key["generation"], key["state"]) for key in keys_of(device) if key["not_after"]]
        if found == states:
            return keys_of(device)
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def kem_recipients(message):
    """Return how many recipients of an encrypted message are ones for ML-KEM-768."""
    return base64.b64decode(message.partition(b"\n\n")[2]).count(object_identifier(ML_KEM_768))


def mail_to_alice(organization, text):
    """Send a mail from Bob to Alice and return it as it was delivered."""
    before = len(organization.mail.raw_messages(ALICE))
    send(organization.bob, ALICE, text, f"{text} in the body")
    return organization.mail.wait_for_messages(ALICE, before + 1)[-1]


def newest_reads(device, text):
    assert f"{text} in the body" in device.run("read", "1").output


def test_a_pair_from_end_to_end(organization, monkeypatch):
    both = [("classical", 1, "ACTIVE"), ("kem", 1, "ACTIVE")]
    # 1 Each device of a mailbox has both keys.
    organization.alice, phone = organization.set_up(ALICE, "laptop"), organization.set_up(ALICE, "phone")
    organization.bob = organization.set_up(BOB, "laptop")
    for device in (organization.alice, phone, organization.bob):
        synced(device, both)
    # 2 The first mail uses ML-KEM for both readers, and both of Alice's devices read it.
    raw = mail_to_alice(organization, "first")
    assert kem_recipients(raw) == 2
    newest_reads(organization.alice, "first")
    newest_reads(phone, "first")
    # 3 A file, too.
    file, sealed, opened = (organization.private / name for name in ("plan.txt", "plan.p7m", "opened.txt"))
    file.write_text("the plan")
    organization.bob.run("encrypt", "--to", ALICE, str(file), "-o", str(sealed))
    assert sealed.read_bytes().count(object_identifier(ML_KEM_768)) == 2
    phone.run("decrypt", str(sealed), "-o", str(opened))
    assert opened.read_text() == "the plan"
    # 4 OpenSSL takes the published certificate, under our root, and writes what Alice reads.
    monkeypatch.setenv("SEALWRIGHT_KEY_FILE", str(phone.home / "store.key"))
    with ClientStore.open(phone.home, ALICE, KeyChoice()) as store:
        kem = next(key for key in store.state.mailbox_keys if key.slot == "kem")
    openssl_writes(organization, kem, "from elsewhere")
    assert "from elsewhere" in phone.run("read", "1").output
    # 5 A new generation of both: new mail for the new one, old mail is still read.
    organization.server.operate("people", "rotate", ALICE)
    rotated = [
        ("classical", 1, "DEACTIVATED"),
        ("classical", 2, "ACTIVE"),
        ("kem", 1, "DEACTIVATED"),
        ("kem", 2, "ACTIVE"),
    ]
    keys = synced(phone, rotated)
    synced(organization.alice, rotated)
    raw = mail_to_alice(organization, "second")
    assert kem_recipients(raw) == 2
    newest_reads(phone, "second")
    assert "first in the body" in phone.run("read", "3").output
    # 6 The ML-KEM key goes into no PKCS#12 file. Once the classical one does, another program may read the mailbox:
    # no ML-KEM for it any more.
    organization.server.operate("policy", "export-key", "allow")
    passphrase = organization.private / "passphrase"
    passphrase.write_text("long enough a passphrase\n")
    export = [
        "keys",
        "export",
        "-o",
        str(organization.private / "key.p12"),
        "--export-passphrase-file",
        str(passphrase),
    ]
    refused = phone.run(*export, "--key", keys[3]["key_id"], may_fail=True)
    is_one_line(refused, INPUT, "ml-kem-768", "PKCS#12")
    phone.run(*export)
    ended = [*rotated[:3], ("kem", 2, "DEACTIVATED")]
    synced(phone, ended)
    synced(organization.alice, ended)
    raw = mail_to_alice(organization, "third")
    assert kem_recipients(raw) == 0
    newest_reads(phone, "third")
    # 7 Where keys stay in the key management, content keys for ML-KEM are asked for there.
    organization.server.operate("policy", "delivery", "remote")
    phone.run("setup", ALICE)
    assert "first in the body" in phone.run("read", "4").output


def openssl_writes(organization, kem, text):
    """Let OpenSSL validate a certificate and deliver a mail that it encrypted for it."""
    folder = organization.private
    leaf, issuer = x509.load_der_x509_certificate(kem.certificates[0]), x509.load_der_x509_certificate(kem.chain[0])
    (folder / "kem.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    (folder / "issuer.pem").write_bytes(issuer.public_bytes(Encoding.PEM))
    verified = openssl36.run(
        "verify",
        "-partial_chain",
        "-purpose",
        "smimeencrypt",
        "-x509_strict",
        "-trusted",
        "issuer.pem",
        "kem.pem",
        folder=folder,
    )
    assert b"kem.pem: OK" in verified.stdout
    (folder / "text").write_text(f"Content-Type: text/plain\r\n\r\n{text}\r\n")
    made = openssl36.run(
        "cms", "-encrypt", "-aes-256-gcm", "-in", "text", "-from", "x@example.org", "-to", ALICE, "-subject", text, "kem.pem",
        folder=folder,
    ).stdout  # fmt: skip
    server = MailServer(host="127.0.0.1", port=organization.mail.smtp_port, security="none")
    before = len(organization.mail.raw_messages(ALICE))
    submit_mail(server, "x@example.org", [ALICE], made)
    organization.mail.wait_for_messages(ALICE, before + 1)

"""What a device says when something around it fails: one line, an exit code, and nothing is lost or half done."""

import json
import resource
import socket
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.mail_system import why_not
from support.organization import (
    ALICE,
    BOB,
    Organization,
    contents,
    environment,
    is_one_line,
    run_at_wrong_time,
)

from demo.programs import PROGRAM
from sealwright.errors import VerificationError
from sealwright.net.http import HttpClient

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
MAIL = "From: {}\nTo: {}\nSubject: Figures\n\nFor you alone.\n"
UNAVAILABLE, NOT_AUTHENTICATED, VERIFICATION, HELD = 9, 6, 3, 11


@pytest.fixture(scope="module")
def organization(passable_folder):
    with Organization(passable_folder) as made:
        yield made


@pytest.fixture(scope="module")
def alice(organization):
    return organization.set_up(ALICE, "laptop")


def send(device, to=BOB):
    return device.run("send", given=MAIL.format(device.address, to), may_fail=True)


def test_a_wrong_mail_password_is_one_line_and_set_up_goes_on_with_the_right_one(organization):
    device = organization.device(BOB, "wrong-password")
    refused = device.run(*organization.setup_arguments(device, "wrong"), may_fail=True)
    is_one_line(refused, NOT_AUTHENTICATED, "mail password")
    assert "wrong" not in refused.errors.replace("wrong-password", "")
    device.run(*organization.setup_arguments(device))
    assert device.run("devices", "list").output.count("wrong-password") == 1


def test_without_the_server_a_mail_is_held_and_goes_out_later(organization, alice):
    organization.server.stop()
    try:
        before = contents(alice)
        is_one_line(alice.run("devices", "list", may_fail=True), UNAVAILABLE, "does not answer")
        is_one_line(alice.run("log", "verify", may_fail=True), UNAVAILABLE, "does not answer")
        assert contents(alice) == before
        is_one_line(send(alice), HELD, "held as", "nothing was sent", "does not answer")
        (held_id,) = alice.run("held", "list").output.split()
        is_one_line(alice.run("held", "retry", held_id, may_fail=True), HELD, "nothing was sent")
        assert alice.run("held", "list").output.split() == [held_id]
        new = organization.device(BOB, "alone")
        is_one_line(new.run(*organization.setup_arguments(new), may_fail=True), UNAVAILABLE, "does not answer")
        assert alice.run("read", may_fail=True).status == 0  # mail is read without the server
    finally:
        organization.server.start()
    before = len(organization.mail.raw_messages(BOB))
    assert "sent encrypted" in alice.run("held", "retry", held_id).output
    organization.mail.wait_for_messages(BOB, before + 1)
    assert "no mail is held" in alice.run("held", "list").output
    new.run("setup", BOB, "--wait", "20")


def test_a_mail_that_the_mail_server_refuses_is_held_with_its_reason(organization, alice):
    organization.import_people("nomailbox@example.test")
    organization.wait_for_keys()
    outcome = send(alice, "nomailbox@example.test")
    is_one_line(outcome, HELD, "held as", "nothing was sent", "refuses the recipient")
    (held_id,) = alice.run("held", "list").output.split()
    alice.run("held", "drop", held_id)
    partly = f"From: {ALICE}\nTo: {BOB}\nBcc: nomailbox@example.test\nSubject: s\n\nx\n"
    before = len(organization.mail.raw_messages(BOB))
    outcome = alice.run("send", given=partly, may_fail=True)
    is_one_line(outcome, HELD, f"sent to {BOB}", "not to nomailbox@example.test", "held as")
    organization.mail.wait_for_messages(BOB, before + 1)
    (held_id,) = alice.run("held", "list").output.split()
    is_one_line(alice.run("held", "retry", held_id, may_fail=True), HELD, f"held as {held_id}", "nothing was sent")
    assert len(organization.mail.raw_messages(BOB)) == before + 1
    alice.run("held", "drop", held_id)


def test_without_the_mail_server_a_mail_is_held_and_nothing_else_changes(organization, alice):
    organization.mail.stop()
    try:
        is_one_line(send(alice), HELD, "held as", "nothing was sent", "does not answer")
        alice.run("devices", "list")  # remembers how far the log has come
        before = contents(alice)
        is_one_line(alice.run("read", may_fail=True), UNAVAILABLE, "does not answer")
        assert contents(alice) == before
    finally:
        organization.mail.start()
    (held_id,) = alice.run("held", "list").output.split()
    before = len(organization.mail.raw_messages(ALICE, ".Sent"))
    assert "sent encrypted" in alice.run("held", "retry", held_id).output
    (filed,) = organization.mail.raw_messages(ALICE, ".Sent")[before:]
    assert b"Content-Type: application/pkcs7-mime" in filed
    assert alice.run("message", "decrypt", given=filed.decode("ascii")).status == 0


@pytest.mark.parametrize("days", [-3650, 3650])
def test_a_clock_that_is_years_off_is_named(organization, alice, days):
    before = contents(alice)
    is_one_line(run_at_wrong_time(alice, ["devices", "list"], days), VERIFICATION, "clock")
    assert contents(alice) == before
    new = organization.device(BOB, f"clock{days}")
    is_one_line(run_at_wrong_time(new, organization.setup_arguments(new), days), VERIFICATION, "clock")
    new.run(*organization.setup_arguments(new))


@pytest.mark.parametrize(("start", "words"), [(-20, "no longer valid"), (10, "not yet valid")])
def test_a_tls_certificate_of_another_time_names_the_clock(tmp_path, start, words):
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now + timedelta(days=start)).not_valid_after(now + timedelta(days=start + 5))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = certificate.public_bytes(Encoding.PEM)
    (tmp_path / "tls.pem").write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem")
    with socket.create_server(("localhost", 0)) as listening:

        def answer():
            accepted, _ = listening.accept()
            with accepted, pytest.raises((ssl.SSLError, OSError)):
                context.wrap_socket(accepted, server_side=True).recv(1)
                raise OSError

        thread = threading.Thread(target=answer)
        thread.start()
        client = HttpClient([certificate.public_bytes(Encoding.DER)])
        with pytest.raises(VerificationError, match=f"{words} by this device's clock"):
            client.request("GET", f"https://localhost:{listening.getsockname()[1]}/")
        thread.join()


def test_a_full_disk_is_one_line_and_changes_nothing(organization, alice):
    before = contents(alice)

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))

    def at_the_limit(device, *arguments):
        command = [sys.executable, str(PROGRAM), *arguments]
        env = {**environment(device), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            command, env=env, preexec_fn=small_files, capture_output=True, text=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    new = organization.device(BOB, "full")
    outcome = at_the_limit(new, *organization.setup_arguments(new))
    assert outcome.returncode == 1, outcome
    assert outcome.stderr.strip().splitlines()[-1].startswith("sealwright: ")
    assert "Traceback" not in outcome.stderr
    assert not [name for name in contents(new) if name != "store.key"]
    new.run(*organization.setup_arguments(new))
    organization.server.operate("people", "rotate", ALICE)
    outcome = at_the_limit(alice, "devices", "list")
    assert outcome.returncode == 1, outcome
    assert contents(alice) == before
    alice.run("devices", "list")
    keys = json.loads(alice.run("keys", "list", "--json").output)
    assert sorted(key["generation"] for key in keys) == [1, 2]

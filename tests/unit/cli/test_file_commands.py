"""encrypt, decrypt, sign, verify and message with keys and trust from files: no server, no device; and both ways with OpenSSL."""

import json
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from support import command_line
from support.certificates import rsa_key
from support.mail_people import MailRoot

from sealwright.cms import signed

ROOT, OTHER_ROOT = MailRoot(), MailRoot("Other")
PEOPLE = {
    "alice": ROOT.person("alice"),
    "bob": ROOT.person("bob", key=rsa_key()),
    "eve": OTHER_ROOT.person("alice"),
    "locked": ROOT.person("locked", key=rsa_key(), signs=False),
}
CONTENT = b"\x00binary\r\ncontent\n" * 1000
MAIL = b"From: Alice <alice@example.test>\r\nTo: bob@example.test\r\nSubject: Money\r\n\r\nPay 10 to Bob.\r\n"
HEADER = b"From: Alice <alice@example.test>\r\nTo: bob@example.test\r\nSubject: My certificates\r\n\r\n"


@pytest.fixture
def folder(tmp_path):
    for name, person in PEOPLE.items():
        (tmp_path / f"{name}.pem").write_bytes(person.certificate.public_bytes(Encoding.PEM))
        key = person.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / f"{name}.key").write_bytes(key)
    bob = PEOPLE["bob"]
    bundle = pkcs12.serialize_key_and_certificates(b"bob", bob.key, bob.certificate, None, NoEncryption())
    (tmp_path / "bob.p12").write_bytes(bundle)
    signer = ROOT.person("signer", receives=False).certificate
    (tmp_path / "sign.pem").write_bytes(signer.public_bytes(Encoding.PEM))
    (tmp_path / "root.pem").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "crl.pem").write_bytes(ROOT.crl().public_bytes(Encoding.PEM))
    (tmp_path / "file").write_bytes(CONTENT)
    return tmp_path


@pytest.fixture
def run(folder):
    def run(*arguments, given=b""):
        found = [folder / each if each == "file" or each[-4:-3] == "." else each for each in arguments]
        environment = {"SEALWRIGHT_HOME": str(folder / "no-device")}
        return command_line.run(*found, given=given, environment=environment)

    return run


def keys(name):
    return ("--key", f"{name}.key", "--cert", f"{name}.pem")


TRUST = ("--trust-anchor", "root.pem", "--crl", "crl.pem")


@pytest.mark.parametrize("opened_with", [keys("bob"), ("--p12", "bob.p12"), keys("alice")])
def test_a_file_is_encrypted_and_decrypted(folder, run, opened_with):
    recipients = ("--recipient-certificate", "bob.pem", "--recipient-certificate", "alice.pem")
    done = run("encrypt", "file", "-o", "file.p7m", *recipients, "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["size_bytes"] == (folder / "file.p7m").stat().st_size
    assert CONTENT not in (folder / "file.p7m").read_bytes()
    assert run("decrypt", "file.p7m", "-o", "opened.bin", *opened_with).code == 0
    assert (folder / "opened.bin").read_bytes() == CONTENT


def test_a_file_for_somebody_else_stays_closed(folder, run):
    run("encrypt", "file", "-o", "file.p7m", "--recipient-certificate", "bob.pem")
    done = run("decrypt", "file.p7m", "-o", "opened.bin", *keys("alice"))
    assert (done.code, done.out) == (3, b"")
    assert done.err.count("\n") == 1
    assert not (folder / "opened.bin").exists()


def test_a_changed_file_is_not_written(folder, run):
    run("encrypt", "file", "-o", "file.p7m", "--recipient-certificate", "bob.pem")
    changed = bytearray((folder / "file.p7m").read_bytes())
    changed[-1] ^= 1
    (folder / "file.p7m").write_bytes(changed)
    assert run("decrypt", "file.p7m", "-o", "opened.bin", *keys("bob")).code == 3
    assert not (folder / "opened.bin").exists()


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("name", ["alice", "bob"])
def test_a_file_is_signed_and_verified(folder, run, name, detached):
    options = ("--detached",) if detached else ()
    assert run("sign", "file", "-o", "file.p7s", *keys(name), *options).code == 0
    given = ("--content", "file") if detached else ()
    done = run("verify", "file.p7s", *given, "-o", "content.bin", *TRUST)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"signed by {name}@example.test".encode())
    assert (folder / "content.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("signer", "options", "change", "said"),
    [
        ("eve", TRUST, False, "no valid signature"),
        ("alice", TRUST, True, "no valid signature"),
        ("alice", (*TRUST, "--at", "2020-01-01"), False, "no valid signature"),
    ],
)
def test_what_does_not_hold_is_not_written(folder, run, signer, options, change, said):
    run("sign", "file", "-o", "file.p7s", *keys(signer))
    if change:
        octets = (folder / "file.p7s").read_bytes()
        (folder / "file.p7s").write_bytes(octets.replace(b"content", b"Content", 1))
    done = run("verify", "file.p7s", "-o", "content.bin", *options)
    assert (done.code, done.out) == (3, b"")
    assert said in done.err
    assert not (folder / "content.bin").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("verify", "file.p7s"), 4, "--trust-anchor"),
        (("sign", "file", "-o", "out.p7s"), 4, "--p12, or --key and --cert"),
        (("decrypt", "file.p7s", "-o", "out.bin"), 4, "--p12, or --key and --cert"),
        (("encrypt", "file", "-o", "out.p7m"), 4, "--recipient-certificate"),
        (("encrypt", "file", "-o", "out.p7m", "--recipient-certificate", "root.key"), 2, "does not exist"),
        (("encrypt", "file", "-o", "out.p7m", "--recipient-certificate", "alice.key"), 2, "no certificate"),
        (("encrypt", "file", "-o", "out.p7m", "--recipient-certificate", "sign.pem"), 2, "not made to encrypt to"),
        (("message", "encrypt", "--recipient-certificate", "sign.pem"), 2, "not made to encrypt to"),
        (("sign", "file", "-o", "out.p7s", *keys("locked")), 2, "is made to sign"),
        (("sign", "file", "-o", "out.p7s", "--key", "alice.key", "--cert", "bob.pem"), 2, "no certificate"),
        (("decrypt", "file.p7s", "-o", "out.bin", *keys("alice")), 2, "not encrypted"),
        (("verify", "file", *TRUST), 2, "not a CMS"),
        (("message", "verify"), 4, "--trust-anchor"),
        (("message", "encrypt", *keys("alice")), 2, "--recipient-certificate"),
        (("message", "sign", *keys("alice"), *keys("bob")), 2, "one key"),
    ],
)
def test_each_error_says_what_helps(run, arguments, code, said):
    assert run("sign", "file", "-o", "file.p7s", *keys("alice")).code == 0
    done = run(*arguments, given=MAIL)
    assert (done.code, done.out) == (code, b"")
    assert said in done.err


def test_a_message_is_signed_and_encrypted_to_certificates(run):
    sent = run("message", "encrypt", "--recipient-certificate", "bob.pem", *keys("alice"), given=MAIL)
    assert (sent.code, sent.err) == (0, "")
    assert b"Money" not in sent.out
    opened = run("message", "decrypt", *keys("bob"), *TRUST, given=sent.out)
    assert b"Pay 10" in opened.out
    assert opened.err.startswith("sealwright: signed by alice@example.test")
    told = run("message", "verify", *keys("bob"), *TRUST, "--json", given=sent.out)
    assert told.code == 0
    assert json.loads(told.out)["signature"]["state"] == "valid"
    assert json.loads(told.out)["subject"] == "Money"


def test_a_message_that_is_only_encrypted_is_warned_of(run):
    sent = run("message", "encrypt", "--recipient-certificate", "bob.pem", given=MAIL)
    assert sent.code == 0
    assert "warning: the message is not signed" in sent.err
    opened = run("message", "decrypt", *keys("bob"), given=sent.out)
    assert b"Pay 10" in opened.out
    assert "not signed" in opened.err


def test_a_signed_message(run):
    sent = run("message", "sign", *keys("alice"), given=MAIL)
    assert run("message", "verify", *TRUST, given=sent.out).code == 0
    for changed in (sent.out.replace(b"Pay 10", b"Pay 99"), sent.out.replace(b"alice@", b"bob@"), MAIL):
        assert run("message", "verify", *TRUST, given=changed).code == 3
    assert run("message", "verify", "--trust-anchor", "eve.pem", given=sent.out).code == 3


def openssl(folder, *arguments):
    subprocess.run(["openssl", "cms", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


def test_openssl_reads_our_files(folder, run):
    run("encrypt", "file", "-o", "file.p7m", "--recipient-certificate", "bob.pem")
    bob = ("-recip", "bob.pem", "-inkey", "bob.key")
    openssl(folder, "-decrypt", "-binary", "-inform", "DER", "-in", "file.p7m", *bob, "-out", "opened")
    assert (folder / "opened").read_bytes() == CONTENT
    run("sign", "file", "-o", "file.p7s", *keys("alice"))
    openssl(
        folder, "-verify", "-binary", "-inform", "DER", "-in", "file.p7s", "-CAfile", "root.pem", "-out", "verified"
    )
    assert (folder / "verified").read_bytes() == CONTENT


@pytest.mark.parametrize("form", ["DER", "PEM"])
def test_we_read_the_files_of_openssl(folder, run, form):
    openssl(folder, "-encrypt", "-binary", "-aes-256-gcm", "-in", "file", "-outform", form, "-out", "o.p7m", "bob.pem")
    assert run("decrypt", "o.p7m", "-o", "opened.bin", *keys("bob")).code == 0
    assert (folder / "opened.bin").read_bytes() == CONTENT
    signer = ("-signer", "alice.pem", "-inkey", "alice.key")
    openssl(folder, "-sign", "-binary", "-nodetach", "-in", "file", "-outform", form, "-out", "o.p7s", *signer)
    assert run("verify", "o.p7s", *TRUST).code == 0


def test_standard_input_and_output_take_the_place_of_files(folder, run):
    closed = run("encrypt", "-", "-o", "-", "--recipient-certificate", "bob.pem", given=CONTENT)
    opened = run("decrypt", "-", "-o", "-", *keys("bob"), given=closed.out)
    assert (closed.err, opened.err, opened.out) == ("", "", CONTENT)
    signed = run("sign", "-", "-o", "-", *keys("alice"), given=CONTENT)
    verified = run("verify", "-", "-o", "-", *TRUST, given=signed.out)
    assert verified.out == CONTENT
    assert verified.err.startswith("signed by alice@example.test")
    signature = run("sign", "file", "-o", "-", "--detached", *keys("alice"))
    assert run("verify", "-", "--content", "file", *TRUST, given=signature.out).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("decrypt", "-", "-o", "-", *keys("bob"), "--json"), "--json"),
        (("verify", "-", "--content", "-", *TRUST), "both be standard input"),
    ],
)
def test_one_stream_is_not_used_for_two_things(run, arguments, said):
    done = run(*arguments)
    assert (done.code, done.out) == (2, b"")
    assert said in done.err


def test_nothing_goes_to_standard_output_before_it_was_checked(folder, run):
    closed = run("encrypt", "file", "-o", "-", "--recipient-certificate", "bob.pem").out
    done = run("decrypt", "-", "-o", "-", *keys("bob"), given=closed[:-1] + bytes([closed[-1] ^ 1]))
    assert (done.code, done.out) == (3, b"")


def test_a_file_that_was_encrypted_with_a_password_is_opened_with_it(folder, run):
    command = "cms -encrypt -binary -aes-256-cbc -outform DER -in file -out file.p7m -pwri_password secret"
    subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    for name, content in (("good.pwd", "secret\n"), ("bad.pwd", "other\n")):
        (folder / name).write_text(content)
    assert run("decrypt", "file.p7m", "-o", "out.bin", "--password-file", "bad.pwd").code == 3
    assert not (folder / "out.bin").exists()
    done = run("decrypt", "file.p7m", "-o", "out.bin", "--password-file", "bad.pwd", "--password-file", "good.pwd")
    assert (done.code, (folder / "out.bin").read_bytes()) == (0, CONTENT)


def test_a_signature_is_countersigned_and_verified(folder, run):
    assert run("sign", "file", "-o", "file.p7s", *keys("alice")).code == 0
    done = run("countersign", "file.p7s", "-o", "both.p7s", *keys("bob"), *keys("eve"), "--json")
    assert (done.code, json.loads(done.out)["size_bytes"]) == (0, (folder / "both.p7s").stat().st_size)
    said = run("verify", "both.p7s", "-o", "out.bin", *TRUST)
    assert (said.code, said.err) == (0, "")
    assert b"signed by alice@example.test" in said.out
    assert said.out.strip().endswith(b"countersigned by bob@example.test")  # eve's root is not trusted
    assert (folder / "out.bin").read_bytes() == CONTENT
    openssl(folder, "-verify", "-binary", "-inform", "DER", "-in", "both.p7s", "-CAfile", "root.pem", "-out", "v.bin")
    assert (folder / "v.bin").read_bytes() == CONTENT
    explained = run("inspect", "both.p7s", *TRUST)
    assert b"countersigned by bob@example.test: valid" in explained.out
    assert b"countersigned by alice@example.test: NOT valid" in explained.out
    printed = subprocess.run(
        ["openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", "both.p7s"],
        cwd=folder,
        check=True,
        capture_output=True,
    ).stdout
    assert printed.count(b"object: countersignature") == 2


@pytest.mark.parametrize(("given", "said"), [("file", "not a CMS"), ("bare.p7c", "nothing to countersign")])
def test_what_carries_no_signature_is_not_countersigned(folder, run, given, said):
    certificate = PEOPLE["bob"].certificate
    (folder / "bare.p7c").write_bytes(signed.certificates_only([certificate]))
    done = run("countersign", given, "-o", "out.bin", *keys("bob"))
    assert (done.code, said in done.err) == (2, True)
    assert not (folder / "out.bin").exists()


def test_a_message_carries_certificates(folder, run):
    sent = run("message", "certificates", "bob.pem", "alice.pem", "--crl", "crl.pem", given=HEADER)
    assert (sent.code, sent.err) == (0, "")
    assert sent.out.startswith(HEADER.strip())
    (folder / "sent.eml").write_bytes(sent.out)
    explained = json.loads(run("inspect", "sent.eml", "--json").out)
    assert [each["kind"] for each in explained["layers"]] == ["certificates-only"]
    assert [each["code"] for each in explained["warnings"]] == ["certificates-only"]
    command = ["openssl", "smime", "-pk7out", "-in", "sent.eml", "-out", "sent.p7c"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    shown = json.loads(run("certificate", "show", "sent.p7c", "--json").out)
    assert {each["addresses"] for each in shown} == {"alice@example.test", "bob@example.test"}


@pytest.mark.parametrize(
    ("arguments", "given", "code", "said"),
    [
        (("bob.pem",), MAIL, 2, "has no text"),
        (("bob.pem",), b"no header", 2, "malformed header"),
        (("bob.key",), HEADER, 2, "no certificate"),
        ((), HEADER, 4, "or give files with certificates"),
    ],
)
def test_a_message_that_cannot_carry_certificates(run, arguments, given, code, said):
    done = run("message", "certificates", *arguments, given=given)
    assert (done.code, done.out) == (code, b"")
    assert said in done.err


def test_a_message_is_compressed(folder, run):
    large = MAIL + b"Again and again.\r\n" * 1000
    sent = run("message", "compress", given=large.replace(b"\r\n\r\n", b"\r\nBcc: c@example.test\r\n\r\n", 1))
    assert (sent.code, sent.err) == (0, "")
    assert len(sent.out) * 10 < len(large)
    assert b"Subject: Money" in sent.out
    assert b"Bcc" not in sent.out
    assert b"smime-type=compressed-data" in sent.out
    (folder / "sent.eml").write_bytes(sent.out)
    explained = json.loads(run("inspect", "sent.eml", "--json").out)
    assert ([each["kind"] for each in explained["layers"]], explained["summary"]["signed"]) == (["compressed"], False)
    assert explained["body_text"].startswith("Pay 10 to Bob.\nAgain")
    signed_too = run("message", "sign", *keys("alice"), given=sent.out)
    assert run("message", "verify", *TRUST, given=signed_too.out).code == 0


def test_a_file_is_signed_and_encrypted_and_opened_with_a_verdict(folder, run):
    done = run("encrypt", "file", "-o", "both.p7m", "--sign", *keys("alice"), "--recipient-certificate", "bob.pem")
    assert (done.code, done.err) == (0, "")
    said = run("decrypt", "both.p7m", "-o", "out.bin", "--verify", *keys("bob"), *TRUST)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(b"signed by alice@example.test")
    assert (folder / "out.bin").read_bytes() == CONTENT
    # through pipes, and with OpenSSL in two steps
    closed = run(
        "encrypt", "-", "-o", "-", "--sign", *keys("alice"), "--recipient-certificate", "bob.pem", given=CONTENT
    )
    opened = run("decrypt", "-", "-o", "-", "--verify", *keys("bob"), *TRUST, given=closed.out)
    assert (opened.code, opened.out) == (0, CONTENT)
    openssl(folder, "-decrypt", "-binary", "-inform", "DER", "-in", "both.p7m", "-inkey", "bob.key", "-out", "s.p7s")
    openssl(folder, "-verify", "-binary", "-inform", "DER", "-in", "s.p7s", "-CAfile", "root.pem", "-out", "v.bin")
    assert (folder / "v.bin").read_bytes() == CONTENT
    # and what OpenSSL made in two steps
    signer = ("-signer", "alice.pem", "-inkey", "alice.key")
    openssl(folder, "-sign", "-binary", "-nodetach", "-in", "file", "-outform", "DER", "-out", "o.p7s", *signer)
    openssl(
        folder, "-encrypt", "-binary", "-aes-256-gcm", "-in", "o.p7s", "-outform", "DER", "-out", "o.p7m", "bob.pem"
    )
    assert run("decrypt", "o.p7m", "-o", "o.bin", "--verify", *keys("bob"), *TRUST, "--json").code == 0
    assert (folder / "o.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("made_by", "options", "code", "said"),
    [
        (("--sign", *keys("eve")), TRUST, 3, "no valid signature"),
        (("--sign", *keys("alice")), (*TRUST, "--at", "2020-01-01"), 3, "no valid signature"),
        ((), TRUST, 2, "not a CMS"),
    ],
)
def test_what_was_not_signed_by_whom_is_trusted_is_not_written(folder, run, made_by, options, code, said):
    assert run("encrypt", "file", "-o", "both.p7m", *made_by, "--recipient-certificate", "bob.pem").code == 0
    done = run("decrypt", "both.p7m", "-o", "out.bin", "--verify", *keys("bob"), *options)
    assert (done.code, done.out) == (code, b"")
    assert said in done.err
    assert not (folder / "out.bin").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("encrypt", "file", "-o", "x.p7m", *keys("alice"), "--recipient-certificate", "bob.pem"), 2, "--sign"),
        (("encrypt", "file", "-o", "x.p7m", "--sign", "--recipient-certificate", "bob.pem"), 4, "--key and --cert"),
        (("decrypt", "file", "-o", "x.bin", *keys("bob"), *TRUST), 2, "--verify"),
        (("decrypt", "file", "-o", "x.bin", *keys("bob"), "--verify"), 4, "--trust-anchor"),
    ],
)
def test_signing_and_verifying_are_asked_for(run, arguments, code, said):
    done = run(*arguments)
    assert done.code == code
    assert said in done.err

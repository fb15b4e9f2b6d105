"""`sealwright inspect`: without a server, without a device, and whatever the file holds."""

import contextlib
import json
import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import command_line
from support.certificates import rsa_key
from support.mail_people import MailRoot
from support.smime_layers import (
    FROM_ALICE,
    TEXT,
    base64_lines,
    encrypted,
    mixed,
    signature_of,
    signed_clear,
    signed_opaque,
    with_header,
)

from sealwright.client.inspection import inspect_message, inspection_document
from sealwright.errors import InputError
from sealwright.smime.originators import compared

ROOT = MailRoot()
ALICE, BOB = ROOT.person("alice"), ROOT.person("bob", key=rsa_key())
PROTECTED = with_header(TEXT, FROM_ALICE, protection="cipher")
MAIL = FROM_ALICE.replace(b"Money", b"[...]") + encrypted(signed_opaque(PROTECTED, ALICE), BOB)


def pem(certificate):
    return certificate.public_bytes(Encoding.PEM)


@pytest.fixture
def folder(tmp_path):
    protection = BestAvailableEncryption(b"secret")
    files = {
        "mail.eml": MAIL,
        "root.pem": pem(ROOT.certificate),
        "crl.der": ROOT.crl().public_bytes(Encoding.DER),
        "bob.pem": pem(BOB.certificate),
        "bob.key": BOB.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "bob.enc": BOB.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, protection),
        "bob.p12": pkcs12.serialize_key_and_certificates(b"bob", BOB.key, BOB.certificate, None, protection),
        "password": b"secret\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def run(folder, *arguments, given=b""):
    """Run `inspect` in a folder; return exit code, standard output and standard error."""
    found = [folder / each if (folder / each).is_file() else each for each in arguments]
    done = command_line.run("inspect", *found, given=given)
    return done.code, done.out.decode(), done.err


TRUST = ("--trust-anchor", "root.pem", "--crl", "crl.der")


@pytest.mark.parametrize(
    "keys",
    [
        ("--key", "bob.key", "--cert", "bob.pem"),
        ("--key", "bob.enc", "--certificate", "bob.pem", "--password-file", "password"),
        ("--p12", "bob.p12", "--password-file", "password"),
    ],
)
def test_a_message_is_explained_with_keys_from_files(folder, keys):
    code, out, err = run(folder, "mail.eml", *keys, *TRUST, "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["summary"] == {
        "encrypted": True,
        "signed": True,
        "signature_valid": True,
        "signer_matches_from": True,
        "authentic_author": "alice@example.test",
    }
    assert document["headers"]["subject"] == "Money"
    assert document["headers"]["protected"]["Subject"] == "Money"
    assert document["body_text"] == "Pay 10 to Bob.\n"
    assert document["warnings"] == []
    assert [layer["kind"] for layer in document["layers"]] == ["encrypted", "signed"]
    assert document["layers"][1]["signers"][0]["revocation"] == "good"


def test_a_message_is_explained_to_people(folder):
    code, out, _ = run(folder, "mail.eml", "--key", "bob.key", "--cert", "bob.pem", *TRUST)
    assert code == 0
    for line in (
        "encrypted; written by alice@example.test",
        "with aes-256-gcm, which shows changes",
        "signed by alice@example.test: valid",
        "revocation: good",
        "Subject: Money",
    ):
        assert line in out, out
    assert "\x1b" not in out
    assert "Pay 10" not in out


def test_without_a_key_the_message_stays_closed(folder):
    code, out, _ = run(folder, "mail.eml", *TRUST, "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["summary"]["encrypted"], document["body_text"]) == (True, None)
    assert [each["code"] for each in document["warnings"]] == ["not-decrypted"]
    serial_number = f"{BOB.certificate.serial_number:x}"
    recipients = document["layers"][0]["encryption"]["recipients"]
    assert recipients == [{"issuer": "CN=Root", "serial_number": serial_number}]
    assert serial_number in run(folder, "mail.eml")[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "next: give the root that you trust with --trust-anchor"),
        (("--trust-anchor", "bob.pem"), "next: give a missing issuer's certificate with --certificate"),
        (("--trust-anchor", "root.pem"), "next: give the issuer's revocation list with --crl"),
    ],
)
def test_people_are_told_what_helps(folder, options, said):
    (folder / "signed.eml").write_bytes(FROM_ALICE + signed_clear(TEXT, ALICE))
    assert said in run(folder, "signed.eml", *options)[1]


def test_nothing_helps_a_revoked_certificate(folder):
    (folder / "revoked.crl").write_bytes(ROOT.crl(ALICE.certificate).public_bytes(Encoding.DER))
    (folder / "signed.eml").write_bytes(FROM_ALICE + signed_clear(TEXT, ALICE))
    _, out, _ = run(folder, "signed.eml", "--trust-anchor", "root.pem", "--crl", "revoked.crl")
    assert "[revoked]" in out
    assert "next:" not in out


def test_a_broken_signature_is_nobodys_but_described(folder):
    changed = FROM_ALICE + signed_clear(TEXT, ALICE).replace(b"Pay 10", b"Pay 99")
    _, out, _ = run(folder, "-", *TRUST, given=changed)
    assert "signed by an unknown signer: NOT valid" in out
    assert "names the certificate: CN=alice" in out
    signer = json.loads(run(folder, "-", *TRUST, "--json", given=changed)[1])["layers"][0]["signers"][0]
    assert (signer["intact"], signer["matches_from"], signer["digest"]) == (False, False, "sha256")
    assert signer["signing_time"] is not None


def test_without_a_revocation_list_there_is_a_warning(folder):
    _, out, _ = run(folder, "mail.eml", "--key", "bob.key", "--cert", "bob.pem", "--trust-anchor", "root.pem", "--json")
    document = json.loads(out)
    assert document["summary"]["authentic_author"] == "alice@example.test"
    assert [each["code"] for each in document["warnings"]] == ["revocation-unknown"]


@pytest.mark.parametrize(
    ("at", "valid"), [("2020-01-01", False), ("2100-01-01T00:00:00+02:00", False), ("yesterday", None)]
)
def test_the_time_in_question(folder, at, valid):
    (folder / "signed.eml").write_bytes(FROM_ALICE + signed_clear(TEXT, ALICE))
    code, out, err = run(folder, "signed.eml", *TRUST, "--at", at, "--json")
    if valid is None:
        assert (code, out) == (2, "")
        assert "--at" in err
    else:
        assert json.loads(out)["summary"]["signature_valid"] is valid


@pytest.mark.parametrize("form", ["der", "pem", "mbox"])
def test_other_files_than_messages(folder, form):
    content = {
        "der": signature_of(TEXT, ALICE),
        "pem": b"",
        "mbox": b"From alice Mon Jan  1 00:00:00 2026\n" + FROM_ALICE + signed_clear(TEXT, ALICE),
    }[form]
    if form == "pem":
        import base64

        lines = base64.encodebytes(signature_of(TEXT, ALICE))
        content = b"-----BEGIN CMS-----\n" + lines + b"-----END CMS-----\n"
    code, out, _ = run(folder, "-", *TRUST, "--json", given=content)
    document = json.loads(out)
    assert code == 0
    assert document["summary"]["signature_valid"]
    assert document["summary"]["authentic_author"] == ("alice@example.test" if form == "mbox" else None)
    assert document["body_text"] == "Pay 10 to Bob.\n"


def test_a_signature_pasted_into_the_text_of_a_mail_stays_text(folder):
    pasted = b"-----BEGIN CMS-----\r\n" + base64_lines(signature_of(PROTECTED, ALICE)) + b"-----END CMS-----\r\n"
    mail = b"From: mallory@example.test\r\n\r\nPay 99 to Mallory.\r\n" + pasted
    document = json.loads(run(folder, "-", *TRUST, "--json", given=mail)[1])
    assert document["summary"] == dict.fromkeys(document["summary"], False) | {"authentic_author": None}
    assert document["headers"]["from"] == ["mallory@example.test"]
    assert document["body_text"].startswith("Pay 99 to Mallory.\n-----BEGIN CMS-----")


def test_a_first_from_field_in_its_obsolete_form_is_no_line_of_a_mailbox_file(folder):
    mail = b"From : mallory@example.test\r\n" + FROM_ALICE + signed_clear(TEXT, ALICE)
    document = json.loads(run(folder, "-", *TRUST, "--json", given=mail)[1])
    assert document["summary"]["authentic_author"] is None
    assert "several-from-fields" in [each["code"] for each in document["warnings"]]


def test_a_bare_signature_has_no_outer_from_that_could_differ(folder):
    document = json.loads(run(folder, "-", *TRUST, "--json", given=signature_of(PROTECTED, ALICE))[1])
    assert document["summary"]["authentic_author"] == "alice@example.test"
    assert document["warnings"] == []


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59", "9999-12-31T23:59:59-14:00"])
def test_a_time_at_the_end_of_all_times_is_an_input_error(folder, at):
    code, out, err = run(folder, "mail.eml", "--at", at)
    assert (code, out) == (2, "")
    assert "--at" in err


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_file_name_that_is_no_text(folder, form):
    path = folder / os.fsdecode(b"m\xff.eml")
    path.write_bytes(MAIL)
    code, out, _ = run(folder, path, *form)
    assert code == 0
    assert "encrypted" in out


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_letters_that_the_locale_does_not_have(folder, form):
    (folder / "plain.eml").write_bytes("From: a@b.test\r\nSubject: Grüße €\r\n\r\nx".encode())
    command = (sys.executable, "-m", "sealwright.cli.main", "inspect", folder / "plain.eml", *form)
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "latin-1"}, check=True)
    if form:
        assert json.loads(done.stdout.decode())["headers"]["subject"] == "Grüße €"
    else:
        assert "Grüße ?" in done.stdout.decode("latin-1")


def test_json_holds_no_raw_control_character(folder):
    hostile = "From: a@b.test\r\nSubject: x\r\n\r\n\u009b2J\u202e\u061c\x7f".encode()
    _, out, _ = run(folder, "-", "--json", given=hostile)
    assert not set("\u009b\u202e\u061c\x7f") & set(out)
    assert json.loads(out)["body_text"] == "\u009b2J\u202e\u061c\x7f"


def test_a_signed_file_that_is_no_message(folder):
    code, out, _ = run(folder, "-", *TRUST, "--json", given=signature_of(b"%PDF-1.7\0\xff", ALICE))
    document = json.loads(out)
    assert code == 0
    assert document["summary"]["signature_valid"]
    assert document["attachments"] == [
        {"file_name": "content", "content_type": "application/octet-stream", "size_bytes": 10}
    ]


@pytest.mark.parametrize("content", [b"", b"nothing of the kind\n", b"\r\n\r\nbody", b"\0" * 100, b"\xff\xfe"])
def test_what_is_no_message_is_an_input_error(folder, content):
    code, out, err = run(folder, "-", given=content)
    assert (code, out) == (2, "")
    assert err.startswith("sealwright: not a message")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--trust-anchor", "bob.key"), "bob.key: the file holds no certificate"),
        (("--crl", "bob.pem"), "bob.pem: the file holds no revocation list"),
        (("--key", "bob.key"), "--cert"),
        (("--p12", "bob.p12"), "bob.p12: this is no PKCS #12 file, or no password"),
        (("--key", "bob.enc", "--cert", "bob.pem"), "bob.enc: the private key is protected by a password, and none"),
    ],
)
def test_files_that_do_not_help_are_named(folder, arguments, said):
    code, out, err = run(folder, "mail.eml", *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_text_from_a_message_cannot_steer_the_terminal(folder):
    hostile = b"From: alice@example.test\r\nSubject: =?utf-8?b?G1syShtbMW0=?= [red]x[/red]\r\n\r\n\x1b[2J"
    code, out, _ = run(folder, "-", given=hostile)
    assert code == 0
    assert "\x1b" not in out
    assert "[red]x[/red]" in out


NESTED = FROM_ALICE + mixed(
    signed_opaque(mixed(TEXT, encrypted(TEXT, BOB)), ALICE), encrypted(TEXT, BOB), signed_clear(TEXT, ALICE)
)
SAMPLES = [
    MAIL,
    FROM_ALICE + signed_clear(PROTECTED.replace(b"cipher", b"clear"), ALICE),
    FROM_ALICE + encrypted(signed_clear(TEXT, ALICE), BOB, authenticated=False),
    NESTED,
    signature_of(TEXT, ALICE),
]


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SAMPLES), st.floats(0, 1), st.binary(max_size=8), st.integers(0, 30))
def test_nothing_crashes_and_nobody_else_becomes_the_author(sample, where, insertion, cut):
    place = int(where * len(sample))
    changed = sample[:place] + insertion + sample[place + cut :]
    try:
        verdict = inspect_message(changed, BOB.find_keys, ROOT.trust())
    except InputError:
        return
    document = inspection_document(verdict)
    json.dumps(document)
    author = document["summary"]["authentic_author"]
    if author is not None:
        assert author == compared("alice@example.test")
        assert document["body_text"] == "Pay 10 to Bob.\n"


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(TEXT) - 1), st.integers(1, 255))
def test_a_flipped_octet_of_the_signed_part_leaves_no_author(place, bits):
    message = FROM_ALICE + signed_clear(TEXT, ALICE)
    start = message.index(TEXT)
    flipped = bytes((message[start + place] ^ bits,))
    changed = message[: start + place] + flipped + message[start + place + 1 :]
    if changed[start : start + len(TEXT)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") == TEXT.replace(b"\r\n", b"\n"):
        return  # a line end in another form is the same canonical text (RFC 8551 section 3.1.1)
    verdict = inspect_message(changed, BOB.find_keys, ROOT.trust())
    assert verdict.summary.authentic_author is None


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=400))
def test_any_octets_after_a_header(octets):
    for start in (
        b"From: a@b.test\r\n",
        b"Content-Type: application/pkcs7-mime\r\n\r\n",
        b"0\x80",
        b"-----BEGIN CMS-----\n",
    ):
        with contextlib.suppress(InputError):
            verdict = inspect_message(start + octets, BOB.find_keys, ROOT.trust())
            assert verdict.summary.authentic_author is None

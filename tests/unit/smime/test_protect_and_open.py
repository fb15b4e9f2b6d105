"""From a message to a protected one and back: what is hidden, what is signed, what a reader is told."""

import shutil
import subprocess
from email import message_from_bytes, policy

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import NOW, ec_key, rsa_key, self_signed
from support.decryption import keys_of, no_keys
from support.opened import open_message

from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import DecodingError, DecryptionError, InputError
from sealwright.smime.algorithm_choice import Algorithms
from sealwright.smime.compose import Protection, protect

ALICE_KEY, BOB_KEY = ec_key(), rsa_key()
ALICE, BOB = self_signed(ALICE_KEY, "alice"), self_signed(BOB_KEY, "bob")
SIGNER = PrivateKeySigner(ALICE, ALICE_KEY)
MESSAGE = (
    b"From: Alice <alice@example.test>\nTo: bob@example.test\nBcc: carol@example.test\nSubject: Layoffs in\n spring\n"
    b"Keywords: secret\nMessage-ID: <1@example.test>\nMIME-Version: 1.0\n"
    b'Content-Type: multipart/mixed; boundary="b"\n\n'
    b"--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGr\xc3\xbc\xc3\x9fe\n"
    b"--b\nContent-Type: text/csv\nContent-Disposition: attachment; filename=staff.csv\n\na,b\n--b--\n"
)


find = keys_of((BOB, BOB_KEY))


def test_an_encrypted_message_hides_everything_but_the_route():
    sent = protect(MESSAGE, SIGNER, [BOB], signing_time=NOW)
    outer = message_from_bytes(sent, policy=policy.default)
    assert outer["Subject"] == "[...]"
    assert (outer["From"], outer["To"]) == ("Alice <alice@example.test>", "bob@example.test")
    assert outer["Bcc"] is None
    assert outer["Keywords"] is None
    assert outer.get_content_type() == "application/pkcs7-mime"
    for secret in (b"Layoffs", b"spring", b"staff.csv", b"carol", b"alice signs"):
        assert secret not in sent
    assert b"\n" not in sent.replace(b"\r\n", b"")


@pytest.mark.parametrize("binary_inside", [False, True])
def test_the_reader_gets_the_message_back_with_its_protection(binary_inside):
    protection = Protection(algorithms=Algorithms(binary_inside=binary_inside))
    opened = open_message(protect(MESSAGE, SIGNER, [BOB], signing_time=NOW, protection=protection), find)
    assert (opened.encrypted, opened.authenticated_encryption, opened.headers_protected) == (True, False, True)
    assert opened.verified is not None
    assert opened.verified == [ALICE]
    assert opened.signature_error is None
    assert opened.subject == "Layoffs in spring"
    assert opened.from_addresses == ("alice@example.test",)
    assert opened.body_text.strip() == "Grüße"
    assert [(item.file_name, item.content.strip()) for item in opened.attachments] == [("staff.csv", b"a,b")]
    assert b"HP-Outer: Subject: [...]" in opened.entity
    assert b"carol" not in opened.entity


def test_what_is_binary_inside_is_ascii_outside_and_a_quarter_smaller():
    """RFC 8551 section 3.1.2."""
    message = MESSAGE + b"x,y\n" * 5000
    plain, binary = (
        protect(
            message, SIGNER, [BOB], signing_time=NOW, protection=Protection(algorithms=Algorithms(binary_inside=inside))
        )
        for inside in (False, True)
    )
    assert binary.isascii()
    assert b"Transfer-Encoding: binary" not in binary
    assert len(binary) < len(plain) * 0.8


def test_a_signed_message_keeps_its_subject_and_says_so():
    sent = protect(MESSAGE, SIGNER, [], signing_time=NOW)
    opened = open_message(sent, find)
    assert (opened.encrypted, opened.headers_protected) == (False, True)
    assert opened.verified is not None
    assert opened.subject == "Layoffs in spring"


def test_without_the_key_nothing_is_shown():
    with pytest.raises(DecryptionError):
        open_message(protect(MESSAGE, SIGNER, [BOB], signing_time=NOW), no_keys)


def test_a_plain_message_has_no_status():
    opened = open_message(MESSAGE, find)
    assert (opened.encrypted, opened.verified, opened.headers_protected) == (False, None, False)
    with pytest.raises(InputError):  # never a clear message where a protected one was asked for
        protect(MESSAGE, None, [], signing_time=NOW)


def test_an_hp_parameter_without_protection_is_ignored():
    plain = MESSAGE.replace(b'boundary="b"', b'boundary="b"; hp="cipher"')
    assert open_message(plain, find).headers_protected is False


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_arbitrary_octets_give_one_error_or_a_plain_message(data):
    try:
        opened = open_message(b"Subject: x\r\n" + data, find)
    except (DecodingError, DecryptionError):
        return
    assert opened.encrypted is False
    assert opened.verified is None


SENT = protect(MESSAGE, SIGNER, [BOB], signing_time=NOW)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(SENT) - 1), st.binary(max_size=8), st.integers(0, 30))
def test_mutations_never_raise_anything_else(position, insertion, cut):
    try:
        opened = open_message(SENT[:position] + insertion + SENT[position + cut :], find)
    except (DecodingError, DecryptionError):
        return
    if opened.verified is not None:
        assert opened.subject == "Layoffs in spring"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("options", [[], ["-nodetach"], ["-md", "sha512"]])
def test_signed_mail_by_openssl_is_verified(tmp_path, options):
    (tmp_path / "a.pem").write_bytes(ALICE.public_bytes(Encoding.PEM))
    (tmp_path / "a.key").write_bytes(ALICE_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "m").write_bytes(b"Content-Type: text/plain\n\nhello\n")
    mail = subprocess.run(
        ["openssl", "cms", "-sign", "-in", "m", "-signer", "a.pem", "-inkey", "a.key", "-subject", "S", *options],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    ).stdout
    opened = open_message(mail, find)
    assert opened.signature_error is None
    assert opened.verified is not None
    assert opened.body_text.strip() == "hello"
    changed = open_message(mail.replace(b"hello", b"HELLO"), find) if not options or options[0] == "-md" else None
    assert changed is None or (changed.verified is None and changed.signature_error is not None)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_reads_our_mail_and_we_read_its(tmp_path):
    (tmp_path / "b.pem").write_bytes(BOB.public_bytes(Encoding.PEM))
    (tmp_path / "b.key").write_bytes(BOB_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "a.pem").write_bytes(ALICE.public_bytes(Encoding.PEM))
    (tmp_path / "m").write_bytes(protect(MESSAGE, SIGNER, [BOB], signing_time=NOW))

    def openssl(*arguments):
        return subprocess.run(["openssl", "cms", *arguments], cwd=tmp_path, check=True, capture_output=True).stdout

    (tmp_path / "s").write_bytes(openssl("-decrypt", "-in", "m", "-recip", "b.pem", "-inkey", "b.key"))
    content = openssl("-verify", "-in", "s", "-CAfile", "a.pem", "-purpose", "any")
    assert b"Subject: Layoffs in" in content
    (tmp_path / "p").write_bytes(b"Content-Type: text/plain\n\nhello\n")
    opened = open_message(openssl("-encrypt", "-aes256", "-in", "p", "-subject", "S", "b.pem"), find)
    assert (opened.encrypted, opened.headers_protected, opened.body_text.strip()) == (True, False, "hello")

"""How other programs spell S/MIME: each habit is a row with its source, and gives the same verdict as the textbook form."""

import base64
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.certificates import rsa_key
from support.mail_people import MailRoot
from support.smime_layers import TEXT, encrypted, signature_of, signed_clear, signed_opaque

from sealwright.smime import fields
from sealwright.smime.entities import parse_entity
from sealwright.smime.fields import parameters
from sealwright.smime.verdict import judge_message

ROOT = MailRoot()
ALICE, BOB = ROOT.person("alice"), ROOT.person("bob", key=rsa_key())
HEAD = b"From: alice@example.test\r\nTo: bob@example.test\r\nSubject: x\r\n"
DER = signature_of(TEXT, ALICE)
LINES = base64.encodebytes(DER).replace(b"\n", b"\r\n")
CLEAR = signed_clear(TEXT, ALICE)
BASE64 = b"Content-Transfer-Encoding: base64\r\n\r\n"


def opaque(content_type, body=LINES, encoding=BASE64):
    return b"Content-Type: " + content_type + b"\r\n" + encoding + body


HABITS = {
    # Netscape, Outlook 97 and Exchange before the type was registered (RFC 8551 appendix A)
    "x-pkcs7-mime": opaque(b"application/x-pkcs7-mime; smime-type=signed-data; name=smime.p7m"),
    "x-pkcs7-signature": CLEAR.replace(b"application/pkcs7-signature", b"application/x-pkcs7-signature"),
    # RFC 2045 section 5.1: types and parameter names in any case, values quoted or not, comments, white space
    "upper case": opaque(b'APPLICATION/PKCS7-MIME; SMIME-TYPE="Signed-Data"; NAME="SMIME.P7M"'),
    "comments": opaque(b'application/pkcs7-mime (made by "x;y" \\) ) ; smime-type=signed-data (S/MIME (nested))'),
    "white space": opaque(b"  application/pkcs7-mime ;\r\n\tsmime-type = signed-data ;"),
    "RFC 2231 name": opaque(b"application/octet-stream; name*0*=utf-8''smime; name*1=.p7m"),
    "folded boundary": CLEAR.replace(b'boundary="sig"', b"boundary*0=s;\r\n boundary*1=ig"),
    # no smime-type: Outlook (github.com/bbottema/outlook-message-parser issue 51)
    "no smime-type": opaque(b'application/pkcs7-mime; name="smime.p7m"'),
    "no parameter at all": opaque(b"application/pkcs7-mime"),
    # Exchange and gateways that forget the type: RFC 8551 section 3.9 goes by the file name
    "octet-stream": opaque(b"application/octet-stream; name=smime.p7m"),
    "octet-stream by disposition": opaque(
        b"application/octet-stream", encoding=b'Content-Disposition: attachment; filename="smime.p7m"\r\n' + BASE64
    ),
    "octet-stream signature": CLEAR.replace(
        b"\r\nContent-Type: application/pkcs7-signature", b"\r\nContent-Type: application/octet-stream"
    ),
    # no protocol parameter, though RFC 1847 section 2.1 wants one
    "no protocol": CLEAR.replace(b' protocol="application/pkcs7-signature";', b""),
    "wrong micalg": CLEAR.replace(b"micalg=sha-1", b"micalg=sha1"),
    "no micalg": CLEAR.replace(b" micalg=sha-1;", b""),
    # RFC 2045 section 6.8: anything outside the alphabet is skipped; mailing lists append footers
    "base64 with garbage": opaque(b"application/pkcs7-mime", LINES.replace(b"\r\n", b" \r\n*\r\n")),
    "base64 with a footer": opaque(
        b"application/pkcs7-mime", LINES.rstrip().rstrip(b"=") + b"==\r\n-- \r\nThe list\r\n"
    ),
    "base64 in one line": opaque(b"application/pkcs7-mime", base64.b64encode(DER)),
    "base64 without padding": opaque(b"application/pkcs7-mime", base64.b64encode(DER).rstrip(b"=")),
    # 8BITMIME/BINARYMIME servers
    "binary": opaque(b"application/pkcs7-mime", DER, b"Content-Transfer-Encoding: binary\r\n\r\n"),
    "encoding in upper case": opaque(b"application/pkcs7-mime", encoding=b"Content-Transfer-Encoding: BASE64 \r\n\r\n"),
    "quoted-printable": opaque(
        b"application/pkcs7-mime",
        b"".join(b"=%02X%s" % (octet, b"=\r\n" if place % 20 == 19 else b"") for place, octet in enumerate(DER)),
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
    ),
    # scripts around `openssl`: the transfer encoding forgotten, PEM instead of base64
    "no transfer encoding": opaque(b"application/pkcs7-mime", encoding=b"\r\n"),
    "PEM": opaque(
        b"application/pkcs7-mime", b"-----BEGIN PKCS7-----\r\n" + LINES + b"-----END PKCS7-----\r\n", b"\r\n"
    ),
    "PEM in base64": opaque(
        b"application/pkcs7-mime", base64.encodebytes(b"-----BEGIN CMS-----\n" + LINES + b"-----END CMS-----\n")
    ),
}


@pytest.mark.parametrize("entity", HABITS.values(), ids=HABITS.keys())
def test_the_habit_gives_the_verdict_of_the_textbook_form(entity):
    verdict = judge_message(HEAD + entity, BOB.find_keys, ROOT.trust())
    assert verdict.summary.authentic_author == "alice@example.test"
    assert verdict.body_text == "Pay 10 to Bob.\n"
    assert [layer.kind for layer in verdict.layers] == ["signed"]


@pytest.mark.parametrize("content_type", [b"application/x-pkcs7-mime", b"application/octet-stream; name=smime.p7m"])
def test_encrypted_mail_with_a_forgotten_type(content_type):
    entity = encrypted(signed_opaque(TEXT, ALICE), BOB)
    message = HEAD + b"Content-Type: " + content_type + b"\r\n" + entity.partition(b"\r\n")[2]
    assert judge_message(message, BOB.find_keys, ROOT.trust()).summary.authentic_author == "alice@example.test"


def test_a_signed_document_is_an_attachment_and_no_message():
    """CAdES documents are called contract.pdf.p7m; their content is no MIME entity."""
    verdict = judge_message(
        HEAD + opaque(b'application/octet-stream; name="contract.pdf.p7m"'), BOB.find_keys, ROOT.trust()
    )
    assert verdict.layers == ()
    assert [each.file_name for each in verdict.attachments] == ["contract.pdf.p7m"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("form", ["SMIME", "PEM"])
def test_openssl_smime(form, tmp_path):
    """`openssl smime` still writes application/x-pkcs7-mime and -signature."""
    (tmp_path / "m").write_bytes(TEXT)
    (tmp_path / "c").write_bytes(ALICE.certificate.public_bytes(Encoding.PEM))
    pkcs8 = ALICE.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "k").write_bytes(pkcs8)
    command = [
        "openssl",
        "smime",
        "-sign",
        "-nodetach",
        "-binary",
        "-signer",
        "c",
        "-inkey",
        "k",
        "-in",
        "m",
        "-outform",
        form,
    ]
    written = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=30).stdout
    message = HEAD + (written if form == "SMIME" else opaque(b"application/pkcs7-mime", written, b"\n"))
    assert judge_message(message, BOB.find_keys, ROOT.trust()).summary.authentic_author == "alice@example.test"


COMMENTS = {
    b"a/b (c); x=1": ("a/b", {"x": "1"}),
    b'a/b; x="(not; a comment)"; y=2 (z=3; w)': ("a/b", {"x": "(not; a comment)", "y": "2"}),
    b"a/b; x=1 (open": ("a/b", {"x": "1 (open"}),
    b'a/b; x="\\")"; y=(c)2': ("a/b", {"x": '")', "y": "2"}),
    b"a/b (" + b"(" * 500 + b")" * 500 + b"); x=1": ("a/b", {"x": "1"}),
}


@pytest.mark.parametrize(("value", "expected"), COMMENTS.items())
def test_comments(value, expected):
    assert parameters(value) == expected


def test_addresses_outside_ascii():
    """RFC 6532: UTF-8 in header fields; the local part stays, the domain is compared as A-label."""
    message = HEAD.replace(b"alice@example.test", "Jörg <jörg@bücher.example>".encode()) + TEXT
    verdict = judge_message(message, BOB.find_keys, ROOT.trust())
    assert verdict.headers.author.addresses == ("jörg@bücher.example",)
    assert fields.addresses(parse_entity(message).fields, "from") == ("jörg@bücher.example",)

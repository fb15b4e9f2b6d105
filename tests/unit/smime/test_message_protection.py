"""Protected messages under attack: forged headers, foreign signatures, changed texts, too many layers."""

import base64
import re

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from support.certificates import NOW, ec_key, rsa_key, self_signed
from support.decryption import keys_of, no_keys
from support.mail_people import MailRoot
from support.opened import open_message

from sealwright.cms import enveloped, signed
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import DecryptionError, InputError
from sealwright.smime.compose import Protection, protect
from sealwright.smime.layers import MAX_LAYERS
from sealwright.smime.trust import Trust
from sealwright.smime.verdict import judge_message

ALICE, BOB, MALLORY = ec_key(), rsa_key(), ec_key()
ALICE_CERTIFICATE, BOB_CERTIFICATE = self_signed(ALICE, "alice"), self_signed(BOB, "bob")
MALLORY_CERTIFICATE = self_signed(MALLORY, "mallory")
SIGNER = PrivateKeySigner(ALICE_CERTIFICATE, ALICE)
MESSAGE = (
    "From: Alice <alice@example.test>\nTo: bob@example.test,\n carol@example.test\nBcc: secret@example.test\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= to you\nKeywords: merger\nMessage-ID: <1@example.test>\n"
    'MIME-Version: 1.0\nContent-Type: text/plain; charset="utf-8"\nContent-Transfer-Encoding: 8bit\n\n'
    "Grüße, Bob\n"
).encode()
ASCII = MESSAGE.replace("Grüße".encode(), b"Regards").replace(b"8bit", b"7bit")


bobs = keys_of((BOB_CERTIFICATE, BOB))


def header_of(message):
    return message.partition(b"\r\n\r\n")[0]


def test_a_signed_and_encrypted_message_hides_its_header_and_shows_it_to_the_reader():
    protected = protect(MESSAGE, SIGNER, [BOB_CERTIFICATE, ALICE_CERTIFICATE], signing_time=NOW)
    header = header_of(protected)
    assert b"Subject: [...]" in header
    assert b"merger" not in header
    assert b"secret@" not in header
    assert b"smime-type=enveloped-data" in header
    assert b"To: bob@example.test,\r\n carol@example.test" in header
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", protected) is None

    opened = open_message(protected, bobs)
    assert opened.encrypted
    assert not opened.authenticated_encryption
    assert opened.headers_protected
    assert opened.signature_error is None
    assert opened.verified == [ALICE_CERTIFICATE]
    assert opened.subject == "Grüße to you"
    assert opened.from_addresses == ("alice@example.test",)
    assert opened.body_text == "Grüße, Bob\n"
    assert opened.recipient.matches(BOB_CERTIFICATE)
    inner = header_of(opened.entity)
    assert b'hp="cipher"' in inner
    assert b"HP-Outer: Subject: [...]" in inner
    assert b"HP-Outer: To: bob@example.test,\r\n carol@example.test" in inner
    assert b"HP-Outer: Keywords" not in inner
    assert b"Keywords: merger" in inner
    assert b"secret@" not in opened.entity


def test_the_sender_reads_what_he_sent():
    protected = protect(MESSAGE, SIGNER, [BOB_CERTIFICATE, ALICE_CERTIFICATE], signing_time=NOW)
    opened = open_message(protected, keys_of((ALICE_CERTIFICATE, ALICE)))
    assert opened.body_text == "Grüße, Bob\n"


def test_without_a_key_there_is_one_error():
    protected = protect(MESSAGE, SIGNER, [BOB_CERTIFICATE], signing_time=NOW)
    with pytest.raises(DecryptionError):
        open_message(protected, no_keys)


@pytest.mark.parametrize("opaque", [False, True])
@pytest.mark.parametrize("message", [ASCII, MESSAGE])
def test_signed_only(message, opaque):
    protected = protect(message, SIGNER, [], signing_time=NOW, protection=Protection(opaque=opaque))
    assert (b"multipart/signed" in header_of(protected)) is not opaque
    assert (b"smime-type=signed-data" in header_of(protected)) is opaque
    assert protected.isascii()
    opened = open_message(protected, no_keys)
    assert not opened.encrypted
    assert opened.verified is not None
    assert opened.headers_protected
    assert opened.subject == "Grüße to you"
    assert b'hp="clear"' in opened.entity
    assert b"HP-Outer" not in opened.entity
    assert b"secret@" not in protected


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_micalg_names_the_digest(curve):
    key = ec.generate_private_key(curve)
    protected = protect(ASCII, PrivateKeySigner(self_signed(key, "x"), key), [], signing_time=NOW)
    assert b"micalg=sha-256" in protected if curve.key_size == 256 else b"micalg=sha-384" in protected
    assert open_message(protected, no_keys).verified is not None


def test_a_store_that_keeps_bare_line_feeds_breaks_no_signature():
    protected = protect(ASCII, SIGNER, [], signing_time=NOW).replace(b"\r\n", b"\n")
    assert open_message(protected, no_keys).verified is not None


def test_a_changed_text_is_shown_without_a_signature_and_without_its_header():
    protected = protect(ASCII, SIGNER, [], signing_time=NOW).replace(b"Regards, Bob", b"Pay now, Bob")
    opened = open_message(protected, no_keys)
    assert opened.verified is None
    assert opened.signature_error
    assert not opened.headers_protected
    assert opened.body_text == "Pay now, Bob\n"


def test_a_part_added_to_a_signed_message_is_noticed():
    protected = protect(ASCII, SIGNER, [], signing_time=NOW)
    boundary = re.search(rb'boundary="([^"]+)"', protected)[1]
    added = protected.replace(b"--" + boundary + b"--", b"--" + boundary + b"\r\n\r\nmore\r\n--" + boundary + b"--")
    opened = open_message(added, no_keys)
    assert opened.verified is None
    assert opened.signature_error


def test_outer_fields_cannot_replace_protected_ones():
    root = MailRoot()
    alice = root.person("alice")
    signer = PrivateKeySigner(alice.certificate, alice.key)
    protected = protect(MESSAGE, signer, [BOB_CERTIFICATE], signing_time=NOW)
    forged = protected.replace(b"From: Alice <alice@", b"From: Eve <eve@").replace(b"[...]", b"Urgent")
    opened = open_message(forged, bobs, root.trust())
    assert opened.subject == "Grüße to you"
    assert opened.from_addresses == ("alice@example.test",)
    assert "outer-from-differs" in opened.cautions
    # RFC 9788 section 4.4: without a valid signature of that author, the inner From is a claim
    assert open_message(forged, bobs).from_addresses == ("eve@example.test",)


def test_encryption_alone_does_not_vouch_for_the_inner_sender():
    protected = protect(MESSAGE, None, [BOB_CERTIFICATE], signing_time=NOW)
    forged = protected.replace(b"From: Alice <alice@", b"From: Mallory <mallory@")
    opened = open_message(forged, bobs)
    assert opened.encrypted
    assert opened.verified is None
    assert opened.subject == "Grüße to you"
    assert opened.from_addresses == ("mallory@example.test",)


def test_header_protection_needs_a_protecting_layer():
    plain = ASCII.replace(b'charset="utf-8"', b'charset="utf-8"; hp="clear"')
    opened = open_message(plain, no_keys)
    assert not opened.headers_protected
    assert not opened.encrypted
    assert opened.body_text == "Regards, Bob\n"


def test_a_foreign_signature_around_the_ciphertext_says_nothing_about_the_text():
    protected = protect(MESSAGE, None, [BOB_CERTIFICATE], signing_time=NOW)
    ciphertext_entity = b"Content-Type" + protected.partition(b"Content-Type")[2]
    wrapped = opaque(
        signed.sign(
            ciphertext_entity, [PrivateKeySigner(MALLORY_CERTIFICATE, MALLORY)], detached=False, signing_time=NOW
        )
    )
    opened = open_message(wrapped, bobs)
    assert opened.encrypted
    assert opened.verified is None


def opaque(content_info):
    head = b"From: m@example.test\r\nContent-Type: application/pkcs7-mime\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head + base64.encodebytes(content_info)


def test_authenticated_encryption_is_reported():
    message = opaque(enveloped.encrypt(b"plain text without any header\r\n", [BOB_CERTIFICATE], cipher="aes-256-gcm"))
    opened = open_message(message, bobs)
    assert opened.authenticated_encryption
    assert opened.body_text == "plain text without any header\n"


def test_an_old_hp_parameter_and_a_quoted_semicolon():
    message = ASCII.replace(b'; charset="utf-8"', b'; hp=clear; name*=x; charset="utf-8"; a="b;hp=c";')
    opened = open_message(protect(message, SIGNER, [BOB_CERTIFICATE], signing_time=NOW), bobs)
    assert header_of(opened.entity).count(b"hp=") == 2
    assert b'a="b;hp=c"; hp="cipher"' in opened.entity


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"no header at all\n",
        b"Subject: x\nbroken line\n\ntext\n",
        b"Subject: x\nContent-Type: a/b\nContent-Type: c/d\n\n",
    ],
)
def test_malformed_messages_are_not_sent(message):
    with pytest.raises(InputError):
        protect(message, SIGNER, [BOB_CERTIFICATE], signing_time=NOW)


def test_protecting_needs_a_way():
    with pytest.raises(InputError):
        protect(MESSAGE, None, [], signing_time=NOW)


def test_too_many_layers_stay_closed():
    content = b"\r\nhello"
    for _ in range(12):
        content = opaque(signed.sign(content, [SIGNER], detached=False, signing_time=NOW))
    verdict = judge_message(b"From: alice@example.test\r\n" + content, no_keys, Trust(now=NOW))
    assert "beyond-limits" in {each.code for each in verdict.cautions}
    assert (verdict.body_text, verdict.entity, len(verdict.layers)) == (None, None, MAX_LAYERS)
    assert len(verdict.attachments) == 1  # what lies deeper

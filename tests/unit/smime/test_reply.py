"""A reply never leaks: recipients, subject, text, names, identifiers. Each attack is a row."""

from email import message_from_bytes

import pytest
from support.certificates import NOW, rsa_key
from support.mail_people import MailRoot
from support.smime_layers import encrypted, mixed, signed_opaque, with_header
from support.unprotected import unprotected

from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import InputError, MailHeldError
from sealwright.smime.compose import Protection, protect
from sealwright.smime.header_protection import POLICIES, hcp_baseline
from sealwright.smime.reply import write_reply
from sealwright.smime.verdict import judge_message

ROOT = MailRoot()
ALICE, MALLORY = ROOT.person("alice"), ROOT.person("mallory")
BOB = ROOT.person("bob", key=rsa_key())
MESSAGE = (
    b"From: Alice Adams <alice@example.test>\r\nTo: Bob Brown <bob@example.test>, carol@example.test\r\n"
    b"Cc: Dora Dunn <dora@example.test>\r\nSubject: The merger\r\nDate: Tue, 24 Nov 2026 10:00:00 +0100\r\n"
    b"Comments: secret comment\r\nKeywords: secret keyword\r\nMessage-ID: <secret.id@example.test>\r\n"
    b"References: <first@example.test> <second@example.test>\r\n\r\nsell everything\r\n"
)
SIGNER = PrivateKeySigner(ALICE.certificate, ALICE.key)


def verdict_on(message):
    return judge_message(message, BOB.find_keys, ROOT.trust())


def sent(policy=hcp_baseline, signer=SIGNER, recipients=(BOB.certificate,), message=MESSAGE):
    protection = Protection(header_policy=policy)
    return protect(message, signer, list(recipients), signing_time=NOW, protection=protection)


def reply(message, **options):
    written = write_reply(verdict_on(message), "Agreed.", "bob@example.test", **options)
    return written, message_from_bytes(written.message)


def on_the_wire(written):
    """Send the reply as the client does; returns what everybody can see."""
    signer, policy = PrivateKeySigner(BOB.certificate, BOB.key), POLICIES[written.header_policy]
    return protect(
        written.message, signer, [BOB.certificate], signing_time=NOW, protection=Protection(header_policy=policy)
    )


def test_an_answer_to_a_protected_message():
    written, found = reply(sent(), to_all=True, quote=True)
    assert written.must_encrypt
    assert found["To"] == "alice@example.test"
    assert found["Cc"].replace("\r\n", "") == "carol@example.test, dora@example.test"
    assert found["From"] == "bob@example.test"
    assert found["Subject"] == "Re: The merger"
    assert found["In-Reply-To"] == "<secret.id@example.test>"
    assert found["References"].split() == ["<first@example.test>", "<second@example.test>", "<secret.id@example.test>"]
    assert found.get_payload() == "Agreed.\r\n\r\nalice@example.test wrote:\r\n> sell everything\r\n"


def hide(*names):
    """Return a policy that also leaves out fields of these names."""
    return lambda field: None if field.is_called(*names) else hcp_baseline(field)


LEAKS = {
    # what the author hid: (his policy, what must not be seen outside the reply)
    "subject": (hcp_baseline, [b"merger"]),
    "comments and keywords": (hcp_baseline, [b"secret comment", b"secret keyword"]),
    "names": (POLICIES["shy"], [b"Adams", b"Brown", b"Dunn", b"merger"]),
    "a subject that only the policy showed": (POLICIES["no-confidentiality"], [b"merger"]),
    "message identifier": (hide("message-id"), [b"secret.id"]),
    "the thread": (hide("references"), [b"first@", b"second@"]),
    "a recipient": (hide("cc"), [b"dora@"]),
}


@pytest.mark.parametrize(("policy", "secrets"), LEAKS.values(), ids=LEAKS.keys())
def test_what_the_author_hid_is_not_seen_outside_the_reply(policy, secrets):
    """RFC 9788 section 6.1: a reply MUST NOT leak in clear what was confidential in the message that it answers."""
    written, _ = reply(sent(policy), to_all=True, quote=True)
    assert written.must_encrypt
    wire = on_the_wire(written)
    for secret in secrets:
        assert secret in MESSAGE
        assert secret not in wire
    assert b"sell everything" not in wire
    assert b"sell everything" in unprotected(wire, BOB.key)


def test_recipients_come_from_inside_only():
    """RFC 9788 section 6.1: recipients only from protected fields."""
    forged = (
        sent()
        .replace(b"From: Alice Adams <alice@example.test>", b"From: mallory@example.test", 1)
        .replace(b"carol@example.test", b"mallory@example.test", 1)
        .replace(b"Subject:", b"Reply-To: mallory@example.test\r\nSubject:", 1)
    )
    _, found = reply(forged, to_all=True, quote=True)
    assert "mallory" not in str(found)
    assert found["To"] == "alice@example.test"


def test_a_protected_reply_to_counts():
    _, found = reply(sent(message=b"Reply-To: list@example.test\r\n" + MESSAGE))
    assert found["To"] == "list@example.test"


HEADER = MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n"


def unprotected_header(*people, header=HEADER):
    """Return an encrypted message as programs without header protection send it."""
    text = b"Content-Type: text/plain\r\n\r\nsell everything\r\n"
    return header + encrypted(signed_opaque(text, *people) if people else text, BOB)


def test_without_header_protection_only_the_verified_author_is_answered():
    forged = unprotected_header(ALICE).replace(b"Subject:", b"Reply-To: mallory@example.test\r\nSubject:")
    _, found = reply(forged, quote=True)
    assert found["To"] == "alice@example.test"
    assert "> sell everything" in found.get_payload()
    with pytest.raises(MailHeldError):
        reply(forged, to_all=True)


def test_somebody_elses_ciphertext_is_not_quoted_to_whoever_sent_it():
    """The oracle of "Re: What's up Johnny": Mallory sends Alice's ciphertext as his own and waits for the quoting answer."""
    taken = sent().partition(b"Content-Type")[2]
    resent = b"From: mallory@example.test\r\nTo: bob@example.test\r\nSubject: ?\r\nContent-Type" + taken
    _, found = reply(resent, quote=True)
    assert found["To"] == "alice@example.test"  # the signed header is inside: the answer goes to its author

    bare = unprotected_header(ALICE, header=b"From: mallory@example.test\r\nTo: bob@example.test\r\nSubject: ?\r\n")
    with pytest.raises(MailHeldError):
        reply(bare, quote=True)
    written, found = reply(bare)
    assert found["To"] == "mallory@example.test"
    assert b"sell" not in written.message


def test_nothing_of_an_encryption_without_a_signature_is_quoted():
    """CBC can be changed, and a ciphertext can be resent: text, subject and identifiers stay where they are."""
    message = sent(signer=None)
    with pytest.raises(MailHeldError):
        reply(message, quote=True)
    with pytest.raises(MailHeldError):
        reply(message, to_all=True)
    written, found = reply(message)
    assert found["Subject"] == "Re: [...]"
    assert b"merger" not in written.message
    assert b"sell" not in written.message
    assert written.must_encrypt


def test_a_signature_by_another_than_from_is_no_licence_to_quote():
    with pytest.raises(MailHeldError):
        reply(sent(signer=PrivateKeySigner(MALLORY.certificate, MALLORY.key)), quote=True)


def test_an_encrypted_part_among_others_is_not_quoted():
    """RFC 9787: an errant layer; EFAIL's direct exfiltration."""
    errant = encrypted(with_header(b"Content-Type: text/plain\r\n\r\nsell everything\r\n"), BOB)
    message = b"From: mallory@example.test\r\nTo: bob@example.test\r\nSubject: hi\r\n" + mixed(
        b"Content-Type: text/plain\r\n\r\nlook at this", errant
    )
    written, found = reply(message, quote=True)
    assert "> look at this" in found.get_payload()
    assert b"sell" not in written.message
    assert not written.must_encrypt


def test_a_clear_message_is_answered_as_it_is():
    written, found = reply(MESSAGE, to_all=True, quote=True)
    assert not written.must_encrypt
    assert found["To"] == "alice@example.test"
    assert "> sell everything" in found.get_payload()


def test_an_answer_to_oneself_goes_to_the_recipients():
    verdict = verdict_on(sent())
    written = write_reply(verdict, "More.", "alice@example.test")
    assert message_from_bytes(written.message)["To"].replace("\r\n", "") == "bob@example.test, carol@example.test"


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (b"Re: x", "Re: x"),
        (b"AW: x", "AW: x"),
        (b"Regarding", "Re: Regarding"),
        (b"=?utf-8?b?eA0KQmNjOiBlQGYudGVzdA==?=", "Re: x Bcc: e@f.test"),
    ],
)
def test_subjects(subject, expected):
    _, found = reply(MESSAGE.replace(b"The merger", subject))
    assert found["Subject"] == expected
    assert found["Bcc"] is None


@pytest.mark.parametrize("header", [b"Subject: x\r\n", b"From: not an address\r\n", b"From: ()\r\n"])
def test_a_message_from_nobody_cannot_be_answered(header):
    with pytest.raises(InputError):
        reply(header + b"\r\ntext\r\n")


def test_identifiers_that_are_none_are_left_out():
    message = MESSAGE.replace(b"<secret.id@example.test>", b"<a b@c>").replace(
        b"<first@example.test>", b"<" + b"x" * 999 + b"@y>"
    )
    _, found = reply(message)
    assert found["In-Reply-To"] is None
    assert found["References"] == "<second@example.test>"

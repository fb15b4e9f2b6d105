"""A message that is passed on: readable and verifiable for whoever gets it, and no leak to anybody else."""

from email import message_from_bytes

import pytest
from support.certificates import NOW, rsa_key
from support.mail_people import MailRoot
from support.smime_layers import TEXT, encrypted, mixed, signed_clear, signed_opaque, with_header

from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import InputError, MailHeldError
from sealwright.smime.algorithm_choice import Algorithms
from sealwright.smime.compose import Protection, protect
from sealwright.smime.forward import ForwardedTo, write_forward
from sealwright.smime.header_protection import POLICIES, hcp_baseline
from sealwright.smime.verdict import judge_message

ROOT = MailRoot()
ALICE, MALLORY, CAROL = ROOT.person("alice"), ROOT.person("mallory"), ROOT.person("carol")
BOB = ROOT.person("bob", key=rsa_key())
MESSAGE = (
    b"From: Alice Adams <alice@example.test>\r\nTo: Bob Brown <bob@example.test>\r\nSubject: The merger\r\n"
    b"Date: Tue, 24 Nov 2026 10:00:00 +0100\r\nComments: secret comment\r\nMessage-ID: <secret.id@example.test>\r\n\r\n"
    b"sell everything\r\n"
)
SIGNER, BOBS = PrivateKeySigner(ALICE.certificate, ALICE.key), PrivateKeySigner(BOB.certificate, BOB.key)
TO_CAROL = ForwardedTo(to=("carol@example.test",))
OUTER = b"From: Alice <alice@example.test>\r\nTo: bob@example.test\r\nSubject: outside\r\n"


def sent(policy=hcp_baseline, signer=SIGNER, recipients=(BOB.certificate,), message=MESSAGE, **options):
    protection = Protection(header_policy=policy, **options)
    return protect(message, signer, list(recipients), signing_time=NOW, protection=protection)


def forward(message, recipients=TO_CAROL, text="Look at this."):
    verdict = judge_message(message, BOB.find_keys, ROOT.trust())
    return write_forward(message, verdict, text, "bob@example.test", recipients)


def on_the_wire(written, **options):
    """Send it as the client does."""
    protection = Protection(header_policy=POLICIES[written.header_policy], **options)
    return protect(written.message, BOBS, [CAROL.certificate], signing_time=NOW, protection=protection)


def got_by_carol(wire):
    """Return Carol's verdict on what she got, and on what was passed on to her."""
    verdict = judge_message(wire, CAROL.find_keys, ROOT.trust())
    (attachment,) = verdict.attachments
    assert attachment.content_type == "message/rfc822"
    return verdict, judge_message(attachment.content, CAROL.find_keys, ROOT.trust())


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES.keys())
@pytest.mark.parametrize("legacy_display", [False, True])
@pytest.mark.parametrize("binary_inside", [False, True])
def test_the_author_is_still_certain_and_nothing_is_seen_outside(policy, legacy_display, binary_inside):
    written = forward(sent(policy, legacy_display=legacy_display, algorithms=Algorithms(binary_inside=binary_inside)))
    assert written.must_encrypt
    wire = on_the_wire(written)
    for secret in (b"merger", b"secret", b"sell", b"Adams", b"alice@"):
        assert secret not in wire
    verdict, inner = got_by_carol(wire)
    assert verdict.summary.authentic_author == "bob@example.test"
    assert verdict.headers.subject == "Fwd: The merger"
    assert verdict.body_text.strip() == "Look at this."
    assert inner.summary.authentic_author == "alice@example.test"
    assert inner.headers.subject == "The merger"
    assert inner.body_text == "sell everything\n"
    assert not {each.code for each in inner.cautions} - {"outer-recipients-differ"}


def test_legacy_display_of_the_new_message_is_in_its_text_and_not_in_the_attachment():
    wire = on_the_wire(forward(sent()), legacy_display=True)
    verdict, inner = got_by_carol(wire)
    assert b"Subject: Fwd: The merger\r\n\r\nLook at this." in verdict.entity
    assert verdict.entity.count(b"hp-legacy-display") == 1
    assert "merger" not in verdict.body_text
    assert inner.body_text == "sell everything\n"


def test_without_a_signature_inside_the_copy_of_the_header_is_left_out():
    written = forward(sent(signer=None))
    _, inner = got_by_carol(on_the_wire(written))
    assert (inner.summary.signed, inner.summary.encrypted) == (False, False)
    assert (inner.headers.subject, inner.body_text) == ("The merger", "sell everything\n")
    for gone in (b"HP-Outer", b'hp="cipher"', b"[...]"):
        assert gone not in written.message


BODIES = {
    "text": b"Content-Type: text/plain; charset=utf-8\r\n\r\nsell everything\r\n",
    "quoted-printable": b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nsell everything\r\n"
    + "Grüße\r\n".encode(),
    "html": b"Content-Type: text/html; charset=utf-8\r\n\r\n<html><body><div>sell everything</div></body></html>\r\n",
    "mixed": mixed(b"Content-Type: text/plain\r\n\r\nsell everything", b"Content-Type: text/plain\r\n\r\nthe file"),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_legacy_display_of_what_no_signature_covers_is_taken_off(body):
    message = sent(signer=None, legacy_display=True, message=MESSAGE.partition(b"\r\n\r\n")[0] + b"\r\n" + body)
    assert b"hp-legacy-display" in judge_message(message, BOB.find_keys, ROOT.trust()).entity
    written = forward(message)
    assert b"legacy-display" not in written.message
    (attached,) = judge_message(on_the_wire(written), CAROL.find_keys, ROOT.trust()).attachments
    inner = judge_message(attached.content, CAROL.find_keys, ROOT.trust())
    assert "merger" not in inner.body_text
    assert inner.body_text.startswith("sell everything")
    assert ("Grüße" in inner.body_text) is ("Grüße".encode() in body)


@pytest.mark.parametrize("signed", [signed_clear, signed_opaque])
def test_mail_of_programs_without_header_protection(signed):
    message = OUTER + b"Received: from somewhere\r\n" + encrypted(signed(TEXT, ALICE), BOB)
    verdict, inner = got_by_carol(on_the_wire(forward(message)))
    assert verdict.headers.subject == "Fwd: outside"
    assert (inner.summary.authentic_author, inner.body_text) == ("alice@example.test", "Pay 10 to Bob.\n")
    assert b"Received" not in verdict.entity


def test_what_was_not_encrypted_is_passed_on_as_it_came():
    message = sent(recipients=())
    written = forward(message)
    assert not written.must_encrypt
    assert message in written.message
    assert forward(written.message).message.count(b"Subject: Fwd: The merger") == 2  # one prefix is enough


@pytest.mark.parametrize(
    "content", ["Grüße\r\n".encode(), b"x" * 2000 + b"\r\n", b"nothing\x00ness\r\n"], ids=["8bit", "long line", "NUL"]
)
def test_octets_survive(content):
    header = (
        b"From: alice@example.test\r\nTo: bob@example.test\r\nSubject: s\r\nContent-Type: text/plain; charset=utf-8\r\n"
    )
    message = header + b"Content-Transfer-Encoding: binary\r\n\r\n" + content
    verdict = judge_message(on_the_wire(forward(message)), CAROL.find_keys, ROOT.trust())
    assert verdict.attachments[0].content == message


def test_a_text_of_doubtful_origin_does_not_go_back():
    """An attacker sends somebody else's ciphertext as his own; with every way to name himself."""
    stolen = encrypted(with_header(TEXT, protection="cipher"), BOB)
    head = b"From: mallory@example.test\r\nTo: bob@example.test\r\nSubject: look\r\n"
    elsewhere = b"Sender: eve@example.test\r\nReply-To: dan@example.test\r\n"
    for target in ("mallory", "eve", "dan"):
        for recipients in ({"to": (f"{target}@example.test",)}, {"bcc": (f"{target}@example.test",)}):
            with pytest.raises(MailHeldError, match="not known for certain"):
                forward(head + elsewhere + stolen, ForwardedTo(**recipients))
    assert forward(head + elsewhere + stolen, TO_CAROL).must_encrypt
    # what its author signed inside may go back to him
    own = OUTER + encrypted(signed_opaque(TEXT, ALICE), BOB)
    assert forward(own, ForwardedTo(to=("alice@example.test",))).must_encrypt


def test_an_encrypted_part_among_others_stays_closed():
    part = encrypted(TEXT, BOB)
    written = forward(OUTER + mixed(b"\r\nread this", part))
    assert b"Pay 10" not in written.message
    assert part in written.message


def test_blind_copies_are_seen_by_nobody_else():
    written = forward(sent(), ForwardedTo(to=("carol@example.test",), bcc=("dora@example.test",)))
    assert message_from_bytes(written.message)["Bcc"] == "dora@example.test"
    assert b"dora" not in on_the_wire(written)


def test_it_names_somebody_and_is_open():
    with pytest.raises(InputError, match="is not given"):
        forward(sent(), ForwardedTo())
    with pytest.raises(InputError, match="stays closed"):
        forward(OUTER + encrypted(TEXT, CAROL))

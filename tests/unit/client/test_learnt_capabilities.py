"""What is learnt from mail, from whom, and what the sender makes of it."""

from contextlib import nullcontext
from datetime import timedelta
from email import message_from_bytes
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import x25519
from support.certificates import NOW, rsa_key
from support.mail_people import MailRoot
from support.smime_layers import FROM_ALICE, TEXT, signed_opaque

from sealwright.client import copies, send
from sealwright.client.capabilities import (
    MAX_DEVICES,
    announced_capabilities,
    known_capabilities,
    learn_program,
    own_recipient,
    reads_protected_headers,
)
from sealwright.client.directory import RecipientCertificate
from sealwright.client.state import KnownProgram, SendOptions
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import InputError, NotFoundError
from sealwright.smime import capabilities
from sealwright.smime.compose import protect
from sealwright.smime.forward import ForwardedTo, write_forward
from sealwright.smime.reply import write_reply
from sealwright.smime.verdict import judge_message

ROOT = MailRoot()
ALICE, LAPTOP, MALLORY = ROOT.person("alice"), ROOT.person("alice"), ROOT.person("mallory")
BOB = ROOT.person("bob", key=rsa_key())
GCM = capabilities.encode(capabilities.named("aes-256-gcm", "aes-256-cbc"))
CBC = capabilities.encode(capabilities.named("aes-256-cbc"))
ADDRESS = "alice@example.test"


def message_of(person, *, time=NOW, message=None, sender=ADDRESS):
    signer = PrivateKeySigner(person.certificate, person.key)
    text = message or f"From: {sender}\r\nTo: bob@example.test\r\nSubject: x\r\n\r\ntext\r\n".encode()
    return protect(text, signer, [], signing_time=time)


def learnt(*messages, known=(), trust=None):
    for message in messages:
        known = learn_program(known, judge_message(message, BOB.find_keys, trust or ROOT.trust()))
    return known


def program(address=ADDRESS, signer=b"1", time=NOW, announced=GCM, reads=True):
    return KnownProgram(
        address=address, signer_sha256=signer, signing_time=time, capabilities=announced, reads_protected_headers=reads
    )


def test_verified_mail_teaches_what_its_author_reads():
    known = learnt(message_of(ALICE))
    assert "aes-256-gcm" in known_capabilities(known, ADDRESS).names
    assert reads_protected_headers(known, ADDRESS)
    assert known_capabilities(known, "bob@example.test") is None
    assert not reads_protected_headers(known, "bob@example.test")


@pytest.mark.parametrize(
    "message",
    {
        "a broken signature": message_of(ALICE).replace(b"\r\ntext\r\n", b"\r\nTEXT\r\n"),
        "another's signature": message_of(MALLORY),
        "no signature": FROM_ALICE + TEXT,
        "a time that has not come": message_of(ALICE, time=NOW + timedelta(days=3)),
    }.values(),
)
def test_nothing_is_learnt_from_what_cannot_be_trusted(message):
    """RFC 8551 section 2.5.2: capabilities of a message that does not verify, or is from the future, MUST NOT be stored."""
    assert learnt(message) == ()


def test_nothing_is_learnt_from_an_untrusted_root():
    assert learnt(message_of(ALICE), trust=MailRoot("other").trust()) == ()


def test_only_the_newest_of_a_device_counts():
    newer = learnt(message_of(ALICE))
    assert learnt(message_of(ALICE, time=NOW - timedelta(days=2)), known=newer) == newer
    older = learnt(message_of(ALICE, time=NOW - timedelta(days=2)))
    assert learnt(message_of(ALICE), known=older) == newer


def test_the_same_news_is_not_written_again_within_a_day():
    known = learnt(message_of(ALICE, time=NOW - timedelta(hours=3)))
    assert learnt(message_of(ALICE), known=known) is known


def test_a_message_without_header_protection_says_so():
    known = learnt(FROM_ALICE + signed_opaque(TEXT, ALICE))
    assert known_capabilities(known, ADDRESS) is not None
    assert not reads_protected_headers(known, ADDRESS)


def test_what_every_device_reads():
    known = (program(signer=b"1", announced=GCM), program(signer=b"2", announced=CBC, reads=False))
    assert known_capabilities(known, ADDRESS).names == ("aes-256-cbc",)
    assert not reads_protected_headers(known, ADDRESS)


def test_a_device_that_has_long_been_silent_no_longer_counts():
    known = (program(signer=b"1"), program(signer=b"2", announced=CBC, time=NOW - timedelta(days=200)))
    assert "aes-256-gcm" in known_capabilities(known, ADDRESS).names


def test_the_memory_is_bounded(monkeypatch):
    known = tuple(program(signer=bytes([n]), time=NOW - timedelta(days=n + 1)) for n in range(MAX_DEVICES))
    after = learnt(message_of(ALICE), known=known)
    assert len(after) == MAX_DEVICES
    assert after[1:] == known[:-1]
    monkeypatch.setattr("sealwright.client.capabilities.MAX_PROGRAMS", 3)
    others = tuple(program(f"p{n}@example.test", time=NOW - timedelta(days=n + 1)) for n in range(3))
    after = learnt(message_of(ALICE), known=others)
    assert [each.address for each in after] == [ADDRESS, "p0@example.test", "p1@example.test"]


# --- sending -------------------------------------------------------------------------------------------------------------

ME = ROOT.person("me", key=rsa_key())
MESSAGE = (
    b"From: me@example.test\nTo: alice@example.test, bob@example.test\nCc: carl@example.test\n"
    b"Bcc: eve@example.test, frank@example.test\nSubject: plan\n\ntext\n"
)
PEOPLE = {
    name: ROOT.person(name, key=key)
    for name, key in (("alice", None), ("bob", rsa_key()), ("carl", rsa_key()), ("eve", rsa_key()), ("frank", None))
}


class Device:
    """A context as far as sending needs one."""

    def __init__(self, *programs, own=ME):
        signer = ROOT.person("me")
        self.sent = []
        self.store = SimpleNamespace(
            state=SimpleNamespace(address="me@example.test", programs=programs, signing_key=signer), hold_mail=self.hold
        )
        self.clock = SimpleNamespace(now=lambda: NOW)
        self.key_ring = SimpleNamespace(
            active_certificate=lambda: (own.certificate, ()), active_kem_certificate=lambda: None
        )
        self.held, self.filed = [], []
        self.statement = SimpleNamespace(imap=True, file_sent_mail=True)
        self.mailbox = lambda: nullcontext(SimpleNamespace(append_sent=self.filed.append))

    def hold(self, mail, **_):
        self.held.append(mail)
        return "id"

    def submit(self, recipients, message):
        self.sent.append((recipients, message))


@pytest.fixture(autouse=True)
def directory(monkeypatch):
    def find(context, addresses):
        return tuple(
            RecipientCertificate(each, "usable", PEOPLE[each.partition("@")[0]].certificate) for each in addresses
        )

    monkeypatch.setattr(send, "find_recipients", find)
    monkeypatch.setattr(copies, "ready_signer", signer_of)


def signer_of(context):
    person = context.store.state.signing_key
    return PrivateKeySigner(person.certificate, person.key)


def readers(message):
    """Return who can read a message, by its RecipientInfos."""
    found = []
    for name, person in {**PEOPLE, "me": ME}.items():
        verdict = judge_message(message, person.find_keys, ROOT.trust())
        if verdict.body_text is not None:
            found.append(name)
    return found


def kind_of(message):
    return message_from_bytes(message).get_param("smime-type")


def everybody(announced=GCM):
    return tuple(program(f"{name}@example.test", announced=announced) for name in PEOPLE)


def test_one_copy_for_everybody_who_is_named_and_one_for_each_blind_copy():
    device = Device(*everybody())
    send.send_message(device, MESSAGE)
    assert [recipients for recipients, _ in device.sent] == [
        ("alice@example.test", "bob@example.test", "carl@example.test"),
        ("eve@example.test",),
        ("frank@example.test",),
    ]
    assert [readers(message) for _, message in device.sent] == [
        ["alice", "bob", "carl", "me"],
        ["eve", "me"],
        ["frank", "me"],
    ]
    assert all(kind_of(message) == "authEnveloped-data" for _, message in device.sent)
    for _, message in device.sent:  # nothing in any copy names a blind recipient
        opened = judge_message(message, ME.find_keys, ROOT.trust())
        assert b"eve" not in opened.entity
        assert b"frank" not in opened.entity


def test_an_old_rsa_reader_gets_a_copy_without_key_agreement():
    device = Device()
    send.send_message(device, MESSAGE.replace(b"Bcc: eve@example.test, frank@example.test\n", b""))
    found = {recipients: readers(message) for recipients, message in device.sent}
    assert found == {
        ("bob@example.test", "carl@example.test"): ["bob", "carl", "me"],
        ("alice@example.test",): ["alice", "me"],
    }
    assert all(kind_of(message) == "enveloped-data" for _, message in device.sent)
    identifiers = {message_from_bytes(message)["Message-ID"] for _, message in device.sent}
    assert len(identifiers) == 1


def test_the_senders_own_copy_is_filed_and_only_he_can_read_it():
    for own in (ME, ROOT.person("me")):  # an RSA key; an elliptic curve beside RSA recipients
        device = Device(own=own)
        assert send.send_message(device, MESSAGE).warnings == ()
        (filed,) = device.filed
        assert judge_message(filed, own.find_keys, ROOT.trust()).body_text.strip() == "text"
        assert not {"alice", "bob", "carl", "eve", "frank"} & set(readers(filed))
        assert len({message_from_bytes(each)["Message-ID"] for each in (filed, *(m for _, m in device.sent))}) == 1


def test_a_copy_that_cannot_be_filed_is_a_warning_and_none_is_filed_where_that_is_switched_off():
    device = Device()
    device.mailbox = lambda: nullcontext(SimpleNamespace(append_sent=refuse))
    report = send.send_message(device, MESSAGE)
    assert report.warnings == ("your own copy was not filed among your sent mail: no folder",)
    assert len(report.recipients) == 5
    device = Device()
    send.send_message(device, MESSAGE, SendOptions(file_sent=False))
    assert (len(device.sent) > 0, device.filed) == (True, [])


def test_the_senders_own_copy_names_the_blind_copies_inside_and_nowhere_else():
    device = Device()
    send.send_message(device, MESSAGE)
    (filed,) = device.filed
    assert b"eve@" not in filed
    opened = judge_message(filed, ME.find_keys, ROOT.trust())
    assert [each.value.strip() for each in opened.headers.protected if each.is_called("bcc")] == [
        b"eve@example.test, frank@example.test"
    ]
    assert b"HP-Outer: Bcc" not in opened.entity
    # passed on, it names them to nobody
    written = write_forward(filed, opened, "See.", "me@example.test", ForwardedTo(to=("alice@example.test",)))
    assert b"eve" not in written.message
    (attached,) = judge_message(written.message, ME.find_keys, ROOT.trust()).attachments
    assert judge_message(attached.content, ME.find_keys, ROOT.trust()).body_text.strip() == "text"
    # answered to all, neither
    answer = write_reply(opened, "Well.", "me@example.test", to_all=True, quote=True)
    assert b"eve" not in answer.message


@pytest.mark.parametrize(
    ("organization", "sender", "is_filed"),
    [(True, None, True), (False, None, False), (False, True, True), (True, False, False)],
)
def test_the_organization_says_whether_to_file_and_the_sender_may_say_otherwise(organization, sender, is_filed):
    device = Device()
    device.statement = SimpleNamespace(imap=True, file_sent_mail=organization)
    send.send_message(device, MESSAGE, SendOptions(file_sent=sender))
    assert bool(device.filed) is is_filed


def refuse(_message):
    raise NotFoundError("no folder")


def test_legacy_display_for_those_who_are_not_known_to_read_protected_headers():
    for reads in (True, False):
        known = tuple(program(f"{name}@example.test", reads=reads) for name in PEOPLE)
        device = Device(*known)
        send.send_message(device, MESSAGE)
        opened = judge_message(device.sent[0][1], ME.find_keys, ROOT.trust())
        assert (b'hp-legacy-display="1"' in opened.entity) is not reads
        assert opened.body_text.strip() == "text"


def test_the_header_policy_is_the_senders():
    device = Device(*everybody())
    send.send_message(
        device, MESSAGE.replace(b"me@", b"Me <me@", 1).replace(b"\nTo", b">\nTo", 1), SendOptions(header_policy="shy")
    )
    assert message_from_bytes(device.sent[0][1])["From"] == "me@example.test"


def test_encrypting_to_standard_output_makes_one_message_or_none():
    message = MESSAGE.replace(b"Bcc: eve@example.test, frank@example.test\n", b"")
    assert readers(send.encrypt_message(Device(*everybody()), message)) == ["alice", "bob", "carl", "me"]
    with pytest.raises(InputError, match=r"alice@example\.test"):
        send.encrypt_message(Device(), message)


def test_an_elliptic_sender_spoils_no_message_to_an_old_reader():
    device = Device(own=ROOT.person("me"))
    send.send_message(device, b"From: me@example.test\nTo: bob@example.test\nSubject: x\n\ntext\n")
    ((_, message),) = device.sent
    assert readers(message) == ["bob"]


def test_we_announce_what_the_mailbox_reads():
    assert "rsa-oaep-sha256" in capabilities.parse(announced_capabilities(Device())).names
    key = x25519.X25519PrivateKey.generate()
    own = SimpleNamespace(certificate=SimpleNamespace(public_key=key.public_key))
    assert "ecdh-hkdf-sha256" in capabilities.parse(announced_capabilities(Device(own=own))).names


def test_the_sender_who_also_reads_in_an_old_program_gets_what_it_reads():
    assert "aes-256-gcm" in own_recipient(Device()).readable
    assert own_recipient(Device(program("me@example.test", announced=CBC))).readable == ("aes-256-cbc",)

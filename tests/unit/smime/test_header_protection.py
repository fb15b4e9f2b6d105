"""RFC 9788: what stands outside, what inside, and what old readers are shown."""

from base64 import encodebytes
from email import message_from_bytes

import pytest
from support.certificates import NOW, ec_key, rsa_key, self_signed
from support.unprotected import unprotected

from sealwright.cms.signers import PrivateKeySigner
from sealwright.smime.algorithm_choice import Algorithms
from sealwright.smime.compose import Protection, protect
from sealwright.smime.fields import Field, split_entity
from sealwright.smime.header_protection import POLICIES, hcp_baseline, hcp_shy, hidden_fields

KEY, BOB_KEY = ec_key(), rsa_key()
ALICE, BOB = PrivateKeySigner(self_signed(KEY, "alice"), KEY), self_signed(BOB_KEY, "bob")
MESSAGE = (
    b"Received: from a by b; Tue, 24 Nov 2026 10:00:00 +0100\nFrom: Alice A. <alice@example.test>\n"
    b"To: Bob <bob@example.test>, carol@example.test\nCc: Dora\n <dora@example.test>\nBcc: eve@example.test\n"
    b"Subject: The merger\nDate: Tue, 24 Nov 2026 10:00:00 +0100\nComments: secret\nKeywords: a, b\n"
    b"Message-ID: <1@example.test>\nX-Note: n\nHP-Outer: Subject: forged\nMIME-Version: 1.0\n"
    b'Content-Type: text/plain; charset=us-ascii; hp="clear"\n\nthe text\n'
)


def sent(policy="baseline", recipients=(BOB,), message=MESSAGE, **options):
    protection = Protection(header_policy=POLICIES[policy], **options)
    return protect(message, ALICE, list(recipients), signing_time=NOW, protection=protection)


def outer(message):
    return message_from_bytes(message)


def inner(message):
    return message_from_bytes(unprotected(message, BOB_KEY))


OUTSIDE = {
    # policy: {field: what others see, None where it is left out}
    "baseline": {"Subject": "[...]", "Comments": None, "Keywords": None, "From": "Alice A. <alice@example.test>"},
    "shy": {
        "Subject": "[...]",
        "Comments": None,
        "Keywords": None,
        "From": "alice@example.test",
        "To": "bob@example.test,\r\n carol@example.test",
        "Cc": "dora@example.test",
        "Date": "Tue, 24 Nov 2026 09:00:00 +0000",
    },
    "no-confidentiality": {"Subject": "The merger", "Comments": "secret", "Keywords": "a, b"},
}


@pytest.mark.parametrize(("policy", "expected"), OUTSIDE.items())
def test_what_others_see(policy, expected):
    message = sent(policy)
    found = outer(message)
    assert {name: found[name] for name in expected} == expected
    assert found["Bcc"] is None
    assert found["X-Note"] == "n"
    assert found["Message-ID"] == "<1@example.test>"
    inside = inner(message)
    assert inside.get_param("hp") == "cipher"
    assert (inside["Subject"], inside["Comments"], inside["Keywords"]) == ("The merger", "secret", "a, b")
    assert inside["From"] == "Alice A. <alice@example.test>"
    assert inside["Received"] is None
    assert inside["Bcc"] is None


@pytest.mark.parametrize("policy", POLICIES)
def test_every_visible_field_is_repeated_inside_as_hp_outer(policy):
    """RFC 9788 section 5.2.1: each non-structural field outside MUST be copied as HP-Outer, and nothing else is one."""
    message = sent(policy)
    structural = ("mime-version", "content-type", "content-transfer-encoding", "content-disposition", "received")
    visible = [f"{name}: {value}" for name, value in outer(message).items() if name.lower() not in structural]
    assert inner(message).get_all("HP-Outer") == visible


def test_a_signature_alone_shows_the_header_and_says_so():
    message = sent(recipients=())
    inside = inner(message)
    assert inside.get_param("hp") == "clear"
    assert inside.get_all("HP-Outer") is None
    assert outer(message)["Subject"] == inside["Subject"] == "The merger"


def test_the_form_of_rfc_8551_is_never_written():
    """RFC 9788 section 4.10: MUST NOT generate messages with RFC8551HP."""
    for recipients in ((), (BOB,)):
        assert inner(sent(recipients=recipients)).get_content_type() == "text/plain"


def test_the_default_hides_the_subject():
    """RFC 9788 section 3.2.1: the default policy MUST hide at least the subject; 3.2.3: no_confidentiality MUST NOT be it."""
    assert Protection().header_policy is hcp_baseline
    message = protect(MESSAGE, ALICE, [BOB], signing_time=NOW)
    assert b"merger" not in message


@pytest.mark.parametrize("value", [b" not a date", b"", b" Tue, 99 Nov 2026 10:00:00 +0100"])
def test_a_date_that_is_none_stays(value):
    assert hcp_shy(Field("Date", value)) == Field("Date", value)


def test_hidden_fields_are_those_that_others_did_not_see_so():
    header, _ = split_entity(unprotected(sent(), BOB_KEY))
    assert [field.name for field in hidden_fields(header)] == ["Subject", "Comments", "Keywords"]
    header, _ = split_entity(unprotected(sent("shy"), BOB_KEY))
    assert [field.name for field in hidden_fields(header)] == [
        "From",
        "To",
        "Cc",
        "Subject",
        "Date",
        "Comments",
        "Keywords",
    ]


HTML = b'Content-Type: text/html; charset=us-ascii\n\n<!doctype html><html><BODY class="x"><p>rich</p></body></html>\n'
ALTERNATIVE = (
    b"Content-Type: multipart/alternative; boundary=a\n\n--a\nContent-Type: text/plain\n\nplain\n--a\n"
    + HTML
    + b"--a--"
)
HEAD = MESSAGE.partition(b"MIME-Version")[0]
SHOWN = {
    # what: (content, main body parts that show the subject, others)
    "plain text": (b"Content-Type: text/plain\n\nplain\n", 1, 0),
    "no type at all": (b"\nplain\n", 1, 0),
    "HTML": (HTML, 1, 0),
    "alternatives": (ALTERNATIVE, 2, 0),
    "with an attached text": (
        b"Content-Type: multipart/mixed; boundary=m\n\n--m\n"
        + ALTERNATIVE
        + b"\n--m\nContent-Type: text/plain; name=a.txt\nContent-Disposition: attachment\n\nattached\n--m--",
        2,
        1,
    ),
    "related": (
        b"Content-Type: multipart/related; boundary=r\n\n--r\n" + HTML + b"--r\nContent-Type: image/png\n\nx\n--r--\n",
        1,
        1,
    ),
    "only an attachment": (b"Content-Type: application/pdf\n\nx\n", 0, 1),
    "an attached text alone": (b"Content-Type: text/plain\nContent-Disposition: attachment\n\nx\n", 0, 1),
    "signed by somebody else": (
        b'Content-Type: multipart/signed; boundary=s; protocol="a/b"\n\n--s\n\nx\n--s\nContent-Type: a/b\n\ny\n--s--\n',
        0,
        2,
    ),
}


@pytest.mark.parametrize(("content", "shown", "others"), SHOWN.values(), ids=SHOWN.keys())
def test_legacy_display_is_in_the_main_body_parts_and_nowhere_else(content, shown, others):
    """RFC 9788 section 5.2.2 and 5.2.3."""
    found = [
        part for part in inner(sent(message=HEAD + content, legacy_display=True)).walk() if not part.is_multipart()
    ]
    marked = [part for part in found if part.get_param("hp-legacy-display") == "1"]
    assert (len(marked), len(found) - len(marked)) == (shown, others)
    for part in marked:
        text = part.get_payload(decode=True)
        assert text.count(b"Subject: The merger") == 1
        assert b"Comments" not in text
        if part.get_content_type() == "text/plain":
            assert text.startswith(b"Subject: The merger\r\n\r\nplain")
        else:
            assert b'<BODY class="x"><div class="header-protection-legacy-display">' in text
    for part in found:
        assert part in marked or b"merger" not in part.get_payload(decode=True)


def test_legacy_display_is_only_in_encrypted_messages_and_only_of_what_is_hidden():
    assert b"legacy-display" not in unprotected(sent(recipients=(), legacy_display=True))
    assert b"legacy-display" not in unprotected(sent("no-confidentiality", legacy_display=True), BOB_KEY)


@pytest.mark.parametrize(
    ("charset", "text", "shown"),
    [
        ("utf-8", "Grüße", True),
        ("us-ascii", "text", True),
        ("iso-8859-1", "Grüße", True),
        ("iso-2022-jp", "日本", False),
        ("utf-16", "text", False),
    ],
)
def test_a_subject_that_the_text_cannot_hold(charset, text, shown):
    """The text is never spoiled for the sake of a copy of the subject."""
    head = HEAD.replace(b"The merger", "Grüße €".encode())
    body = text.encode(charset)
    content = (
        f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: base64\n\n".encode()
        + encodebytes(body)
    )
    part = inner(sent(message=head + content, legacy_display=True))
    decoded = part.get_payload(decode=True).decode(part.get_content_charset())
    assert decoded == (f"Subject: Grüße €\r\n\r\n{text}" if shown else text)


def test_html_shows_the_subject_escaped():
    part = inner(sent(message=HEAD.replace(b"The merger", "<b>&ü".encode()) + HTML, legacy_display=True))
    assert b"<pre>Subject: &lt;b&gt;&amp;&#252;</pre>" in part.get_payload(decode=True)


SMIME_TYPES = {
    "enveloped-data": (Protection(), [BOB]),
    "authEnveloped-data": (Protection(algorithms=Algorithms("aes-256-gcm")), [BOB]),
    "signed-data": (Protection(opaque=True), []),
}


@pytest.mark.parametrize(("smime_type", "how"), SMIME_TYPES.items())
def test_smime_types(smime_type, how):
    protection, recipients = how
    message = outer(protect(MESSAGE, ALICE, recipients, signing_time=NOW, protection=protection))
    assert message.get_content_type() == "application/pkcs7-mime"
    assert message.get_param("smime-type") == smime_type
    assert message.get_param("name") == message.get_filename() == "smime.p7m"
    assert message["Content-Transfer-Encoding"] == "base64"
    assert max(map(len, message.get_payload().splitlines())) == 76


@pytest.mark.parametrize("opaque", [False, True])
def test_triple_wrapping(opaque):
    """RFC 2634 section 1.1: signed, encrypted, and signed again."""
    message = sent(triple_wrap=True, opaque=opaque)
    assert outer(message).get_content_type() == ("application/pkcs7-mime" if opaque else "multipart/signed")
    assert inner(message)["Subject"] == "The merger"

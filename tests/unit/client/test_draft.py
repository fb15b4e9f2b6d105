"""New mails: what a person gives becomes a message that others can read."""

import email
import email.policy
from datetime import UTC, datetime

import pytest

from sealwright.client.draft import Draft, identified, write_message
from sealwright.errors import InputError

NOW = datetime(2026, 11, 24, 9, 30, 15, 123456, tzinfo=UTC)


def parsed(message):
    return email.message_from_bytes(message, policy=email.policy.default)


def test_a_draft_becomes_a_message(tmp_path):
    table = tmp_path / "Zahlen März.csv"
    table.write_bytes(b"a;b\r\n\xff\x00")
    draft = Draft(
        ["Bob@Example.test"], ["carol@example.test"], ["dave@example.test"], "Grüße", "Hallo,\n\nBob", [table]
    )
    message = parsed(write_message(draft, "alice@example.test"))
    assert [message[name] for name in ("From", "To", "Cc", "Bcc", "Subject")] == [
        "alice@example.test",
        "bob@example.test",
        "carol@example.test",
        "dave@example.test",
        "Grüße",
    ]
    assert message.get_body().get_content().splitlines() == ["Hallo,", "", "Bob"]
    (attached,) = message.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type()) == ("Zahlen März.csv", "text/csv")
    assert attached.get_payload(decode=True) == b"a;b\r\n\xff\x00"


def test_a_mail_without_attachments_is_plain_text():
    message = write_message(Draft(["bob@example.test"], text="For Bob."), "alice@example.test")
    assert parsed(message).get_content_type() == "text/plain"
    assert b"\n" not in message.replace(b"\r\n", b"")


def test_an_address_outside_ascii_is_kept():
    message = write_message(Draft(["müller@example.test"], text="x"), "alice@example.test")
    assert "To: müller@example.test\r\n".encode() in message


@pytest.mark.parametrize(
    "draft",
    [
        Draft(["bob@example.test\nBcc: eve@example.test"]),
        Draft(["no address"]),
        Draft(["bob@example.test"], subject="two\nlines"),
    ],
)
def test_a_draft_cannot_write_further_fields(draft):
    with pytest.raises(InputError):
        write_message(draft, "alice@example.test")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"missing\.pdf cannot be read"):
        write_message(Draft(["bob@example.test"], attachments=[tmp_path / "missing.pdf"]), "alice@example.test")


def test_date_and_message_id_are_added_where_they_lack():
    message = identified(
        b"From: alice@example.test\r\nTo: b@example.test\r\n\r\nDate: in the text\r\n", "alice@example.test", NOW
    )
    assert message.startswith(b"Date: Tue, 24 Nov 2026 09:30:15 +0000\r\nMessage-ID: <")
    assert parsed(message)["Message-ID"].endswith("@example.test>")
    assert parsed(message).get_content().splitlines() == ["Date: in the text"]


def test_what_is_there_stays():
    message = b"DATE: Mon, 1 Jan 2024 00:00:00 +0000\nmessage-id: <1@example.test>\n\ntext\n"
    assert identified(message, "alice@example.test", NOW) == message

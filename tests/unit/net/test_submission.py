"""Submission: what the server took, what it refused, and the one moment when nobody can tell (RFC 5321 section 4.1.1.4)."""

import pytest
from support.scripted_smtp import ScriptedSmtp

from sealwright.errors import InputError, OutcomeUnknownError, UnavailableError
from sealwright.net.smtp import submit_mail

MESSAGE = b"Subject: dots\r\n\r\n.a line\r\n..two\r\nend"


def submit(smtp):
    submit_mail(smtp.server, "a@example.test", ["b@example.test"], MESSAGE)


def test_lines_with_a_leading_dot_arrive_as_they_are():
    with ScriptedSmtp() as smtp:
        submit(smtp)
    assert smtp.message == b"Subject: dots\r\n\r\n..a line\r\n...two\r\nend\r\n"  # section 4.5.2


def test_a_connection_that_breaks_after_the_final_dot_leaves_the_outcome_unknown():
    with ScriptedSmtp(message=None) as smtp, pytest.raises(OutcomeUnknownError, match="may have gone out"):
        submit(smtp)
    assert smtp.message


@pytest.mark.parametrize("broken", ["mail", "rcpt", "data"])
def test_a_connection_that_breaks_before_the_message_is_unavailable(broken):
    with ScriptedSmtp(**{broken: None}) as smtp, pytest.raises(UnavailableError, match="does not answer"):
        submit(smtp)
    assert smtp.message == b""


@pytest.mark.parametrize(
    ("moment", "answer", "expected"),
    [
        ("data", "451 later", UnavailableError),
        ("data", "554 never", InputError),
        ("data", "250 what", UnavailableError),
        ("message", "452 full", UnavailableError),
        ("message", "552 too large", InputError),
    ],
)
def test_what_the_server_says_to_the_message_counts(moment, answer, expected):
    with ScriptedSmtp(**{moment: answer}) as smtp, pytest.raises(expected):
        submit(smtp)


@pytest.mark.parametrize("goodbye", [None, "421 in a hurry"])
def test_a_message_that_was_taken_is_sent_however_the_server_says_goodbye(goodbye):
    with ScriptedSmtp(quit=goodbye) as smtp:
        submit(smtp)
    assert smtp.message

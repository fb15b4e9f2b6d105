"""A mail of which nobody knows whether it went out is kept, says so, and is sent again only when its owner says so."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from sealwright.cli import mail
from sealwright.cli.client_options import ClientOptions
from sealwright.client import send
from sealwright.client.directory import RecipientCertificate
from sealwright.client.send import SendReport, _relay
from sealwright.client.state import ClientState, HeldMail
from sealwright.client.store import ClientStore, is_perhaps_sent
from sealwright.client.store_key import KeyChoice
from sealwright.errors import MailHeldError, OutcomeUnknownError, UnavailableError


@pytest.fixture
def context(tmp_path):
    state = ClientState(address="alice@example.test", device_name="laptop", invitation=None, mail_password="")
    with ClientStore.create(tmp_path, state, KeyChoice(key_file=tmp_path / "key")) as store:
        yield SimpleNamespace(store=store, submit=None, statement=SimpleNamespace(imap=None))


def submits(*outcomes):
    left = list(outcomes)

    def submit(recipients, content):
        if (outcome := left.pop(0)) is not None:
            raise outcome

    return submit


GROUPS = [(("bob@example.test",), b"one"), (("carol@example.test",), b"two")]


@pytest.mark.parametrize("before", [0, 1])
def test_a_mail_that_may_have_gone_out_is_held_as_such(context, before):
    context.submit = submits(*[None] * before, OutcomeUnknownError("it may have gone out"))
    with pytest.raises(OutcomeUnknownError, match="may have gone out") as error:
        _relay(context, GROUPS, HeldMail(message=b"message"))
    (held_id,) = context.store.held_mails()
    assert held_id in error.value.message
    assert is_perhaps_sent(held_id)
    assert ("sent to bob@example.test before" in error.value.message) is bool(before)
    kept = context.store.read_held(held_id)
    assert (kept.message, kept.missing) == (b"message", ("carol@example.test",) if before else ())


def test_a_mail_that_did_not_go_out_is_held_as_ever(context):
    context.submit = submits(UnavailableError("away"))
    with pytest.raises(MailHeldError, match="nothing was sent"):
        _relay(context, GROUPS, HeldMail(message=b"message"))
    (held_id,) = context.store.held_mails()
    assert not is_perhaps_sent(held_id)


def test_what_some_did_not_get_is_held_for_them_alone_and_keeps_its_id(context):
    context.submit = submits(None, UnavailableError("away"))
    with pytest.raises(MailHeldError, match=r"sent to bob\S+, but not to carol\S+; held as") as error:
        _relay(context, GROUPS, HeldMail(message=b"message"))
    (held_id,) = context.store.held_mails()
    assert held_id in error.value.message
    kept = context.store.read_held(held_id)
    assert (kept.message, kept.missing, kept.options.file_sent) == (b"message", ("carol@example.test",), False)
    context.submit = submits(UnavailableError("away"))
    with pytest.raises(MailHeldError, match=f"held as {held_id}, nothing was sent"):
        _relay(context, GROUPS[1:], kept, held_id)
    assert (context.store.held_mails(), context.store.read_held(held_id)) == ([held_id], kept)
    context.submit = submits(OutcomeUnknownError("it may have gone out"))
    with pytest.raises(OutcomeUnknownError):
        _relay(context, GROUPS[1:], kept, held_id)
    (unknown,) = context.store.held_mails()
    assert is_perhaps_sent(unknown)
    context.submit = submits(UnavailableError("away"))
    with pytest.raises(MailHeldError):
        _relay(context, GROUPS[1:], kept, unknown)
    assert context.store.held_mails() == [unknown]  # what may have gone out once stays so


MAIL = (
    b"From: alice@example.test\nTo: bob@example.test, carol@example.test\nBcc: dora@example.test\nSubject: s\n\ntext\n"
)


def test_a_retry_sends_only_to_those_that_are_missing(context, monkeypatch):
    found = lambda _, addresses: tuple(RecipientCertificate(each, "usable") for each in addresses)  # noqa: E731
    monkeypatch.setattr(send, "find_recipients", found)
    monkeypatch.setattr(send, "protected_copies", lambda _context, _message, group, *_: [(group, b"protected")])
    sent = []
    context.submit = lambda recipients, content: sent.append(recipients)
    held_id = context.store.hold_mail(HeldMail(message=MAIL, missing=("carol@example.test", "dora@example.test")))
    assert send.send_held(context, held_id).recipients == ("carol@example.test", "dora@example.test")
    assert sent == [("carol@example.test",), ("dora@example.test",)]
    assert context.store.held_mails() == []


@pytest.fixture
def command(context, monkeypatch):
    sent = []

    @contextmanager
    def opened(options):
        yield context

    monkeypatch.setattr(ClientOptions, "open", opened)
    monkeypatch.setattr(mail, "send_held", lambda context, held_id: sent.append(held_id) or SendReport(("b",), True))
    return SimpleNamespace(run=lambda *words, **given: CliRunner().invoke(mail.held, words, **given), sent=sent)


def test_retry_asks_before_it_sends_again(context, command):
    held_id = context.store.hold_mail(HeldMail(message=b"message"), perhaps_sent=True)
    assert "may have gone out already" in command.run("list").output
    for answer in ("n\n", ""):
        refused = command.run("retry", held_id, input=answer)
        assert refused.exit_code != 0
        assert (command.sent, context.store.held_mails()) == ([], [held_id])
    assert command.run("retry", held_id, input="y\n").exit_code == 0
    assert command.sent == [held_id]


def test_retry_asks_nothing_where_nothing_was_sent_or_it_is_told_not_to(context, command):
    for perhaps_sent, options in ((False, ()), (True, ("--yes",))):
        held_id = context.store.hold_mail(HeldMail(message=b"message"), perhaps_sent=perhaps_sent)
        assert command.run("retry", held_id, *options, input="").exit_code == 0
    assert len(command.sent) == 2

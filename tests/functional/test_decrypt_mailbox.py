"""A mailbox is decrypted for good: a folder of a real mail server, and the Maildir beside it, with the command line."""

import json
import time

import pytest
from support.mail_system import why_not
from support.organization import ALICE, BOB, Organization

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
COUNT = 3


@pytest.fixture(scope="module")
def organization(passable_folder):
    with Organization(passable_folder) as made:
        yield made


def inbox(device):
    return json.loads(device.run("read", "--json").output)


def test_a_folder_of_the_mail_server_is_decrypted(organization):
    alice, bob = organization.set_up(ALICE, "laptop"), organization.set_up(BOB, "laptop")
    for number in range(COUNT):
        alice.run("send", "--to", BOB, "--subject", f"Figures {number}", given="For you alone.\n")
    deadline = time.monotonic() + 30
    while len(inbox(bob)) < COUNT:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    before = inbox(bob)
    done = json.loads(bob.run("decrypt-mailbox", "--imap", "INBOX", "--yes", "--json").output)
    assert (done["decrypted"], done["kept"]) == (COUNT, [])
    after = inbox(bob)
    assert [each["subject"] for each in after] == [each["subject"] for each in before]
    assert [each["encrypted"] for each in after] == [False] * COUNT
    assert [each["signature"] for each in after] == [each["signature"] for each in before]
    again = json.loads(bob.run("decrypt-mailbox", "--imap", "INBOX", "--yes", "--json").output)
    assert (again["decrypted"], again["clear"]) == (0, COUNT)

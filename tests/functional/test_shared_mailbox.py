"""A shared mailbox from the command line: members read and send for it on their own devices, until they leave."""

import json

import pytest
from support.mail_system import why_not
from support.organization import ALICE, BOB, Organization

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
CAROL, SUPPORT = "carol@example.test", "support@example.test"
MAIL = "From: {}\nTo: {}\nSubject: Question\n\nFor the whole team.\n"


@pytest.fixture(scope="module")
def organization(passable_folder):
    with Organization(passable_folder, (ALICE, BOB, CAROL)) as made:
        made.server.operate("shared", "create", SUPPORT, "--name", "Support")
        made.server.operate("shared", "join", SUPPORT, ALICE)
        made.wait_for_keys()
        yield made


def encrypted_for(device, address):
    return device.run("message", "encrypt", given=MAIL.format(device.address, address)).output


def opens(device, message):
    return device.run("message", "decrypt", given=message, may_fail=True).status == 0


def test_members_read_and_send_for_it_until_they_leave(organization):
    alice, carol = organization.set_up(ALICE, "laptop"), organization.set_up(CAROL, "laptop")
    bob = organization.set_up(BOB, "laptop")
    first = encrypted_for(carol, SUPPORT)
    # 1 Whoever was a member before set-up has the keys at once; whoever joins gets them with the next sync.
    assert (opens(alice, first), opens(bob, first)) == (True, False)
    organization.server.operate("shared", "join", SUPPORT, BOB)
    assert "shared mailbox" in bob.run("devices", "list").errors
    assert opens(bob, first)
    # 2 A member sends for it, and the recipient sees a valid signature of the shared address.
    written = MAIL.format(SUPPORT, CAROL)
    sent = bob.run("message", "encrypt", "--address", SUPPORT, given=written).output
    shown = json.loads(carol.run("message", "verify", "--json", given=sent).output)
    assert SUPPORT in json.dumps(shown)
    # 3 Its log is a chain of its own, which members verify.
    assert "none missing" in alice.run("log", "verify", "--address", SUPPORT).output
    # 4 Who left loses the keys with the next sync, and new mail is for a new key.
    organization.server.operate("shared", "leave", SUPPORT, BOB)
    organization.wait_for_keys()
    bob.run("devices", "list")
    assert not opens(bob, first)
    alice.run("devices", "list")
    second = encrypted_for(carol, SUPPORT)
    assert opens(alice, second)
    assert opens(alice, first)
    assert bob.run("keys", "list", "--address", SUPPORT, may_fail=True).status != 0
    assert alice.run("keys", "list", "--address", SUPPORT).output.count("\n") == 2

"""From the command line and over real mail servers: answered, passed on, verified by whoever gets it, and filed."""

import json

import pytest
from support.organization import ALICE, BOB, Organization

from demo.mail_system import why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
CAROL = "carol@example.test"


@pytest.fixture(scope="module")
def organization(passable_folder):
    with Organization(passable_folder, (ALICE, BOB, CAROL)) as made:
        yield made


def newest(organization, address, before):
    return organization.mail.wait_for_messages(address, before + 1)[-1]


def test_a_mail_is_passed_on_and_its_author_is_still_certain(organization, tmp_path):
    alice, bob, carol = (organization.set_up(each, "laptop") for each in (ALICE, BOB, CAROL))
    before = len(organization.mail.raw_messages(BOB))
    message = tmp_path / "message"
    message.write_text(f"From: {ALICE}\nTo: {BOB}\nBcc: {CAROL}\nSubject: The merger\n\nSell everything.\n")
    alice.run("send", str(message))
    newest(organization, BOB, before)
    organization.mail.wait_for_messages(CAROL, 1)  # her blind copy
    # 1 passed on, through the wire
    before = len(organization.mail.raw_messages(CAROL))
    sent = bob.run("forward", "1", "--to", CAROL, given="Look at this.\n")
    assert sent.output == f"sent encrypted to {CAROL}\n"
    wire = newest(organization, CAROL, before)
    for secret in (b"merger", b"Sell", b"Look", ALICE.encode()):
        assert secret not in wire
    # 2 read, and verified by Carol herself
    folder = tmp_path / "attachments"
    found = json.loads(carol.run("read", "1", "--json", "--save-attachments", str(folder)).output)
    assert (found["subject"], found["signature"]["state"]) == ("Fwd: The merger", "valid")
    with (folder / "message.eml").open("rb") as file:
        told = json.loads(carol.run("message", "verify", "--json", given=file.read().decode()).output)
    assert (told["signature"]["signer"], told["signature"]["state"]) == ([ALICE], "valid")
    assert told["subject"] == "The merger"
    # 3 Alice's own copy, in a folder that was not there, names the blind copy; nobody else's does
    (own,) = organization.mail.raw_messages(ALICE, ".Sent")
    assert CAROL.encode() not in own
    opened = alice.run("message", "decrypt", given=own.decode()).output
    assert f"Bcc: {CAROL}" in opened
    for mail in organization.mail.raw_messages(CAROL):
        assert "Bcc" not in carol.run("message", "decrypt", given=mail.decode()).output

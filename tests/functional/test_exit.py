"""An organization takes all its keys with it: under the quorum, resumed, checked, and good enough to read the mail alone."""

import json

import pytest
from support.mail_system import why_not
from support.organization import ALICE, BOB, Organization, is_one_line

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
CAROL, DAVE = "carol@example.test", "dave@example.test"
MAIL = "From: {}\nTo: {}\nSubject: Figures\n\nFor you alone.\n"
NOT_ALLOWED, MISSING = 7, 9


@pytest.fixture(scope="module")
def organization(passable_folder):
    with Organization(passable_folder, (ALICE, BOB, CAROL, DAVE)) as made:
        yield made


def test_all_keys_leave_under_the_quorum_and_open_the_mail(organization):
    alice, bob, carol = (organization.set_up(each, "laptop") for each in (ALICE, BOB, CAROL))
    for address, role in ((ALICE, "administrator"), (BOB, "recovery-officer"), (CAROL, "recovery-officer")):
        organization.server.operate("roles", "appoint", address, role)
    message = alice.run("message", "encrypt", given=MAIL.format(ALICE, DAVE)).output
    organization.server.operate("people", "remove", DAVE)
    passphrase, folder = organization.private / "passphrase", organization.private / "keys"
    passphrase.write_text("a pass phrase for the files\n")
    # 1 Nothing comes out before enough have approved; the requester is not one of them.
    asked = json.loads(alice.run("exit", "request", "--reason", "we move", "--json").output)
    proposal = asked["proposal_id"]
    fetch = ("exit", "fetch", proposal, "-o", str(folder), "--export-passphrase-file", str(passphrase), "--json")
    assert asked["needed"] == 2
    assert alice.run("approvals", "approve", proposal, "--yes", may_fail=True).status != 0
    bob.run("approvals", "approve", proposal, "--yes")
    refused = alice.run(*fetch, may_fail=True)
    assert refused.status != 0
    assert "nothing is given out" in refused.errors
    carol.run("approvals", "approve", proposal, "--yes")
    # 2 Only the device that the approvals name gets them.
    assert bob.run(*fetch, may_fail=True).status != 0
    taken = json.loads(alice.run(*fetch).output)
    assert (taken["mailboxes"], taken["keys"], taken["there"]) == (4, 4, 0)
    assert json.loads(alice.run(*fetch).output)["there"] == 4
    # 3 The owner sees it.
    assert "key.exit" in bob.run("log", "verify").output
    # 4 The files open the mail of somebody who left, without the server.
    found = next(folder.glob("dave*/*.p12"))
    opened = alice.run("message", "decrypt", "--p12", str(found), "--password-file", str(passphrase), given=message)
    assert "Figures" in opened.output
    is_one_line(alice.run("exit", "fetch", "ffffffff", "-o", str(folder), "--export-passphrase-file", str(passphrase),
                          may_fail=True), 4)  # fmt: skip

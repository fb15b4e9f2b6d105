"""Recovery at the command line of a real organization: what is given out, and how every refusal ends."""

import json

import pytest
from support.mail_system import why_not
from support.organization import ALICE, BOB, Organization, is_one_line

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
CAROL, DAVE = "carol@example.test", "dave@example.test"
MAIL = "From: {}\nTo: {}\nSubject: Figures\n\nFor you alone.\n"
USAGE, MISSING, NOT_ALLOWED = 2, 4, 7


@pytest.fixture(scope="module")
def organization(passable_folder):
    with Organization(passable_folder, (ALICE, BOB, CAROL, DAVE)) as made:
        yield made


def test_keys_of_somebody_else_come_out_under_the_rule_alone(organization):
    alice, bob, carol, dave = (organization.set_up(each, "laptop") for each in (ALICE, BOB, CAROL, DAVE))
    letter = organization.private / "letter.eml"
    letter.write_text(carol.run("message", "encrypt", given=MAIL.format(CAROL, ALICE)).output)
    other = organization.private / "other.eml"
    other.write_text(carol.run("message", "encrypt", given=MAIL.format(CAROL, DAVE)).output)
    why = ("--reason", "she is ill", "--case", "case 7")

    def ask(device, *arguments, status=0):
        outcome = device.run("recovery", *arguments, may_fail=True)
        assert outcome.status == status, outcome
        return outcome

    def asked(*messages):
        return json.loads(ask(bob, "request", ALICE, *messages, *why, "--json").output)["proposal_id"]

    # 1 Without the role, without a rule, about nobody, about another's message.
    is_one_line(ask(bob, "request", ALICE, *why, status=NOT_ALLOWED), NOT_ALLOWED, "may ask for a recovery")
    for address, role in ((BOB, "administrator"), (CAROL, "recovery-officer"), (DAVE, "recovery-officer")):
        organization.server.operate("roles", "appoint", address, role)
    is_one_line(ask(bob, "request", ALICE, *why, status=MISSING), MISSING, "no recovery rule")
    refused = organization.server.operate("recovery", "set-rule", "--needed", "1", may_fail=True)
    assert refused.status == USAGE
    organization.server.operate("recovery", "set-rule")
    assert "2 of 2 recovery officers" in organization.server.operate("recovery", "rule").output
    is_one_line(ask(bob, "request", "nobody@example.test", *why, status=MISSING), MISSING, "nobody has or had")
    is_one_line(ask(bob, "request", ALICE, str(other), *why, status=USAGE), USAGE, "not encrypted for")
    # 2 Nothing before the approvals, nothing after a veto, and nobody approves the own request.
    stopped = asked()
    is_one_line(ask(bob, "fetch", stopped, status=MISSING), MISSING, "not approved yet")
    assert bob.run("approvals", "approve", stopped, "--yes", may_fail=True).status == NOT_ALLOWED
    carol.run("approvals", "veto", stopped, "--yes")
    assert dave.run("approvals", "approve", stopped, "--yes", may_fail=True).status != 0
    is_one_line(ask(bob, "fetch", stopped, status=MISSING), MISSING, "not approved yet")
    # 3 One message: its content key and no other, never as a history.
    single = asked(str(letter))
    is_one_line(ask(bob, "decrypt", str(letter), status=MISSING), MISSING, "no approved recovery")
    for officer in (carol, dave):
        officer.run("approvals", "approve", single, "--yes")
    assert "For you alone" in ask(bob, "decrypt", str(letter)).output
    is_one_line(ask(bob, "fetch", single, status=USAGE), USAGE, "only single messages")
    is_one_line(ask(bob, "drop", single, status=MISSING), MISSING, "no recovered history")
    # 4 The history: fetched, read with, told to the owner, dropped.
    whole = asked()
    for officer in (carol, dave):
        officer.run("approvals", "approve", whole, "--yes")
    assert json.loads(ask(bob, "fetch", whole, "--json").output)["address"] == ALICE
    assert "keys are on this device" in ask(bob, "list").output
    assert "For you alone" in json.dumps(json.loads(ask(bob, "decrypt", str(letter), "--json").output))
    told = alice.run("devices", "list").errors
    assert told.count("was approved; asked by bob@example.test") == 2
    assert "key.recover" in alice.run("log", "verify").output
    ask(bob, "drop", whole)
    assert json.loads(ask(bob, "list", "--json").output)[0]["is_here"] is False

"""A person's devices in the console: who locks, unlocks and removes them, and who makes a letter that lets one in."""

import re

import pytest
from support.console_browser import ConsoleBrowser
from support.served import ALICE, BOB, Served

from sealwright.console.custody import PROPOSAL_TITLES
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.operator import PolicyChange

ADMINISTRATOR, OFFICER, HELP_DESK, AUDITOR = "administrator", "security-officer", "help-desk", "auditor"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    made = Served(tmp_path_factory.mktemp("served"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def browsers(served):
    """One for each role, signed in with a password, and administrator and officer once more with a passkey."""
    made = {role: ConsoleBrowser(served, role) for role in (ADMINISTRATOR, OFFICER, HELP_DESK, AUDITOR)}
    made |= {f"{role}+": ConsoleBrowser(served, role, with_passkey=True) for role in (ADMINISTRATOR, OFFICER)}
    return made


@pytest.fixture
def alice(served):
    """Her mailbox id, and a new device of hers."""
    served.clock.move(minutes=25)
    served.enrol()
    mailbox = served.services.people.find_mailbox(served.services.organization_id, ALICE)
    newest = served.services.devices.of_mailbox(served.services.organization_id, mailbox.mailbox_id)[-1]
    return mailbox.mailbox_id, newest.device_id


def state(served, mailbox_id, device_id):
    found = served.services.devices.of_mailbox(served.services.organization_id, mailbox_id)
    return next(device.state for device in found if device.device_id == device_id)


def newest_leaf(served, mailbox_id):
    served.services.audit.sequence(served.services.organization_id)
    found = served.services.audit.newest(served.services.organization_id, mailbox_id, limit=1)
    return decode_leaf_record(found[0].record)


def test_a_lost_device_is_locked_by_the_help_desk_and_let_in_again_with_a_passkey_only(served, browsers, alice):
    mailbox_id, device_id = alice
    device = f"/console/people/{mailbox_id}/devices/{device_id}"
    assert browsers[HELP_DESK].post(f"{device}/lock").status_code == 303
    assert state(served, *alice) == "locked"
    said = newest_leaf(served, mailbox_id)
    assert (said.kind, said.fields["by"]) == ("device.lock", "help-desk the-help-desk")
    assert browsers[HELP_DESK].post(f"{device}/unlock").status_code == 403
    refused = browsers[ADMINISTRATOR].post(f"{device}/unlock")
    assert (refused.status_code, "with a passkey" in refused.text) == (403, True)
    assert state(served, *alice) == "locked"
    assert browsers[f"{ADMINISTRATOR}+"].post(f"{device}/unlock").status_code == 303
    assert state(served, *alice) == "active"


def test_a_removed_device_stays_removed(served, browsers, alice):
    mailbox_id, device_id = alice
    device = f"/console/people/{mailbox_id}/devices/{device_id}"
    assert browsers[HELP_DESK].post(f"{device}/remove").status_code == 403
    assert browsers[OFFICER].post(f"{device}/remove").status_code == 303
    assert state(served, *alice) == "removed"
    again = browsers[f"{OFFICER}+"].post(f"{device}/unlock")
    assert (again.status_code, 'role="alert"' in again.text) == (409, True)
    assert state(served, *alice) == "removed"


@pytest.mark.parametrize("act", ["lock", "unlock", "remove"])
def test_nobody_else_changes_a_device_and_none_of_another_person(served, browsers, alice, act):
    mailbox_id, device_id = alice
    device = f"/console/people/{mailbox_id}/devices/{device_id}/{act}"
    before = served.state()["device"]
    assert browsers[AUDITOR].post(device).status_code == 403
    assert browsers[ADMINISTRATOR].post(device, token="x").status_code == 403
    bob = served.services.people.find_mailbox(served.services.organization_id, BOB).mailbox_id
    other = browsers[f"{ADMINISTRATOR}+"].post(device.replace(mailbox_id, bob))
    assert (other.status_code, "no such device" in other.text) == (409, True)
    unknown = browsers[f"{ADMINISTRATOR}+"].post(device.replace(mailbox_id, "c" * 32))
    assert unknown.status_code == 404
    assert served.state()["device"] == before


def test_a_letter_is_made_with_a_passkey_shown_once_and_a_leaf(served, browsers, alice):
    mailbox_id, _ = alice
    path = f"/console/people/{mailbox_id}/letter"
    for name in (HELP_DESK, AUDITOR, ADMINISTRATOR, OFFICER):
        assert browsers[name].post(path).status_code == 403, name
    assert newest_leaf(served, mailbox_id).kind != "enrolment-secret.create"
    made = browsers[f"{OFFICER}+"].post(path)
    assert made.status_code == 200, made.text
    assert made.headers["cache-control"] == "no-store"
    secret = re.search(r"[A-Z0-9]{4}(-[A-Z0-9]{4}){4}", made.text)[0]
    assert "<svg" in made.text
    assert ALICE in made.text
    said = newest_leaf(served, mailbox_id)
    assert (said.kind, said.fields["by"]) == (
        "enrolment-secret.create",
        "security-officer the-security-officer-with-passkey",
    )
    shown = browsers[f"{OFFICER}+"].get(f"/console/people/{mailbox_id}").text
    assert secret not in shown
    assert secret.replace("-", "") not in repr(served.state())
    assert browsers[f"{OFFICER}+"].post("/console/people/none/letter").status_code == 404


def test_who_waits_and_what_a_device_lacks_is_told_with_the_command_that_helps(served, browsers, alice):
    mailbox_id, device_id = alice
    assert served.operate("/local/policy", PolicyChange(level=3)).status_code == 200
    page = browsers[ADMINISTRATOR].get(f"/console/people/{mailbox_id}").text
    assert "an approval" in page
    assert "gets nothing" in page
    assert "Waits for an approval" not in page
    services = served.services
    with services.storage.transaction(services.organization_id) as tx:
        until = served.clock.now().replace(microsecond=0)
        services.access._access.wait(tx, services.organization_id, mailbox_id, device_id, until.replace(year=2030))
    for role, sees_rules in ((ADMINISTRATOR, True), (HELP_DESK, False)):
        page = browsers[role].get(f"/console/people/{mailbox_id}").text
        assert "sealwright devices approve" in page
        assert ("A device needs" in page) is sees_rules
        assert ("Encryption keys" in page) is sees_rules
        assert ("Make" in page.partition("Enrolment letter")[2]) is False


def test_everything_that_can_be_proposed_is_said_in_words(served):
    assert set(served.services.approvals._kinds) == set(PROPOSAL_TITLES)

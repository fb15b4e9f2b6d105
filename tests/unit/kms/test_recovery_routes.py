"""Recovery over HTTP: what is given out, and every refusal with its problem and the command line's exit code for it."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from support.console_browser import ConsoleBrowser
from support.served import ALICE, BOB, Served, people

from sealwright.cli.exit_codes import exit_code
from sealwright.wire.approvals import ApprovalStatement, DecisionRequest, ProposalRequest, ProposalView
from sealwright.wire.content_keys import ContentKeyItem
from sealwright.wire.encoding import decode_json
from sealwright.wire.hpke import hpke_open
from sealwright.wire.manifest import decode_released_keys
from sealwright.wire.operator import RecoveryRuleRequest, RoleRequest
from sealwright.wire.problems import TYPE_PREFIX, error_from
from sealwright.wire.recovery import (
    RECOVERY,
    RecoveryAnswer,
    RecoveryFetch,
    RecoveryRequest,
    RecoveryRule,
    RecoveryTarget,
    RecoveryTargetRequest,
)

RITA, OTTO, OLGA = (f"{name}@example.test" for name in ("rita", "otto", "olga"))
TARGET = "/v1/recoveries/target"
HOUR = 3600


class Quorum:
    """A served organization in which rita asks and otto and olga decide; alice owns the keys."""

    def __init__(self, folder):
        self.served = Served(folder, datetime.now(UTC))
        assert self.served.operate("/local/people", people(RITA, OTTO, OLGA)).json()["created"] == 3
        self.served.work()
        self.devices, self.shift = {}, timedelta()
        for address in (ALICE, RITA, OTTO, OLGA):
            self.devices[address] = self.served.enrol(address)
        for address, role in ((RITA, "administrator"), (OTTO, "recovery-officer"), (OLGA, "recovery-officer")):
            wanted = RoleRequest(address=address, role=role, holds=True, reason="at the beginning")
            assert self.served.operate("/local/roles", wanted).status_code == 200

    def token(self, address):
        """Return a fresh token of a device."""
        device = self.devices[address][0]
        answer = self.served.public.request(
            "POST", "/v1/token", b"", headers=self.served.signed(device, "/v1/token", b"")
        )
        return answer.json()["access_token"]

    def ask(self, address, path, request=None, method="POST"):
        """Ask as somebody's device, now or `shift` later."""
        self.served.clock.time = datetime.now(UTC) + self.shift
        return self.served.ask(path, self.devices[address][0], self.token(address), request, method=method)

    def set_rule(self, rule):
        """Set the recovery rule as the operator."""
        answer = self.served.operate("/local/recovery-rule", RecoveryRuleRequest(rule=rule, reason="at the beginning"))
        assert answer.status_code == 200, answer.text

    def request(self, **changes):
        """Return what rita's device asks for."""
        target = decode_json(self.ask(RITA, TARGET, RecoveryTargetRequest(address=ALICE)).content, RecoveryTarget)
        listed = self.ask(RITA, "/v1/devices", method="GET").json()["devices"]
        fields = {
            "mailbox_id": target.tenures[0].mailbox_id,
            "address": ALICE,
            "what": "history",
            "device_id": listed[0]["device_id"],
            "device_thumbprint": self.devices[RITA][0].public.thumbprint(),
            "rule_version": target.rule_version,
            "messages": (),
            **changes,
        }
        return RecoveryRequest(**fields)

    def propose(self, by=RITA, **changes):
        """Ask for a recovery and return the answer."""
        content = msgspec.json.encode(self.request(**changes))
        wanted = ProposalRequest(kind=RECOVERY, reason="she is ill", content=content, case_number="case 7")
        return self.ask(by, "/v1/proposals", wanted)

    def decide(self, address, view, decision="approve"):
        """Decide on a proposal as an officer's device does."""
        now, device = self.served.clock.now(), self.devices[address][0]
        listed = self.served.services.mailboxes.tenures(self.served.services.organization_id, address)
        statement = ApprovalStatement(
            organization_id=view.proposal.organization_id,
            proposal_id=view.proposal.proposal_id,
            kind=RECOVERY,
            subject_sha256=view.proposal.digest(),
            decision=decision,
            approver=listed[0].mailbox_id,
            device_thumbprint=device.public.thumbprint(),
            signed_at=now,
            expires=now + timedelta(hours=12),
        )
        request = DecisionRequest(statement=statement, signature=statement.sign(device.key))
        answer = self.ask(address, f"/v1/proposals/{view.proposal.proposal_id}/decisions", request)
        self.served.work()
        return answer

    def asked(self):
        """Return a recovery that was asked for."""
        answer = self.propose()
        assert answer.status_code in (200, 201), answer.text
        return decode_json(answer.content, ProposalView)

    def approved(self):
        """Return a recovery that both officers approved."""
        view = self.asked()
        for address in (OTTO, OLGA):
            assert self.decide(address, view).status_code == 200
        return view

    def fetch(self, view, by=RITA, request=None):
        """Fetch a recovery as somebody's device."""
        return self.ask(by, f"/v1/recoveries/{view.proposal.proposal_id}/fetch", request or RecoveryFetch(items=()))


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    made = Quorum(tmp_path_factory.mktemp("recovery"))
    yield made
    made.served.close()


@pytest.fixture
def quorum(running):
    running.shift = timedelta()
    running.set_rule(RecoveryRule())
    return running


def refused(answer, status, name, code, words):
    """Check an answer: HTTP status, problem type, what the command line ends with, and what it says."""
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, TYPE_PREFIX + name), problem
    assert exit_code(error_from(problem)) == code
    assert words in problem["detail"]


def test_before_there_is_a_rule_nothing_can_be_recovered(running):
    """Runs first: the module's server has no rule yet."""
    refused(running.ask(RITA, TARGET, RecoveryTargetRequest(address=ALICE)), 404, "not-found", 4, "no recovery rule")


def test_an_approved_history_is_sealed_to_the_requesters_device(quorum):
    view = quorum.approved()
    answer = quorum.fetch(view)
    assert answer.status_code == 200, answer.text
    found = decode_json(answer.content, RecoveryAnswer)
    opened = hpke_open(quorum.devices[RITA][0].hpke_private_key, found.manifest.encode(), found.sealed)
    assert [key.key_id for key in decode_released_keys(opened)] == [key.key_id for key in found.manifest.keys]
    listed = quorum.ask(RITA, "/v1/proposals", method="GET").json()["proposals"]
    assert {row["proposal"]["proposal_id"]: row["state"] for row in listed}[view.proposal.proposal_id] == "done"


def test_who_may_ask_and_about_whom(quorum):
    known = RecoveryTargetRequest(address=ALICE)
    refused(quorum.ask(ALICE, TARGET, known), 403, "permission-denied", 7, "may ask for a recovery")
    stranger = RecoveryTargetRequest(address="nobody@example.test")
    refused(quorum.ask(RITA, TARGET, stranger), 404, "not-found", 4, "nobody has or had")
    refused(quorum.ask(RITA, TARGET, RecoveryTargetRequest(address="no address")), 400, "input", 2, "")
    body = msgspec.json.encode(known)
    unsigned = quorum.served.public.request("POST", TARGET, body)
    refused(unsigned, 401, "authentication", 6, "")
    refused(quorum.propose(by=ALICE), 403, "permission-denied", 7, "may propose this")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rule_version": 999}, (400, "input", 2, "rule was changed")),
        ({"address": BOB}, (400, "input", 2, "not the mailbox's")),
        ({"device_id": "c" * 32}, (404, "not-found", 4, "")),
        ({"device_thumbprint": b"t" * 32}, (403, "permission-denied", 7, "requester's own")),
        ({"mailbox_id": "c" * 32}, (404, "not-found", 4, "")),
        ({"what": "messages"}, (400, "input", 2, "")),
    ],
)
def test_a_request_that_could_not_be_kept(quorum, changes, expected):
    refused(quorum.propose(**changes), *expected)


def test_more_approvals_than_there_are_officers_and_a_device_of_too_low_a_level(quorum):
    quorum.set_rule(RecoveryRule(needed=3))
    refused(quorum.propose(), 400, "input", 2, "besides the requester")
    quorum.set_rule(RecoveryRule(level=2))
    refused(quorum.propose(), 403, "permission-denied", 7, "level 2")


def test_nothing_before_the_approvals_nor_for_another_device(quorum):
    view = quorum.asked()
    refused(quorum.fetch(view), 404, "not-found", 4, "not approved yet")
    assert quorum.decide(OTTO, view).status_code == 200
    refused(quorum.decide(OTTO, view), 409, "conflict", 5, "")
    refused(quorum.fetch(view), 404, "not-found", 4, "not approved yet")
    assert quorum.decide(OLGA, view).status_code == 200
    refused(quorum.fetch(view, by=OTTO), 404, "not-found", 4, "for this device")
    assert quorum.fetch(view).status_code == 200


def test_items_that_were_not_approved(quorum):
    view = quorum.approved()
    item = ContentKeyItem(key_id="c" * 32, recipient_info=b"0", key_bytes=32)
    refused(quorum.fetch(view, request=RecoveryFetch(items=(item,))), 400, "input", 2, "something else")


def test_the_delay_the_veto_and_the_end_of_the_approvals(quorum):
    quorum.set_rule(RecoveryRule(release_delay_seconds=2 * HOUR))
    waits = quorum.approved()
    refused(quorum.fetch(waits), 403, "approvals-missing", 7, "nothing is given out before")
    stopped = quorum.asked()
    assert quorum.decide(OTTO, stopped, "veto").status_code == 200
    refused(quorum.decide(OLGA, stopped), 409, "conflict", 5, "")
    refused(quorum.fetch(stopped), 404, "not-found", 4, "not approved yet")
    quorum.shift = timedelta(hours=13)
    refused(quorum.fetch(waits), 403, "approvals-missing", 7, "")  # the keystore's clock was not moved
    quorum.served.services.recoveries.lapse(quorum.served.services.organization_id)
    refused(quorum.fetch(waits), 403, "permission-denied", 7, "expired")


def test_an_unknown_recovery(quorum):
    view = quorum.asked()
    unknown = msgspec.structs.replace(view, proposal=msgspec.structs.replace(view.proposal, proposal_id="d" * 32))
    refused(quorum.fetch(unknown), 404, "not-found", 4, "no such recovery")


def test_the_console_shows_a_case_to_those_who_oversee_it_and_nowhere_else(quorum):
    quorum.set_rule(RecoveryRule(owner_delay_seconds=30 * 24 * HOUR))
    view = quorum.approved()
    assert quorum.fetch(view).status_code == 200
    proposal_id = view.proposal.proposal_id
    quorum.served.services.audit.sequence(quorum.served.services.organization_id)
    for role in ("auditor", "security-officer", "recovery-officer"):
        browser = ConsoleBrowser(quorum.served, role)
        page = browser.get("/console/recoveries").text
        assert ALICE in page
        assert "not before" in page
        assert browser.get(f"/console/approvals/{proposal_id}").status_code == 200
        assert proposal_id in browser.get("/console/approvals").text
    for role in ("administrator", "help-desk", "operator"):
        browser = ConsoleBrowser(quorum.served, role)
        assert browser.get("/console/recoveries").status_code == 403
        assert browser.get(f"/console/approvals/{proposal_id}").status_code in (403, 404)
        assert proposal_id not in browser.get("/console/approvals").text
    mailbox = quorum.served.services.people.find_mailbox(quorum.served.services.organization_id, ALICE)
    person = (
        ConsoleBrowser(quorum.served, "auditor", with_passkey=True).get(f"/console/people/{mailbox.mailbox_id}").text
    )
    assert f"{proposal_id}" not in person

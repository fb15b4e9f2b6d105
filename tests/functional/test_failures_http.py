"""What a server answers to bad input: one clear problem document, and nothing is changed."""

import re
import statistics
import time

import msgspec
import pytest
from support.bad_requests import bad_requests
from support.release_evidence import make_device
from support.served import ALICE, BOB, Served, people

from sealwright.wire.api import EnrolmentRequest, ExportRequest, ProofRequest

TOKEN_ROUTES = {
    "/v1/releases": msgspec.json.encode({"request_nonce": b"n" * 32}),
    "/v1/exports": msgspec.json.encode(ExportRequest(key_id="a" * 32)),
    "/v1/certificates": b'{"certification_request":"MAA="}',
    "/v1/imports": b'{"keys":[]}',
    "/v1/content-keys": b'{"request_nonce":"AAAA","items":[]}',
    "/v1/proposals": b'{"kind":"something","reason":"because","content":"e30="}',
}
OTHER_ROUTES = {
    "/v1/proposals/{proposal_id:str}/decisions": b'{"statement":{},"signature":""}',
    "/v1/exits/{proposal_id:str}/keys": b'{"mailbox_id":1}',
    "/v1/recoveries/target": b'{"address":1}',
    "/v1/recoveries/{proposal_id:str}/fetch": b'{"items":1}',
    "/v1/devices/{device_id:str}/state": b'{"state":1}',
    "/v1/access/{kind:str}": b'{"sealed":1}',
    "/v1/access/approvals": b"{}",
    "/v1/access/approvals/{device_id:str}": b'{"signature":1}',
}
"""With a body that is none of theirs: what they do with a right one is told by tests of their own."""
SEAL_ROUTES = ("/v1/seal/entries", "/v1/seal/closings")
"""Told in `test_sealing.py`: the first is for whoever has a share, the second for a role."""
OPEN_ROUTES = {
    "/v1/enrolments": msgspec.json.encode(
        EnrolmentRequest(address=ALICE, device=make_device().public, device_name="laptop", platform="linux")
    ),
    "/v1/enrolments/{enrolment_id:str}/proof": msgspec.json.encode(ProofRequest(answer=b"a" * 32)),
    "/v1/directory/search": b'{"addresses":["alice@example.test"]}',
}
SIGNED_ROUTES = {"/v1/token": b""}
ROUTES = {**TOKEN_ROUTES, **OPEN_ROUTES, **SIGNED_ROUTES}
NOT_JSON = (b"{", b"nonsense", b"\xff\xfe\x00", b'{"a":"\xff"}', b"[" * 30_000, b"{}{}", b"1e999")
WRONG_KIND = (b"[]", b"null", b"1", b'"text"', b'{"unknown":1}')
WRONG_VALUES = (b"null", b"7", b"-1.5", b"true", b"[1]", b"{}", b'{"a":{}}', b"[null]")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    made = Served(tmp_path_factory.mktemp("served"))
    yield made
    made.close()


@pytest.fixture
def bob(served):
    """A new device of Bob."""
    served.clock.move(minutes=25)
    return served.enrol(BOB)


@pytest.fixture
def alice(served):
    """A new device of Alice; later each time, so that no quota is met, and still within a token's hour."""
    served.clock.move(minutes=25)
    return served.enrol(ALICE)


def is_problem(answer, *statuses):
    assert answer.status_code in statuses, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"].startswith("urn:sealwright:problem:")
    assert problem["detail"]
    assert "Traceback" not in answer.text
    return problem


def posted(served, route, body, alice):
    """Post to a route as whoever may, so that only the body is wrong."""
    path, headers = re.sub(r"\{[^}]*\}", "e" * 32, route.replace("{kind:str}", "password")), ()
    if route in TOKEN_ROUTES or route in OTHER_ROUTES:
        headers = served.authorized(*alice, path, body)
    elif route != "/v1/directory/search":
        headers = served.signed(alice[0], path, body)
    return served.public.request("POST", path, body, headers=headers)


# --- malformed requests ------------------------------------------------------------------------------------------------


def test_every_post_route_of_the_devices_is_in_the_table(served):
    routes = [route for route in served.app._app._app.routes if route.path_format.startswith("/v1/")]
    found = {route.path_format for route in routes if "POST" in getattr(route, "methods", ())}
    assert {re.sub(r"\{(\w+)\}", r"{\1:str}", path) for path in found} == {*ROUTES, *OTHER_ROUTES, *SEAL_ROUTES}


@pytest.mark.parametrize("route", OTHER_ROUTES)
def test_a_body_of_another_kind_is_a_400_and_changes_nothing(served, alice, route):
    before = served.state()
    for body in (*NOT_JSON, *WRONG_KIND, OTHER_ROUTES[route]):
        is_problem(posted(served, route, body, alice), 400, 403)
    assert served.state() == before


@pytest.mark.parametrize("route", ROUTES)
def test_a_malformed_request_is_a_400_and_changes_nothing(served, alice, route):
    right = ROUTES[route]
    bodies = [*NOT_JSON, *WRONG_KIND]
    if right:
        bodies += [b"", right[:-1] + b',"unknown":1}', right[: len(right) // 2]]
        names = msgspec.json.decode(right)
        for name in names:
            bodies.append(msgspec.json.encode({other: value for other, value in names.items() if other != name}))
            bodies += [msgspec.json.encode({**names, name: msgspec.Raw(wrong)}) for wrong in WRONG_VALUES]
    before = served.state()
    for body in bodies:
        problem = is_problem(posted(served, route, body, alice), 400)
        assert problem["type"].rpartition(":")[2] in ("input", "decoding"), body[:60]
    assert served.state() == before


@pytest.mark.parametrize(
    ("route", "changed"),
    [
        ("/v1/releases", {"request_nonce": "AAAA"}),
        ("/v1/releases", {"request_nonce": "not base64!"}),
        ("/v1/exports", {"key_id": "\u0000' OR 1=1 --"}),
        ("/v1/exports", {"key_id": "x" * 60_000}),
        ("/v1/certificates", {"certification_request": "MAA="}),
        ("/v1/certificates", {"certification_request": ""}),
        ("/v1/enrolments", {"address": "two words@example.test"}),
        ("/v1/enrolments", {"address": "@"}),
        ("/v1/enrolments", {"address": "a" * 5000 + "@example.test"}),
        ("/v1/enrolments", {"address": "alice@other.test"}),
        ("/v1/enrolments", {"address": "alice\r\nBcc: x@example.test"}),
        ("/v1/enrolments", {"device_name": ""}),
        ("/v1/enrolments", {"device_name": "a\u202eb"}),
        ("/v1/enrolments", {"device_name": "x" * 101}),
        ("/v1/enrolments", {"platform": "\n"}),
        ("/v1/enrolments", {"device": {"authentication_key_spki": "MAA=", "hpke_public_key": "AAAA"}}),
        ("/v1/enrolments/{enrolment_id:str}/proof", {"answer": ""}),
        ("/v1/directory/search", {"addresses": ["not an address"]}),
        ("/v1/directory/search", {"addresses": ["a@example.test"] * 501}),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_and_changes_nothing(served, alice, route, changed):
    before = served.state()
    body = msgspec.json.encode({**msgspec.json.decode(ROUTES[route]), **changed})
    is_problem(posted(served, route, body, alice), 400, 401, 403, 404, 422)
    assert served.state() == before


def test_a_key_that_must_not_be_certified_is_refused_for_its_reason(served, alice):
    before = served.state()
    for name, (request, reason) in bad_requests().items():
        body = msgspec.json.encode({"certification_request": request})
        problem = is_problem(posted(served, "/v1/certificates", body, alice), 400, 403, 422)
        assert reason in problem["detail"], name
    assert served.state() == before


@pytest.mark.parametrize("route", ROUTES)
def test_an_oversized_body_is_refused_before_it_is_read_whole(served, route):
    path = route.replace("{enrolment_id:str}", "e" * 32)
    before = served.state()
    for headers in ([], [(b"content-length", b"8388608")]):
        status, content, taken = served.send_endlessly(path, headers)
        assert status in (400, 413), content
        assert msgspec.json.decode(content)["status"] == status
        assert taken <= (0 if headers else 1024 * 1024 + 2 * 64 * 1024)
    assert served.state() == before


def test_a_query_that_cannot_be_read_is_a_400(served, alice):
    for path in ("/v1/sync?after=x", "/v1/sync?after=-1", "/v1/log/chain?after=x"):
        is_problem(served.ask(path, *alice, method="GET"), 400)


def test_headers_that_cannot_be_read_are_a_401(served, alice):
    body = TOKEN_ROUTES["/v1/releases"]
    right = served.authorized(*alice, "/v1/releases", body)
    before = served.state()
    for name, _ in right:
        for wrong in (b"", b"x", b"\xff\xfe", b"A" * 4000, b"DPoP ", b"DPoP \xe4\xf6", b"a.b.c"):
            changed = [(each, wrong if each == name else value) for each, value in right]
            is_problem(served.public.request("POST", "/v1/releases", body, headers=changed), 401)
        without = [pair for pair in right if pair[0] != name]
        is_problem(served.public.request("POST", "/v1/releases", body, headers=without), 401)
        is_problem(served.public.request("POST", "/v1/releases", body, headers=[*right, (name, b"x")]), 401)
    assert served.state() == before


# --- the mailbox proof -------------------------------------------------------------------------------------------------


def test_a_wrong_proof_counts_one_try_and_changes_nothing_else(served):
    served.clock.move(hours=1, seconds=1)
    device = make_device()
    begun = served.begin(device).json()
    before = served.state()
    problem = is_problem(served.prove(device, begun["enrolment_id"], b"x" * 32), 401)
    assert "start the set-up again" in problem["detail"]
    after = served.state()
    assert {name for name in after if after[name] != before[name]} == {"enrolment"}
    right = served.challenge_answer(device, begun)
    assert served.prove(device, begun["enrolment_id"], right).status_code == 200


def test_an_expired_proof_is_refused_and_changes_nothing(served):
    served.clock.move(hours=1, seconds=1)
    device = make_device()
    begun = served.begin(device).json()
    right = served.challenge_answer(device, begun)
    served.clock.move(hours=24, seconds=1)
    before = served.state()
    is_problem(served.prove(device, begun["enrolment_id"], right), 401)
    assert served.state() == before


def test_a_replayed_proof_enrols_nothing_more(served):
    served.clock.move(hours=1, seconds=1)
    device = make_device()
    begun = served.begin(device).json()
    right = served.challenge_answer(device, begun)
    assert served.prove(device, begun["enrolment_id"], right, key="k").status_code == 200
    is_problem(served.prove(device, begun["enrolment_id"], right, key="other"), 401)
    thief = make_device()
    is_problem(served.prove(thief, begun["enrolment_id"], right, key="k"), 401)
    other = served.begin(thief).json()
    before = served.state()
    is_problem(served.prove(thief, other["enrolment_id"], right), 401)
    after = served.state()
    assert after["device"] == before["device"]
    assert after["log_leaf"] == before["log_leaf"]


def test_a_known_and_an_unknown_address_look_and_take_the_same(served):
    times, shapes = {ALICE: [], "nobody@example.test": []}, set()
    for _ in range(30):
        served.clock.move(minutes=21)
        for address, taken in times.items():
            device = make_device()
            started = time.perf_counter()
            answer = served.begin(device, address)
            taken.append(time.perf_counter() - started)
            document = answer.json()
            lengths = tuple((name, len(value)) for name, value in document.items())
            shapes.add((answer.status_code, len(answer.content), lengths, tuple(sorted(answer.headers))))
    assert len(shapes) == 1
    assert next(iter(shapes))[0] == 201
    known, unknown = (statistics.median(taken) for taken in times.values())
    assert abs(known - unknown) < max(0.5 * max(known, unknown), 0.005), (known, unknown)


def test_a_wrong_proof_looks_the_same_for_an_unknown_address(served):
    served.clock.move(hours=1, seconds=1)
    answers = []
    for address in (ALICE, "nobody@example.test"):
        device = make_device()
        begun = served.begin(device, address).json()
        answers.append(served.prove(device, begun["enrolment_id"], b"x" * 32))
    never_begun = served.prove(make_device(), "f" * 32, b"x" * 32)
    assert answers[0].content == answers[1].content == never_begun.content


# --- whose token -------------------------------------------------------------------------------------------------------


def test_another_devices_token_is_refused_and_changes_nothing(served, alice, bob):
    before = served.state()
    for path, body in TOKEN_ROUTES.items():
        is_problem(served.ask(path, alice[0], bob[1], body), 401)
        is_problem(served.ask(path, make_device(), bob[1], body), 401)
        is_problem(served.ask(path, bob[0], "x" * 43, body), 401)
    for path in ("/v1/devices", "/v1/sync", "/v1/log/chain"):
        is_problem(served.ask(path, alice[0], bob[1], method="GET"), 401)
    own = served.ask("/v1/devices", *bob, method="GET").json()["devices"][0]["device_id"]
    is_problem(served.ask(f"/v1/devices/{own}", *alice, method="DELETE"), 404)
    assert served.state() == before


def test_a_repeated_request_is_refused_and_changes_nothing(served, alice):
    body = TOKEN_ROUTES["/v1/releases"]
    headers = served.authorized(*alice, "/v1/releases", body)
    assert served.public.request("POST", "/v1/releases", body, headers=headers).status_code == 200
    before = served.state()
    is_problem(served.public.request("POST", "/v1/releases", body, headers=headers), 401)
    assert served.state() == before


@pytest.mark.parametrize(
    "route",
    [
        "/local/people",
        "/local/people/remove",
        "/local/people/rotate",
        "/local/policy",
        "/local/tls-certificates",
    ],
)
def test_a_malformed_request_of_the_operator_is_a_400_and_changes_nothing(served, route):
    before = served.state()
    for body in (b"", *NOT_JSON, b'{"people":1,"address":1,"allowed":1,"names":1}'):
        is_problem(served.local.post(route, body), 400)
    assert served.state() == before


def test_a_removed_person_gets_nothing_any_more(served):
    assert served.operate("/local/people", people("carol@example.test")).json()["created"] == 1
    served.work()
    carol = served.enrol("carol@example.test")
    address = "/v1/directory/certificates?address=carol@example.test"
    assert len(served.public.get(address).json()["certificates"]) == 1
    assert served.ask("/v1/releases", *carol, TOKEN_ROUTES["/v1/releases"]).status_code == 200
    served.remove("carol@example.test")
    before = served.state()
    for path, body in TOKEN_ROUTES.items():
        is_problem(served.ask(path, *carol, body), 401)
    is_problem(posted(served, "/v1/token", b"", carol), 401)
    search = served.public.post("/v1/directory/search", b'{"addresses":["carol@example.test"]}')
    assert search.json()["entries"][0]["certificates"] == []
    time.sleep(1.1)  # the look-up's cache
    assert served.public.get(address).json()["certificates"] == []
    assert served.state() == before
    is_problem(served.operate("/local/people/remove", people("carol@example.test")), 400)


# --- a full disk -------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_one_clear_error_and_changes_nothing(served, bob):
    crowd = people(*(f"more{number}@example.test" for number in range(300)))
    with served.full_disk():
        for number in range(200):  # until nothing fits any more
            if served.operate("/local/people", people(f"filler{number}@example.test")).status_code != 200:
                break
        before = served.state()
        problem = is_problem(served.operate("/local/people", crowd), 503)
        assert "database" in problem["detail"]
        refused = [served.begin(make_device(), BOB) for _ in range(3)]
        is_problem(refused[-1], 503)
        assert served.ask("/v1/devices", *bob, method="GET").status_code == 200  # reading goes on
        after = served.state()
        assert after["mailbox"] == before["mailbox"]
        assert after["log_leaf"] == before["log_leaf"]
    assert served.operate("/local/people", crowd).json()["created"] == 300
    assert served.begin(make_device(), BOB).status_code == 201

"""Keys of mailboxes: made, certified, released with their leaf, rotated, frozen; and the same over HTTP."""

import json
from dataclasses import replace

import msgspec
import pytest
from joserfc.jwk import ECKey
from litestar import Litestar, Response
from litestar.di import Provide
from litestar.testing import TestClient
from support.people_world import LOG_ORIGIN, ORGANIZATION, ORIGIN, World
from support.release_evidence import make_device

from sealwright.errors import (
    ApprovalsMissingError,
    ConflictError,
    InputError,
    PermissionDeniedError,
    SealwrightError,
    UnavailableError,
)
from sealwright.identity.feed_watch import FeedWatch
from sealwright.identity.routes import identity_router
from sealwright.identity.tables import vouched_row
from sealwright.keystore.sign_on import SignOn
from sealwright.kms.routes import kms_router
from sealwright.kms.tables import mailbox_key
from sealwright.storage.schema import metadata
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.api import (
    AccessToken,
    EnrolledAnswer,
    EnrolmentAnswer,
    EnrolmentRequest,
    ExportRequest,
    ProofRequest,
    ReleaseAnswer,
    ReleaseRequest,
)
from sealwright.wire.encoding import sha256
from sealwright.wire.hpke import hpke_open
from sealwright.wire.leaf_check import check_leaf
from sealwright.wire.manifest import decode_released_keys
from sealwright.wire.operator import PolicyChange
from sealwright.wire.problems import problem_for

NONCE = b"n" * 32


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.storage.close()


def ask(world, device, enrolled, key="r1", nonce=NONCE):
    """Ask for a release as the route does."""
    body = msgspec.json.encode(ReleaseRequest(request_nonce=nonce))
    asking = world.authenticate(device, enrolled.token.access_token, "POST", "/v1/releases", body, key=key)
    signed = world.signed(device, "POST", "/v1/releases", body, key=key)
    return world.keys.release(asking, ReleaseRequest(request_nonce=nonce), signed, key)


def rows(world):
    with world.storage.read(ORGANIZATION) as tx:
        return tx.fetch_all(mailbox_key.select().order_by(mailbox_key.c.generation))


def test_a_mailbox_gets_one_key_and_one_certificate_however_often_it_is_asked(world):
    assert world.keys.refill_pool(ORGANIZATION) == 3 + 2  # two mailboxes wait
    for _ in range(3):
        world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    assert [(row.generation, row.state) for row in rows(world)] == [(1, "ACTIVE")]
    assert len(world.issuer.statements) == 1
    assert "alice@example.test" in world.directory.published
    assert world.keys.pool_ready(ORGANIZATION) == 4
    assert world.keys.refill_pool(ORGANIZATION) == 0
    people = world.people.list_people(ORGANIZATION)
    assert [(view.generation, view.certificate_not_after is None) for view in people.people] == [(1, False), (0, True)]
    assert people.pending == 1


def test_a_crash_before_the_certificate_is_made_good_on_the_same_key(world):
    world.issuer.broken = True
    with pytest.raises(RuntimeError):
        world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    world.issuer.broken = False
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    assert len(rows(world)) == 1
    assert world.issuer.statements[0].spki == bytes(rows(world)[0].spki)


def test_whoever_certifies_second_finds_it_done(world):
    issue, issued = world.issuer.issue_encryption, []

    def issue_once_while_another_worker_is_faster(payload, signature):
        if issued:
            return issued[0]  # the CA is idempotent by SPKI
        issued.append(issue(payload, signature))
        world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
        return issued[0]

    world.issuer.issue_encryption = issue_once_while_another_worker_is_faster
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    assert len(rows(world)) == 1
    assert world.directory.published["alice@example.test"] == issued[0].certificate
    chain = world.audit.chain(ORGANIZATION, world.alice.mailbox_id)
    kinds = [decode_leaf_record(leaf.record).kind for leaf in chain.leaves]
    assert kinds.count("key.certify") == 1


def test_a_certificate_is_renewed_on_the_same_key(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    assert world.keys.renew_due(ORGANIZATION) == 0
    world.clock.move(days=300)
    world.outbox.clear()
    assert world.keys.renew_due(ORGANIZATION) == 1
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    assert world.keys.renew_due(ORGANIZATION) == 0
    assert len({statement.spki for statement in world.issuer.statements}) == 1
    assert len(world.issuer.statements) == 2


def test_a_release_opens_on_the_device_and_its_leaf_says_what_was_released(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    device, enrolled = world.enrol()
    world.keys.rotate(ORGANIZATION, world.alice.mailbox_id)
    answer = ask(world, device, enrolled)
    answer.manifest.verify(answer.signature, world.release_key)
    plain = hpke_open(device.hpke_private_key, answer.manifest.encode(), answer.sealed_keys)
    assert [key.key_id for key in decode_released_keys(plain)] == [key.key_id for key in answer.manifest.keys]
    assert [(key.generation, key.state) for key in answer.manifest.keys] == [(1, "DEACTIVATED"), (2, "ACTIVE")]
    record = check_leaf(answer.leaf, answer.checkpoint, LOG_ORIGIN, world.log_key)
    assert (record.kind, record.chain_number) == ("key.release", answer.manifest.chain_number)
    assert record.fields == {
        "device": device.public.thumbprint().hex(),
        "nonce": NONCE.hex(),
        "keys": ",".join(key.spki_sha256.hex() for key in answer.manifest.keys),
        "request": sha256(msgspec.json.encode(ReleaseRequest(request_nonce=NONCE))).hex(),
    }
    assert {row.key_id for row in answer.certificates} == {key.key_id for key in answer.manifest.keys}


def test_a_retry_is_answered_from_the_same_leaf_and_another_request_is_not(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    device, enrolled = world.enrol()
    first = ask(world, device, enrolled)
    world.keys.rotate(ORGANIZATION, world.alice.mailbox_id)
    again = ask(world, device, enrolled)
    assert (first.leaf.index, first.manifest.leaf_hash) == (again.leaf.index, again.manifest.leaf_hash)
    assert [key.key_id for key in again.manifest.keys] == [key.key_id for key in first.manifest.keys]
    with pytest.raises(ConflictError):
        ask(world, device, enrolled, nonce=b"m" * 32)
    assert len(ask(world, device, enrolled, key="r2").manifest.keys) == 2


def test_no_key_yet_is_for_later_and_a_short_nonce_is_refused(world):
    device, enrolled = world.enrol()
    with pytest.raises(UnavailableError):
        ask(world, device, enrolled)
    with pytest.raises(InputError):
        ask(world, device, enrolled, nonce=b"n")


@pytest.mark.parametrize("level", [2, 3, 4])
def test_a_level_that_the_device_has_not_proved_releases_nothing_and_makes_no_leaf(world, level):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    device, enrolled = world.enrol()
    if level == 4:
        keys = json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}).encode()
        world.policies.set_sign_on(ORGANIZATION, SignOn("https://login.test", "x", "email", False, False, keys))
    world.policies.change(ORGANIZATION, PolicyChange(level=level))
    before = len(world.audit.chain(ORGANIZATION, world.alice.mailbox_id).leaves)
    with pytest.raises(ApprovalsMissingError):
        ask(world, device, enrolled)
    assert len(world.audit.chain(ORGANIZATION, world.alice.mailbox_id).leaves) == before


def test_a_policy_changed_in_the_database_is_no_evidence(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    device, enrolled = world.enrol()
    with world.storage.transaction(ORGANIZATION) as tx:
        tx.execute(vouched_row.update().values(version=9))
    with pytest.raises(PermissionDeniedError):
        ask(world, device, enrolled)


def test_a_device_removed_between_authentication_and_release_gets_nothing(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    device, enrolled = world.enrol()
    body = msgspec.json.encode(ReleaseRequest(request_nonce=NONCE))
    asking = world.authenticate(device, enrolled.token.access_token, "POST", "/v1/releases", body, key="k")
    world.devices.remove(asking, asking.device_id)
    signed = world.signed(device, "POST", "/v1/releases", body, key="k")
    with pytest.raises(PermissionDeniedError):
        world.keys.release(asking, ReleaseRequest(request_nonce=NONCE), signed, "k")


def test_rotation_withdraws_the_old_certificate_and_publishes_the_new_one(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    old = world.directory.published["alice@example.test"]
    world.issuer.broken = True
    with pytest.raises(RuntimeError):
        world.keys.rotate(ORGANIZATION, world.alice.mailbox_id)
    assert world.directory.published == {}
    world.issuer.broken = False
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    assert world.directory.published["alice@example.test"] != old
    assert [(row.generation, row.state) for row in rows(world)] == [(1, "DEACTIVATED"), (2, "ACTIVE")]


def test_a_rotation_because_somebody_left_is_one_however_often_it_is_tried(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    left = world.clock.now()
    world.clock.move(seconds=1)
    for _ in range(3):
        world.keys.rotate(ORGANIZATION, world.alice.mailbox_id, made_until=left)
    assert [(row.generation, row.state) for row in rows(world)] == [(1, "DEACTIVATED"), (2, "ACTIVE")]


def test_the_database_refuses_a_second_active_key_and_a_generation_twice(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    row = dict(rows(world)[0]._mapping)
    for change in ({"generation": 2}, {"state": "DEACTIVATED"}):
        with pytest.raises(ConflictError), world.storage.transaction(ORGANIZATION) as tx:
            tx.execute(metadata.tables["mailbox_key"].insert().values(**{**row, "id": "f" * 32, **change}))


def test_keys_of_who_left_are_frozen(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    with pytest.raises(ConflictError):
        world.keys.withdraw(ORGANIZATION, world.alice.mailbox_id)
    world.people.remove_person(ORGANIZATION, "alice@example.test")
    for _ in range(2):
        world.keys.withdraw(ORGANIZATION, world.alice.mailbox_id)
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    assert [(row.state, bool(row.frozen)) for row in rows(world)] == [("DEACTIVATED", True)]
    assert world.directory.published == {}


def test_export_needs_the_permission_and_leaves_a_leaf(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    device, enrolled = world.enrol()
    request = ExportRequest(key_id=rows(world)[0].id)
    asking = world.authenticate(device, enrolled.token.access_token)
    signed = world.signed(device, "POST", "/v1/exports", msgspec.json.encode(request), key="e")
    with pytest.raises(PermissionDeniedError):
        world.keys.export_permission(asking, request, signed, "e")
    world.policies.change(ORGANIZATION, PolicyChange(export_key=True))
    answer = world.keys.export_permission(asking, request, signed, "e")
    assert check_leaf(answer.leaf, answer.checkpoint, LOG_ORIGIN, world.log_key).kind == "key.export"
    with pytest.raises(ConflictError):
        world.keys.export_permission(asking, request, replace(signed, body=b"other"), "e")


def constant(service):
    return lambda: service


def refuse(_request, error):
    problem = problem_for(error)
    return Response({"detail": problem.detail}, status_code=problem.status)


def test_a_device_is_set_up_over_http(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    services = {
        "enrolment_service": world.enrolments,
        "device_service": world.devices,
        "feed_watch": FeedWatch(world.storage, world.device_store),
        "token_service": world.tokens,
        "key_service": world.keys,
    }
    app = Litestar(
        route_handlers=[identity_router, kms_router],
        dependencies={name: Provide(constant(service), sync_to_thread=False) for name, service in services.items()},
        exception_handlers={SealwrightError: refuse},
    )
    device = make_device()
    with TestClient(app, base_url=ORIGIN) as http:

        def post(path, request, token=None, key="k"):
            body = b"" if request is None else msgspec.json.encode(request)
            headers = dict(world.signed(device, "POST", path, body, nonce=nonce, key=key).headers)
            if token is not None:
                headers = world.headers(device, token, "POST", path, body, key=key, nonce=nonce)
            return http.post(path, content=body, headers={**headers, "content-type": "application/json"})

        nonce = http.get("/v1/nonce").headers["DPoP-Nonce"]
        wanted = EnrolmentRequest(
            address="alice@example.test", device=device.public, device_name="laptop", platform="linux"
        )
        answered = post("/v1/enrolments", wanted)
        assert answered.status_code == 201, answered.text
        begun = msgspec.json.decode(answered.content, type=EnrolmentAnswer)
        proof = ProofRequest(answer=world.answer(device, begun))
        answered = post(f"/v1/enrolments/{begun.enrolment_id}/proof", proof)
        enrolled = msgspec.json.decode(answered.content, type=EnrolledAnswer)
        token = msgspec.json.decode(post("/v1/token", None).content, type=AccessToken).access_token
        request = ReleaseRequest(request_nonce=NONCE)
        assert post("/v1/releases", request).status_code == 401
        answered = post("/v1/releases", request, token)
        assert answered.status_code == 200, answered.text
        released = msgspec.json.decode(answered.content, type=ReleaseAnswer)
        released.manifest.verify(released.signature, world.release_key)
        path = "/v1/sync?after=0"
        assert http.get(path, headers=world.headers(device, token, "GET", path)).json() == {
            "items": [],
            "locked": False,
        }
        path = f"/v1/devices/{enrolled.device_id}"
        removed = http.delete(path, headers=world.headers(device, token, "DELETE", path, key="d"))
        assert removed.status_code == 204, removed.text
        path = "/v1/devices"
        assert http.get(path, headers=world.headers(device, token, "GET", path)).status_code == 401

"""The seal over HTTP in one process: what officers have to permit, what stands in the log, what a sealed server answers."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy import select
from support.asgi_client import AsgiClient
from support.served import ALICE, BOB, Served

from sealwright.audit.tables import log_leaf
from sealwright.server.seal_routes import SealController, ShareController
from sealwright.server.sealed_app import sealed_app
from sealwright.server.sealing import SealService
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.approvals import ApprovalStatement, DecisionRequest, ProposalView
from sealwright.wire.hpke import generate_hpke_key_pair
from sealwright.wire.operator import RoleRequest
from sealwright.wire.seal import (
    ChangeBegun,
    ChangeRequest,
    EntryRequest,
    NewShares,
    SealEntry,
    SealStatus,
    SealTarget,
    open_new_shares,
    seal_entry,
)

TARGET = SealTarget(part="root", kind="shamir", shares=3, threshold=2)


@pytest.fixture
def served(tmp_path):
    made = Served(tmp_path, datetime.now(UTC).replace(microsecond=0))
    yield made
    made.close()


def ask(client, method, path, kind, request=None):
    answer = client.request(method, path, b"" if request is None else msgspec.json.encode(request))
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=kind)


def enter(client, path, text):
    status = ask(client, "GET", path, SealStatus)
    sealed = seal_entry(status.entry_key, SealEntry(share=text))
    return ask(client, "POST", f"{path}/entries", SealStatus, EntryRequest(sealed_entry=sealed))


def approve(served, proposal_id, address, device, token):
    found = served.ask(f"/v1/proposals/{proposal_id}", device, token, method="GET")
    proposal, now = msgspec.json.decode(found.content, type=ProposalView).proposal, served.clock.now()
    mailbox = served.services.people.find_mailbox(served.services.organization_id, address)
    statement = ApprovalStatement(
        organization_id=proposal.organization_id,
        proposal_id=proposal.proposal_id,
        kind=proposal.kind,
        subject_sha256=proposal.digest(),
        decision="approve",
        approver=mailbox.mailbox_id,
        device_thumbprint=device.public.thumbprint(),
        signed_at=now,
        expires=now + timedelta(days=1),
    )
    decision = DecisionRequest(statement=statement, signature=statement.sign(device.key))
    answered = served.ask(f"/v1/proposals/{proposal_id}/decisions", device, token, decision)
    assert answered.status_code == 200, answered.text


def leaves(served):
    organization_id = served.services.organization_id
    while served.services.audit.sequence(organization_id):
        pass
    with served.services.storage.read(organization_id) as tx:
        rows = tx.fetch_all(select(log_leaf.c.record).order_by(log_leaf.c.leaf_index))
    records = [decode_leaf_record(bytes(row.record)) for row in rows]
    return [(record.kind, dict(record.fields)) for record in records if record.kind.startswith("seal.")]


def test_two_officers_permit_a_change_of_the_seal_and_it_is_a_leaf(served):
    pair, officers = generate_hpke_key_pair(), {}
    for address in (ALICE, BOB):
        officers[address] = served.enrol(address)
        role = RoleRequest(address=address, role="security-officer", holds=True, reason="first")
        assert served.operate("/local/roles", role).status_code == 200
    wanted = ChangeRequest(target=TARGET, reply_key=pair.public_key, reason="moving to people")
    begun = ask(served.local, "POST", "/local/seal/changes", ChangeBegun, wanted)
    assert begun.status is None
    again = msgspec.structs.replace(wanted, proposal_id=begun.proposal_id)
    assert served.operate("/local/seal/changes", again).status_code == 403
    for address, (device, token) in officers.items():
        approve(served, begun.proposal_id, address, device, token)
    other = msgspec.structs.replace(again, target=msgspec.structs.replace(TARGET, shares=5))
    assert served.operate("/local/seal/changes", other).status_code == 403
    begun = ask(served.local, "POST", "/local/seal/changes", ChangeBegun, again)
    assert begun.status.change.state == "confirming"
    answer = ask(served.local, "POST", "/local/seal/changes/shares", NewShares)
    shares = [share.text for share in open_new_shares(pair.private_key, answer.sealed_shares)]
    for share in shares[:2]:
        enter(served.local, "/local/seal", share)
    assert leaves(served) == []
    done = enter(served.public, "/v1/seal", shares[2])  # a holder at another terminal
    assert (done.kind, done.number, done.proposal_id, done.change) == (
        "shamir",
        1,
        "",
        None,
    )  # no proposal for strangers
    assert leaves(served) == [("seal.change", {"number": "1", "kind": "shamir", "proposal": again.proposal_id})]
    # closed by somebody with the role, from the own device; by the operator once it is open again
    device, token = officers[ALICE]
    assert served.ask("/v1/seal/closings", device, token).status_code == 200
    assert served.local.get("/local/seal").status_code == 503
    keystore = served.services.keystore
    sealed = AsgiClient(sealed_app(SealService(keystore), ShareController, SealController))
    for share in shares[1:]:
        assert enter(sealed, "/v1/seal", share)
    served.services.seal.note_opening()
    by = served.services.people.find_mailbox(served.services.organization_id, ALICE).mailbox_id
    assert leaves(served)[1:] == [("seal.close", {"by": by}), ("seal.open", {"kind": "shamir", "shares": "2,3"})]


def test_who_has_no_role_closes_nothing(served):
    device, token = served.enrol()
    assert served.ask("/v1/seal/closings", device, token).status_code == 403
    assert served.public.post("/v1/seal/closings", b"").status_code == 401
    assert ask(served.public, "GET", "/v1/seal", SealStatus).state == "open"
    assert ask(served.public, "GET", "/v1/seal", SealStatus).rotation is None  # numbers are not for strangers
    assert ask(served.local, "GET", "/local/seal", SealStatus).rotation.storage_key_version == 1


def test_a_sealed_server_answers_what_it_may_and_sealed_to_all_else(served):
    keystore = served.services.keystore
    keystore.seal()
    service = SealService(keystore)
    public, local = AsgiClient(sealed_app(service, ShareController)), AsgiClient(sealed_app(service, SealController))
    assert public.get("/healthz").status_code == 200
    assert (public.get("/readyz").status_code, public.get("/readyz").json()) == (503, {"state": "sealed"})
    assert ask(public, "GET", "/v1/seal", SealStatus).state == "sealed"
    for client, method, path in (
        (public, "GET", "/.well-known/sealwright"),
        (public, "POST", "/v1/releases"),
        (public, "GET", "/console"),
        (public, "GET", "/local/seal"),
        (public, "DELETE", "/v1/seal"),
        (local, "GET", "/local/people"),
        (local, "POST", "/local/seal/rotations"),
        (local, "POST", "/local/seal/changes/shares"),
    ):
        answer = client.request(method, path, b"")
        assert answer.status_code in ((409, 503) if "shares" in path else (503,)), (path, answer.text)
    assert public.post("/v1/seal/entries", b'{"sealed_entry": "AAAA"}').status_code == 422
    for body in (b"", b"{}", b'{"sealed_entry": 1}', b"[" * 3000, bytes(9000)):
        assert public.post("/v1/seal/entries", body).status_code == 400, body[:30]
    assert ask(local, "POST", "/local/seal/openings", SealStatus).state == "open"

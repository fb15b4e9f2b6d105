"""A whole server of one organization in this process: made by `init`, asked over ASGI, with a clock that can be moved."""

import asyncio
import json
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property

import msgspec
from sqlalchemy import event, select
from support.asgi_client import AsgiClient
from support.people_world import MovableClock
from support.release_evidence import make_device
from support.soft_hsm import suite_hsm

from sealwright.keystore.seal_creation import SealPlan
from sealwright.keystore.seal_options import Hsm
from sealwright.outbox.tables import outbox_item
from sealwright.server.app import local_app, public_app
from sealwright.server.init import InitOptions, initialize
from sealwright.server.schema import metadata
from sealwright.server.settings import KeysSection, MailSection, MailServerSection, ServerSection, load_settings
from sealwright.server.wiring import build
from sealwright.storage.schema import new_id
from sealwright.wire.api import EnrolmentRequest, ProofRequest
from sealwright.wire.dpop import make_proof
from sealwright.wire.operator import AddressRequest, PeopleImport, PersonRow
from sealwright.wire.proof import proof_answer, proof_transcript
from sealwright.wire.signed_request import sign_request

ORIGIN = "https://127.0.0.1:8443"
DOMAIN = "example.test"
ALICE, BOB = "alice@example.test", "bob@example.test"

OPTIONS = InitOptions(
    organization="Example GmbH",
    country="DE",
    organization_identifier=None,
    server=ServerSection(
        endpoints=(ORIGIN,),
        listen="127.0.0.1:8443",
        status_url="http://127.0.0.1:8080",
        status_listen="127.0.0.1:8080",
    ),
    domain=DOMAIN,
    mail=MailSection(sender="sealwright@example.test", port=9),
    imap=MailServerSection(),
    submission=MailServerSection(),
    keys=KeysSection(algorithm="p256", pool_size=2),
    seal_key_file=None,
    seal=SealPlan("key-file", 0, 0, emergency_shares=3, emergency_threshold=2),
    hsm=Hsm("", ""),
    pin_file="",
)
"""With a seal of kind "key-file"."""


def suite_options():
    """Return `OPTIONS` with the seal of the whole run."""
    found = suite_hsm()
    if found is None:
        return OPTIONS
    return replace(OPTIONS, seal=SealPlan("pkcs11", 0, 0, 3, 2), hsm=found[0], pin_file=found[1])


class Served:
    """The server; `start` runs its sequencer, `work` what waits in its outbox.

    Args:
        folder: For its data folder.
        start: What its clock shows at first. The keystore has a clock of its own that nobody moves: what both judge needs
            the real time.
    """

    def __init__(self, folder, start=None):
        self.clock = MovableClock()
        self.clock.time = start or self.clock.time
        self.initialized = initialize(folder / "data", suite_options(), self.clock)
        self.open(folder)
        self.services.audit.start()
        assert self.operate("/local/people", people(ALICE, BOB)).json()["created"] == 2
        self.work()

    def open(self, folder):
        """Build the services over a data folder that is there."""
        self.services = build(load_settings(folder / "data", {}), self.clock)

    @cached_property
    def app(self):
        """What devices ask."""
        return public_app(self.services)

    @cached_property
    def public(self):
        """A client of it."""
        return AsgiClient(self.app)

    @cached_property
    def local(self):
        """A client of what the operator asks."""
        return AsgiClient(local_app(self.services))

    def close(self):
        """End its processes."""
        self.services.audit.stop()
        self.services.close()

    def operate(self, path, request):
        """Post as the operator."""
        return self.local.post(path, msgspec.json.encode(request))

    def remove(self, address):
        """End a tenure and everything that follows from it."""
        assert self.operate("/local/people/remove", AddressRequest(address=address)).status_code == 204
        self.work()

    def work(self):
        """Do what waits in the outbox; what fails waits on."""
        while self.services._worker.run_once():
            pass

    def nonce(self):
        return self.public.get("/v1/nonce").headers["dpop-nonce"]

    def signed(self, device, path, body, *, method="POST", key=""):
        """Return the headers of a request that is signed only."""
        headers = sign_request(device.key, method, ORIGIN + path, body, self.clock.now(), self.nonce(), key or new_id())
        return _encoded(headers)

    def authorized(self, device, token, path, body=b"", *, method="POST", key=""):
        """Return the headers of a request with token, proof and signature."""
        proof = make_proof(device.key, method, ORIGIN + path, token, self.nonce(), self.clock.now())
        headers = _encoded({"Authorization": f"DPoP {token}", "DPoP": proof})
        return headers if method == "GET" else headers + self.signed(device, path, body, method=method, key=key)

    def ask(self, path, device, token, request=None, *, method="POST", key=""):
        """Ask as an enrolled device."""
        body = b"" if request is None else request if isinstance(request, bytes) else msgspec.json.encode(request)
        headers = self.authorized(device, token, path, body, method=method, key=key)
        return self.public.request(method, path, body, headers=headers)

    def begin(self, device, address=ALICE):
        """Begin a mailbox proof and return the answer."""
        request = EnrolmentRequest(address=address, device=device.public, device_name="laptop", platform="linux")
        body = msgspec.json.encode(request)
        return self.public.request("POST", "/v1/enrolments", body, headers=self.signed(device, "/v1/enrolments", body))

    def challenge_answer(self, device, begun, address=ALICE):
        """Return what a device that reads the mailbox answers."""
        payload = next(mail for mail in self.mails() if mail["enrolment_id"] == begun["enrolment_id"])
        challenge = self.services.enrolments.challenge(self.services.organization_id, payload)
        assert challenge is not None
        return self.answer_with(challenge.part1, device, begun, address)

    def answer_with(self, part1, device, begun, address=ALICE):
        """Return the answer that goes with a part 1."""
        begun = msgspec.json.decode(json.dumps(begun), type=dict)
        part2, nonce = (msgspec.convert(begun[name], bytes) for name in ("part2", "server_nonce"))
        return proof_answer(part1, part2, proof_transcript(DOMAIN, address, device.public.thumbprint(), nonce))

    def mails(self):
        """Return the challenge mails that wait, as they lie in the outbox."""
        with self.services.storage.read(None) as tx:
            rows = tx.fetch_all(select(outbox_item.c.payload).where(outbox_item.c.topic == "challenge.mail"))
        return [json.loads(row.payload) for row in rows]

    def prove(self, device, enrolment_id, answer, *, key=""):
        """Answer a challenge."""
        path, body = f"/v1/enrolments/{enrolment_id}/proof", msgspec.json.encode(ProofRequest(answer=answer))
        return self.public.request("POST", path, body, headers=self.signed(device, path, body, key=key))

    def enrol(self, address=ALICE):
        """Return a new device and its token."""
        device = make_device()
        begun = self.begin(device, address).json()
        enrolled = self.prove(device, begun["enrolment_id"], self.challenge_answer(device, begun, address))
        assert enrolled.status_code == 200, enrolled.text
        return device, enrolled.json()["token"]["access_token"]

    def state(self):
        """Return every row of every table, once all leaves are numbered; leave out what signing them changes a moment later."""
        signed_later = ("log_state", "log_map_page")
        tables = [table for table in metadata.sorted_tables if table.name not in signed_later]
        deadline = time.monotonic() + 10
        while True:
            with self.services.storage.read(None) as tx:
                rows = {table.name: sorted(map(repr, tx.fetch_all(select(table)))) for table in tables}
            if not rows["pending_leaf"] or time.monotonic() > deadline:
                return rows
            time.sleep(0.02)

    @contextmanager
    def full_disk(self):
        """Let the database grow no more."""
        engine = self.services.storage.engine

        def limit(connection, *_):
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count={pages}")

        def lift(connection, *_):
            connection.execute("PRAGMA max_page_count=4294967294")

        event.listen(engine, "checkout", limit)
        try:
            yield
        finally:
            event.remove(engine, "checkout", limit)
            event.listen(engine, "checkout", lift)

    def send_endlessly(self, path, headers, chunk=64 * 1024, most=8 * 1024 * 1024):
        """Post a body that does not end by itself; return the status and how many octets were taken."""
        return asyncio.run(_endless(self.app, path, headers, chunk, most))


def people(*addresses):
    """Return a staff list."""
    return PeopleImport(people=tuple(PersonRow(address=address) for address in addresses))


def _encoded(headers):
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


async def _endless(app, path, headers, chunk, most):
    taken, status, content = 0, 0, b""

    async def receive():
        nonlocal taken
        taken += chunk
        return {"type": "http.request", "body": b" " * chunk, "more_body": taken < most}

    async def send(message):
        nonlocal status, content
        status = message.get("status", status)
        content += message.get("body", b"")

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8443"), (b"content-type", b"application/json"), *headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8443),
        "state": {},
    }
    await app(scope, receive, send)
    return status, content, taken

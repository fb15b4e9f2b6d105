"""The server of a flow, in this process and without threads of its own, so that its writes come in one order."""

import json
from base64 import b64decode, b64encode
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from support.killed.points import CLIENT
from support.people_world import MovableClock
from support.release_evidence import Device
from support.seals import software_keystore
from support.served import ALICE, BOB, OPTIONS, Served, people

from sealwright.client.session import load_p256_private_key
from sealwright.files import replace_file
from sealwright.server import init, wiring
from sealwright.server.init import initialize
from sealwright.server.settings import SETTINGS_FILE
from sealwright.storage.schema import new_id
from sealwright.wire.approvals import ApprovalStatement, DecisionRequest, ProposalView
from sealwright.wire.device import DevicePublicKeys
from sealwright.wire.hpke import expand_hpke_seed

TOKEN_LIFE = timedelta(minutes=50)


class World(Served):
    """A server over a folder that is closed and opened again, and devices that keep what they got in a file.

    Args:
        folder: Empty, or of an earlier world.
        is_again: Whether clients repeat what they may have done already.
    """

    def __init__(self, folder, *, is_again=False):
        self.folder, self.is_again = folder, is_again
        self.clock = MovableClock()
        self._client, self.kept = folder / CLIENT, {}
        if self._client.exists():
            self.kept = json.loads(self._client.read_text())
            self.clock.time = datetime.fromisoformat(self.kept["time"])
        else:
            self.move()

        # All writes in one process, so that all are seen, and all ends together, as when the power fails.
        def open_here(options, *_arguments, **_options):
            return software_keystore(Path(options.key_file), Path(options.seal_file), self.clock)

        for module in (wiring, init):
            vars(module)["open_keystore"] = open_here
        if self.is_made:
            self.open(folder)

    @property
    def is_made(self):
        """Whether there is a server."""
        return (self.data / SETTINGS_FILE).exists()

    @property
    def data(self):
        """The data folder."""
        return self.folder / "data"

    def make_server(self):
        """Make a new server, if there is none, with two people, if they are not there."""
        if not self.is_made:
            initialize(self.data, OPTIONS, self.clock)
            self.open(self.folder)
        self.order("/local/people", people(ALICE, BOB))
        self.settle()

    def start(self):
        """Do what a server does at its start, and end the threads again."""
        self.services.audit.start()
        self.services.audit.stop()
        self.services._worker._end_claims()

    def settle(self):
        """Do what waits in the outbox, number what waits for the log."""
        self.work()
        while self.services.audit.sequence(self.services.organization_id):
            pass

    # --- what clients keep ---------------------------------------------------------------------------------------------

    def keep(self, **values):
        """Keep what a client has got, durably, before it goes on."""
        self.kept |= values
        replace_file(self._client, json.dumps(self.kept).encode())

    def once(self, name, make):
        """Return what a client made or got under a name, the same at every try."""
        if name not in self.kept:
            self.keep(**{name: make()})
        return self.kept[name]

    def move(self, **by):
        """Let time go by, for the next start, too."""
        self.clock.move(**by)
        self.keep(time=self.clock.now().isoformat())

    def step(self, name, work):
        """Do something that a person does once, and notes when it was done."""
        if name not in self.kept:
            work()
            self.keep(**{name: "done"})

    def count_outbox(self, points):
        """Count what the outbox hands over as writes: what a handler does reaches others before it is crossed off."""
        handlers = self.services._worker._handlers
        for topic, handler in list(handlers.items()):
            handlers[topic] = _counted(points, topic, handler)

    # --- the operator --------------------------------------------------------------------------------------------------

    def order(self, path, request, *done):
        """Post as the operator; where it may be done already, `done` are the statuses that say so."""
        answer = self.operate(path, request)
        expected = (200, 201, 204, *(done if self.is_again else ()))
        assert answer.status_code in expected, (path, answer.status_code, answer.text)
        return answer

    def mailbox(self, address=ALICE):
        """Return a mailbox."""
        return self.services.people.find_mailbox(self.services.organization_id, address)

    def history(self, address=ALICE):
        """Return the keys of a mailbox."""
        return self.services.keys.history(self.services.organization_id, self.mailbox(address).mailbox_id)

    # --- devices -------------------------------------------------------------------------------------------------------

    def device(self, address=ALICE):
        """Return the one device of an address."""
        seed, key = self.once(f"keys of {address}", _make_keys)
        private_key, pair = load_p256_private_key(b64decode(key)), expand_hpke_seed(b64decode(seed))
        spki = private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return Device(private_key, pair.private_key, DevicePublicKeys(spki, pair.public_key))

    def enrolled(self, address=ALICE):
        """Prove the mailbox, unless that is done; return the device's id."""
        device = self.device(address)
        begun = self.once(f"challenge of {address}", lambda: self._begun(device, address))
        answer = self.once(
            f"answer of {address}", lambda: b64encode(self.challenge_answer(device, begun, address)).decode()
        )

        def prove():
            key = self.once(f"proof of {address}", new_id)
            proven = self.prove(device, begun["enrolment_id"], b64decode(answer), key=key)
            assert proven.status_code == 200, proven.text
            return proven.json()["device_id"]

        return self.once(f"device of {address}", prove)

    def _begun(self, device, address):
        begun = self.begin(device, address)
        assert begun.status_code == 201, begun.text
        return begun.json()

    def token(self, address=ALICE, *, is_new=False):
        """Return a token that is good now."""
        name, now = f"token of {address}", self.clock.now()
        known = self.kept.get(name)
        if is_new or known is None or datetime.fromisoformat(known[1]) + TOKEN_LIFE < now:
            device = self.device(address)
            renewed = self.public.request("POST", "/v1/token", b"", headers=self.signed(device, "/v1/token", b""))
            assert renewed.status_code == 200, renewed.text
            self.keep(**{name: [renewed.json()["access_token"], now.isoformat()]})
        return self.kept[name][0]

    def request(self, name, path, wanted=None, *, address=ALICE, method="POST"):
        """Ask as a device, at every try with the same octets and the same idempotency key.

        Args:
            name: Of this request, in what the device keeps.
            path: Of the route.
            wanted: The request; only that of the first try counts.
            address: Whose device.
            method: Of HTTP.
        """
        encoded = b"" if wanted is None else msgspec.json.encode(wanted)
        key, body = self.once(name, lambda: [new_id(), b64encode(encoded).decode()])
        device, body = self.device(address), b64decode(body)
        answer = self.ask(path, device, self.token(address), body, method=method, key=key)
        if answer.status_code == 401:  # as when the device was locked meanwhile
            answer = self.ask(path, device, self.token(address, is_new=True), body, method=method, key=key)
        assert answer.status_code in (200, 201, 204), (path, answer.status_code, answer.text)
        return answer

    def approve(self, proposal_id, *addresses):
        """Let officers approve from their devices."""
        for address in addresses:
            found = self.ask(f"/v1/proposals/{proposal_id}", self.device(address), self.token(address), method="GET")
            view = msgspec.json.decode(found.content, type=ProposalView)
            statement = self._statement(view, address)
            signature = statement.sign(self.device(address).key)
            wanted = DecisionRequest(statement=statement, signature=signature)
            path = f"/v1/proposals/{proposal_id}/decisions"
            self.request(f"decision of {address} on {proposal_id}", path, wanted, address=address)

    def _statement(self, view, address):
        proposal, now = view.proposal, self.clock.now().replace(microsecond=0)
        return ApprovalStatement(
            organization_id=proposal.organization_id,
            proposal_id=proposal.proposal_id,
            kind=proposal.kind,
            subject_sha256=proposal.digest(),
            decision="approve",
            approver=self.mailbox(address).mailbox_id,
            device_thumbprint=self.device(address).public.thumbprint(),
            signed_at=now,
            expires=now + timedelta(seconds=view.approval_seconds),
        )


def _make_keys():
    key = ec.generate_private_key(ec.SECP256R1())
    encoded = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return [b64encode(new_id().encode()).decode(), b64encode(encoded).decode()]


def _counted(points, topic, handler):
    def handle(item):
        handler(item)
        points.step(f"outbox {topic} done")

    return handle

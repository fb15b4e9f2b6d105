"""An organization for the server's benchmarks: made by `init`, people and devices enrolled, the real server running."""

import json
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from ssl import DER_cert_to_PEM_cert, PEM_cert_to_DER_cert

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from bench.load import Load, request_bytes
from bench.people import p256_key
from demo.programs import PROGRAM, Server, free_port, run
from sealwright.ca.model import ROOT
from sealwright.clock import SystemClock
from sealwright.keystore.model import SignedRequestEvidence
from sealwright.net.http import HttpClient
from sealwright.outbox.tables import outbox_item
from sealwright.server.settings import load_settings
from sealwright.server.wiring import Services, build
from sealwright.wire.api import EnrolledAnswer, EnrolmentAnswer, EnrolmentRequest, ProofRequest, Request
from sealwright.wire.device import DevicePublicKeys
from sealwright.wire.dpop import make_proof
from sealwright.wire.hpke import generate_hpke_key_pair
from sealwright.wire.operator import PersonRow
from sealwright.wire.proof import proof_answer, proof_transcript
from sealwright.wire.signed_request import sign_request

DOMAIN = "example.test"
KEYS_SECONDS = 60.0
Prepare = Callable[[Services], None]


@dataclass(frozen=True, slots=True)
class Device:
    """An enrolled device."""

    key: ec.EllipticCurvePrivateKey
    token: str


class Site:
    """A running server with one device for each of its people.

    Args:
        port: Of its https service.
        server: The program.
        anchor: PEM of the organization's root.
        devices: Enrolled.
    """

    def __init__(self, port: int, server: Server, anchor: Path, devices: Sequence[Device]) -> None:
        self.port, self.server, self.data, self.anchor, self._devices = port, server, server.data, anchor, devices
        self._origin = f"https://127.0.0.1:{port}"
        self.load = Load(port, anchor)

    def signed_posts(self, path: str, requests: Sequence[Request]) -> list[bytes]:
        """Return requests by the devices in turn, with token, proof, signature and idempotency key; good for minutes."""
        anchors = (PEM_cert_to_DER_cert(self.anchor.read_text()),)
        nonce = HttpClient(anchors).request("GET", f"{self._origin}/v1/nonce").headers["dpop-nonce"]
        return [
            self._signed_post(self._devices[number % len(self._devices)], path, request, nonce)
            for number, request in enumerate(requests)
        ]

    def _signed_post(self, device: Device, path: str, request: Request, nonce: str) -> bytes:
        evidence = _signed(device.key, self._origin + path, request, nonce)
        headers = dict(evidence.headers)
        headers["authorization"] = f"DPoP {device.token}"
        headers["dpop"] = make_proof(device.key, "POST", evidence.target_uri, device.token, nonce, _now())
        return request_bytes("POST", self.port, path, headers, evidence.body)


@contextmanager
def running_site(people: int, prepare: Prepare = lambda _services: None) -> Iterator[Site]:
    """Make an organization in a temporary folder and run its server.

    Args:
        people: How many, each with a device.
        prepare: Puts more into the database before the server starts.
    """
    with tempfile.TemporaryDirectory(prefix="sealwright-bench-") as name:
        folder, port = Path(name), free_port()
        data, anchor = folder / "data", folder / "root.pem"
        _initialize(data, port, "p256", pool_size=8)
        devices = _populate(data, anchor, people, prepare)
        server = Server(data, folder / "log")
        try:
            server.start()
            yield Site(port, server, anchor, devices)
        finally:
            server.stop()


@contextmanager
def made_organization(algorithm: str = "p256", pool_size: int = 8) -> Iterator[Services]:
    """Make an organization in a temporary folder and give its services, in this process; nothing runs yet.

    Args:
        algorithm: Of its people's keys.
        pool_size: How many of them are made ahead.
    """
    with tempfile.TemporaryDirectory(prefix="sealwright-bench-") as name:
        data = Path(name) / "data"
        _initialize(data, free_port(), algorithm, pool_size)
        services = build(load_settings(data))
        try:
            yield services
        finally:
            services.close()


def _initialize(data: Path, port: int, algorithm: str, pool_size: int) -> None:
    run([
        str(PROGRAM), "init", str(data), "--organization", "Example GmbH", "--domain", DOMAIN,
        "--endpoint", f"https://127.0.0.1:{port}", "--listen", f"127.0.0.1:{port}",
        "--status-url", f"http://127.0.0.1:{free_port()}", "--mail-port", "9",
        "--key-algorithm", algorithm, "--pool-size", str(pool_size),
    ])  # fmt: skip


def _populate(data: Path, anchor: Path, people: int, prepare: Prepare) -> list[Device]:
    services = build(load_settings(data))
    addresses = [f"person{number}@{DOMAIN}" for number in range(people)]
    try:
        services.start()
        root = services.authority.issuer_certificate(services.organization_id, ROOT)
        anchor.write_text(DER_cert_to_PEM_cert(root))
        provide_keys(services, addresses, KEYS_SECONDS)
        devices = [_enrol(services, address) for address in addresses]
        prepare(services)
        services.stop()
    finally:
        services.close()
    return devices


def provide_keys(services: Services, addresses: Sequence[str], seconds: float) -> None:
    """Import people into services that run, and wait until everybody has a key and a certificate.

    Raises:
        RuntimeError: If they have not after so many seconds.
    """
    rows = tuple(PersonRow(address=address, given_name="A", surname="B") for address in addresses)
    services.people.import_people(services.organization_id, rows)
    deadline = time.monotonic() + seconds
    while len(services.keys.summaries(services.organization_id)) < len(addresses):
        if time.monotonic() > deadline:
            raise RuntimeError("the people's keys are not made in time")
        time.sleep(0.1)


def _enrol(services: Services, address: str) -> Device:
    """Prove a mailbox without a mail system: part 1 is taken from where it waits to be mailed."""
    origin = services.settings.server.endpoints[0]
    key, hpke_public_key = p256_key(), generate_hpke_key_pair().public_key
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    public = DevicePublicKeys(spki, hpke_public_key)
    wanted = EnrolmentRequest(address=address, device=public, device_name="bench", platform="linux")
    signed = _signed(key, f"{origin}/v1/enrolments", wanted, services.tokens.nonce())
    begun: EnrolmentAnswer = services.enrolments.begin(wanted, signed, "127.0.0.1")
    with services.storage.read(None) as tx:
        waiting = [json.loads(row.payload) for row in tx.fetch_all(select(outbox_item.c.payload))]
    payload = next(each for each in waiting if each.get("enrolment_id") == begun.enrolment_id)
    challenge = services.enrolments.challenge(services.organization_id, payload)
    if challenge is None:
        raise RuntimeError("the mailbox challenge is gone")
    transcript = proof_transcript(DOMAIN, address, public.thumbprint(), begun.server_nonce)
    proof = ProofRequest(answer=proof_answer(challenge.part1, begun.part2, transcript))
    signed = _signed(key, f"{origin}/v1/enrolments/{begun.enrolment_id}/proof", proof, services.tokens.nonce())
    enrolled: EnrolledAnswer = services.enrolments.prove(begun.enrolment_id, proof, signed)
    return Device(key, enrolled.token.access_token)


def _signed(key: ec.EllipticCurvePrivateKey, uri: str, request: Request, nonce: str) -> SignedRequestEvidence:
    body = msgspec.json.encode(request)
    headers = sign_request(key, "POST", uri, body, _now(), nonce, secrets.token_hex(16))
    return SignedRequestEvidence("POST", uri, {name.lower(): value for name, value in headers.items()}, body)


def _now() -> datetime:
    return SystemClock().now()

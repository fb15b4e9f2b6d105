"""A witness answers as C2SP tlog-witness says, a log collects its cosignatures, and a device counts them."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from support.log_owner import ORIGIN, LogServer, OwnersDevice

from sealwright.audit.witnessing import KnownWitness, Witnessing
from sealwright.client.witnesses import check_witnesses
from sealwright.clock import SystemClock
from sealwright.errors import ConfigurationError, LogVerificationError, NotFoundError, UnavailableError
from sealwright.server.witness import Witness, WitnessApp
from sealwright.tlog.checkpoint import open_note, sign_note
from sealwright.tlog.cosignature import add_line, verified_cosignatures
from sealwright.tlog.note import VerifierKey
from sealwright.tlog.witness import AddCheckpoint
from sealwright.wire.api import CosignedAnswer

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Clock:
    time = NOW

    def now(self):
        return self.time


class World:
    """A log of three leaves, a fork of it under the same key, and a witness."""

    def __init__(self, folder):
        self.server = LogServer(folder / "log")
        same = (self.server.keystore, self.server.organization_id, self.server.log_key)
        self.fork = LogServer(folder / "fork", *same)
        self.folder, self.clock = folder, Clock()
        self.witness = self.another("w1")
        for _ in range(3):
            self.server.act()
            self.fork.act()

    def another(self, name):
        return Witness(self.folder / name, f"{name}.example", [VerifierKey(ORIGIN, self.server.public_key)], self.clock)

    def note(self, server=None):
        server = server or self.server
        return server.audit.checkpoint(server.organization_id)

    def size(self):
        return open_note(self.note(), ORIGIN, self.server.public_key).size

    def proof(self, old, size, server=None):
        server = server or self.server
        return server.audit.consistency(server.organization_id, old, size)

    def ask(self, old=0, proof=(), note=None):
        return self.witness.add_checkpoint(AddCheckpoint(old, proof, note or self.note()).encode())


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_a_checkpoint_that_continues_is_cosigned_and_remembered_over_a_restart(world):
    first = world.ask()
    note = add_line(world.note(), first.body)
    (found,) = verified_cosignatures(note, [world.witness.verifier_key.public_key])
    assert (first.status, found.time, found.name) == (200, int(NOW.timestamp()), "w1.example")
    assert world.ask(3).status == 200  # the same once more
    world.server.act()
    key = world.witness.verifier_key
    world.witness = world.another("w1")
    assert world.witness.verifier_key == key
    assert world.ask(3, world.proof(3, 4)).status == 200
    assert [path.name for path in (world.folder / "w1").glob("*") if path.stat().st_mode & 0o077] == []


def test_what_is_refused_is_refused_as_the_specification_says(world):
    forged = world.note().replace("\n3\n", "\n4\n")
    stranger = LogServer(world.folder / "stranger")
    other_log = world.note().replace(ORIGIN, "example.org/log")
    assert world.ask(note=stranger.audit.checkpoint(stranger.organization_id)).status == 403
    assert world.ask(note=forged).status == 403
    assert world.ask(note=other_log).status == 404
    assert world.ask(4).status == 400
    assert world.ask(0, (bytes(32),)).status == 422
    for body in (b"", b"old 0\n", b"old 00\n\n" + world.note().encode(), b"old 0\n!\n\n" + world.note().encode(),
                 b"old 0\n" + b"AA==\n\n" + world.note().encode(), b"\xff", b"old 0\n\nno note\n"):  # fmt: skip
        assert world.witness.add_checkpoint(body).status == 400
    assert world.ask().status == 200
    answer = world.ask()
    assert (answer.status, answer.body, answer.media_type) == (409, "3\n", "text/x.tlog.size")
    assert world.ask(3, (bytes(32),)).status == 422


def test_a_fork_a_rollback_and_a_second_map_are_never_cosigned(world):
    early = world.note()
    world.server.act()
    assert world.ask().status == 200
    world.fork.act()
    assert world.ask(4, note=world.note(world.fork)).status == 409
    world.fork.act()
    for proof in ((), world.proof(4, 5, world.fork)):
        assert world.ask(4, proof, world.note(world.fork)).status == 422
    assert world.ask(3, note=early).status == 409
    assert world.ask(4, note=early).status == 400
    point = open_note(world.note(), ORIGIN, world.server.public_key)
    two_maps = type(point)(point.origin, point.size, point.root, bytes(32))
    sign = lambda text: world.server.keystore.sign(world.server.log_key, "ed25519", text)  # noqa: E731
    assert world.ask(4, note=sign_note(two_maps, ORIGIN, sign, world.server.public_key)).status == 409
    assert world.ask(4).status == 200


def test_a_folder_that_holds_no_key_is_refused(world):
    (world.folder / "w1" / "witness.key").write_text("nothing")
    with pytest.raises(ConfigurationError):
        world.another("w1")


def exchange(app, method, path, body=b""):
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(app({"type": "http", "method": method, "path": path}, receive, send))
    return sent[0]["status"], sent[1]["body"]


def test_over_http(world):
    app = WitnessApp(world.witness)
    assert exchange(app, "GET", "/") == (200, f"{world.witness.verifier_key.encode()}\n".encode())
    asked = AddCheckpoint(0, (), world.note()).encode()
    status, body = exchange(app, "POST", "/w1/add-checkpoint", asked)
    assert status == 200
    assert body.startswith("— w1.example ".encode())
    assert exchange(app, "POST", "/add-checkpoint", b"x" * 200_000)[0] == 413
    assert exchange(app, "GET", "/add-checkpoint")[0] == exchange(app, "POST", "/")[0] == 404
    (checkpoint,) = (world.folder / "w1").glob("*.checkpoint")
    checkpoint.write_bytes(b"damaged")
    assert exchange(app, "POST", "/add-checkpoint", asked)[0] == 503


class Network:
    """Carries requests to witnesses by URL; those in `down` do not answer."""

    def __init__(self, *witnesses):
        self.witnesses, self.down, self.asked = (
            {f"https://{each.verifier_key.name}": each for each in witnesses},
            set(),
            0,
        )
        self.lie = lambda body: body

    def post(self, url, body):
        base, _, last = url.rpartition("/")
        assert last == "add-checkpoint"
        if base in self.down:
            raise UnavailableError("down")
        self.asked += 1
        answer = self.witnesses[base].add_checkpoint(body)
        return answer.status, self.lie(answer.body.encode())

    def collector(self, server, clock, quorum):
        known = [KnownWitness(url, each.verifier_key) for url, each in self.witnesses.items()]
        return Witnessing(server.storage, clock, self.post, known, quorum)


class Device(OwnersDevice):
    """An owner's device that asks for cosigned checkpoints, too."""

    def __init__(self, world, witnessing, keys, quorum):
        super().__init__(world.server)
        self.statement = SimpleNamespace(
            log_origin=ORIGIN, log_key=world.server.public_key, witness_keys=tuple(keys), witness_quorum=quorum
        )
        self.clock, self.witnessing, self.session = world.clock, witnessing, self

    def get(self, path, answer_type):
        if answer_type is CosignedAnswer:
            return CosignedAnswer(checkpoint=self.witnessing.cosigned(self.server.organization_id))
        return self.server.get(path, answer_type)


@pytest.fixture
def witnessed(world):
    """Three witnesses, two of which must cosign."""
    network = Network(*(world.another(f"w{number}") for number in (1, 2, 3)))
    witnessing = network.collector(world.server, world.clock, 2)
    keys = [each.verifier_key.public_key for each in network.witnesses.values()]
    return SimpleNamespace(network=network, witnessing=witnessing, device=Device(world, witnessing, keys, 2))


def test_a_quorum_is_collected_shown_and_counted(world, witnessed):
    organization_id = world.server.organization_id
    with pytest.raises(NotFoundError):
        witnessed.witnessing.cosigned(organization_id)
    with pytest.raises(LogVerificationError, match="shows no checkpoint"):
        check_witnesses(witnessed.device)
    witnessed.witnessing.collect(organization_id)
    assert check_witnesses(witnessed.device) == 3
    world.server.act()
    witnessed.network.down = {"https://w2.example"}
    witnessed.witnessing.collect(organization_id)
    assert check_witnesses(witnessed.device) == 2
    witnessed.network.down = {"https://w1.example", "https://w2.example"}
    world.server.act()
    with pytest.raises(UnavailableError, match=r"w1\.example"):
        witnessed.witnessing.collect(organization_id)
    assert check_witnesses(witnessed.device) == 2  # an hour without witnesses is no alarm
    assert open_note(witnessed.witnessing.cosigned(organization_id), ORIGIN, world.server.public_key).size == 4


def test_what_is_fresh_is_not_asked_for_again_and_grows_old(world, witnessed):
    organization_id = world.server.organization_id
    witnessed.witnessing.collect(organization_id)
    asked = witnessed.network.asked
    witnessed.witnessing.collect(organization_id)
    assert witnessed.network.asked == asked
    world.clock.time = NOW + timedelta(hours=2)
    witnessed.witnessing.collect(organization_id)
    assert witnessed.network.asked == asked + 3
    world.clock.time += timedelta(minutes=30)
    world.server.act()
    witnessed.network.down = {"https://w2.example"}
    for _ in range(3):  # who answered is not asked for the same again
        witnessed.witnessing.collect(organization_id)
    assert witnessed.network.asked == asked + 5
    witnessed.network.down = set()
    witnessed.witnessing.collect(organization_id)
    assert (witnessed.network.asked, check_witnesses(witnessed.device)) == (asked + 6, 3)
    for later in (timedelta(days=4), timedelta(hours=-1)):
        world.clock.time = NOW + later
        with pytest.raises(LogVerificationError, match="0 of 2"):
            check_witnesses(witnessed.device)


def test_a_second_log_for_one_device_is_noticed(world, witnessed):
    """The device is shown a fork; the witnesses know the other history only."""
    witnessed.witnessing.collect(world.server.organization_id)
    world.fork.act()
    victim = Device(world, witnessed.witnessing, witnessed.device.statement.witness_keys, 2)
    victim.update({"checkpoint": world.note(world.fork)})
    with pytest.raises(LogVerificationError):
        check_witnesses(victim)
    forked = witnessed.network.collector(world.fork, SystemClock(), 2)
    with pytest.raises(UnavailableError, match=r"another log|status 422"):
        forked.collect(world.server.organization_id)


def test_a_witness_that_answers_something_else_does_not_count(world, witnessed):
    for lie in (b"", b"\xff", b"3\n", "— w1.example AAAAAAAA\n".encode(), world.note().encode()):
        witnessed.network.lie = lambda _body, lie=lie: lie
        with pytest.raises(UnavailableError):
            witnessed.witnessing.collect(world.server.organization_id)
    none = Witnessing(world.server.storage, world.clock, witnessed.network.post, (), 1)
    none.collect(world.server.organization_id)
    assert check_witnesses(Device(world, none, (), 0)) == 0

"""Pairs: a mailbox with a classical key and one for ML-KEM, made, certified, renewed, rotated, released and given up."""

from dataclasses import replace

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import mlkem
from support.people_world import ORGANIZATION, World

from sealwright.errors import VerificationError
from sealwright.kms.model import KEM, KmsSettings
from sealwright.kms.policy import wanted_slots
from sealwright.wire.api import ExportRequest, ReleaseRequest
from sealwright.wire.operator import PolicyChange

ALICE = "alice@example.test"
SIZES = {"ml-kem-768": mlkem.MLKEM768PublicKey, "ml-kem-1024": mlkem.MLKEM1024PublicKey}


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, kem="ml-kem-768")
    yield made
    made.storage.close()


def states(world):
    history = world.keys.history(ORGANIZATION, world.alice.mailbox_id)
    return [(key.slot, key.generation, key.state) for key in history]


def configure(world, kem):
    """Stop and start with another setting."""
    for part in (world.keys._provisioner, world.keys._pool):
        part._settings = KmsSettings(algorithm="p256", kem=kem, pool_size=3)


def work(world):
    """Do what the outbox asks for."""
    waiting = [payload for topic, payload in world.outbox if topic == "mailbox.provision"]
    world.outbox.clear()
    for payload in waiting:
        world.keys.provision(ORGANIZATION, payload["mailbox_id"])


@pytest.mark.parametrize("algorithm", SIZES)
def test_both_keys_are_pooled_certified_published_and_released(tmp_path, algorithm):
    world = World(tmp_path, kem=algorithm)
    assert world.keys.refill_pool(ORGANIZATION) == 3 + 2 + 3  # two mailboxes wait for classical keys
    for _ in range(2):
        world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    assert states(world) == [("classical", 1, "ACTIVE"), ("kem", 1, "ACTIVE")]
    assert [statement.slot for statement in world.issuer.statements] == ["classical", "kem"]
    certified = x509.load_der_x509_certificate(world.directory.kem[ALICE]).public_key()
    assert isinstance(certified, SIZES[algorithm])
    assert world.directory.published[ALICE]
    device, enrolled = world.enrol()
    answer = release(world, device, enrolled, "r")
    assert [(key.slot, key.algorithm) for key in answer.manifest.released_keys()] == [
        ("classical", "p256"),
        ("kem", algorithm),
    ]
    assert len(answer.certificates) == 2
    world.storage.close()


def release(world, device, enrolled, key):
    request = ReleaseRequest(request_nonce=b"n" * 32)
    body = msgspec.json.encode(request)
    asking = world.authenticate(device, enrolled.token.access_token, "POST", "/v1/releases", body, key=key)
    return world.keys.release(asking, request, world.signed(device, "POST", "/v1/releases", body, key=key), key)


def test_rotation_and_the_drill_take_both(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    first = dict(world.directory.kem)
    world.keys.rotate(ORGANIZATION, world.alice.mailbox_id)
    assert states(world) == [
        ("classical", 1, "DEACTIVATED"),
        ("classical", 2, "ACTIVE"),
        ("kem", 1, "DEACTIVATED"),
        ("kem", 2, "ACTIVE"),
    ]
    assert world.directory.kem[ALICE] != first[ALICE]
    world.clock.move(days=31)
    drilled = world.keys.upkeep.drill_due(ORGANIZATION)
    assert (drilled.examined, drilled.failing) == (4, ())


def test_a_pair_whose_ml_kem_key_does_not_open_what_it_should_is_not_published(world):
    world.keystore.examine = lambda record, certificate: record.algorithm == "p256"
    with pytest.raises(VerificationError, match="nothing is published"):
        world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    assert world.directory.kem == {}
    assert world.directory.published[ALICE]


def test_pairs_come_and_go_with_the_setting(world):
    configure(world, "")
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    world.keys.provision(ORGANIZATION, world.people.find_mailbox(ORGANIZATION, "bob@example.test").mailbox_id)
    work(world)
    assert world.keys.renew_due(ORGANIZATION) == 0
    configure(world, "ml-kem-768")
    assert world.keys.renew_due(ORGANIZATION) == 2
    work(world)
    assert states(world) == [("classical", 1, "ACTIVE"), ("kem", 1, "ACTIVE")]
    assert world.keys.renew_due(ORGANIZATION) == 0
    configure(world, "")
    assert world.keys.renew_due(ORGANIZATION) == 2
    work(world)
    assert states(world) == [("classical", 1, "ACTIVE"), ("kem", 1, "DEACTIVATED")]
    assert world.directory.kem == {}
    assert world.keys.renew_due(ORGANIZATION) == 0


def test_an_exported_classical_key_ends_the_pair_until_it_is_replaced(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    world.policies.change(ORGANIZATION, PolicyChange(export_key=True))
    device, enrolled = world.enrol()
    classical, kem = world.keys.history(ORGANIZATION, world.alice.mailbox_id)
    export(world, device, enrolled, kem)  # our own programs read that one
    work(world)
    assert ALICE in world.directory.kem
    export(world, device, enrolled, classical)
    work(world)
    assert states(world) == [("classical", 1, "ACTIVE"), ("kem", 1, "DEACTIVATED")]
    assert ALICE not in world.directory.kem
    world.keys.renew_due(ORGANIZATION)
    work(world)
    assert ALICE not in world.directory.kem
    world.keys.rotate(ORGANIZATION, world.alice.mailbox_id)
    assert states(world)[-1] == ("kem", 2, "ACTIVE")
    assert ALICE in world.directory.kem


def export(world, device, enrolled, key):
    request = ExportRequest(key_id=key.key_id)
    asking = world.authenticate(device, enrolled.token.access_token)
    signed = world.signed(device, "POST", "/v1/exports", msgspec.json.encode(request), key=key.key_id)
    world.keys.export_permission(asking, request, signed, key.key_id)


def test_a_suspended_key_of_a_pair_leaves_the_other_in_use(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    kem = next(key for key in world.keys.history(ORGANIZATION, world.alice.mailbox_id) if key.slot == KEM)
    world.keys.lifecycle.suspend(ORGANIZATION, kem.key_id, "asked", "operator")
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    assert states(world) == [("classical", 1, "ACTIVE"), ("kem", 1, "SUSPENDED")]
    assert (ALICE in world.directory.published, ALICE in world.directory.kem) == (True, False)
    world.keys.lifecycle.resume(ORGANIZATION, kem.key_id, "found", "operator")
    assert ALICE in world.directory.kem


@pytest.mark.parametrize(
    ("slots", "exported", "wanted"),
    [
        (("classical",), "", ("classical",)),
        (("classical", "kem"), "", ("classical", "kem")),
        (("classical", "kem"), "classical", ("classical",)),
        (("classical", "kem"), "kem", ("classical", "kem")),
        (("classical",), "classical", ("classical",)),
    ],
)
def test_the_slots_that_a_mailbox_has(world, slots, exported, wanted):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    keys = world.keys.history(ORGANIZATION, world.alice.mailbox_id)
    assert wanted_slots(slots, [replace(key, exported=key.slot == exported) for key in keys]) == wanted

"""Levels 2 to 4 through the service: standing, factors, leaves and notices, waiting devices, locked devices."""

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from support.approving import Approvals
from support.people_world import ORGANIZATION, World
from support.release_evidence import make_device

from sealwright.errors import (
    AuthenticationError,
    ConflictError,
    InputError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
)
from sealwright.identity.policy_store import VouchedRowStore
from sealwright.identity.tables import protection_password
from sealwright.keystore import factors as rules
from sealwright.keystore.model import FactorEvidence
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.api import SyncNotice
from sealwright.wire.factors import ApprovalRequest, DeviceApproval, NewPassword, factor_info
from sealwright.wire.hpke import hpke_open, hpke_seal
from sealwright.wire.operator import PolicyChange
from sealwright.wire.sync import sync_item_info

RIGHT = b"r" * 32


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr(rules, "_MEMORY_KIB", 64)
    made = World(tmp_path)
    made.public_key = made.keystore.import_public_key(ORGANIZATION).public_key
    yield made
    made.storage.close()


def enrol(world):
    device, enrolled = world.enrol(make_device())
    return device, world.authenticate(device, enrolled.token.access_token)


def show(world, device, asking, kind, content):
    info = factor_info(ORGANIZATION, asking.mailbox_id, device.public.thumbprint(), kind)
    return world.access.show(asking, kind, hpke_seal(world.public_key, info, content))


def with_secret(world, device, asking):
    secret, _expires = world.access.make_secret(ORGANIZATION, asking.mailbox_id, 7, "operator")
    return show(world, device, asking, "secret", secret.encode())


def approve(world, device, asking, waiting):
    now = world.clock.now()
    own = (ORGANIZATION, waiting.mailbox_id, waiting.device_id, waiting.thumbprint, device.public.thumbprint(), now)
    signature = device.key.sign(DeviceApproval(*own).encode(), ec.ECDSA(hashes.SHA256()))
    world.access.approve(asking, waiting.device_id, ApprovalRequest(signed_at=now, signature=signature))


def leaves(world):
    chain = world.audit.chain(ORGANIZATION, world.alice.mailbox_id).leaves
    return [decode_leaf_record(leaf.record) for leaf in chain]


def notices(world, device, asking):
    said = []
    for item in world.devices.sync(asking, 0).items:
        info = sync_item_info(ORGANIZATION, asking.mailbox_id, asking.device_id, item.number)
        said.append(msgspec.json.decode(hpke_open(device.hpke_private_key, info, item.sealed), type=SyncNotice).kind)
    return said


def test_a_password_is_set_shown_and_told_of(world):
    world.policies.change(ORGANIZATION, PolicyChange(level=2))
    first, one = enrol(world)
    assert (world.access.standing(one).level, world.access.standing(one).needed) == (1, 2)
    assert not world.access.standing(one).has_password
    secret, _expires = world.access.make_secret(ORGANIZATION, one.mailbox_id, 7, "operator")
    standing = show(world, first, one, "new-password", NewPassword(RIGHT, secret=secret).encode())
    assert (standing.level, standing.has_password) == (2, True)
    second, two = enrol(world)
    with pytest.raises(AuthenticationError):
        show(world, second, two, "password", b"w" * 32)
    assert show(world, second, two, "password", RIGHT).level == 2
    show(world, second, two, "new-password", NewPassword(b"n" * 32, old=RIGHT).encode())
    assert "password-changed" in notices(world, first, one)
    kinds = [leaf.kind for leaf in leaves(world)]
    assert kinds.count("password.set") == 2
    qualified = [leaf.fields for leaf in leaves(world) if leaf.kind == "device.qualify"]
    assert [(said["level"], said["factor"]) for said in qualified] == [("2", "new-password"), ("2", "password")]
    assert secret not in str([leaf.fields for leaf in leaves(world)])


def test_a_password_that_somebody_put_into_the_database_is_none(world):
    first, one = enrol(world)
    secret, _expires = world.access.make_secret(ORGANIZATION, one.mailbox_id, 7, "operator")
    show(world, first, one, "new-password", NewPassword(RIGHT, secret=secret).encode())
    with world.storage.read(ORGANIZATION) as tx:
        old = dict(tx.fetch_one(protection_password.select())._mapping)
    show(world, first, one, "new-password", NewPassword(b"n" * 32, old=RIGHT).encode())
    with world.storage.transaction(ORGANIZATION) as tx:
        tx.execute(protection_password.update().values(**old))
    second, two = enrol(world)
    with pytest.raises(PermissionDeniedError):
        show(world, second, two, "password", RIGHT)


def test_guesses_run_out_and_the_secret_still_works(world):
    first, one = enrol(world)
    secret, _expires = world.access.make_secret(ORGANIZATION, one.mailbox_id, 7, "operator")
    show(world, first, one, "new-password", NewPassword(RIGHT, secret=secret).encode())
    second, two = enrol(world)
    for _ in range(5):
        with pytest.raises(AuthenticationError):
            show(world, second, two, "password", b"w" * 32)
    with pytest.raises(RateLimitedError):
        show(world, second, two, "password", RIGHT)
    assert with_secret(world, second, two).level == 3


def test_a_waiting_device_is_approved_by_another_within_15_minutes(world):
    world.policies.change(ORGANIZATION, PolicyChange(level=3))
    first, one = enrol(world)
    with pytest.raises(ConflictError, match="enrolment secret"):  # nobody could approve it
        world.access.ask_approval(one)
    with_secret(world, first, one)
    second, two = enrol(world)
    assert world.access.waiting(one).devices == ()
    for _ in range(2):  # asking twice tells once
        world.access.ask_approval(two)
    assert notices(world, first, one).count("device-waiting") == 1
    assert world.access.waiting(two).devices == ()  # not its own
    (waiting,) = world.access.waiting(one).devices
    assert (waiting.device_id, waiting.thumbprint) == (two.device_id, second.public.thumbprint())
    world.clock.move(minutes=15, seconds=1)
    assert world.access.waiting(one).devices == ()
    with pytest.raises(NotFoundError):
        approve(world, first, one, waiting)
    world.access.ask_approval(two)
    third, other = enrol(world)
    with pytest.raises(PermissionDeniedError):  # one that only has the mailbox approves nobody
        approve(world, third, other, waiting)
    approve(world, first, one, waiting)
    assert world.access.standing(two).level == 3
    assert world.access.waiting(one).devices == ()
    said = [leaf for leaf in leaves(world) if leaf.kind == "device.qualify"][-1].fields
    assert (said["factor"], said["by"]) == ("approval", first.public.thumbprint().hex())


def test_a_locked_device_learns_it_from_its_feed_and_may_do_nothing_else(world):
    first, enrolled = world.enrol(make_device())
    token = enrolled.token.access_token
    second, two = enrol(world)
    world.devices.change_state(two, enrolled.device_id, "locked")
    with pytest.raises(PermissionDeniedError, match="locked"):
        world.authenticate(first, token)
    headers = world.headers(first, token, "GET", "/v1/sync")
    asking = world.tokens.authenticate(
        headers, "GET", "https://kms.example.test/v1/sync", b"", state_changing=False, locked=True
    )
    answer = world.devices.sync(asking, 0)
    assert (answer.locked, answer.items) == (True, ())
    with pytest.raises(PermissionDeniedError):
        with_secret(world, first, asking)
    world.devices.change_state(two, enrolled.device_id, "active")
    assert world.authenticate(first, token).device_id == enrolled.device_id
    kinds = [leaf.kind for leaf in leaves(world)]
    assert [kind for kind in kinds if kind.endswith("lock")] == ["device.lock", "device.unlock"]
    assert notices(world, second, two) == ["device-locked", "device-unlocked"]


def test_who_locks_what(world):
    _first, one = enrol(world)
    _second, two = enrol(world)
    with pytest.raises(InputError):
        world.devices.change_state(one, one.device_id, "locked")
    with pytest.raises(InputError):
        world.devices.change_state(one, two.device_id, "removed")
    bob, enrolled = world.enrol(make_device(), "bob@example.test")
    asking = world.authenticate(bob, enrolled.token.access_token)
    with pytest.raises(NotFoundError):
        world.devices.change_state(asking, one.device_id, "locked")
    world.devices.change_state(one, two.device_id, "locked")
    world.devices.change_state(one, two.device_id, "locked")  # as it is already
    world.devices.remove(one, two.device_id)  # a locked device can be removed
    with pytest.raises(ConflictError):
        world.devices.change_state(one, two.device_id, "active")


def test_an_administrator_approves_devices_of_others_and_other_people_do_not(world):
    approvals = Approvals(world)
    admin, plain = approvals.person("anna", "administrator"), approvals.person("paul", "auditor")
    asking = {}
    for person in (admin, plain):
        asking[person.address] = world.authenticate(person.device, person.enrolled.token.access_token)
        with_secret(world, person.device, asking[person.address])
        asking[person.address] = world.authenticate(person.device, person.enrolled.token.access_token)
    _device, one = enrol(world)
    world.access.ask_approval(one)  # no device of her own could do it, but somebody can
    assert world.access.waiting(asking[plain.address]).devices == ()
    (waiting,) = world.access.waiting(asking[admin.address]).devices
    with pytest.raises(NotFoundError):
        approve(world, plain.device, asking[plain.address], waiting)
    approve(world, admin.device, asking[admin.address], waiting)
    assert world.access.standing(one).level == 3
    second, two = enrol(world)
    other = world.devices.credential(ORGANIZATION, plain.enrolled.device_id)
    now = world.clock.now()
    own = (ORGANIZATION, two.mailbox_id, two.device_id, second.public.thumbprint(), other.device.thumbprint(), now)
    signature = plain.device.key.sign(DeviceApproval(*own).encode(), ec.ECDSA(hashes.SHA256()))
    with world.storage.read(ORGANIZATION) as tx:
        roles = {row.row_id: row for row in VouchedRowStore().rows(tx, ORGANIZATION, "role")}
    for role in (None, roles[plain.mailbox_id], roles[admin.mailbox_id]):  # the keystore says so itself
        evidence = FactorEvidence(kind="approval", approver=other, role=role, signed_at=now, signature=signature)
        with pytest.raises(PermissionDeniedError):
            world.keystore.qualify_device(world.devices.credential(ORGANIZATION, two.device_id), evidence)

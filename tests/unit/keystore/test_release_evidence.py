"""`open`: right evidence gives the keys to the device alone; each single change is refused."""

from dataclasses import replace

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)
from support.release_evidence import (
    DEVICE,
    MAILBOX,
    NOW,
    ORGANIZATION,
    ORIGIN,
    URI,
    World,
    answer_for,
    binding,
    make_device,
)
from support.seals import key_file_seal, software_keystore

from sealwright.errors import (
    AuthenticationError,
    ConflictError,
    InputError,
    PermissionDeniedError,
    SealedError,
    UnavailableError,
    UnsupportedAlgorithmError,
)
from sealwright.keystore.model import UNKNOWN_MAILBOX, ReleasePolicy
from sealwright.keystore.release_rules import ReleaseRules
from sealwright.wire.hpke import hpke_open
from sealwright.wire.manifest import decode_released_keys


@pytest.fixture
def files(tmp_path):
    key_file_seal(tmp_path / "seal.key", tmp_path / "seal.json", shares=1, threshold=1)
    return tmp_path / "seal.key", tmp_path / "seal.json"


@pytest.fixture
def world(files):
    return World(software_keystore(*files))


def refuse(world, evidence, records=None):
    with pytest.raises(PermissionDeniedError):
        world.keystore.open(world.records if records is None else records, evidence)


def test_right_evidence_gives_all_keys_to_the_device(world):
    evidence = world.evidence()
    release = world.keystore.open(world.records, evidence)
    release_key = load_der_public_key(world.release_key.spki).public_bytes_raw()
    evidence.manifest.verify(release.signature, release_key)
    opened = hpke_open(world.device.hpke_private_key, evidence.manifest.encode(), release.sealed_keys)
    for key, record in zip(decode_released_keys(opened), world.records, strict=True):
        public = load_der_private_key(key.private_key_pkcs8, None).public_key()
        assert public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == record.spki
        assert key.key_id == record.identity.record_id


def test_the_caller_signs_nothing_with_release_and_log_key(world):
    with pytest.raises(PermissionDeniedError):
        world.keystore.sign(world.release_key, "ed25519", world.evidence().manifest.encode())
    for message in (b"another message", b"other.test/log\n1\nAAAA\n", ORIGIN.encode()):
        with pytest.raises(PermissionDeniedError):
            world.keystore.sign(world.log_key, "ed25519", message)


def test_changed_rows_are_no_evidence(world):
    good = world.evidence()
    for change in ({"state": "removed"}, {"version": 2}, {"mailbox_id": "c" * 32}, {"device": make_device().public}):
        refuse(world, replace(good, credential=replace(world.credential, **change)))
    refuse(world, replace(good, credential=replace(world.credential, level=4)))
    row = world.policy.organization
    weaker = replace(ReleaseRules(), level=2).encode()
    for change in ({"content": weaker}, {"version": 2}, {"organization_id": "c" * 32}, {"kind": "role"}, {"mac": b""}):
        refuse(world, replace(good, policy=ReleasePolicy(replace(row, **change))))
    other = world.keystore.vouch_release_rules("c" * 32, "c" * 32, ReleaseRules(), 0)
    refuse(world, replace(good, policy=ReleasePolicy(other)))


def test_a_removed_devices_old_row_is_no_evidence_any_more(world, files):
    """A row that was vouched for and is put back; also in another process, after a restart, and if nobody kept the new row."""
    good, other = world.evidence(), software_keystore(*files)
    assert other.open(world.records, good).sealed_keys
    removed = world.keystore.change_device(world.credential, "removed")
    refuse(world, replace(good, credential=removed))
    for keystore in (world.keystore, other, software_keystore(*files)):
        with pytest.raises(PermissionDeniedError, match="put back"):
            keystore.open(world.records, good)
        assert keystore.change_device(world.credential, "removed") == removed  # the act can be repeated
        with pytest.raises(ConflictError):
            keystore.change_device(removed, "removed")
    forged = replace(world.credential, device_id="f" * 32)
    with pytest.raises(PermissionDeniedError):  # and nobody is removed by a row that is not the keystore's
        world.keystore.change_device(forged, "removed")


def test_a_removal_that_cannot_be_written_down_is_none(world, files):
    files[1].with_name("versions").rename(files[1].with_name("moved"))
    files[1].with_name("versions").write_bytes(b"in the way")
    with pytest.raises(UnavailableError):
        world.keystore.change_device(world.credential, "removed")
    files[1].with_name("versions").unlink()
    files[1].with_name("moved").rename(files[1].with_name("versions"))
    assert world.keystore.open(world.records, world.evidence()).sealed_keys


@pytest.mark.parametrize(
    "changes",
    [
        {"request": {"method": "PUT"}},
        {"request": {"uri": URI + "/other"}},
        {"request": {"uri": "https://kms.example.test/?/v1/releases"}},
        {"request": {"nonce": b"m" * 32}},
        {"request": {"nonce": b"n"}, "manifest": {"request_nonce": b"n"}},
        {"manifest": {"request_nonce": b"m" * 32}},
        {"manifest": {"mailbox_id": "c" * 32}, "leaf": {"chain_id": "c" * 32}},
        {"manifest": {"organization_id": "c" * 32}, "leaf": {"organization_id": "c" * 32}},
        {"manifest": {"device_thumbprint": b"t" * 32}},
        {"manifest": {"leaf_hash": b"h" * 32}},
        {"manifest": {"chain_number": 4}},
        {"manifest": {"keys": ()}},
        {"leaf": {"kind": "key.create"}},
        {"leaf": {"chain_id": "c" * 32}},
        {"leaf": {"organization_id": "c" * 32}},
        {"leaf": {"fields": {}}},
        {"origin": "other.test/log"},
    ],
)
def test_a_change_to_request_manifest_or_leaf_is_refused(world, changes):
    with pytest.raises(PermissionDeniedError):  # some of it cannot even be made
        world.keystore.open(world.records, world.evidence(**changes))


def test_a_leaf_must_name_device_nonce_and_every_key(world):
    from sealwright.tlog.leaf import decode_leaf_record

    fields = decode_leaf_record(world.evidence().log.record).fields
    for name, value in fields.items():
        refuse(world, world.evidence(leaf={"fields": {**fields, name: value[:-64]}}))


def test_another_devices_signature_is_refused(world):
    refuse(world, world.evidence(device=make_device()))
    good = world.evidence()
    refuse(world, replace(good, request=replace(good.request, body=good.request.body + b" ")))
    refuse(world, replace(good, request=replace(good.request, headers={})))


def test_a_log_of_another_key_or_with_a_wrong_proof_is_refused(world):
    foreign = world.keystore.generate_service_key(ORGANIZATION, "statement", "ed25519")
    refuse(world, world.evidence(log_key=foreign))
    good = world.evidence()
    for change in (
        {"index": 1},
        {"tree_size": 3},
        {"inclusion_proof": ()},
        {"salt": b"t" * 32},
        {"salt": b""},
        {"record": b""},
        {"checkpoint": ""},
        {"checkpoint": good.log.checkpoint.replace("\n2\n", "\n3\n")},
    ):
        refuse(world, replace(good, log=replace(good.log, **change)))


def test_only_the_listed_keys_of_the_mailbox_open(world):
    good = world.evidence()
    first, second = world.records
    pooled = world.keystore.generate_encryption_key(ORGANIZATION, "p256")
    others = world.keystore.assign_encryption_key(pooled, "c" * 32, 1)
    service = world.release_key
    for records in ((), (first,), (second, first), (first, first), (first, pooled), (first, others), (first, service)):
        refuse(world, good, records)
    relabelled = replace(others, identity=replace(others.identity, owner=MAILBOX, generation=2))
    refuse(world, good, (first, relabelled))


@pytest.mark.parametrize(
    ("old", "state"), [("DEACTIVATED", "DESTROYED"), ("ACTIVE", "SUSPENDED"), ("ACTIVE", "COMPROMISED")]
)
def test_a_key_is_listed_with_the_state_that_was_decided_and_opened_if_that_permits_it(world, old, state):
    before = world.evidence()
    keys = before.manifest.keys
    row = world.keystore.vouch_key_state(ORGANIZATION, keys[0].key_id, old, state, 0)
    listed = (msgspec.structs.replace(keys[0], state=state), keys[1])
    right = replace(world.evidence(manifest={"keys": listed}), state_rows=(row,))
    opened = world.records if state == "COMPROMISED" else world.records[1:]
    assert world.keystore.open(opened, right).sealed_keys
    # what was before, what is in between, and somebody else's word
    refuse(world, before)
    refuse(world, replace(before, state_rows=(row,)))
    for rows in ((), (replace(row, version=0),), (replace(row, content=b"ACTIVE"),), (replace(row, mac=bytes(32)),)):
        refuse(world, replace(right, state_rows=rows), opened)
    if state != "COMPROMISED":
        refuse(world, right)


@pytest.mark.parametrize("state", ["SUSPENDED", "COMPROMISED", "DESTROYED", "PRE_ACTIVATION"])
def test_a_state_that_nobody_decided_on_is_not_listed(world, state):
    keys = world.evidence().manifest.keys
    evidence = world.evidence(manifest={"keys": (msgspec.structs.replace(keys[0], state=state), keys[1])})
    refuse(world, evidence, world.records if state == "COMPROMISED" else world.records[1:])


def test_proofs_are_right_in_time_and_for_a_known_mailbox(world):
    begun = world.keystore.begin_proof(binding(world.device))
    answer = answer_for(world.device, begun)
    assert world.keystore.finish_proof(begun.sealed_proof, answer, DEVICE, NOW).mailbox_id == MAILBOX
    unknown = world.keystore.begin_proof(binding(world.device, UNKNOWN_MAILBOX))
    late = binding(world.device).expires.replace(microsecond=1)
    messages = set()
    for proof, given, now in (
        (begun.sealed_proof, bytes(32), NOW),
        (begun.sealed_proof, b"", NOW),
        (begun.sealed_proof, answer, late),
        (unknown.sealed_proof, answer_for(world.device, unknown), NOW),
    ):
        with pytest.raises(AuthenticationError) as refused:
            world.keystore.finish_proof(proof, given, DEVICE, now)
        messages.add(refused.value.message)
    assert len(messages) == 1
    with pytest.raises(PermissionDeniedError):
        world.keystore.finish_proof(world.records[0], answer, DEVICE, NOW)


def test_keys_do_not_sign_leave_or_change_hands(world):
    key = world.records[0]
    for refused in (
        lambda: world.keystore.sign(key, "ecdsa-sha256", b""),
        lambda: world.keystore.open_secret(key),
        lambda: world.keystore.assign_encryption_key(key, "c" * 32, 1),
    ):
        with pytest.raises(PermissionDeniedError):
            refused()
    pooled = world.keystore.generate_encryption_key(ORGANIZATION, "p256")
    for mailbox, generation in ((MAILBOX, 0), ("pool", 1), (UNKNOWN_MAILBOX, 1), ("ä", 1)):
        with pytest.raises(InputError):
            world.keystore.assign_encryption_key(pooled, mailbox, generation)
    removed = world.keystore.change_device(world.credential, "removed")
    with pytest.raises(ConflictError):
        world.keystore.change_device(removed, "removed")


def test_rsa_keys_are_made_and_sign(world):
    assert world.keystore.generate_encryption_key(ORGANIZATION, "rsa-2048").algorithm == "rsa-2048"
    key = world.keystore.generate_service_key(ORGANIZATION, "issuer/old", "rsa-3072")
    assert len(world.keystore.sign(key, "rsa-pkcs1v15-sha256", b"m")) == 384
    with pytest.raises(UnsupportedAlgorithmError):
        world.keystore.generate_encryption_key(ORGANIZATION, "ed25519")


def test_the_registry_fails_closed(world, files):
    registry = files[1].with_name("registry.json")
    again = software_keystore(*files)
    assert again.generate_service_key(ORGANIZATION, "release", "ed25519") == world.release_key
    with pytest.raises(ConflictError):
        again.generate_service_key(ORGANIZATION, "log/other", "ed25519")
    with pytest.raises(UnsupportedAlgorithmError):
        again.generate_service_key(ORGANIZATION, "release", "p256")
    good = registry.read_text()
    registry.write_text(good.replace(ORIGIN, "evil.test/log"))
    with pytest.raises(SealedError):
        world.keystore.open(world.records, world.evidence())
    registry.unlink()
    with pytest.raises(SealedError):
        world.keystore.open(world.records, world.evidence())
    registry.write_text(good)
    assert world.keystore.open(world.records, world.evidence())

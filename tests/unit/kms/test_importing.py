"""Keys of another system: each proved against its certificate, duplicates are one, and they never protect anything new."""

from datetime import timedelta

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key
from cryptography.x509.oid import NameOID
from support.people_world import ORGANIZATION, World
from support.release_evidence import make_device

from sealwright.client.importing import historic_keys, seal_key
from sealwright.client.key_files import KeyFile
from sealwright.errors import InputError, InvalidSignatureError, NotFoundError
from sealwright.kms.importing import ADMINISTRATOR, OWNER
from sealwright.kms.policy import check_history
from sealwright.kms.store import KeyStore
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.api import ReleaseRequest
from sealwright.wire.hpke import hpke_open, hpke_seal
from sealwright.wire.key_import import MAX_KEYS, KeyToImport, import_info
from sealwright.wire.manifest import decode_released_keys

NONCE = b"n" * 32
ISSUER = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.storage.close()


def certified(world, private_key, days=100, usage=None):
    """Return a key with a certificate by a CA of long ago."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Old CA")])
    builder = (
        x509.CertificateBuilder(name, name, private_key.public_key(), x509.random_serial_number())
        .not_valid_before(world.clock.now() - timedelta(days=2000))
        .not_valid_after(world.clock.now() - timedelta(days=days))
    )
    if usage is not None:
        builder = builder.add_extension(usage, critical=True)
    return KeyFile(private_key, builder.sign(ISSUER, hashes.SHA256()))


def sealed(world, *files, mailbox_id=None):
    answer = world.keys.importer.import_key(ORGANIZATION)
    answer.verify(ORGANIZATION, world.release_key)
    keys, _ = historic_keys(files)
    return [seal_key(key, answer, ORGANIZATION, mailbox_id or world.alice.mailbox_id) for key in keys]


def take(world, keys, mailbox_id=None):
    return world.keys.importer.import_keys(ORGANIZATION, mailbox_id or world.alice.mailbox_id, keys, OWNER, "ab" * 32)


def history(world):
    return world.keys.history(ORGANIZATION, world.alice.mailbox_id)


def leaves(world):
    chain = world.audit.chain(ORGANIZATION, world.alice.mailbox_id)
    return [decode_leaf_record(leaf.record) for leaf in chain.leaves]


KINDS = {
    "rsa-1024": lambda: rsa.generate_private_key(65537, 1024),
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "x25519": x25519.X25519PrivateKey.generate,
    "ml-kem-768": mlkem.MLKEM768PrivateKey.generate,
}


@pytest.mark.parametrize("algorithm", KINDS)
def test_a_key_of_every_kind_is_released_to_devices_with_the_history(world, algorithm):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    file = certified(world, KINDS[algorithm]())
    (outcome,) = take(world, sealed(world, file))
    assert outcome.outcome == "imported"
    device, enrolled = world.enrol()
    answer = release(world, device, enrolled)
    listed = {key.key_id: key for key in answer.manifest.keys}
    slot = "kem" if algorithm.startswith("ml-kem") else "classical"
    claimed = listed[outcome.key_id]
    assert (claimed.algorithm, claimed.generation, claimed.state, claimed.slot) == (algorithm, 0, "DEACTIVATED", slot)
    opened = decode_released_keys(hpke_open(device.hpke_private_key, answer.manifest.encode(), answer.sealed_keys))
    assert {key.key_id for key in opened} == set(listed)
    assert [each.certificate for each in answer.certificates if each.key_id == outcome.key_id] == [
        file.certificate.public_bytes(Encoding.DER)
    ]


def release(world, device, enrolled, key="r1"):
    body = msgspec.json.encode(ReleaseRequest(request_nonce=NONCE))
    asking = world.authenticate(device, enrolled.token.access_token, "POST", "/v1/releases", body, key=key)
    signed = world.signed(device, "POST", "/v1/releases", body, key=key)
    return world.keys.release(asking, ReleaseRequest(request_nonce=NONCE), signed, key)


def test_a_duplicate_is_one_key_and_gains_the_certificates_that_it_has_not(world):
    private_key = ec.generate_private_key(ec.SECP256R1())
    older, newer = certified(world, private_key, days=400), certified(world, private_key, days=10)
    (first,) = take(world, sealed(world, older))
    (second,) = take(world, sealed(world, newer, older))
    (third,) = take(world, sealed(world, newer))
    assert [first.outcome, second.outcome, third.outcome] == ["imported", "existing", "existing"]
    assert first.key_id == second.key_id == third.key_id
    assert len(history(world)) == 1
    with world.storage.read(ORGANIZATION) as tx:
        rows = KeyStore().all_certificates(tx, ORGANIZATION, world.alice.mailbox_id)
    assert [row.not_after for row in rows] == [each.certificate.not_valid_after_utc for each in (newer, older)]
    assert [leaf.kind for leaf in leaves(world)].count("key.import") == 1
    assert [leaf.kind for leaf in leaves(world)].count("key.certify") == 1, (
        "a second certificate is an act, a third time none"
    )


def test_importing_the_mailboxs_own_key_changes_nothing(world):
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    device, enrolled = world.enrol()
    answer = release(world, device, enrolled)
    (own,) = decode_released_keys(hpke_open(device.hpke_private_key, answer.manifest.encode(), answer.sealed_keys))
    certificate = x509.load_der_x509_certificate(answer.certificates[0].certificate)
    file = KeyFile(load_der_private_key(own.private_key_pkcs8, None), certificate)
    (outcome,) = take(world, sealed(world, file))
    assert (outcome.outcome, outcome.key_id) == ("existing", own.key_id)
    assert [(key.generation, key.state, key.origin) for key in history(world)] == [(1, "ACTIVE", "kms")]


def test_the_history_stays_without_a_gap_and_new_generations_go_on_counting(world):
    files = [certified(world, ec.generate_private_key(ec.SECP256R1())) for _ in range(3)]
    take(world, sealed(world, *files))
    world.keys.provision(ORGANIZATION, world.alice.mailbox_id)
    world.keys.rotate(ORGANIZATION, world.alice.mailbox_id)
    keys = history(world)
    check_history(keys)
    assert [key.generation for key in keys] == [0, 0, 0, 1, 2]
    published = x509.load_der_x509_certificate(world.directory.published["alice@example.test"])
    assert published not in [file.certificate for file in files], "an imported certificate is never published"


def test_devices_are_told_and_the_leaf_names_key_and_who_did_it(world):
    _, enrolled = world.enrol()
    file = certified(world, ec.generate_private_key(ec.SECP256R1()))
    keys = sealed(world, file)
    (outcome,) = world.keys.importer.import_keys(ORGANIZATION, world.alice.mailbox_id, keys, ADMINISTRATOR, "operator")
    leaf = next(each for each in leaves(world) if each.kind == "key.import")
    assert (leaf.fields["key"], leaf.fields["by"], leaf.fields["generation"]) == (outcome.key_id, "operator", "0")
    assert history(world)[0].origin == ADMINISTRATOR
    with world.storage.read(ORGANIZATION) as tx:
        assert world.device_store.sync_items(tx, ORGANIZATION, enrolled.device_id, 0)


def test_a_key_that_is_not_the_certificates_is_refused_and_the_others_go_on(world):
    good = certified(world, ec.generate_private_key(ec.SECP256R1()))
    wrong = KeyFile(
        ec.generate_private_key(ec.SECP256R1()), certified(world, ec.generate_private_key(ec.SECP256R1())).certificate
    )
    refused, imported = take(world, sealed(world, wrong, good))
    assert (refused.outcome, imported.outcome) == ("refused", "imported")
    assert "do not belong together" in refused.reason
    assert len(history(world)) == 1


def test_a_key_that_was_sealed_for_another_mailbox_is_refused(world):
    bob = world.people.find_mailbox(ORGANIZATION, "bob@example.test")
    keys = sealed(world, certified(world, ec.generate_private_key(ec.SECP256R1())), mailbox_id=bob.mailbox_id)
    (outcome,) = take(world, keys)
    assert outcome.outcome == "refused"
    assert not history(world)


@pytest.mark.parametrize("plaintext", [b"", b"\x30\x00", b"no key at all" * 9])
def test_what_is_no_key_is_refused(world, plaintext):
    file = certified(world, ec.generate_private_key(ec.SECP256R1()))
    (key,) = historic_keys([file])[0]
    info = import_info(ORGANIZATION, world.alice.mailbox_id, key.spki)
    public_key = world.keys.importer.import_key(ORGANIZATION).public_key
    wanted = KeyToImport(
        certificates=(file.certificate.public_bytes(Encoding.DER),), sealed_key=hpke_seal(public_key, info, plaintext)
    )
    (outcome,) = take(world, [wanted])
    assert outcome.outcome == "refused"
    assert not history(world)


def test_certificates_of_two_keys_for_one_are_refused(world):
    one, other = (certified(world, ec.generate_private_key(ec.SECP256R1())) for _ in range(2))
    (key,) = sealed(world, one)
    mixed = KeyToImport(
        certificates=(*key.certificates, other.certificate.public_bytes(Encoding.DER)), sealed_key=key.sealed_key
    )
    (outcome,) = take(world, [mixed])
    assert (outcome.outcome, outcome.reason) == ("refused", "a key's certificates are all of this key")


def test_signing_keys_are_left_out_before_anything_leaves_the_device(world):
    signs = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
    encrypts = x509.KeyUsage(False, False, True, False, False, False, False, False, False)
    files = [
        certified(world, ec.generate_private_key(ec.SECP256R1()), usage=signs),
        certified(world, ed25519.Ed25519PrivateKey.generate()),
        certified(world, rsa.generate_private_key(65537, 2048), usage=encrypts),
    ]
    keys, others = historic_keys(files)
    assert [key.certificates for key in keys] == [(files[2].certificate,)]
    assert others == 2


def test_an_import_key_of_somebody_else_is_noticed(world):
    answer = world.keys.importer.import_key(ORGANIZATION)
    with pytest.raises(InvalidSignatureError):
        answer.verify("b" * 32, world.release_key)
    with pytest.raises(InvalidSignatureError):
        answer.verify(ORGANIZATION, ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    forged = make_device().public.hpke_public_key
    with pytest.raises(InvalidSignatureError):
        msgspec.structs.replace(answer, public_key=forged).verify(ORGANIZATION, world.release_key)


def test_too_many_at_once_and_mailboxes_that_are_not_there_are_refused(world):
    (key,) = sealed(world, certified(world, ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(InputError):
        take(world, [key] * (MAX_KEYS + 1))
    with pytest.raises(InputError):
        take(world, [])
    with pytest.raises(NotFoundError):
        take(world, [key], mailbox_id="f" * 32)

"""Exact look-up: unknown, withdrawn and expired look the same, and a late publication revives nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from sealwright.directory.fronts.http import LookupQuota
from sealwright.directory.service import Directory
from sealwright.directory.store import SqlDirectoryStore
from sealwright.errors import DecodingError, InputError, RateLimitedError
from sealwright.storage.engine import open_storage
from sealwright.storage.schema import metadata

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ORGANIZATION = "a" * 32


class FixedClock:
    def __init__(self):
        self.time = NOW

    def now(self):
        return self.time


def certificate(not_before=NOW - timedelta(days=1), days=100):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(not_before)
    signed = builder.not_valid_after(not_before + timedelta(days=days)).sign(key, hashes.SHA256())
    return signed.public_bytes(Encoding.DER)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def storage(tmp_path):
    opened = open_storage(f"sqlite:///{tmp_path / 'directory.db'}")
    metadata.create_all(opened.engine)
    yield opened
    opened.close()


@pytest.fixture
def directory(storage, clock):
    return Directory(storage, SqlDirectoryStore(), clock)


def publish(storage, directory, address, der, organization=ORGANIZATION):
    with storage.transaction(organization) as tx:
        directory.publish(tx, organization, address, der, (b"chain",))


def found(directory, address):
    (entry,) = directory.search((address,))
    assert directory.look_up(address) == entry  # both ways to ask find the same
    return [each.certificate for each in entry.certificates]


def test_finds_by_canonical_address_with_chain(storage, directory):
    der = certificate()
    publish(storage, directory, "Alice@Example.TEST", der)
    (entry,) = directory.search(("alice@EXAMPLE.test",))
    assert entry.address == "alice@EXAMPLE.test"
    assert (entry.certificates[0].certificate, entry.certificates[0].chain) == (der, (b"chain",))


def test_unknown_address_has_no_certificates_and_order_is_kept(storage, directory):
    publish(storage, directory, "b@example.test", certificate())
    entries = directory.search(("a@example.test", "b@example.test", "a@example.test"))
    assert [(entry.address, len(entry.certificates)) for entry in entries] == [
        ("a@example.test", 0),
        ("b@example.test", 1),
        ("a@example.test", 0),
    ]


@pytest.mark.parametrize("wildcard", ["%@example.test", "*@example.test", "_lice@example.test"])
def test_wildcards_find_nothing(storage, directory, wildcard):
    publish(storage, directory, "alice@example.test", certificate())
    assert found(directory, wildcard) == []


def test_newer_replaces_older_and_late_older_revives_nothing(storage, directory):
    older, newer = certificate(NOW - timedelta(days=2)), certificate(NOW - timedelta(days=1))
    publish(storage, directory, "alice@example.test", older)
    publish(storage, directory, "alice@example.test", newer)
    publish(storage, directory, "alice@example.test", older)
    assert found(directory, "alice@example.test") == [newer]


def test_older_that_arrives_after_newer_is_not_shown(storage, directory):
    older, newer = certificate(NOW - timedelta(days=2)), certificate(NOW - timedelta(days=1))
    publish(storage, directory, "alice@example.test", newer)
    publish(storage, directory, "alice@example.test", older)
    assert found(directory, "alice@example.test") == [newer]


def test_withdrawn_stays_withdrawn(storage, directory):
    der = certificate()
    publish(storage, directory, "alice@example.test", der)
    with storage.transaction(ORGANIZATION) as tx:
        assert directory.unpublish(tx, ORGANIZATION, "alice@example.test", der) == 1
        assert directory.unpublish(tx, ORGANIZATION, "alice@example.test", der) == 0
    publish(storage, directory, "alice@example.test", der)
    assert found(directory, "alice@example.test") == []


def test_other_organizations_cannot_withdraw(storage, directory):
    publish(storage, directory, "alice@example.test", certificate())
    with storage.transaction("b" * 32) as tx:
        assert directory.unpublish(tx, "b" * 32, "alice@example.test") == 0
    assert len(found(directory, "alice@example.test")) == 1


def test_expired_is_not_found(storage, directory, clock):
    publish(storage, directory, "alice@example.test", certificate(days=10))
    clock.time = NOW + timedelta(days=30)
    assert found(directory, "alice@example.test") == []


def test_refuses_rubbish(storage, directory):
    with pytest.raises(DecodingError):
        publish(storage, directory, "alice@example.test", b"no certificate")
    with pytest.raises(InputError):
        directory.search(("not an address",))
    with pytest.raises(InputError):
        directory.search(tuple(f"a{number}@example.test" for number in range(501)))


def test_quota_is_per_source():
    quota = LookupQuota(per_minute=2)
    quota.spend("1.1.1.1", 2)
    quota.spend("2.2.2.2", 1)
    with pytest.raises(RateLimitedError):
        quota.spend("1.1.1.1", 1)

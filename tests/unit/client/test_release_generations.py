"""What a device refuses about a release and about the statement that names who releases."""

from datetime import UTC, datetime
from types import SimpleNamespace

import msgspec
import pytest

from sealwright.client.discovery import check_same_authority
from sealwright.client.log_check import LogReport, check_release_in_chain
from sealwright.client.release import check_generations
from sealwright.errors import LogVerificationError, VerificationError
from sealwright.wire.manifest import ManifestKey
from sealwright.wire.statement import DomainStatement, SignedStatement


def keys(*generations):
    return [
        ManifestKey(f"{i:032x}", "classical", g, "ACTIVE", "rsa-3072", bytes(32)) for i, g in enumerate(generations)
    ]


def test_whole_history_with_an_imported_key():
    check_generations(keys(0, 1, 2, 3))


@pytest.mark.parametrize("generations", [(), (2,), (1, 3), (1, 1)])
def test_gaps_are_refused(generations):
    with pytest.raises(VerificationError):
        check_generations(keys(*generations))


@pytest.mark.parametrize(("number", "leaf_hash"), [(1, b"b"), (3, b"c"), (4, b"c"), (0, b"b"), (0, b"a")])
def test_a_leaf_that_is_not_in_the_owners_chain_is_refused(number, leaf_hash):
    report = LogReport(9, (), (), (b"a", b"b"))
    check_release_in_chain(SimpleNamespace(chain_number=2, leaf_hash=b"b"), report)
    with pytest.raises(LogVerificationError):
        check_release_in_chain(SimpleNamespace(chain_number=number, leaf_hash=leaf_hash), report)


def statement(**changes):
    now = datetime(2026, 11, 24, tzinfo=UTC)
    return DomainStatement(
        **{
            "version": 1,
            "domain": "example.test",
            "organization_id": "a" * 32,
            "organization_name": "Example",
            "sequence": 1,
            "issued": now,
            "expires": now,
            "previous_hash": b"",
            "endpoints": ("https://a.test",),
            "tls_anchors": (),
            "smime_anchors": (),
            "release_key": b"r",
            "log_origin": "o",
            "log_key": b"l",
        }
        | changes
    )


@pytest.mark.parametrize("name", ["organization_id", "release_key", "log_origin", "log_key"])
def test_a_newer_statement_does_not_exchange_what_devices_rely_on(name):
    payload = msgspec.json.encode(statement())
    kept = SignedStatement(payload=payload, signature=b"", delegation=b"", delegation_signature=b"", root_key=b"")
    check_same_authority(kept, statement(sequence=2, endpoints=("https://b.test",)))
    other = "b" * 32 if name in ("organization_id", "log_origin") else b"other"
    with pytest.raises(VerificationError):
        check_same_authority(kept, statement(**{name: other}))

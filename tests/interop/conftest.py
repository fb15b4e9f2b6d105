"""People of the product's own CA, made once for all programs; what the CA signed is linted when the last test is done."""

import pytest
from support.certificates import ec_key, rsa_key
from support.issued_people import IssuedPeople


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    made = IssuedPeople(tmp_path_factory.mktemp("people"))
    yield made
    findings = made.findings()
    made.close()
    assert findings == []


@pytest.fixture(scope="session")
def recipient(people):
    """Bob's escrowed RSA key: what mail is encrypted to."""
    return people.recipient("bob", "rsa-3072")


@pytest.fixture(scope="session")
def ec_recipient(people):
    """Dora's escrowed P-256 key."""
    return people.recipient("dora", "p256")


@pytest.fixture(scope="session")
def signers(people):
    """A device's P-256 key, as the client makes it, and an RSA key of somebody's card."""
    return {"p256": people.signer("alice", ec_key()), "rsa": people.signer("carl", rsa_key())}

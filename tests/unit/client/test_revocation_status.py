"""Where nobody says whether a certificate is revoked, people are told; nothing is fetched for a stranger's certificate."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from support.certificates import ec_key, self_signed
from support.issued_people import ORGANIZATION_ID, IssuedPeople

from sealwright.client.directory import check_certificate
from sealwright.client.known_hosts import KnownHosts
from sealwright.client.revocation import RevocationSources
from sealwright.clock import SystemClock
from sealwright.errors import PathValidationError, UnavailableError
from sealwright.net.http import HttpAnswer
from sealwright.pkix.revocation import Evidence
from sealwright.smime.trust import Trust

ADDRESS = "alice@example.com"


class Lists:
    """Serves lists like the status service, and remembers what was asked for."""

    def __init__(self, people: Any) -> None:
        self.authority, self.asked, self.kept, self.down = people.authority, [], {}, False

    def request(self, method: str, url: str, **_: Any) -> HttpAnswer:
        self.asked.append(url)
        if self.down:
            raise UnavailableError("down")
        name = url.rpartition("/")[2].removesuffix(".crl")
        return HttpAnswer(200, {}, self.kept.get(name) or self.authority.crl(ORGANIZATION_ID, name))


@pytest.fixture
def house(tmp_path: Any) -> Any:
    people = IssuedPeople(tmp_path)
    key = ec.generate_private_key(ec.SECP256R1())
    issued = people.signer("alice", key)
    served, moved = Lists(people), SimpleNamespace(by=timedelta())

    def check(certificate: Any = None) -> list[str]:
        lists = RevocationSources(KnownHosts(["https://kms.example.com"], [people.root]))
        lists._http = served
        used = certificate or issued.certificate
        now = SystemClock().now() + moved.by
        trust = Trust(now=now, anchors=[people.root], fetch_evidence=lists.fetch_for, domain="example.com")
        return check_certificate(used, issued.chain, ADDRESS, "sign", trust)

    yield SimpleNamespace(people=people, issued=issued, key=key, served=served, moved=moved, check=check)
    people.close()


def test_a_current_list_leaves_no_warning(house: Any) -> None:
    assert house.check() == []
    assert len(house.served.asked) == 2


def test_a_revoked_certificate_is_refused(house: Any) -> None:
    serial_number = house.issued.certificate.serial_number
    house.people.authority.revoke(ORGANIZATION_ID, serial_number, "superseded")
    with pytest.raises(PathValidationError, match="revoked"):
        house.check()


def test_a_list_that_cannot_be_had_is_a_warning(house: Any) -> None:
    house.served.down = True
    assert any("signing.crl" in warning for warning in house.check())


def test_only_hosts_of_the_organization_and_its_cas_are_asked(house: Any) -> None:
    lists = RevocationSources(KnownHosts(["https://kms.example.com"], []))
    lists._http = house.served
    assert lists.fetch_for([house.issued.certificate, self_signed(ec_key(), "silent")]) == Evidence((), ())
    assert house.served.asked == []


def test_an_old_list_in_the_place_of_the_new_one_is_a_warning(house: Any) -> None:
    house.served.kept["signing"] = house.people.authority.crl(ORGANIZATION_ID, "signing")
    house.moved.by = timedelta(days=8)
    assert any("signing.crl" in warning for warning in house.check())


def test_a_list_of_another_issuer_is_a_warning(house: Any) -> None:
    house.served.kept["signing"] = house.people.authority.crl(ORGANIZATION_ID, "encryption")
    assert any("signing.crl" in warning for warning in house.check())


def test_nothing_is_fetched_for_a_strangers_certificate(house: Any) -> None:
    certificate = house.issued.certificate
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(
        certificate.issuer,
        certificate.subject,
        house.key.public_key(),
        x509.random_serial_number(),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )
    for extension in certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    with pytest.raises(PathValidationError):
        house.check(builder.sign(key, hashes.SHA256()))
    assert house.served.asked == []

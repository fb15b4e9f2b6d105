"""A signing certificate is renewed on its key before it ends; while it is valid nothing that goes wrong keeps it from signing."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from support.certificates import ec_key
from support.issued_people import ORGANIZATION_ID, IssuedPeople
from support.people_world import MovableClock

from sealwright.client.signing import RENEW_BEFORE, certify_signing_key, ready_signer
from sealwright.client.state import ClientState
from sealwright.client.store import ClientStore
from sealwright.client.store_key import KeyChoice
from sealwright.errors import ConfigurationError, UnavailableError, VerificationError
from sealwright.wire.api import CertificateAnswer, CertificateRequest

ADDRESS = "alice@example.com"


class House:
    """A device of Alice's and the organization's CA, with a clock that can be moved."""

    def __init__(self, folder):
        self.clock = MovableClock()
        self.clock.time = datetime.now(UTC)
        self.people = IssuedPeople(folder, self.clock)
        state = ClientState(address=ADDRESS, device_name="laptop", invitation=None, mail_password="")
        self.store = ClientStore.create(folder, state, KeyChoice(key_file=folder / "key"))
        self.asked, self.failure = 0, None
        self.context = SimpleNamespace(
            store=self.store,
            clock=self.clock,
            session=self,
            smime_anchors=(self.people.root,),
            enrolled=SimpleNamespace(mailbox_id="b" * 32),
        )

    def post(self, path, request, answer_type):
        """Answer as the server does."""
        assert (path, answer_type) == ("/v1/certificates", CertificateAnswer)
        self.asked += 1
        if self.failure:
            raise self.failure
        subject = self.people._person("alice")
        issued = self.people.authority.issue_signing(ORGANIZATION_ID, subject, request.certification_request)
        return msgspec.convert({"certificate": issued.certificate, "chain": issued.chain}, CertificateAnswer)

    def until(self):
        return ready_signer(self.context).certificate.not_valid_after_utc


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    with made.store:
        certify_signing_key(made.context)
        certify_signing_key(made.context)
        assert made.asked == 1
        yield made
    made.people.close()


def test_a_certificate_is_left_alone_until_a_month_before_its_end(house):
    ends = house.until()
    house.clock.time = ends - RENEW_BEFORE
    assert (house.until(), house.asked) == (ends, 1)


@pytest.mark.parametrize("late", [timedelta(minutes=1), RENEW_BEFORE + timedelta(days=100)])
def test_it_is_renewed_on_the_same_key_once_even_after_its_end(house, late):
    before = ready_signer(house.context)
    ends = house.until()
    house.clock.time = ends - RENEW_BEFORE + late
    renewed = ready_signer(house.context)
    assert renewed.certificate.public_key() == before.certificate.public_key()
    assert renewed.certificate.serial_number != before.certificate.serial_number
    assert house.until() > ends + timedelta(days=300)
    assert house.asked == 2
    renewed.sign(b"something")


def test_while_it_is_valid_a_renewal_that_fails_is_no_failure(house):
    ends = house.until()
    house.clock.time = ends - timedelta(days=1)
    house.failure = UnavailableError("away")
    assert (house.until(), house.asked) == (ends, 2)
    house.clock.time = ends + timedelta(seconds=1)
    with pytest.raises(UnavailableError):
        ready_signer(house.context)
    house.failure = None
    assert house.until() > ends


def test_a_certificate_of_another_key_is_not_kept(house):
    kept, ends = house.store.state.signing_key, house.until()
    house.clock.time = ends + timedelta(days=1)
    honest = house.post
    foreign = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(ec_key(), hashes.SHA256())
    other = CertificateRequest(certification_request=foreign.public_bytes(Encoding.DER))
    house.post = lambda path, _, answer_type: honest(path, other, answer_type)
    with pytest.raises(VerificationError, match="another key"):
        ready_signer(house.context)
    assert house.store.state.signing_key == kept


def test_without_set_up_nothing_is_renewed(house):
    house.store.update({"signing_key": None})
    with pytest.raises(ConfigurationError):
        ready_signer(house.context)
    assert house.asked == 1

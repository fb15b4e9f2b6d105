"""OCSP responses: whose word counts, about what, and how long (RFC 6960 section 3.2, section 4.2.2.2)."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from support.foreign_ca import DAY, NOW, key_usage, ocsp_response, revoked, root

from sealwright.errors import DecodingError, InvalidSignatureError, PathValidationError
from sealwright.pkix.ocsp import build_request, read_response
from sealwright.pkix.path import validate_path
from sealwright.pkix.path_building import CertificatePool
from sealwright.pkix.signatures import WorkBudget

ROOT = root()
OTHER_ROOT = root("Other")
LEAF, OTHER_LEAF = ROOT.leaf(), ROOT.leaf()
DELEGATE = ROOT.responder()
REVOKED = ocsp.OCSPCertStatus.REVOKED
SUPERSEDED, HOLD = x509.ReasonFlags.superseded, x509.ReasonFlags.certificate_hold
NO_PURPOSE = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])


def read(der, leaf=LEAF, allow_weak=False):
    pool = CertificatePool([ROOT.certificate], [], WorkBudget())
    return read_response(der, leaf.certificate, ROOT.certificate, pool, allow_weak=allow_weak)


def states(*responses, leaf=LEAF, **knobs):
    path = validate_path(
        leaf.certificate, [], [ROOT.certificate], now=NOW, purpose="sign", ocsp_responses=responses, **knobs
    )
    return [status.state for status in path.statuses]


@pytest.mark.parametrize("by_name", [True, False])
@pytest.mark.parametrize("signer", [ROOT, DELEGATE])
def test_the_issuer_and_its_delegate_are_believed(signer, by_name):
    der = ocsp_response(LEAF, ROOT, signer, certificates=(signer.certificate,), by_name=by_name)
    assert read(der).is_good
    assert states(der) == ["good"]


STRANGERS = {
    # who: the signer, and the rule of RFC 6960 section 4.2.2.2 that is broken
    "another CA": (OTHER_ROOT, "MUST be signed by the CA or one it delegated"),
    "a leaf of the CA": (ROOT.leaf("Mallory"), "id-kp-OCSPSigning MUST be there"),
    "another CA's delegate": (OTHER_ROOT.responder(), "MUST be issued directly by the CA"),
    "a delegate for mail": (ROOT.responder(NO_PURPOSE), "id-kp-OCSPSigning MUST be there"),
    "an expired delegate": (ROOT.responder(start=NOW - 9 * DAY, end=NOW - 2 * DAY), "is within its validity"),
    "a delegate that may not sign": (ROOT.responder(key_usage("key_encipherment")), "digitalSignature"),
    "a delegate below a sub CA": (ROOT.sub_ca("Sub").responder(), "MUST be issued directly by the CA"),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_nobody_else_is_believed(who):
    signer, _must = STRANGERS[who]
    der = ocsp_response(LEAF, ROOT, signer, certificates=(signer.certificate,))
    with pytest.raises(InvalidSignatureError):
        read(der)
    assert states(der) == ["unknown"]


def test_a_delegate_without_nocheck_is_not_believed():
    """Nobody would say whether it is revoked itself (RFC 6960 section 4.2.2.2.1)."""
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
    signer = ROOT.issue("Responder", (key_usage("digital_signature"), purposes))
    with pytest.raises(InvalidSignatureError):
        read(ocsp_response(LEAF, ROOT, signer, certificates=(signer.certificate,)))


def test_a_changed_response_is_not_believed():
    der = bytearray(ocsp_response(LEAF, ROOT, ROOT))
    der[-3] ^= 1
    with pytest.raises(InvalidSignatureError):
        read(bytes(der))


def test_it_must_be_about_this_certificate_of_this_issuer():
    """Section 3.2 (1): the certificate in the response MUST correspond to that in the request."""
    with pytest.raises(DecodingError, match="not about this certificate"):
        read(ocsp_response(OTHER_LEAF, ROOT, ROOT))
    same_serial = OTHER_ROOT.leaf(serial_number=LEAF.certificate.serial_number)
    with pytest.raises(DecodingError, match="not about this certificate"):
        read(ocsp_response(same_serial, OTHER_ROOT, ROOT))


def test_unknown_critical_extensions_are_refused():
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    with pytest.raises(DecodingError, match="critical"):
        read(ocsp_response(LEAF, ROOT, ROOT, more=((unknown, True),)))
    assert read(ocsp_response(LEAF, ROOT, ROOT, more=((unknown, False),))).is_good


def test_the_nonce_comes_back():
    nonce = bytes(range(32))
    request = ocsp.load_der_ocsp_request(build_request(LEAF.certificate, ROOT.certificate, nonce))
    assert request.serial_number == LEAF.certificate.serial_number
    assert request.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == nonce
    assert read(ocsp_response(LEAF, ROOT, ROOT, more=((x509.OCSPNonce(nonce), False),))).nonce == nonce
    assert read(ocsp_response(LEAF, ROOT, ROOT)).nonce is None


def test_a_refusal_of_the_responder_is_no_answer():
    refusal = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    with pytest.raises(DecodingError, match="try_later"):
        read(refusal.public_bytes(Encoding.DER))


@pytest.mark.parametrize(
    ("this_update", "next_update", "state"),
    [
        (-DAY, DAY, "good"),
        (-2 * DAY, -DAY, "unknown"),  # old
        (DAY, 2 * DAY, "unknown"),  # from the future
        (timedelta(minutes=3), DAY, "good"),  # a clock that is a little ahead
        (timedelta(hours=-3), None, "good"),  # newer information is always to be had, but this is new enough
        (timedelta(hours=-30), None, "unknown"),
    ],
)
def test_only_a_current_response_says_good(this_update, next_update, state):
    response = ocsp_response(
        LEAF, ROOT, ROOT, this_update=NOW + this_update, next_update=NOW + next_update if next_update else None
    )
    assert states(response) == [state]


def test_revoked_counts_and_an_old_revocation_does_too():
    old = {"this_update": NOW - 9 * DAY, "next_update": NOW - 8 * DAY, "revocation_time": NOW - 10 * DAY}
    response = ocsp_response(LEAF, ROOT, ROOT, status=REVOKED, reason=SUPERSEDED, **old)
    with pytest.raises(PathValidationError) as caught:
        states(response)
    assert caught.value.code == "revoked"
    # a hold may have ended since
    assert states(ocsp_response(LEAF, ROOT, ROOT, status=REVOKED, reason=HOLD, **old)) == ["unknown"]


def test_a_list_and_a_response_are_read_together():
    good = ocsp_response(LEAF, ROOT, ROOT)
    assert states(good, crls=[ROOT.crl()]) == ["good"]
    with pytest.raises(PathValidationError) as caught:
        states(good, crls=[ROOT.crl(revoked(LEAF))])
    assert caught.value.code == "revoked"


def test_too_many_responses_are_an_attack():
    with pytest.raises(PathValidationError) as caught:
        states(*[ocsp_response(LEAF, ROOT, ROOT)] * 101)
    assert caught.value.code == "too-many-steps"

"""Addresses, identity levels and certification requests."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sealwright.errors import DecodingError, InputError, InvalidSignatureError, UnsupportedAlgorithmError
from sealwright.pkix.names import address_general_name, canonical_address
from sealwright.pkix.requests import check_certification_request


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Alice@Example.TEST", "alice@example.test"),
        (" a.b+c@exämple.test ", "a.b+c@xn--exmple-cua.test"),
        ("Älice@example.test", "älice@example.test"),
    ],
)
def test_canonical_addresses(text: str, expected: str) -> None:
    assert canonical_address(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "alice", "@x.test", "a@", "a b@x.test", "a@b@x.test", "a..b@x.test", "a@x..test", "a\x00@x.test", "a@-x"],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InputError):
        canonical_address(text)


def test_non_ascii_local_parts_travel_as_smtp_utf8_mailbox() -> None:
    name = address_general_name("älice@example.test")
    assert isinstance(name, x509.OtherName)
    assert name.value == b"\x0c\x13" + "älice@example.test".encode()


def make_request(curve: ec.EllipticCurve) -> bytes:
    key = ec.generate_private_key(curve)
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)


def test_a_request_proves_possession() -> None:
    der = make_request(ec.SECP256R1())
    assert isinstance(check_certification_request(der), ec.EllipticCurvePublicKey)
    other = make_request(ec.SECP256R1())
    tbs = x509.load_der_x509_csr(der).tbs_certrequest_bytes
    other_tbs = x509.load_der_x509_csr(other).tbs_certrequest_bytes
    with pytest.raises(InvalidSignatureError):
        check_certification_request(der.replace(tbs, other_tbs))


def test_requests_that_are_refused() -> None:
    with pytest.raises(UnsupportedAlgorithmError):
        check_certification_request(make_request(ec.SECP521R1()))
    with pytest.raises(DecodingError):
        check_certification_request(b"\x30\x00")

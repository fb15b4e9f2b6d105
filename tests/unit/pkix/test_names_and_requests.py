"""Addresses, identity levels and certification requests."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support.certificates import NOW

from sealwright.errors import DecodingError, InputError, InvalidSignatureError, UnsupportedAlgorithmError
from sealwright.pkix.names import SMTP_UTF8_MAILBOX, address_general_name, canonical_address, certificate_addresses
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


@pytest.mark.parametrize(
    "text",
    [
        "\u212aate@example.test",  # KELVIN SIGN, whose lower case is "k"
        "kate@\uff45xample.test",
        "kate@example\u3002test",
        "kate@exam\u00adple.test",
        "kate@example.test\u00a0",
        "\u00a0kate@example.test",
        "kate@example.test\n",
        "kate@example.test\0.mallory.test",
    ],
)
@pytest.mark.parametrize("place", ["SmtpUTF8Mailbox", "emailAddress"])
def test_an_address_that_only_looks_like_another_does_not_speak_for_it(text: str, place: str) -> None:
    # RFC 9598 section 5: a SmtpUTF8Mailbox is compared as it is, without mapping or normalization
    subject, names = [x509.NameAttribute(NameOID.COMMON_NAME, "x")], [address_general_name("jürgen@example.test")]
    if place == "emailAddress":
        subject.append(x509.NameAttribute(NameOID.EMAIL_ADDRESS, text))
    else:
        encoded = text.encode()
        names.append(x509.OtherName(SMTP_UTF8_MAILBOX, bytes((0x0C, len(encoded))) + encoded))
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(x509.Name(subject), x509.Name(subject), key.public_key(), 1)
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    certificate = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(key, hashes.SHA256())
    assert certificate_addresses(certificate) == ("jürgen@example.test",)


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

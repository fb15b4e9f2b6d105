"""Vectors from outside: the sample people of RFC 9216, and messages that OpenSSL 3.6.5 made."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, pkcs12
from support.decryption import any_key, keys_of

from sealwright.cms import enveloped, signed
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import InvalidSignatureError, PathValidationError
from sealwright.pkix.names import certificate_addresses
from sealwright.pkix.path import validate_path
from sealwright.pkix.private_keys import load_private_key

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
RFC9216, OPENSSL = VECTORS / "rfc9216", VECTORS / "openssl-3.6.5"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
CONTENT = b"both ways"
OPENSSL_CONTENT = b"Content-Type: text/plain\r\n\r\nhello interop\r\n"

SAMPLE_PEOPLE = {
    # name: (signing certificate, its key, encryption certificate, its key, PKCS#12)
    "alice": (3, 4, 5, 6, 7),
    "bob": (8, 9, 10, 11, 12),
}
CURVE25519_PEOPLE = {"carlos": (16, 18), "dana": (21, 23)}
"""Ed25519 and X25519: certificates for signing and encryption."""


def certificate(number):
    return x509.load_der_x509_certificate((RFC9216 / f"{number:02}_CERTIFICATE.der").read_bytes())


def private_key(number):
    return load_der_private_key((RFC9216 / f"{number:02}_PRIVATE_KEY.der").read_bytes(), None)


def test_the_vectors_are_all_there():
    assert len(list(RFC9216.glob("*_CERTIFICATE.der"))) == 12
    assert len(list(RFC9216.glob("*_PRIVATE_KEY.der"))) == 10
    assert len(list(RFC9216.glob("*_PKCS12.der"))) == 4
    assert len(list(OPENSSL.glob("openssl365-*.der"))) == 14


@pytest.mark.parametrize("name", SAMPLE_PEOPLE)
def test_a_sample_persons_paths_are_valid_for_their_usage_only(name):
    signing, _, encryption, _, _ = SAMPLE_PEOPLE[name]
    root, cross = certificate(0), [certificate(2), certificate(15)]
    for number, purpose, other in ((signing, "sign", "encrypt"), (encryption, "encrypt", "sign")):
        leaf = certificate(number)
        assert certificate_addresses(leaf) == (f"{name}@smime.example",)
        assert validate_path(leaf, cross, [root], now=NOW, purpose=purpose).certificates == (leaf, root)
        with pytest.raises(PathValidationError):
            validate_path(leaf, cross, [root], now=NOW, purpose=other)
        with pytest.raises(PathValidationError):
            validate_path(leaf, cross, [certificate(13)], now=datetime(2053, 1, 1, tzinfo=UTC), purpose=purpose)


@pytest.mark.parametrize("name", SAMPLE_PEOPLE)
def test_a_sample_persons_keys_work(name):
    signing, signing_key, encryption, encryption_key, _ = SAMPLE_PEOPLE[name]
    message = enveloped.encrypt(CONTENT, [certificate(encryption)])
    # these private keys carry RFC 8479 attributes
    assert enveloped.decrypt(message, any_key(private_key(encryption_key))).content == CONTENT
    signature = signed.sign(
        CONTENT,
        [PrivateKeySigner(certificate(signing), private_key(signing_key))],
        detached=True,
        signing_time=NOW,
    )
    assert signed.verify(signature, CONTENT).signers[0].certificate == certificate(signing)
    with pytest.raises(InvalidSignatureError):
        signed.verify(signature, CONTENT + b"!")


@pytest.mark.parametrize("name", SAMPLE_PEOPLE)
def test_a_sample_persons_pkcs12_file_opens(name):
    content = (RFC9216 / f"{SAMPLE_PEOPLE[name][4]:02}_PKCS12.der").read_bytes()
    opened = pkcs12.load_pkcs12(content, name.encode())
    assert isinstance(opened.key, rsa.RSAPrivateKey)
    held = {each.certificate for each in opened.additional_certs} | {opened.cert.certificate if opened.cert else None}
    assert {certificate(SAMPLE_PEOPLE[name][0]), certificate(SAMPLE_PEOPLE[name][2])} <= held


@pytest.mark.parametrize("name", CURVE25519_PEOPLE)
def test_people_with_curve25519_sign_and_are_encrypted_to(name):
    signing, encryption = CURVE25519_PEOPLE[name]
    message = enveloped.encrypt(CONTENT, [certificate(encryption)], cipher="aes-128-gcm")
    opened = enveloped.decrypt(message, keys_of((certificate(encryption), private_key(encryption + 1))))
    assert (opened.content, opened.key_management) == (CONTENT, "x25519-hkdf-sha256")
    signer = PrivateKeySigner(certificate(signing), private_key(signing + 1))
    signature = signed.sign(CONTENT, [signer], detached=True, signing_time=NOW)
    (report,) = signed.verify(signature, CONTENT).signers
    assert report.certificate == certificate(signing)
    assert (report.signature_algorithm, report.digest) == ("ed25519", "sha512")


READABLE = sorted(
    f"openssl365-{key}-{cipher}{form}.der"
    for key in ("rsa2048", "p256", "mlkem768")
    for cipher in ("aes256", "aes-256-gcm")
    for form in ("", "-ber")
)
SIGNED = {"openssl365-sign-ed25519.der": "ed25519", "openssl365-sign-mldsa65.der": "ml-dsa-65"}


def test_every_openssl_vector_is_named():
    named = {*READABLE, *SIGNED}
    assert named == {path.name for path in OPENSSL.glob("openssl365-*.der")}


@pytest.mark.parametrize("name", READABLE)
def test_openssl_vectors_decrypt(name):
    kind = name.split("-")[1]
    recipient = x509.load_pem_x509_certificate((OPENSSL / f"{kind}.pem").read_bytes())
    key = load_private_key((OPENSSL / f"{kind}.key").read_bytes())
    opened = enveloped.decrypt((OPENSSL / name).read_bytes(), keys_of((recipient, key)))
    assert opened.content == OPENSSL_CONTENT
    assert opened.authenticated is ("gcm" in name)


@pytest.mark.parametrize("name", SIGNED)
def test_openssl_vectors_verify(name):
    verified = signed.verify((OPENSSL / name).read_bytes(), None)
    assert verified.content == OPENSSL_CONTENT
    assert verified.signers[0].signature_algorithm == SIGNED[name]

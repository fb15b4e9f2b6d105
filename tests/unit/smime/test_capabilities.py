"""SMIMECapabilities: what other programs announce is read, what we announce is what we read, nothing else is believed."""

import contextlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import NOW, ec_key, rsa_key, self_signed

from sealwright.cms import algorithms, enveloped
from sealwright.cms.decryptors import PrivateKeyDecryptor
from sealwright.errors import DecodingError
from sealwright.smime import capabilities
from sealwright.smime.capabilities import Capabilities, Capability

OPENSSL_3 = bytes.fromhex(  # written by `openssl cms -sign` of OpenSSL 3.0.22
    "306a300b060960864801650304012a300b0609608648016503040116300b0609608648016503040102300a06082a864886f70d03"
    "07300e06082a864886f70d030202020080300d06082a864886f70d0302020140300706052b0e030207300d06082a864886f70d0302020128"
)
OAEP_AS_RFC_3560_PRINTS_IT = bytes.fromhex(
    "303a"
    "303806092a864886f70d010107302b300d06096086480165030402010500301a06092a864886f70d010108300d06096086480165030402010500"
)


def test_what_openssl_announces():
    assert capabilities.parse(OPENSSL_3).names == (
        "aes-256-cbc",
        "aes-192-cbc",
        "aes-128-cbc",
        "des-ede3-cbc",
        "rc2-cbc",
    )


def test_oaep_is_read_in_the_form_that_rfc_3560_prints():
    assert capabilities.parse(OAEP_AS_RFC_3560_PRINTS_IT).names == ("rsa-oaep-sha256",)


def test_oaep_with_the_sha1_default_is_not_what_we_write():
    assert capabilities.parse(bytes.fromhex("300f300d06092a864886f70d0101073000")).names == ()


def test_parameters_null_count_as_absent():
    """RFC 8551 section 2.5.2: the parameters field MUST be absent where the algorithm has none; old programs write NULL."""
    with_null = bytes.fromhex("300f300d060960864801650304012e0500")
    assert capabilities.parse(with_null) == capabilities.named("aes-256-gcm")


def test_what_we_announce_has_no_null_and_comes_in_order_of_preference():
    keys = [rsa_key().public_key(), ec_key().public_key()]
    announced = capabilities.announced(keys)
    assert announced.names[:2] == ("aes-256-gcm", "chacha20-poly1305")
    assert {"rsa-oaep-sha256", "rsa-pkcs1-v1.5", "ecdh-sha256-kdf"} < set(announced.names)
    encoded = capabilities.encode(announced)
    assert capabilities.parse(encoded) == announced
    ciphers = capabilities.encode(capabilities.announced())
    assert b"\x05\x00" not in ciphers


@pytest.mark.parametrize("cipher", capabilities.ANNOUNCED_CIPHERS)
@pytest.mark.parametrize("derive_key", [False, True])
def test_we_announce_what_we_read(cipher, derive_key):
    key = rsa_key()
    message = enveloped.encrypt(
        b"text", [self_signed(key, "bob")], cipher=cipher, key_transport="rsa-oaep-sha256", derive_key=derive_key
    )
    assert {cipher, "cek-hkdf-sha256"} < set(capabilities.announced().names)
    assert enveloped.decrypt(message, lambda _: [PrivateKeyDecryptor(key)]).content == b"text"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (ec_key(), "ecdh-sha256-kdf"),
        (x25519.X25519PrivateKey.generate(), "ecdh-hkdf-sha256"),
        (mlkem.MLKEM768PrivateKey.generate(), "ml-kem-768"),
    ],
)
def test_what_holders_of_each_key_announce(key, name):
    assert capabilities.announced([key.public_key()]).names[-1] == name


def test_what_two_devices_share_keeps_the_order_of_the_first():
    ours = capabilities.named("aes-256-gcm", "aes-128-gcm", "aes-256-cbc")
    theirs = Capabilities((*capabilities.named("aes-256-cbc", "aes-256-gcm").items, Capability("1.2.3")))
    assert ours.shared_with(theirs).names == ("aes-256-gcm", "aes-256-cbc")
    assert theirs.shared_with(ours).names == ("aes-256-cbc", "aes-256-gcm")


def certificate_with(extension):
    name, key = x509.Name([]), ec_key()
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1).not_valid_before(NOW).not_valid_after(NOW)
    return builder.add_extension(
        x509.UnrecognizedExtension(x509.ObjectIdentifier(algorithms.SMIME_CAPABILITIES), extension), critical=False
    ).sign(key, hashes.SHA256())


def test_a_certificate_may_announce_capabilities():
    found = capabilities.of_certificate(certificate_with(OPENSSL_3))
    assert found is not None
    assert "aes-256-cbc" in found.names


@pytest.mark.parametrize("certificate", [self_signed(ec_key(), "x"), certificate_with(b"\x30\x80junk")])
def test_a_certificate_without_readable_capabilities_announces_nothing(certificate):
    assert capabilities.of_certificate(certificate) is None


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\x30\x80\x00\x00",
        b"\x31\x00",
        b"\x30\x02\x30\x00",
        b"\x30\x03\x02\x01\x01",
        capabilities.encode(Capabilities((Capability("1.2.3"),) * 129)),
        capabilities.encode(Capabilities((Capability("1.2.3", b"\x04\x82\x20\x00" + bytes(8192)),))),
        OPENSSL_3 + b"\x00",
    ],
)
def test_what_is_no_list_or_too_long_is_refused(encoded):
    with pytest.raises(DecodingError):
        capabilities.parse(encoded)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.binary(max_size=60), st.tuples(st.integers(0, 105), st.integers(0, 255))))
def test_arbitrary_octets_raise_nothing_else(change):
    encoded = change if isinstance(change, bytes) else OPENSSL_3
    if isinstance(change, tuple):
        changed = bytearray(encoded)
        changed[change[0]] = change[1]
        encoded = bytes(changed)
    with contextlib.suppress(DecodingError):
        found = capabilities.parse(encoded)
        assert capabilities.parse(capabilities.encode(found)) == found

"""Elliptic-curve recipients: every curve, KDF and wrap, computed here from the RFCs by other means than the product's."""

import hashlib
import hmac
import secrets

import pytest
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.decryption import any_key, keys_of
from support.envelopes import CONTENT, certificate_for, seal

from sealwright.asn1.writer import tlv
from sealwright.cms import algorithms, enveloped, schema
from sealwright.cms.identifiers import issuer_and_serial, subject_key_identifier
from sealwright.cms.recipient_schema import (
    KeyAgreeRecipientInfo,
    OriginatorPublicKey,
    RecipientEncryptedKey,
    RecipientKeyIdentifier,
)
from sealwright.errors import DecryptionError, UnsupportedAlgorithmError

CURVES = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
WRAPS = {size: oid for oid, size in algorithms.WRAP_KEY_BYTES.items()}


def private_key(kind):
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind])
    return x25519.X25519PrivateKey.generate() if kind == "x25519" else x448.X448PrivateKey.generate()


def raw_public_key(key):
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return key.public_key().public_bytes_raw()


def exchange(own, other):
    if isinstance(own, ec.EllipticCurvePrivateKey):
        return own.exchange(ec.ECDH(), other.public_key())
    return own.exchange(other.public_key())


def shared_info(wrap, ukm):
    """ECC-CMS-SharedInfo of RFC 5753 section 7.2, written by hand."""
    party = b"" if ukm is None else tlv(0xA0, tlv(0x04, ukm))
    bits = {16: 128, 24: 192, 32: 256}[wrap]
    return tlv(
        0x30, schema.algorithm_der(schema.algorithm(WRAPS[wrap])), party, tlv(0xA2, tlv(0x04, bits.to_bytes(4, "big")))
    )


def x963(digest, shared, info, size):
    """ANSI X9.63 as SEC 1 section 3.6.1 has it: hashes over the secret, a counter from one, and the info."""
    blocks = (hashlib.new(digest, shared + number.to_bytes(4, "big") + info).digest() for number in range(1, 4))
    return b"".join(blocks)[:size]


def hkdf(digest, shared, salt, info, size):
    """RFC 5869."""
    pseudorandom = hmac.digest(salt or bytes(hashlib.new(digest).digest_size), shared, digest)
    first = hmac.digest(pseudorandom, info + b"\1", digest)
    return (first + hmac.digest(pseudorandom, first + info + b"\2", digest))[:size]


def agree(certificates_and_keys, scheme, kek_of, *, wrap=32, ukm=None, originator=None, by_key_identifier=False):
    """Return a message to one or several recipients of one KeyAgreeRecipientInfo; `kek_of` derives from the secret."""
    key = secrets.token_bytes(32)
    first = certificates_and_keys[0][1]
    if isinstance(first, ec.EllipticCurvePrivateKey):
        ephemeral = ec.generate_private_key(first.curve)
    else:
        ephemeral = private_key("x25519" if isinstance(first, x25519.X25519PrivateKey) else "x448")
    oid = {x25519.X25519PrivateKey: algorithms.X25519, x448.X448PrivateKey: algorithms.X448}
    algorithm = next((name for each, name in oid.items() if isinstance(first, each)), algorithms.EC_PUBLIC_KEY)
    encrypted = []
    for certificate, recipient in certificates_and_keys:
        kek = kek_of(exchange(ephemeral, recipient), shared_info(wrap, ukm), wrap)
        rid = issuer_and_serial(certificate)
        if by_key_identifier:
            rid = RecipientKeyIdentifier(
                subject_key_identifier=subject_key_identifier(certificate), date=None, other=None
            )
        encrypted.append(RecipientEncryptedKey(rid=rid, encrypted_key=keywrap.aes_key_wrap(kek, key)))
    public = OriginatorPublicKey(
        algorithm=schema.algorithm(algorithm), public_key=asn1.BitString(originator or raw_public_key(ephemeral), 0)
    )
    wrap_der = schema.algorithm_der(schema.algorithm(WRAPS[wrap]))
    info = KeyAgreeRecipientInfo(
        version=3,
        originator=asn1.Variant(public, "originatorKey"),
        ukm=ukm,
        key_encryption_algorithm=schema.algorithm(scheme, wrap_der),
        recipient_encrypted_keys=encrypted,
    )
    return seal([info], key)


def recipient(kind):
    key = private_key(kind)
    return certificate_for(key.public_key()), key


@pytest.mark.parametrize("ukm", [None, b"user keying material"])
@pytest.mark.parametrize("scheme", algorithms.X963_KDFS)
@pytest.mark.parametrize("kind", [*CURVES, "x25519", "x448"])
def test_x963_schemes_are_read(kind, scheme, ukm):
    digest = algorithms.X963_KDFS[scheme]().name
    pair = recipient(kind)
    for wrap in WRAPS:
        message = agree([pair], scheme, lambda shared, info, size: x963(digest, shared, info, size), wrap=wrap, ukm=ukm)
        opened = enveloped.decrypt(message, keys_of(pair))
        assert opened.content == CONTENT
        assert opened.key_management == f"{kind if kind.startswith('x') else 'ecdh'}-{digest}-kdf"
        assert opened.warnings == (("key-wrap-weak",) if wrap < 32 else ())


@pytest.mark.parametrize("ukm", [None, b"user keying material"])
@pytest.mark.parametrize("scheme", algorithms.HKDF_SCHEMES)
@pytest.mark.parametrize("kind", ["x25519", "x448"])
def test_hkdf_schemes_are_read_with_the_ukm_as_salt_and_as_info(kind, scheme, ukm):
    """RFC 8418 section 2.2: with HKDF the ukm is the salt too."""
    digest = algorithms.HKDF_SCHEMES[scheme]().name
    pair = recipient(kind)
    message = agree([pair], scheme, lambda shared, info, size: hkdf(digest, shared, ukm, info, size), ukm=ukm)
    opened = enveloped.decrypt(message, keys_of(pair))
    assert (opened.content, opened.key_management) == (CONTENT, f"{kind}-hkdf-{digest}")


@pytest.mark.parametrize("by_key_identifier", [False, True])
def test_one_info_for_several_recipients(by_key_identifier):
    pairs = [recipient("p256") for _ in range(3)]
    message = agree(
        pairs,
        algorithms.ECDH_SHA256_KDF,
        lambda shared, info, size: x963("sha256", shared, info, size),
        by_key_identifier=by_key_identifier,
    )
    for pair in pairs:
        opened = enveloped.decrypt(message, keys_of(pair))
        assert opened.content == CONTENT
        assert opened.recipient.matches(pair[0])
        assert len(opened.recipients) == 3


@pytest.mark.parametrize("cipher", ["aes-128-gcm", "aes-192-cbc", "aes-256-gcm", "chacha20-poly1305"])
@pytest.mark.parametrize("kind", [*CURVES, "x25519", "x448"])
def test_what_is_written_wraps_with_a_key_as_long_as_the_contents(kind, cipher):
    """RFC 8551 section 2.7: the key sizes of the content cipher and the wrap MUST be equal."""
    certificate, key = recipient(kind)
    message = enveloped.encrypt(CONTENT, [certificate], cipher=cipher)
    opened = enveloped.decrypt(message, keys_of((certificate, key)))
    assert (opened.content, opened.warnings) == (CONTENT, ())
    parsed = schema.load_content(message)
    info = parsed.recipient_infos.as_list()[0]
    wrap = schema.algorithm_parameter(info.key_encryption_algorithm)
    size = {"aes-128-gcm": 16, "aes-192-cbc": 24}.get(cipher, 32)
    assert schema.algorithm_der(wrap) == schema.algorithm_der(schema.algorithm(WRAPS[size]))  # no NULL (RFC 5753)
    assert opened.key_management == (f"{kind}-hkdf-sha256" if kind.startswith("x") else "ecdh-sha256-kdf")


@pytest.mark.parametrize("kind", ["x25519", "x448"])
def test_an_all_zero_secret_opens_nothing(kind):
    """RFC 8418 section 2: an all-zero shared secret MUST abort."""
    pair = recipient(kind)
    size = 32 if kind == "x25519" else 56
    for point in (bytes(size), b"\1" + bytes(size - 1)):
        message = agree(
            [pair],
            algorithms.X25519_HKDF_SHA256,
            lambda _, info, length: hkdf("sha256", bytes(size), None, info, length),
            originator=point,
        )
        with pytest.raises(DecryptionError):
            enveloped.decrypt(message, any_key(pair[1]))


def test_a_key_of_small_order_is_not_encrypted_to():
    weak = certificate_for(x25519.X25519PublicKey.from_public_bytes(bytes(32)))
    with pytest.raises(UnsupportedAlgorithmError):
        enveloped.encrypt(CONTENT, [weak])


@pytest.mark.parametrize(
    "point",
    [
        b"\0",
        b"\4" + bytes(64),
        b"\4" + b"\1" * 64,
        b"\4" + b"\xff" * 64,
        b"\2" + b"\xff" * 32,
        b"\4" + bytes(63),
        b"\5" + bytes(64),
        b"x",
    ],
)
def test_an_originator_off_the_curve_opens_nothing(point):
    """RFC 5753 section 8: without the check, keys of small order give the private key away piece by piece."""
    pair = recipient("p256")
    message = agree(
        [pair],
        algorithms.ECDH_SHA256_KDF,
        lambda _, info, size: x963("sha256", bytes(32), info, size),
        originator=point,
    )
    with pytest.raises(DecryptionError):
        enveloped.decrypt(message, any_key(pair[1]))


def test_the_point_of_another_curve_opens_nothing():
    pair, other = recipient("p256"), private_key("p384")
    message = agree(
        [pair],
        algorithms.ECDH_SHA256_KDF,
        lambda shared, info, size: x963("sha256", shared, info, size),
        originator=raw_public_key(other),
    )
    with pytest.raises(DecryptionError):
        enveloped.decrypt(message, any_key(pair[1]))


@pytest.mark.parametrize("scheme", ["1.2.3", "1.3.132.1.15.1"])
def test_unknown_schemes_open_nothing(scheme):
    pair = recipient("p256")
    message = agree([pair], scheme, lambda shared, info, size: x963("sha256", shared, info, size))
    with pytest.raises(DecryptionError):
        enveloped.decrypt(message, any_key(pair[1]))


def test_other_curves_are_not_encrypted_to():
    certificate = certificate_for(ec.generate_private_key(ec.SECP256K1()).public_key())
    with pytest.raises(UnsupportedAlgorithmError):
        enveloped.encrypt(CONTENT, [certificate])

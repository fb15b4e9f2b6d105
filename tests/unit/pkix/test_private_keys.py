"""Private keys in the forms that other programs write."""

import base64
import contextlib
import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, rsa, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers import algorithms as ciphers
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import ec_key, rsa_key, self_signed

from sealwright.asn1.writer import tlv
from sealwright.errors import DecodingError, DecryptionError, InputError, UnsupportedAlgorithmError
from sealwright.pkix import pbes2
from sealwright.pkix.private_keys import MAX_KEY_BYTES, load_private_key

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
KYBER, DILITHIUM = VECTORS / "lamps-kyber", VECTORS / "lamps-dilithium"
RSA, EC = rsa_key(), ec_key()


def pkcs8(key, encryption=None, encoding=Encoding.PEM, form=PrivateFormat.PKCS8):
    return key.private_bytes(encoding, form, encryption or NoEncryption())


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("key", [RSA, EC])
def test_clear_keys_load(key, encoding, form):
    assert load_private_key(pkcs8(key, None, encoding, form)).private_numbers() == key.private_numbers()
    assert load_private_key(pkcs8(key, None, encoding, form), b"not needed") is not None


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize(
    "key",
    [RSA, EC, x25519.X25519PrivateKey.generate(), mlkem.MLKEM768PrivateKey.generate()],
    ids=lambda key: type(key).__name__,
)
def test_encrypted_keys_want_their_password(key, encoding):
    encrypted = pkcs8(key, BestAvailableEncryption(b"secret"), encoding)
    assert load_private_key(encrypted, b"secret").public_key() == key.public_key()
    with pytest.raises(InputError, match="password"):
        load_private_key(encrypted)
    with pytest.raises(DecryptionError):
        load_private_key(encrypted, b"Secret")


def test_a_traditional_encrypted_key_wants_its_password():
    encrypted = pkcs8(RSA, BestAvailableEncryption(b"secret"), form=PrivateFormat.TraditionalOpenSSL)
    assert load_private_key(encrypted, b"secret").private_numbers() == RSA.private_numbers()
    with pytest.raises(InputError, match="password"):
        load_private_key(encrypted)


def test_a_certificate_may_stand_beside_the_key():
    certificate = self_signed(EC, "alice").public_bytes(Encoding.PEM)
    assert load_private_key(certificate + pkcs8(EC)).private_numbers() == EC.private_numbers()
    with pytest.raises(DecodingError):
        load_private_key(certificate)


def test_rsa_keys_are_validated():
    der = pkcs8(RSA, None, Encoding.DER)
    q = RSA.private_numbers().q
    broken = der.replace(
        q.to_bytes((q.bit_length() + 7) // 8, "big"), (q + 2).to_bytes((q.bit_length() + 7) // 8, "big")
    )
    assert broken != der
    with pytest.raises(DecodingError):
        load_private_key(broken)


def test_keys_with_attributes_load():
    """RFC 8479: the seeds that RFC 9216's RSA keys were made from lie in attributes beside them."""
    found = [load_private_key(path.read_bytes()) for path in (VECTORS / "rfc9216").glob("*_PRIVATE_KEY.der")]
    kinds = [rsa.RSAPrivateKey, ed25519.Ed25519PrivateKey, x25519.X25519PrivateKey]
    assert [sum(isinstance(key, kind) for key in found) for kind in kinds] == [5, 3, 2]


LOADABLE = [
    *((KYBER / f"ML-KEM-{size}-{form}.priv") for size in (768, 1024) for form in ("seed", "both")),
    *((DILITHIUM / f"ML-DSA-{size}-{form}.priv") for size in (44, 65, 87) for form in ("seed", "both")),
]


@pytest.mark.parametrize("path", LOADABLE, ids=lambda path: path.stem)
def test_a_seed_and_the_seed_with_the_expanded_key_are_the_same_key(path):
    key = load_private_key(path.read_bytes())
    seed = load_private_key(Path(str(path).replace("both", "seed")).read_bytes())
    assert type(key).__name__ == path.stem.rpartition("-")[0].replace("-", "") + "PrivateKey"
    assert key.private_bytes_raw() == seed.private_bytes_raw() == bytes(range(len(seed.private_bytes_raw())))


EXPANDED = [*KYBER.glob("ML-KEM-*-expanded.priv"), *DILITHIUM.glob("ML-DSA-*-expanded.priv")]


@pytest.mark.parametrize("path", EXPANDED, ids=lambda path: path.stem)
def test_an_expanded_key_alone_is_refused_with_its_reason(path):
    with pytest.raises(UnsupportedAlgorithmError, match="without its seed"):
        load_private_key(path.read_bytes())


@pytest.mark.parametrize("form", ["seed", "both"])
def test_ml_kem_512_is_named_as_unused(form):
    with pytest.raises(UnsupportedAlgorithmError, match="ML-KEM-512"):
        load_private_key((KYBER / f"ML-KEM-512-{form}.priv").read_bytes())


@pytest.mark.parametrize("path", [*KYBER.glob("bad-*"), *DILITHIUM.glob("bad-*")], ids=lambda path: path.stem)
def test_bad_keys_are_refused(path):
    """RFC 9935 section 8 and RFC 9881 section 8: an inconsistent key MUST be rejected as malformed."""
    with pytest.raises((DecodingError, UnsupportedAlgorithmError)) as refused:
        load_private_key(path.read_bytes())
    with_seed = path.name in ("bad-ML-KEM-512-1.priv", "bad-ML-KEM-512-4.priv", "bad-ML-DSA-44-1.priv")
    assert with_seed is ("contradict" in refused.value.message)


def test_the_vectors_are_all_there():
    assert len(EXPANDED) == 6
    assert len([*KYBER.glob("bad-*"), *DILITHIUM.glob("bad-*")]) == 7


@pytest.mark.parametrize("size", [768, 1024])
def test_every_part_of_an_expanded_ml_kem_key_is_compared(size):
    """RFC 9935 section 8: the seed and the expanded key MUST be checked against each other."""
    pem = (KYBER / f"ML-KEM-{size}-both.priv").read_text()
    der = base64.b64decode("".join(re.findall(r"^[A-Za-z0-9+/=]+$", pem, re.MULTILINE)))
    k = {768: 3, 1024: 4}[size]
    start = len(der) - (768 * k + 96)
    assert load_private_key(der) is not None
    parts = {"secret": 0, "public": 384 * k + 7, "rho": 768 * k + 1, "hash": 768 * k + 40, "z": 768 * k + 95}
    for offset in parts.values():
        with pytest.raises(DecodingError, match="contradict"):
            load_private_key(der[: start + offset] + bytes((der[start + offset] ^ 1,)) + der[start + offset + 1 :])


@pytest.mark.parametrize(("oid", "size"), [("4.2", 63), ("4.3", 65), ("3.17", 31)])
def test_a_seed_of_the_wrong_length_is_refused(oid, size):
    algorithm = tlv(0x30, asn1.encode_der(x509.ObjectIdentifier("2.16.840.1.101.3.4." + oid)))
    with pytest.raises(DecodingError, match="length"):
        load_private_key(tlv(0x30, tlv(2, b"\0"), algorithm, tlv(4, tlv(0x80, bytes(size)))))


def test_what_is_too_large_is_refused():
    with pytest.raises(DecodingError, match="too large"):
        load_private_key(bytes(MAX_KEY_BYTES + 1))


SEED_DER = pkcs8(mlkem.MLKEM768PrivateKey.generate(), None, Encoding.DER)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(SEED_DER)), st.binary(max_size=6), st.integers(0, 12))
def test_mutations_raise_nothing_unexpected(position, insertion, cut):
    for original in (SEED_DER, pkcs8(EC, None, Encoding.DER), pkcs8(EC)):
        with contextlib.suppress(DecodingError, UnsupportedAlgorithmError, InputError):
            load_private_key(original[:position] + insertion + original[position + cut :])


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200), st.one_of(st.none(), st.binary(max_size=8)))
def test_arbitrary_octets_raise_nothing_unexpected(data, password):
    with contextlib.suppress(DecodingError, UnsupportedAlgorithmError, InputError, DecryptionError):
        load_private_key(data, password)


def test_p521_and_other_curves_load():
    assert load_private_key(pkcs8(ec.generate_private_key(ec.SECP521R1()))).curve.name == "secp521r1"


@pytest.mark.parametrize("digest", [hashes.SHA1, hashes.SHA256, hashes.SHA512])
@pytest.mark.parametrize("size", [16, 24, 32])
def test_pbes2_of_other_programs_opens_ml_kem_keys_with_their_expanded_half(digest, size):
    """RFC 8018 section 6.2, written by hand: `cryptography` neither writes nor reads this form of key."""
    clear = base64.b64decode("".join(re.findall(r"^[A-Za-z0-9+/=]+$", BOTH.read_text(), re.MULTILINE)))
    encrypted = pbes2_key(clear, b"secret", digest, size)
    assert load_private_key(encrypted, b"secret").private_bytes_raw() == bytes(range(64))
    with pytest.raises(InputError, match="password"):
        load_private_key(encrypted)
    for wrong in (b"", b"another", b"Secret"):
        with pytest.raises(DecryptionError):
            load_private_key(encrypted, wrong)


def test_too_many_rounds_of_password_hashing_are_refused():
    encrypted = pbes2_key(b"\x30\x00", b"secret", hashes.SHA256, 32, rounds=pbes2.MAX_ITERATIONS + 1)
    with pytest.raises(DecodingError, match="rounds"):
        load_private_key(encrypted, b"secret")


BOTH = KYBER / "ML-KEM-768-both.priv"


def pbes2_key(clear, password, digest, size, rounds=1000):
    salt, iv = b"saltsalt", bytes(16)
    key = PBKDF2HMAC(digest(), size, salt, min(rounds, 1000)).derive(password)
    padder, encryptor = padding.PKCS7(128).padder(), Cipher(ciphers.AES(key), modes.CBC(iv)).encryptor()
    encrypted = encryptor.update(padder.update(clear) + padder.finalize())
    hmac = {"sha1": 7, "sha256": 9, "sha512": 11}[digest.name]
    prf = b"" if hmac == 7 else identifier(f"1.2.840.113549.2.{hmac}", b"\x05\x00")  # SHA-1 is the default
    pbkdf2 = identifier("1.2.840.113549.1.5.12", tlv(0x30, tlv(4, salt), asn1.encode_der(rounds), prf))
    aes = identifier(f"2.16.840.1.101.3.4.1.{ {16: 2, 24: 22, 32: 42}[size] }", tlv(4, iv))
    return tlv(0x30, identifier("1.2.840.113549.1.5.13", tlv(0x30, pbkdf2, aes)), tlv(4, encrypted))


def identifier(oid, parameters):
    return tlv(0x30, asn1.encode_der(x509.ObjectIdentifier(oid)), parameters)

"""Certification requests whose keys must not be certified, each with what the refusal says."""

from math import gcd, prod

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

_PRIMES = [n for n in range(2, 752) if all(n % d for d in range(2, int(n**0.5) + 1))]
_HALF = 3 * 2**1022


def _coprime(start: int, step: int) -> int:
    while gcd(start, prod(_PRIMES)) != 1:
        start += step
    return start


def close_modulus() -> int:
    """Return a modulus of two neighbours of 1024 bits (without small factors, which is all that matters here)."""
    smaller = _coprime(_HALF + 1, 2)
    return smaller * _coprime(smaller + 2, 2)


def roca_modulus() -> int:
    """Return a modulus of 2048 bits that is a power of 65537 modulo every prime from 3 to 167."""
    product = prod(p for p in _PRIMES if 2 < p < 168)
    first = pow(65537, 5, product)
    return _coprime(2**2047 // product * product + product + first, product)


def _request(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, digest).public_bytes(Encoding.DER)


def bad_requests() -> dict[str, tuple[bytes, str]]:
    """Return requests and a part of the refusal by what is wrong.

    In most the key was exchanged in a good request: keys are looked at before signatures.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    good, modulus = _request(key), key.public_key().public_numbers().n
    exponent = bytes.fromhex("0203010001")

    def with_modulus(other: int) -> bytes:
        return good.replace(modulus.to_bytes(256, "big"), other.to_bytes(256, "big"))

    ec_key, ed_key = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    y = ec_key.public_key().public_numbers().y.to_bytes(32, "big")
    raw = ed_key.public_key().public_bytes_raw()
    return {
        "rsa-1024": (_request(rsa.generate_private_key(public_exponent=65537, key_size=1024)), "not 1024"),
        "rsa-2052": (_request(rsa.generate_private_key(public_exponent=65537, key_size=2052)), "not 2052"),
        "exponent-too-small": (good.replace(exponent, bytes.fromhex("020300ffff")), "exponent"),
        "small-factor": (with_modulus(modulus - modulus % (2 * 751) + 751), "small factor"),
        "even-modulus": (with_modulus(modulus - 1), "small factor"),
        "roca": (with_modulus(roca_modulus()), "ROCA"),
        "close-primes": (with_modulus(close_modulus()), "too close"),
        "p-521": (_request(ec.generate_private_key(ec.SECP521R1())), "P-256"),
        "not-on-the-curve": (_request(ec_key).replace(y, y[:-1] + bytes((y[-1] ^ 1,))), "no point"),
        "ed25519-small-order": (_request(ed_key).replace(raw, bytes(32)), "small order"),
        "ed25519-not-a-point": (_request(ed_key).replace(raw, bytes((2,)) + bytes(31)), "not a point"),
        "not-its-signature": (good[:-1] + bytes((good[-1] ^ 1,)), "not signed"),
    }

"""Keys that must not be certified, and that good ones pass."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from support.bad_requests import close_modulus, roca_modulus

from sealwright.errors import ProfileViolationError
from sealwright.pkix.key_checks import check_ed25519_key, check_rsa_key, has_close_primes, is_roca_modulus
from sealwright.pkix.requests import check_public_key


@pytest.mark.parametrize("bits", [2048, 3072])
def test_good_keys_pass(bits: int) -> None:
    check_rsa_key(rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key())
    for _ in range(20):
        check_public_key(ed25519.Ed25519PrivateKey.generate().public_key())
    check_public_key(ec.generate_private_key(ec.SECP384R1()).public_key())


def test_each_weakness_is_seen_alone() -> None:
    close, roca = close_modulus(), roca_modulus()
    assert (has_close_primes(close), is_roca_modulus(close)) == (True, False)
    assert (has_close_primes(roca), is_roca_modulus(roca)) == (False, True)
    assert has_close_primes((2**521 - 1) ** 2)  # both primes the same


@pytest.mark.parametrize(
    ("exponent", "is_good"), [(3, False), (65535, False), (65537, True), (2**64 - 1, True), (2**64 + 1, False)]
)
def test_the_exponents_bounds(exponent: int, is_good: bool) -> None:
    modulus = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key().public_numbers().n
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    if is_good:
        check_rsa_key(key)
    else:
        with pytest.raises(ProfileViolationError, match="exponent"):
            check_rsa_key(key)


ORDER_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("01" + "00" * 31, "small order"),  # the neutral element
        ("ec" + "ff" * 30 + "7f", "small order"),  # order 2
        ("00" * 32, "small order"),  # order 4
        ("00" * 31 + "80", "small order"),
        (ORDER_8, "small order"),
        (ORDER_8[:-2] + "85", "small order"),
        ("01" + "00" * 30 + "80", "not a point"),  # x = 0 has no sign
        ("ee" + "ff" * 30 + "7f", "not a point"),  # y = 1, but not below the prime
        ("02" + "00" * 31, "not a point"),
    ],
)
def test_ed25519_points(raw: str, reason: str) -> None:
    with pytest.raises(ProfileViolationError, match=reason):
        check_ed25519_key(bytes.fromhex(raw))

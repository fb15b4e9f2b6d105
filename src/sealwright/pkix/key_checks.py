"""Arithmetic on public keys: what makes one unfit to be certified, however well it proves possession.

Every check raises `ProfileViolationError` with its one reason. A good RSA key of 3072 bits takes well under a millisecond.
"""

from math import gcd, isqrt, prod
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from sealwright.errors import ProfileViolationError

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
"""Beyond this one verification costs more than any of ours should."""
MIN_EXPONENT = 65537
MAX_EXPONENT = 2**64
FERMAT_ROUNDS = 100


def _primes_below(limit: int) -> tuple[int, ...]:
    return tuple(n for n in range(2, limit) if all(n % d for d in range(2, isqrt(n) + 1)))


_SMALL_PRIMES: Final = prod(_primes_below(752))
"""NIST SP 800-89, 5.3.3, step d: a modulus has no factor below 752."""

_ROCA_PRIMES: Final = _primes_below(168)[1:]
_ROCA_PRODUCT: Final = prod(_ROCA_PRIMES)
_ROCA_REMAINDERS: Final = tuple((p, frozenset(pow(65537, k, p) for k in range(p - 1))) for p in _ROCA_PRIMES)
"""Both primes of such a modulus are powers of 65537 modulo each of these, so the modulus is one, too."""

_P25519: Final = 2**255 - 19
_D25519: Final = -121665 * pow(121666, -1, _P25519) % _P25519


def check_rsa_key(public_key: rsa.RSAPublicKey) -> None:
    """Check size, exponent and modulus of an RSA key.

    Raises:
        ProfileViolationError: If the size is not 2048 to 8192 bits in whole bytes; the exponent is even, below 65537 or
            above 2^64; the modulus has a small factor, is of the kind of CVE-2017-15361 (ROCA), or has primes so close
            that `FERMAT_ROUNDS` rounds of Fermat's method find them.
    """
    size = public_key.key_size
    if not MIN_RSA_BITS <= size <= MAX_RSA_BITS or size % 8:
        raise ProfileViolationError(
            f"an RSA key has {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, a multiple of 8; not {size}"
        )
    numbers = public_key.public_numbers()
    if numbers.e % 2 == 0 or not MIN_EXPONENT <= numbers.e <= MAX_EXPONENT:
        raise ProfileViolationError("the RSA key's exponent is not odd and from 65537 to 2^64: make a new key")
    if gcd(numbers.n, _SMALL_PRIMES) != 1:
        raise ProfileViolationError("the RSA key's modulus has a small factor: make a new key")
    if is_roca_modulus(numbers.n):
        raise ProfileViolationError("the RSA key was made by faulty hardware (ROCA, CVE-2017-15361): make it elsewhere")
    if has_close_primes(numbers.n):
        raise ProfileViolationError("the RSA key's two primes are too close together: make a new key elsewhere")


def is_roca_modulus(modulus: int) -> bool:
    """Tell whether a modulus has the fingerprint of CVE-2017-15361 (Nemec and others, 2017, section 2.3).

    Of other moduli less than one in 2^27 has it.
    """
    rest = modulus % _ROCA_PRODUCT
    return all(rest % prime in remainders for prime, remainders in _ROCA_REMAINDERS)


def has_close_primes(modulus: int) -> bool:
    """Tell whether Fermat's method finds the factors of an odd modulus within `FERMAT_ROUNDS` rounds (CVE-2022-26320)."""
    mean = isqrt(modulus - 1) + 1
    square = mean * mean - modulus
    for _ in range(FERMAT_ROUNDS):
        # modulo 16 a square is 0, 1, 4 or 9: this spares three of four roots
        if square % 16 in (0, 1, 4, 9) and isqrt(square) ** 2 == square:
            return True
        square += 2 * mean + 1
        mean += 1
    return False


def check_ed25519_key(raw: bytes) -> None:
    """Check that 32 bytes are a point of edwards25519 (RFC 8032, 5.1.3) whose order is not one of 1, 2, 4 and 8.

    With a point of small order, signatures say nothing: some fit many messages.

    Raises:
        ProfileViolationError: If they are not.
    """
    encoded = int.from_bytes(raw, "little")
    y = encoded & (2**255 - 1)
    x_squared = _x_squared(y)
    is_point = y < _P25519 and pow(x_squared, (_P25519 - 1) // 2, _P25519) in (0, 1)
    if not is_point or (x_squared == 0 and encoded >> 255):
        raise ProfileViolationError("the Ed25519 key is not a point of its curve")
    # three doublings; the neutral element is the one with y = 1
    for _ in range(3):
        x_squared = _x_squared(y)
        y_squared = y * y
        denominator = pow(1 - _D25519 * x_squared * y_squared, -1, _P25519)
        y = (y_squared + x_squared) * denominator % _P25519
    if y == 1:
        raise ProfileViolationError("the Ed25519 key is a point of small order")


def _x_squared(y: int) -> int:
    # -x^2 + y^2 = 1 + d x^2 y^2; the denominator is never 0, because -1/d is no square
    return (y * y - 1) * pow(_D25519 * y * y + 1, -1, _P25519) % _P25519

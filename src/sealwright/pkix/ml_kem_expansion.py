"""The expanded ML-KEM private key of a seed (FIPS 203 algorithms 13 and 16), to compare it with one that came in a file.

`cryptography` takes seeds and gives no expanded keys back. The arithmetic is slow and its timing depends on the key, so it
serves when a file is read, never when a message is.
"""

import hashlib

_Q, _N = 3329, 256
_PARAMETERS = {"ML-KEM-512": (2, 3), "ML-KEM-768": (3, 2), "ML-KEM-1024": (4, 2)}
"""k and eta1 (FIPS 203 table 2); eta2 plays no part in key generation."""


def _reversed_bits(number: int) -> int:
    return int(f"{number:07b}"[::-1], 2)


_ZETAS = tuple(pow(17, _reversed_bits(number), _Q) for number in range(128))
_GAMMAS = tuple(pow(17, 2 * _reversed_bits(number) + 1, _Q) for number in range(128))


def expand_seed(name: str, seed: bytes) -> bytes:
    """Return the decapsulation key.

    Args:
        name: "ML-KEM-512", "ML-KEM-768" or "ML-KEM-1024".
        seed: d and z, 64 octets.

    Returns:
        dk_PKE, the encapsulation key, its hash and z, as FIPS 203 writes them.
    """
    k, eta = _PARAMETERS[name]
    expanded = hashlib.sha3_512(seed[:32] + bytes((k,))).digest()
    rho, sigma = expanded[:32], expanded[32:]
    secret = [_ntt(_sample_cbd(eta, _prf(sigma, number, eta))) for number in range(k)]
    error = [_ntt(_sample_cbd(eta, _prf(sigma, number, eta))) for number in range(k, 2 * k)]
    encapsulation_key = b""
    for row in range(k):
        total = error[row]
        for column in range(k):
            product = _multiply(_sample_ntt(rho + bytes((column, row))), secret[column])
            total = [(left + right) % _Q for left, right in zip(total, product, strict=True)]
        encapsulation_key += _encode(total)
    encapsulation_key += rho
    dk_pke = b"".join(map(_encode, secret))
    return dk_pke + encapsulation_key + hashlib.sha3_256(encapsulation_key).digest() + seed[32:]


def _prf(sigma: bytes, number: int, eta: int) -> bytes:
    return hashlib.shake_256(sigma + bytes((number,))).digest(64 * eta)


def _sample_cbd(eta: int, octets: bytes) -> list[int]:
    """Sample from the centred binomial distribution (algorithm 8)."""
    bits = int.from_bytes(octets, "little")
    mask, found = (1 << eta) - 1, []
    for _ in range(_N):
        found.append(((bits & mask).bit_count() - (bits >> eta & mask).bit_count()) % _Q)
        bits >>= 2 * eta
    return found


def _sample_ntt(seed: bytes) -> list[int]:
    """Sample uniformly (algorithm 7); 1,344 octets are enough but for once in 2**200, and then more are taken."""
    size, found = 1344, list[int]()
    while len(found) < _N:
        stream, found = hashlib.shake_128(seed).digest(size), []
        for position in range(0, size - 2, 3):
            low, middle, high = stream[position : position + 3]
            found += [each for each in (low + 256 * (middle % 16), middle // 16 + 16 * high) if each < _Q]
        size *= 2
    return found[:_N]


def _ntt(polynomial: list[int]) -> list[int]:
    """Transform to the number-theoretic domain (algorithm 9)."""
    values, zeta, length = polynomial[:], 1, 128
    while length >= 2:
        for start in range(0, _N, 2 * length):
            for position in range(start, start + length):
                product = _ZETAS[zeta] * values[position + length]
                values[position + length] = (values[position] - product) % _Q
                values[position] = (values[position] + product) % _Q
            zeta += 1
        length //= 2
    return values


def _multiply(left: list[int], right: list[int]) -> list[int]:
    """Multiply in the number-theoretic domain (algorithms 11 and 12)."""
    found = []
    for number, gamma in enumerate(_GAMMAS):
        a0, a1 = left[2 * number : 2 * number + 2]
        b0, b1 = right[2 * number : 2 * number + 2]
        found += [(a0 * b0 + a1 * b1 * gamma) % _Q, (a0 * b1 + a1 * b0) % _Q]
    return found


def _encode(polynomial: list[int]) -> bytes:
    """Encode 12 bits for each coefficient (algorithm 5)."""
    return sum(value << 12 * number for number, value in enumerate(polynomial)).to_bytes(384, "little")

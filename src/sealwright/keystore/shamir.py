"""Shamir's secret sharing over GF(256), octet by octet, with the field polynomial of AES.

Any `threshold` shares give the secret; fewer say nothing about it. Whether shares belong together is not visible here:
the caller checks what came out.
"""

import secrets
from collections.abc import Sequence

MAX_SHARES = 255


def split(secret: bytes, shares: int, threshold: int) -> list[tuple[int, bytes]]:
    """Split a secret into points (x, values), x = 1 ... shares.

    Raises:
        ValueError: Unless 1 <= threshold <= shares <= 255.
    """
    if not 1 <= threshold <= shares <= MAX_SHARES:
        raise ValueError("the threshold is at least 1 and at most the number of shares, and that at most 255")
    coefficients = [secret, *(secrets.token_bytes(len(secret)) for _ in range(threshold - 1))]
    return [(x, _evaluate(coefficients, x)) for x in range(1, shares + 1)]


def combine(points: Sequence[tuple[int, bytes]]) -> bytes:
    """Return the value at x = 0 of the polynomial through the points.

    Raises:
        ValueError: If there are no points, two have one x, an x is not 1 ... 255, or lengths differ.
    """
    places = [x for x, _ in points]
    lengths = {len(values) for _, values in points}
    if len(lengths) != 1 or len(set(places)) != len(places) or not all(1 <= x <= MAX_SHARES for x in places):
        raise ValueError("the shares do not belong to one secret")
    secret = bytes(lengths.pop())
    for x, values in points:
        weight = 1
        for other in places:
            if other != x:
                weight = _multiply(weight, _multiply(other, _inverse(other ^ x)))
        secret = bytes(total ^ _multiply(value, weight) for total, value in zip(secret, values, strict=True))
    return secret


def _evaluate(coefficients: Sequence[bytes], x: int) -> bytes:
    values = bytes(len(coefficients[0]))
    for coefficient in reversed(coefficients):
        values = bytes(_multiply(value, x) ^ octet for value, octet in zip(values, coefficient, strict=True))
    return values


def _multiply(a: int, b: int) -> int:
    """Multiply in GF(256) modulo x^8 + x^4 + x^3 + x + 1, without a branch on the values."""
    product = 0
    for _ in range(8):
        product ^= a & -(b & 1)
        a = (a << 1) ^ (0x11B & -(a >> 7))
        b >>= 1
    return product


def _inverse(a: int) -> int:
    """Return a**254, the inverse of a (not 0)."""
    result = a
    for _ in range(6):
        result = _multiply(_multiply(result, result), a)
    return _multiply(result, result)

"""The one way to turn several fields into bytes that are hashed, signed or authenticated.

Every field carries its length and every string its purpose and version, so that no two different lists of fields, and no
two purposes, ever give the same bytes. base64url is RFC 4648 section 5 without padding, and decoding refuses any other
spelling of the same bytes.
"""

import base64
import binascii
import hashlib
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

from sealwright.errors import DecodingError

MAX_FIELD_BYTES = 1 << 24
"""No field that is signed or hashed comes near 16 MiB; a longer one is an attack or a bug."""

AwareDatetime = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone: one without could not even be compared with the clock."""

T = TypeVar("T")


def decode_json(encoded: bytes, kind: type[T]) -> T:
    """Decode JSON of a type.

    Raises:
        DecodingError: If it is no JSON, no UTF-8, nested too deep, or of another type.
    """
    try:
        return msgspec.json.decode(encoded, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodingError(f"not JSON of a {kind.__name__}: {error}") from error


def encode_fields(purpose: str, version: int, *fields: bytes) -> bytes:
    """Encode fields as `length(purpose) || purpose || version || count || (length || field)*`.

    Args:
        purpose: ASCII name of what the bytes are for, at most 255 octets.
        version: 0..255.
        fields: Each at most 16 MiB; at most 65,535 of them.

    Returns:
        Lengths are 1 octet for the purpose, 2 for the count and 4 for each field, big endian.
    """
    purpose_bytes = purpose.encode("ascii")
    if len(purpose_bytes) > 255 or len(fields) > 0xFFFF or any(len(field) > MAX_FIELD_BYTES for field in fields):
        raise ValueError("a field, the purpose or the number of fields is beyond the encoding's limits")
    parts = [bytes((len(purpose_bytes),)), purpose_bytes, bytes((version,)), len(fields).to_bytes(2, "big")]
    for field in fields:
        parts.append(len(field).to_bytes(4, "big"))
        parts.append(field)
    return b"".join(parts)


def decode_fields(purpose: str, version: int, encoded: bytes) -> tuple[bytes, ...]:
    """Decode what `encode_fields` made for the same purpose and version.

    Raises:
        DecodingError: If purpose or version differ, a length is wrong, or octets are left over.
    """
    head = bytes((len(purpose),)) + purpose.encode("ascii") + bytes((version,))
    if not encoded.startswith(head) or len(encoded) < len(head) + 2:
        raise DecodingError(f"not a {purpose} of version {version}")
    count = int.from_bytes(encoded[len(head) : len(head) + 2], "big")
    position = len(head) + 2
    fields = []
    for _ in range(count):
        length = int.from_bytes(encoded[position : position + 4], "big")
        end = position + 4 + length
        if position + 4 > len(encoded) or length > MAX_FIELD_BYTES or end > len(encoded):
            raise DecodingError(f"a field of the {purpose} is cut off")
        fields.append(encoded[position + 4 : end])
        position = end
    if position != len(encoded):
        raise DecodingError(f"octets are left over after the {purpose}")
    return tuple(fields)


def b64u_encode(data: bytes) -> str:
    """Encode as base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64u_decode(text: str) -> bytes:
    """Decode base64url without padding.

    Raises:
        DecodingError: If there is padding, a foreign character, or bits beyond the last octet.
    """
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError) as error:
        raise DecodingError("not base64url") from error
    if b64u_encode(data) != text:
        raise DecodingError("not the canonical base64url of its octets")
    return data


def sha256(data: bytes) -> bytes:
    """Return SHA-256 of `data`, 32 octets."""
    return hashlib.sha256(data).digest()

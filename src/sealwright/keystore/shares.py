"""Shares as people write them down: base32 in groups of four, with a checksum against slips of the pen.

Operator shares open a seal of kind "shamir"; emergency shares open any seal whose root wrapping key is lost.
"""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Literal

from sealwright.errors import DecodingError
from sealwright.wire.encoding import sha256

ShareKind = Literal["operator", "emergency"]
PREFIXES: dict[ShareKind, str] = {"operator": "SWOP1", "emergency": "SW1"}
"""The digit is none of base32's, so that one is never the beginning of the other."""
SET_ID_BYTES = 4
_CHECKSUM_BYTES, _VALUE_BYTES = 4, 32
_SHARE_BYTES = SET_ID_BYTES + 2 + _VALUE_BYTES + _CHECKSUM_BYTES


@dataclass(frozen=True, slots=True)
class Share:
    """One share.

    Attributes:
        kind: What it opens.
        set_id: 4 octets, the same in all shares that belong together.
        threshold: How many shares it takes.
        x: 1 ... 255, which share it is.
        values: 32 octets.
    """

    kind: ShareKind
    set_id: bytes
    threshold: int
    x: int
    values: bytes = field(repr=False)

    def digest(self) -> bytes:
        """Return what the seal file knows the share by: the hash of a random value says nothing about it."""
        return sha256(self.set_id + bytes((self.x,)) + self.values)


def encode_share(share: Share) -> str:
    """Return the printable form."""
    content = share.set_id + bytes((share.threshold, share.x)) + share.values
    text = base64.b32encode(content + sha256(content)[:_CHECKSUM_BYTES]).decode("ascii").rstrip("=")
    return "-".join([PREFIXES[share.kind], *(text[start : start + 4] for start in range(0, len(text), 4))])


def decode_share(text: str) -> Share:
    """Read a printable share; case, spaces and dashes do not matter.

    Raises:
        DecodingError: If it is not a share, or was not copied right.
    """
    compact = "".join(text.split()).replace("-", "").upper()
    kind = next((kind for kind, prefix in PREFIXES.items() if compact.startswith(prefix)), None)
    if kind is None:
        raise DecodingError(f"not a share: it begins with {' or '.join(PREFIXES.values())}")
    body = compact.removeprefix(PREFIXES[kind])
    try:
        data = base64.b32decode(body.encode("ascii") + b"=" * (-len(body) % 8))
    except (UnicodeEncodeError, binascii.Error, ValueError) as error:
        raise DecodingError("the share was not copied right") from error
    content, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if len(data) != _SHARE_BYTES or sha256(content)[:_CHECKSUM_BYTES] != checksum:
        raise DecodingError("the share was not copied right")
    threshold, x, start = content[SET_ID_BYTES], content[SET_ID_BYTES + 1], SET_ID_BYTES + 2
    if not threshold >= 1 or not x >= 1:
        raise DecodingError("not a share")
    return Share(kind, content[:SET_ID_BYTES], threshold, x, content[start:])

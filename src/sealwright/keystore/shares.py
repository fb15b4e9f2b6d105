"""Emergency shares as people write them down: base32 in groups of four, with a checksum against slips of the pen."""

import base64
import binascii
from dataclasses import dataclass, field

from sealwright.errors import DecodingError
from sealwright.wire.encoding import sha256

PREFIX = "SW1"
_SET_ID_BYTES, _CHECKSUM_BYTES, _VALUE_BYTES = 4, 4, 32
_SHARE_BYTES = _SET_ID_BYTES + 2 + _VALUE_BYTES + _CHECKSUM_BYTES


@dataclass(frozen=True, slots=True)
class EmergencyShare:
    """One share.

    Attributes:
        set_id: 4 octets, the same in all shares of a seal.
        threshold: How many shares it takes.
        x: 1 ... 255, which share it is.
        values: 32 octets.
    """

    set_id: bytes
    threshold: int
    x: int
    values: bytes = field(repr=False)


def encode_share(share: EmergencyShare) -> str:
    """Return the printable form."""
    content = share.set_id + bytes((share.threshold, share.x)) + share.values
    text = base64.b32encode(content + sha256(content)[:_CHECKSUM_BYTES]).decode("ascii").rstrip("=")
    return "-".join([PREFIX, *(text[start : start + 4] for start in range(0, len(text), 4))])


def decode_share(text: str) -> EmergencyShare:
    """Read a printable share; case, spaces and dashes do not matter.

    Raises:
        DecodingError: If it is not a share, or was not copied right.
    """
    compact = "".join(text.split()).replace("-", "").upper()
    body = compact.removeprefix(PREFIX)
    try:
        data = base64.b32decode(body.encode("ascii") + b"=" * (-len(body) % 8))
    except (UnicodeEncodeError, binascii.Error, ValueError) as error:
        raise DecodingError("not an emergency share") from error
    content, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if not compact.startswith(PREFIX) or len(data) != _SHARE_BYTES or sha256(content)[:_CHECKSUM_BYTES] != checksum:
        raise DecodingError("the emergency share was not copied right")
    threshold, x, start = content[_SET_ID_BYTES], content[_SET_ID_BYTES + 1], _SET_ID_BYTES + 2
    if not threshold >= 1 or not x >= 1:
        raise DecodingError("not an emergency share")
    return EmergencyShare(content[:_SET_ID_BYTES], threshold, x, content[start:])

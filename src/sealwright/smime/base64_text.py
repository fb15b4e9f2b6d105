"""Base64 as mail carries it (RFC 2045 section 6.8): written in lines, read whatever stands between its characters.

msgspec writes and reads octets in JSON as base64, two to three times as fast as `binascii` does, which is what counts in a
large mail: it is encoded twice.
"""

import binascii
import struct
from collections.abc import Iterator

import msgspec

_BLOCK_LINES = 256
"""Lines that are encoded at once; few enough to stay in the processor's cache."""
_LINES = tuple(struct.Struct("76s" * lines) for lines in range(_BLOCK_LINES + 1))
"""Cut so many lines out of what is encoded, several times faster than a loop."""
_BLOCK_BYTES = 32 * 1024
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_OTHERS = bytes(octet for octet in range(256) if octet not in _ALPHABET)
_ENCODER, _DECODER = msgspec.json.Encoder(), msgspec.json.Decoder(bytes)


def base64_lines(data: bytes) -> bytes:
    """Encode data as base64 in lines of 76 characters with CRLF."""
    return b"".join(base64_blocks(data))


def base64_blocks(data: bytes) -> Iterator[bytes]:
    """Give the same in blocks of whole lines, so that a large text is joined once with what stands around it."""
    octets, size = memoryview(data), 57 * _BLOCK_LINES
    for start in range(0, len(data), size):
        quoted = _ENCODER.encode(octets[start : start + size])  # between two quotation marks
        lines = _LINES[(len(quoted) - 2) // 76].unpack_from(quoted, 1)
        rest = quoted[1 + 76 * len(lines) : -1]
        yield b"\r\n".join((*lines, rest, b"") if rest else (*lines, b""))


def decode_base64(octets: bytes, start: int = 0) -> bytes:
    """Decode base64 up to its padding; other characters are passed over, and of a last part of four what is there counts.

    Args:
        octets: An entity, or a body alone.
        start: Where the base64 begins.
    """
    padding = octets.find(b"=", start)
    end = len(octets) if padding < 0 else padding
    decoded, rest = [], b""
    for position in range(start, end, _BLOCK_BYTES):
        kept = rest + octets[position : min(position + _BLOCK_BYTES, end)].translate(None, delete=_OTHERS)
        whole = len(kept) // 4 * 4
        decoded.append(_DECODER.decode(b'"%b"' % kept[:whole]))
        rest = kept[whole:]
    if len(rest) > 1:  # one character alone is not even an octet
        decoded.append(binascii.a2b_base64(rest + b"=="))
    return b"".join(decoded)

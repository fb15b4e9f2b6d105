"""DER written element by element: headers, and elements around parts that are joined once."""

from functools import lru_cache


@lru_cache(maxsize=4096)
def header(tag: int, size: int) -> bytes:
    """Return a one-octet tag and the shortest length; remembered, because nearly all elements are short."""
    if size < 0x80:
        return bytes((tag, size))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return a DER element of one-octet tag over the joined parts."""
    return b"".join((header(tag, sum(map(len, parts))), *parts))


def tlv_parts(tag: int, *parts: bytes) -> tuple[bytes, ...]:
    """Return the same unjoined, so that a large content inside several elements is copied once."""
    return (header(tag, sum(map(len, parts))), *parts)

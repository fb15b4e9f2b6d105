"""DER written element by element: headers, and elements around parts that are joined once."""

from functools import lru_cache

Layer = tuple[int, bytes, bytes]
"""An element around something: its tag (one octet), what it holds before that, and after."""


@lru_cache(maxsize=4096)
def header(tag: int, size: int) -> bytes:
    """Return a one-octet tag and the shortest length; remembered, because nearly all elements are short."""
    if size < 0x80:
        return bytes((tag, size))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return a DER element of one-octet tag over the joined parts."""
    content = b"".join(parts)
    return header(tag, len(content)) + content


def enclosed(content: bytes, *layers: Layer) -> bytes:
    """Return a content inside elements, copied once and not once for each that it lies in.

    Args:
        content: Octets, perhaps many.
        layers: From the innermost element to the outermost.
    """
    head = tail = b""
    for tag, before, after in layers:
        head, tail = before + head, tail + after
        head = header(tag, len(head) + len(content) + len(tail)) + head
    return b"".join((head, content, tail))

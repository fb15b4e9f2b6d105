"""A small strict DER splitter, one level at a time.

For what is read so often that building an object for every field would cost more than the signature over it: SignerInfo,
signed attributes, identifiers.
"""

from functools import lru_cache

from cryptography import x509
from cryptography.hazmat import asn1

from sealwright.errors import DecodingError


@lru_cache(maxsize=256)
def object_identifier(dotted: str) -> bytes:
    """Return the DER of an OBJECT IDENTIFIER."""
    return asn1.encode_der(x509.ObjectIdentifier(dotted))


def elements(content: bytes) -> list[tuple[int, bytes]]:
    """Split the content of a constructed element into (tag, content) pairs.

    Args:
        content: Octets of zero or more DER elements, nothing else.

    Raises:
        DecodingError: If an element is cut off, its length is not the shortest or is indefinite, or its tag has more
            than one octet.
    """
    found = []
    position, limit = 0, len(content)
    while position < limit:
        try:
            tag, size = content[position], content[position + 1]
        except IndexError:
            raise DecodingError("an element is cut off") from None
        start = position + 2
        if size >= 0x80:
            octets = size & 0x7F
            size = int.from_bytes(content[start : start + octets], "big")
            start += octets
            # five octets would be more than 4 GiB, none is an indefinite length
            if not 1 <= octets <= 4 or size < 0x80 or size >> (8 * (octets - 1)) == 0:
                raise DecodingError("a length is not DER")
        position = start + size
        if position > limit or tag & 0x1F == 0x1F:
            raise DecodingError("an element is cut off or has a tag above 30")
        found.append((tag, content[start:position]))
    return found


def content_of(tag: int, encoded: bytes) -> bytes:
    """Return the content of the one element that some octets are.

    Raises:
        DecodingError: If they are not exactly one DER element with this tag.
    """
    found = elements(encoded)
    if len(found) != 1 or found[0][0] != tag:
        raise DecodingError("another ASN.1 type was expected")
    return found[0][1]

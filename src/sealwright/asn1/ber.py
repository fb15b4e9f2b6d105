"""The BER front end: turns the CMS skeleton of a message into DER, so that one strict decoder can read it.

Mail clients write CMS with indefinite lengths and chunked OCTET STRINGs; `cryptography`'s decoder reads DER only. What
lies inside certificates, CRLs and attributes is copied octet by octet, because signatures cover it. One pass, bounded in
depth, in octets and in the number of elements; bad input raises `DecodingError` and nothing else.
"""

from dataclasses import dataclass
from functools import lru_cache

from sealwright.errors import DecodingError

MAX_DEPTH = 64
"""CMS with its attributes nests about 20 deep; certificates inside are copied, not walked."""
MAX_ELEMENTS = 200_000
"""A 25 MiB message in 4 KiB chunks has about 6,400 elements; more than this is an attack."""
_SIGNED_DATA_OID = bytes.fromhex("06092a864886f70d010702")
_COMPRESSED_DATA_OID = bytes.fromhex("060b2a864886f70d0109100109")
_SEQUENCE, _SET, _OCTETS, _CONSTRUCTED_OCTETS = 0x30, 0x31, 0x04, 0x24


@dataclass(frozen=True, slots=True)
class _Element:
    tag: int
    start: int
    content: int
    content_end: int
    end: int


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.known: dict[int, _Element] = {}

    def element(self, position: int, limit: int, depth: int = 0) -> _Element:
        """Read one element; of an indefinite one, walk its children to find the end.

        Elements are remembered by position, so that each is read once however deep it lies.
        """
        known = self.known.get(position)
        if known is None:
            if depth > MAX_DEPTH or len(self.known) >= MAX_ELEMENTS:
                raise DecodingError("the message nests too deep or has too many elements")
            known = self.known[position] = self._read(position, limit, depth)
        if known.end > limit:
            raise DecodingError("an element is longer than what holds it")
        return known

    def _read(self, position: int, limit: int, depth: int) -> _Element:
        if position + 2 > limit:
            raise DecodingError("an element is cut off")
        tag, length, content = self.data[position], self.data[position + 1], position + 2
        if tag & 0x1F == 0x1F:
            raise DecodingError("CMS has no tags above 30")
        if length == 0x80:
            if not tag & 0x20:
                raise DecodingError("a primitive element has no definite length")
            inner = content
            while True:
                if inner + 2 > limit:
                    raise DecodingError("an element of indefinite length does not end")
                if self.data[inner] == 0 and self.data[inner + 1] == 0:
                    return _Element(tag, position, content, inner, inner + 2)
                inner = self.element(inner, limit, depth + 1).end
        if length & 0x80:
            octets = length & 0x7F
            if octets > 8 or content + octets > limit:
                raise DecodingError("a length is not valid")
            length = int.from_bytes(self.data[content : content + octets], "big")
            content += octets
        if content + length > limit:
            raise DecodingError("an element is cut off")
        return _Element(tag, position, content, content + length, content + length)

    def children(self, parent: _Element) -> list[_Element]:
        """Return the elements inside a constructed element."""
        if not parent.tag & 0x20:
            raise DecodingError("a constructed element was expected")
        found, position = [], parent.content
        while position < parent.content_end:
            child = self.element(position, parent.content_end)
            found.append(child)
            position = child.end
        return found

    def octets(self, element: _Element, out: list[bytes], depth: int = 0) -> None:
        """Append the segments of an OCTET STRING, whole or in chunks."""
        if depth > MAX_DEPTH:
            raise DecodingError("an OCTET STRING nests too deep")
        if not element.tag & 0x20:
            out.append(self.data[element.content : element.content_end])
            return
        for child in self.children(element):
            if child.tag not in (_OCTETS, _CONSTRUCTED_OCTETS):
                raise DecodingError("a chunk of an OCTET STRING is something else")
            self.octets(child, out, depth + 1)

    def der(self, element: _Element, depth: int = 0) -> bytes:
        """Return the element with definite, shortest lengths; SETs keep their order."""
        if depth > MAX_DEPTH:
            raise DecodingError("the message nests too deep")
        if element.tag == _CONSTRUCTED_OCTETS:
            segments: list[bytes] = []
            self.octets(element, segments)
            return tlv(_OCTETS, *segments)
        if not element.tag & 0x20:
            return tlv(element.tag, self.data[element.content : element.content_end])
        return tlv(element.tag, *(self.der(child, depth + 1) for child in self.children(element)))

    def raw(self, element: _Element) -> bytes:
        return self.data[element.start : element.end]


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return a DER element of one-octet tag over the joined parts."""
    return b"".join((_header(tag, sum(map(len, parts))), *parts))


def tlv_parts(tag: int, *parts: bytes) -> tuple[bytes, ...]:
    """Return the same unjoined, so that a large content inside several elements is copied once."""
    return (_header(tag, sum(map(len, parts))), *parts)


@lru_cache(maxsize=4096)
def _header(tag: int, size: int) -> bytes:
    """Return tag and shortest length; remembered, because nearly all elements are short."""
    if size < 0x80:
        return bytes((tag, size))
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets


def cms_to_der(data: bytes) -> bytes:
    """Transcode a BER ContentInfo (RFC 5652) to DER.

    Raises:
        DecodingError: If it is not BER of a ContentInfo within the limits.
    """
    reader = _Reader(data)
    top = reader.element(0, len(data))
    if top.tag != _SEQUENCE or top.end != len(data):
        raise DecodingError("not a CMS ContentInfo")
    parts = reader.children(top)
    if len(parts) != 2 or parts[1].tag != 0xA0:
        raise DecodingError("not a CMS ContentInfo")
    content_type = reader.raw(parts[0])
    inner = reader.children(parts[1])
    if len(inner) != 1 or inner[0].tag != _SEQUENCE:
        raise DecodingError("the ContentInfo holds no SEQUENCE")
    encapsulates = content_type in (_SIGNED_DATA_OID, _COMPRESSED_DATA_OID)
    fields = [_field(reader, child, encapsulates) for child in reader.children(inner[0])]
    return tlv(_SEQUENCE, content_type, tlv(0xA0, tlv(_SEQUENCE, *fields)))


def _field(reader: _Reader, field: _Element, encapsulates: bool) -> bytes:
    if field.tag == _SET:
        return tlv(_SET, *sorted(reader.der(child) for child in reader.children(field)))
    if field.tag == _SEQUENCE:
        return _content(reader, field, encapsulates)
    if field.tag in (0xA0, 0xA1) and encapsulates:  # certificates and CRLs, verbatim: signatures cover them
        return tlv(field.tag, *(reader.raw(child) for child in reader.children(field)))
    return reader.der(field)


def _content(reader: _Reader, field: _Element, encapsulates: bool) -> bytes:
    """Transcode EncapsulatedContentInfo or EncryptedContentInfo, joining the chunks of the content."""
    parts = []
    for number, child in enumerate(reader.children(field)):
        if number == 0 or child.tag < 0x40:  # the type, and an algorithm with its parameters
            parts.append(reader.der(child))
            continue
        segments: list[bytes] = []
        if encapsulates:
            inner = reader.children(child)
            if len(inner) != 1:
                raise DecodingError("the content is not one OCTET STRING")
            reader.octets(inner[0], segments)
            parts.append(tlv(0xA0, tlv(_OCTETS, *segments)))
        else:
            reader.octets(child, segments)
            parts.append(tlv(0x80, *segments))
    return tlv(_SEQUENCE, *parts)

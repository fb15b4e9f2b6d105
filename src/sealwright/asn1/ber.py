"""The BER front end: turns the CMS skeleton of a message into DER, so that one strict decoder can read it.

Mail clients write CMS with indefinite lengths and chunked OCTET STRINGs; `cryptography`'s decoder reads DER only. What
lies inside certificates and CRLs is copied octet by octet, because signatures cover it. One pass: each element is written
when it is read, what is DER already as it stands, and the content is never copied before all parts are joined. Bounded in
depth and in the number of elements; bad input raises `DecodingError` and nothing else.
"""

from typing import NamedTuple

from sealwright.asn1.writer import header
from sealwright.errors import DecodingError

MAX_DEPTH = 64
"""CMS with its attributes nests about 20 deep; certificates inside are copied, not walked."""
MAX_ELEMENTS = 200_000
"""A 25 MiB message in 4 KiB chunks has about 6,400 elements; more than this is an attack."""
_SIGNED_DATA_OID = bytes.fromhex("06092a864886f70d010702")
_COMPRESSED_DATA_OID = bytes.fromhex("060b2a864886f70d0109100109")
_SEQUENCE, _SET, _OCTETS, _CONSTRUCTED_OCTETS = 0x30, 0x31, 0x04, 0x24
_CONSTRUCTED = 0x20


class _Element(NamedTuple):
    """An element of which the header was read.

    Attributes:
        tag: One octet.
        start: Of the header.
        content: Where the content starts.
        end: Where it ends; None if an end-of-contents says so.
        limit: Nothing inside goes beyond.
    """

    tag: int
    start: int
    content: int
    end: int | None
    limit: int


class _Transcoder:
    """Reads BER from one position to the next and appends DER to `out`.

    Each method that writes returns the position after the element. The header of what was written so far goes in front
    when its size is known, by `_wrap`.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.view = memoryview(data)
        self.out: list[bytes | memoryview] = []
        self.size = 0
        self.elements = 0

    def read(self, position: int, limit: int, depth: int) -> _Element:
        """Read a header."""
        self.elements += 1
        if depth > MAX_DEPTH or self.elements > MAX_ELEMENTS:
            raise DecodingError("the message nests too deep or has too many elements")
        content = position + 2
        if content > limit:
            raise DecodingError("an element is cut off")
        tag, length = self.data[position], self.data[position + 1]
        if tag & 0x1F == 0x1F:
            raise DecodingError("CMS has no tags above 30")
        if length == 0x80:
            if not tag & _CONSTRUCTED:
                raise DecodingError("a primitive element has no definite length")
            return _Element(tag, position, content, None, limit)
        if length & 0x80:
            octets = length & 0x7F
            if octets > 8 or content + octets > limit:
                raise DecodingError("a length is not valid")
            length = int.from_bytes(self.data[content : content + octets], "big")
            content += octets
        end = content + length
        if end > limit:
            raise DecodingError("an element is cut off")
        return _Element(tag, position, content, end, end)

    def is_at_end(self, position: int, parent: _Element) -> bool:
        """Say whether an element has no more children."""
        if parent.end is not None:
            return position == parent.end
        if position + 2 > parent.limit:
            raise DecodingError("an element of indefinite length does not end")
        return self.data[position] == 0 == self.data[position + 1]

    @staticmethod
    def after(position: int, parent: _Element) -> int:
        """Return the position after an element all of whose children were read."""
        return position if parent.end is not None else position + 2

    def only_child(self, parent: _Element, position: int, depth: int) -> _Element:
        """Read the header of a child; `close` checks later that it was the only one."""
        if not parent.tag & _CONSTRUCTED or self.is_at_end(position, parent):
            raise DecodingError("a constructed element was expected")
        return self.read(position, parent.limit, depth)

    def close(self, position: int, parent: _Element) -> int:
        """Check that an element has no more children; returns the position after it."""
        if not self.is_at_end(position, parent):
            raise DecodingError("an element holds more than it should")
        return self.after(position, parent)

    def skip(self, element: _Element, depth: int) -> int:
        """Return the position after an element without writing it."""
        if element.end is not None:
            return element.end
        position = element.content
        while not self.is_at_end(position, element):
            position = self.skip(self.read(position, element.limit, depth + 1), depth + 1)
        return position + 2

    # What writes.

    def append(self, part: bytes | memoryview) -> None:
        self.out.append(part)
        self.size += len(part)

    def begin(self) -> tuple[int, int]:
        """Leave a place for a header."""
        self.out.append(b"")
        return len(self.out) - 1, self.size

    def wrap(self, tag: int, begun: tuple[int, int]) -> None:
        """Put a header over everything that was written since `begin`."""
        index, size = begun
        head = header(tag, self.size - size)
        self.out[index] = head
        self.size += len(head)

    def verbatim(self, element: _Element, depth: int) -> int:
        """Write an element as it came."""
        end = self.skip(element, depth)
        self.append(self.view[element.start : end])
        return end

    def verbatim_children(self, parent: _Element, depth: int) -> int:
        """Write a constructed element whose children stay as they came."""
        if not parent.tag & _CONSTRUCTED:
            raise DecodingError("a constructed element was expected")
        begun, position = self.begin(), parent.content
        while not self.is_at_end(position, parent):
            position = self.verbatim(self.read(position, parent.limit, depth + 1), depth + 1)
        self.wrap(parent.tag, begun)
        return self.after(position, parent)

    def segments(self, element: _Element, depth: int) -> int:
        """Write the segments of an OCTET STRING, whole or in chunks, without a header."""
        if not element.tag & _CONSTRUCTED:
            assert element.end is not None
            self.append(self.view[element.content : element.end])
            return element.end
        position = element.content
        while not self.is_at_end(position, element):
            chunk = self.read(position, element.limit, depth + 1)
            if chunk.tag not in (_OCTETS, _CONSTRUCTED_OCTETS):
                raise DecodingError("a chunk of an OCTET STRING is something else")
            position = self.segments(chunk, depth + 1)
        return self.after(position, element)

    def octet_string(self, element: _Element, tag: int, depth: int) -> int:
        """Write an OCTET STRING whole, under a tag of its own."""
        begun = self.begin()
        end = self.segments(element, depth)
        self.wrap(tag, begun)
        return end

    def der(self, element: _Element, depth: int) -> int:
        """Write an element with definite, shortest lengths; SETs keep their order."""
        if element.end is not None and _is_der(self.data, element.start, element.end):
            self.append(self.view[element.start : element.end])
            return element.end
        return self.recode(element, depth)

    def recode(self, element: _Element, depth: int) -> int:
        """Do the same with an element that is not DER as it stands."""
        if element.tag == _CONSTRUCTED_OCTETS:
            return self.octet_string(element, _OCTETS, depth)
        begun = self.begin()
        if not element.tag & _CONSTRUCTED:
            end = self.segments(element, depth)
        else:
            position = element.content
            while not self.is_at_end(position, element):
                position = self.recode(self.read(position, element.limit, depth + 1), depth + 1)
            end = self.after(position, element)
        self.wrap(element.tag, begun)
        return end

    def set_of(self, element: _Element, depth: int) -> int:
        """Write a SET OF in the order of DER (X.690 section 11.6)."""
        begun, position = self.begin(), element.content
        members = []
        while not self.is_at_end(position, element):
            size, first = self.size, len(self.out)
            position = self.der(self.read(position, element.limit, depth + 1), depth + 1)
            members.append(b"".join(self.out[first:]))
            del self.out[first:]
            self.size = size
        for member in sorted(members):
            self.append(member)
        self.wrap(_SET, begun)
        return self.after(position, element)


def _is_der(data: bytes, position: int, end: int) -> bool:
    """Say whether an element of definite length is written as DER, to all depths."""
    ends = [end]
    elements = 0
    while True:
        while position == ends[-1]:
            ends.pop()
            if not ends:
                return True
        elements += 1
        if position + 2 > ends[-1] or elements > MAX_ELEMENTS or len(ends) > MAX_DEPTH:
            return False
        tag, length = data[position], data[position + 1]
        position += 2
        if length >= 0x80:
            octets = length & 0x7F
            length = int.from_bytes(data[position : position + octets], "big")
            position += octets
            if not 1 <= octets <= 8 or len(header(tag, length)) != 2 + octets:
                return False
        if position + length > ends[-1] or tag & 0x1F == 0x1F or tag == _CONSTRUCTED_OCTETS:
            return False
        if tag & _CONSTRUCTED:
            ends.append(position + length)
        else:
            position += length


def element_to_der(data: bytes) -> bytes:
    """Return one BER element with definite, shortest lengths and whole OCTET STRINGs; SETs keep their order.

    Raises:
        DecodingError: If it is not one BER element within the limits.
    """
    transcoder = _Transcoder(data)
    if transcoder.der(transcoder.read(0, len(data), 0), 0) != len(data):
        raise DecodingError("something follows an element")
    return b"".join(transcoder.out)


def cms_to_der(data: bytes) -> bytes:
    """Transcode a BER ContentInfo (RFC 5652) to DER.

    Raises:
        DecodingError: If it is not BER of a ContentInfo within the limits.
    """
    transcoder = _Transcoder(data)
    top = transcoder.read(0, len(data), 0)
    if top.tag != _SEQUENCE:
        raise DecodingError("not a CMS ContentInfo")
    whole = transcoder.begin()
    # 1 contentType
    position = transcoder.der(transcoder.only_child(top, top.content, 1), 1)
    content_type = b"".join(transcoder.out)
    encapsulates = content_type in (_SIGNED_DATA_OID, _COMPRESSED_DATA_OID)
    # 2 content: [0] around one SEQUENCE
    explicit = transcoder.only_child(top, position, 1)
    content = transcoder.only_child(explicit, explicit.content, 2)
    if explicit.tag != 0xA0 or content.tag != _SEQUENCE:
        raise DecodingError("the ContentInfo holds no SEQUENCE")
    outer, inner = transcoder.begin(), transcoder.begin()
    position = content.content
    while not transcoder.is_at_end(position, content):
        position = _field(transcoder, transcoder.read(position, content.limit, 3), encapsulates)
    transcoder.wrap(_SEQUENCE, inner)
    transcoder.wrap(0xA0, outer)
    # 3 nothing after it
    position = transcoder.close(transcoder.after(position, content), explicit)
    if transcoder.close(position, top) != len(data):
        raise DecodingError("the message goes on after its end")
    transcoder.wrap(_SEQUENCE, whole)
    return b"".join(transcoder.out)


def _field(transcoder: _Transcoder, field: _Element, encapsulates: bool) -> int:
    if field.tag == _SET:
        return transcoder.set_of(field, 3)
    if field.tag == _SEQUENCE:
        return _content(transcoder, field, encapsulates)
    if encapsulates and field.tag in (0xA0, 0xA1):  # certificates and CRLs
        return transcoder.verbatim_children(field, 3)
    if not encapsulates and field.tag == 0xA0:  # originatorInfo: certificates and CRLs one level deeper
        begun, position = transcoder.begin(), field.content
        while not transcoder.is_at_end(position, field):
            position = transcoder.verbatim_children(transcoder.read(position, field.limit, 4), 4)
        transcoder.wrap(field.tag, begun)
        return transcoder.after(position, field)
    return transcoder.der(field, 3)


def _content(transcoder: _Transcoder, field: _Element, encapsulates: bool) -> int:
    """Transcode EncapsulatedContentInfo or EncryptedContentInfo, joining the chunks of the content."""
    begun, position = transcoder.begin(), field.content
    while not transcoder.is_at_end(position, field):
        child = transcoder.read(position, field.limit, 4)
        if child.tag < 0x40:  # the type, and an algorithm with its parameters
            position = transcoder.der(child, 4)
        elif child.tag & ~0x20 != 0x80 or (encapsulates and child.tag != 0xA0):
            raise DecodingError("the content has another tag")
        elif encapsulates:
            explicit = transcoder.begin()
            octets = transcoder.only_child(child, child.content, 5)
            if octets.tag not in (_OCTETS, _CONSTRUCTED_OCTETS):
                raise DecodingError("the content is not one OCTET STRING")
            position = transcoder.close(transcoder.octet_string(octets, _OCTETS, 5), child)
            transcoder.wrap(0xA0, explicit)
        else:
            position = transcoder.octet_string(child, 0x80, 4)
    transcoder.wrap(_SEQUENCE, begun)
    return transcoder.after(position, field)

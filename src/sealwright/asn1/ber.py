"""The BER front end: turns the CMS skeleton of a message into DER, so that one strict decoder can read it.

Mail clients write CMS with indefinite lengths and chunked OCTET STRINGs; `cryptography`'s decoder reads DER only. What
lies inside certificates and CRLs is copied octet by octet, because signatures cover it. One pass: each element is written
when it is read, what is DER already as it stands, and the content is never copied before all parts are joined. Bounded in
depth and in the number of elements; bad input raises `DecodingError` and nothing else.
"""

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
_NEVER_DER = frozenset((_CONSTRUCTED_OCTETS, *range(0x1F, 0x100, 0x20)))
"""An OCTET STRING in chunks, and tags above 30."""


_Header = tuple[int, int, int, bool]
"""Tag (one octet), start of the content, limit, whether the content ends at the limit: else an end-of-contents ends it before."""


class _Transcoder:
    """Reads BER from one position to the next and appends DER to `out`.

    Each method that writes returns the position after the element. The header of what was written so far goes in front
    when its size is known, by `wrap`. Headers are bare tuples: of a short message they are what takes the time.
    """

    __slots__ = ("data", "elements", "out", "size", "view")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.view = memoryview(data)
        self.out: list[bytes | memoryview] = []
        self.size = 0
        self.elements = 0

    def read(self, position: int, limit: int, depth: int) -> _Header:
        """Read a header."""
        self.elements += 1
        if depth > MAX_DEPTH or self.elements > MAX_ELEMENTS:
            raise DecodingError("the message nests too deep or has too many elements")
        data, content = self.data, position + 2
        if content > limit:
            raise DecodingError("an element is cut off")
        tag, length = data[position], data[position + 1]
        if tag & 0x1F == 0x1F:
            raise DecodingError("CMS has no tags above 30")
        if length == 0x80:
            if not tag & _CONSTRUCTED:
                raise DecodingError("a primitive element has no definite length")
            return tag, content, limit, False
        if length > 0x80:
            octets = length & 0x7F
            if octets > 8 or content + octets > limit:
                raise DecodingError("a length is not valid")
            length = int.from_bytes(data[content : content + octets], "big")
            content += octets
        if content + length > limit:
            raise DecodingError("an element is cut off")
        return tag, content, content + length, True

    def is_at_end(self, position: int, parent: _Header) -> bool:
        """Say whether an element has no more children."""
        _, _, limit, is_definite = parent
        if is_definite:
            return position == limit
        if position + 2 > limit:
            raise DecodingError("an element of indefinite length does not end")
        return not self.data[position] and not self.data[position + 1]

    @staticmethod
    def after(position: int, parent: _Header) -> int:
        """Return the position after an element all of whose children were read."""
        return position if parent[3] else position + 2

    def only_child(self, parent: _Header, position: int, depth: int) -> _Header:
        """Read the header of a child; `close` checks later that it was the only one."""
        if not parent[0] & _CONSTRUCTED or self.is_at_end(position, parent):
            raise DecodingError("a constructed element was expected")
        return self.read(position, parent[2], depth)

    def close(self, position: int, parent: _Header) -> int:
        """Check that an element has no more children; returns the position after it."""
        if not self.is_at_end(position, parent):
            raise DecodingError("an element holds more than it should")
        return self.after(position, parent)

    def skip(self, element: _Header, depth: int) -> int:
        """Return the position after an element without writing it."""
        _, position, limit, is_definite = element
        if is_definite:
            return limit
        while not self.is_at_end(position, element):
            position = self.skip(self.read(position, limit, depth + 1), depth + 1)
        return position + 2

    # What writes.

    def append(self, start: int, end: int) -> int:
        """Write octets as they came; returns where they end."""
        self.out.append(self.view[start:end])
        self.size += end - start
        return end

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

    def verbatim_children(self, parent: _Header, depth: int) -> int:
        """Write a constructed element whose children stay as they came."""
        tag, position, limit, _ = parent
        if not tag & _CONSTRUCTED:
            raise DecodingError("a constructed element was expected")
        begun = self.begin()
        while not self.is_at_end(position, parent):
            position = self.append(position, self.skip(self.read(position, limit, depth + 1), depth + 1))
        self.wrap(tag, begun)
        return self.after(position, parent)

    def segments(self, element: _Header, depth: int) -> int:
        """Write the segments of an OCTET STRING, whole or in chunks, without a header."""
        tag, position, limit, _ = element
        if not tag & _CONSTRUCTED:
            return self.append(position, limit)
        while not self.is_at_end(position, element):
            chunk = self.read(position, limit, depth + 1)
            if chunk[0] == _OCTETS:
                position = self.append(chunk[1], chunk[2])
            elif chunk[0] == _CONSTRUCTED_OCTETS:
                position = self.segments(chunk, depth + 1)
            else:
                raise DecodingError("a chunk of an OCTET STRING is something else")
        return self.after(position, element)

    def octet_string(self, element: _Header, tag: int, depth: int) -> int:
        """Write an OCTET STRING whole, under a tag of its own."""
        begun = self.begin()
        end = self.segments(element, depth)
        self.wrap(tag, begun)
        return end

    def der(self, position: int, limit: int, depth: int) -> int:
        """Write an element with definite, shortest lengths; SETs keep their order."""
        end = _end_of_der(self.data, position, limit)
        if end is not None:
            return self.append(position, end)
        return self.recode(self.read(position, limit, depth), depth)

    def recode(self, element: _Header, depth: int) -> int:
        """Do the same with an element that is not DER as it stands."""
        tag, position, limit, _ = element
        if tag == _CONSTRUCTED_OCTETS:
            return self.octet_string(element, _OCTETS, depth)
        begun = self.begin()
        if not tag & _CONSTRUCTED:
            end = self.segments(element, depth)
        else:
            while not self.is_at_end(position, element):
                position = self.recode(self.read(position, limit, depth + 1), depth + 1)
            end = self.after(position, element)
        self.wrap(tag, begun)
        return end

    def set_of(self, element: _Header, depth: int) -> int:
        """Write a SET OF in the order of DER (X.690 section 11.6)."""
        _, position, limit, _ = element
        begun, size, first = self.begin(), self.size, len(self.out)
        members = []
        while not self.is_at_end(position, element):
            position = self.der(position, limit, depth + 1)
            members.append(b"".join(self.out[first:]))
            del self.out[first:]
        self.out.extend(sorted(members))
        self.size = size + sum(map(len, members))
        self.wrap(_SET, begun)
        return self.after(position, element)


def _end_of_der(data: bytes, position: int, limit: int) -> int | None:
    """Return where an element ends that is written as DER, to all depths; None if it is not."""
    outer: list[int] = []  # where the elements end that this one lies in
    for _ in range(MAX_ELEMENTS):
        content = position + 2
        if content > limit:
            return None
        tag = data[position]
        length = data[position + 1]
        if length >= 0x80:
            octets = length & 0x7F
            length = int.from_bytes(data[content : content + octets], "big")
            content += octets
            if not 1 <= octets <= 8 or length < 0x80 or not length >> 8 * (octets - 1):
                return None
        position = content + length
        if position > limit or tag in _NEVER_DER:
            return None
        if tag & _CONSTRUCTED and length:
            if len(outer) >= MAX_DEPTH:
                return None
            outer.append(limit)
            limit, position = position, content
        else:
            while outer and position == limit:
                limit = outer.pop()
            if not outer:
                return position
    return None


def element_to_der(data: bytes) -> bytes:
    """Return one BER element with definite, shortest lengths and whole OCTET STRINGs; SETs keep their order.

    Raises:
        DecodingError: If it is not one BER element within the limits.
    """
    transcoder = _Transcoder(data)
    if transcoder.der(0, len(data), 0) != len(data):
        raise DecodingError("something follows an element")
    return b"".join(transcoder.out)


def cms_to_der(data: bytes) -> bytes:
    """Transcode a BER ContentInfo (RFC 5652) to DER.

    Raises:
        DecodingError: If it is not BER of a ContentInfo within the limits.
    """
    transcoder = _Transcoder(data)
    top = transcoder.read(0, len(data), 0)
    if top[0] != _SEQUENCE:
        raise DecodingError("not a CMS ContentInfo")
    # 1 contentType
    if data[top[1] : top[1] + 1] != b"\x06":
        raise DecodingError("the ContentInfo does not say what it holds")
    position = transcoder.der(top[1], top[2], 1)
    content_type = b"".join(transcoder.out)
    encapsulates = content_type in (_SIGNED_DATA_OID, _COMPRESSED_DATA_OID)
    transcoder.out.clear()
    transcoder.size = 0
    # 2 content: [0] around one SEQUENCE
    explicit = transcoder.only_child(top, position, 1)
    content = transcoder.only_child(explicit, explicit[1], 2)
    if explicit[0] != 0xA0 or content[0] != _SEQUENCE:
        raise DecodingError("the ContentInfo holds no SEQUENCE")
    position = content[1]
    while not transcoder.is_at_end(position, content):
        position = _field(transcoder, position, content[2], encapsulates)
    # 3 nothing after it
    position = transcoder.close(transcoder.after(position, content), explicit)
    if transcoder.close(position, top) != len(data):
        raise DecodingError("the message goes on after its end")
    inner = header(_SEQUENCE, transcoder.size)
    outer = content_type + header(0xA0, len(inner) + transcoder.size) + inner
    return b"".join((header(_SEQUENCE, len(outer) + transcoder.size), outer, *transcoder.out))


def _field(transcoder: _Transcoder, position: int, limit: int, encapsulates: bool) -> int:
    tag = transcoder.data[position]
    if tag not in (_SET, _SEQUENCE, 0xA0, 0xA1):
        return transcoder.der(position, limit, 3)
    field = transcoder.read(position, limit, 3)
    if tag == _SET:
        return transcoder.set_of(field, 3)
    if tag == _SEQUENCE:
        return _content(transcoder, field, encapsulates)
    if encapsulates:  # certificates and CRLs
        return transcoder.verbatim_children(field, 3)
    if tag == 0xA1:  # attributes
        return transcoder.der(position, limit, 3)
    # originatorInfo: certificates and CRLs one level deeper
    begun, position = transcoder.begin(), field[1]
    while not transcoder.is_at_end(position, field):
        position = transcoder.verbatim_children(transcoder.read(position, field[2], 4), 4)
    transcoder.wrap(tag, begun)
    return transcoder.after(position, field)


def _content(transcoder: _Transcoder, field: _Header, encapsulates: bool) -> int:
    """Transcode EncapsulatedContentInfo or EncryptedContentInfo, joining the chunks of the content."""
    _, position, limit, _ = field
    begun = transcoder.begin()
    while not transcoder.is_at_end(position, field):
        if transcoder.data[position] < 0x40:  # the type, and an algorithm with its parameters
            position = transcoder.der(position, limit, 4)
            continue
        child = transcoder.read(position, limit, 4)
        if child[0] & ~0x20 != 0x80 or (encapsulates and child[0] != 0xA0):
            raise DecodingError("the content has another tag")
        if encapsulates:
            explicit = transcoder.begin()
            octets = transcoder.only_child(child, child[1], 5)
            if octets[0] not in (_OCTETS, _CONSTRUCTED_OCTETS):
                raise DecodingError("the content is not one OCTET STRING")
            position = transcoder.close(transcoder.octet_string(octets, _OCTETS, 5), child)
            transcoder.wrap(0xA0, explicit)
        else:
            position = transcoder.octet_string(child, 0x80, 4)
    transcoder.wrap(_SEQUENCE, begun)
    return transcoder.after(position, field)

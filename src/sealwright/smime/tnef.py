"""TNEF (MS-OXTNEF): what Outlook and Exchange put into winmail.dat: the text and attachments, bounded, nothing else.

Only read. Exchange wraps signed and encrypted mail so, too, with the S/MIME message as the only attachment
(MS-OXOSMIME section 2.2; github.com/jstedfast/MimeKit issue 441, github.com/bbottema/outlook-message-parser issue 51).
Compressed rich text is left out: Outlook writes a plain text or HTML body beside it, or the MIME message has one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sealwright.errors import DecodingError
from sealwright.smime.fields import decode_text

MAX_ATTRIBUTES = 5000
"""An attachment takes a handful."""
MAX_PROPERTIES = 5000
"""Of one list; a handful is needed, and each costs a step."""
MAX_VALUES = 1000
"""Of one multi-valued property; none is needed here, so more are an attack."""
CONTENT_TYPES = ("application/ms-tnef", "application/vnd.ms-tnef")
_SIGNATURE = b"\x78\x9f\x3e\x22"
_MESSAGE, _ATTACHMENT = 1, 2
# MS-OXTNEF section 2.1.3.2: attributes
_MESSAGE_CLASS, _BODY, _MESSAGE_PROPERTIES, _OEM_CODEPAGE = 0x00078008, 0x0002800C, 0x00069003, 0x00069007
_BEGIN_ATTACHMENT, _TITLE, _DATA, _ATTACHMENT_PROPERTIES = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
# MS-OXPROPS: properties
_CLASS_PROPERTY, _BODY_PROPERTY, _HTML_PROPERTY = 0x001A, 0x1000, 0x1013
_LONG_NAME, _SHORT_NAME, _MIME_TAG, _DATA_PROPERTY = 0x3707, 0x3704, 0x370E, 0x3701
_FIXED_BYTES = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
"""Of a property type (MS-OXCDATA section 2.11.1), padded to 4 octets."""
_STRING8, _UNICODE, _OBJECT, _BINARY, _MULTIPLE = 0x1E, 0x1F, 0x0D, 0x0102, 0x1000
_VARIABLE = (_STRING8, _UNICODE, _OBJECT, _BINARY)
_INTERFACE_BYTES = 16
"""An object begins with the identifier of its interface."""


@dataclass(slots=True)
class TnefAttachment:
    """An attachment.

    Attributes:
        file_name: As written; not safe as a path.
        content_type: As written, or empty.
        content: Octets.
    """

    file_name: str = ""
    content_type: str = ""
    content: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class Tnef:
    """What a winmail.dat holds.

    Attributes:
        message_class: Such as "IPM.Note" or "IPM.Note.SMIME.MultipartSigned".
        text: Plain text of the body, or empty.
        html: HTML of the body, or empty.
        attachments: In order.
    """

    message_class: str = ""
    text: str = field(default="", repr=False)
    html: bytes = field(default=b"", repr=False)
    attachments: list[TnefAttachment] = field(default_factory=list)


def parse_tnef(data: bytes) -> Tnef:
    """Parse a TNEF stream.

    Raises:
        DecodingError: If it is not one, is cut off, or is beyond the limits.
    """
    if data[:4] != _SIGNATURE:
        raise DecodingError("not TNEF")
    found, charset = Tnef(), "windows-1252"
    for level, name, value in _attributes(data):
        if level == _MESSAGE:
            if name == _OEM_CODEPAGE:
                charset = f"cp{int.from_bytes(value[:4], 'little')}"
            elif name == _MESSAGE_CLASS:
                found.message_class = _text(value, charset)
            elif name == _BODY:
                found.text = _text(value, charset)
            elif name == _MESSAGE_PROPERTIES:
                _take_message_properties(found, value, charset)
        elif name == _BEGIN_ATTACHMENT:
            found.attachments.append(TnefAttachment())
        elif level == _ATTACHMENT and found.attachments:
            _take_attachment(found.attachments[-1], name, value, charset)
    return found


def smime_entity(tnef: Tnef) -> bytes | None:
    """Return the MIME entity of an S/MIME message that Exchange wrapped, or None if there is none (MS-OXOSMIME section 2.2).

    Only where the message class says so and the message is the only attachment: no text beside it can hide in the wrapping.
    """
    if not tnef.message_class.upper().startswith("IPM.NOTE.SMIME") or len(tnef.attachments) != 1:
        return None
    content = tnef.attachments[0].content
    if tnef.message_class.upper() == "IPM.NOTE.SMIME.MULTIPARTSIGNED":
        return content
    head = b"Content-Type: application/pkcs7-mime; name=smime.p7m\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    return head + content


def _attributes(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield level, identifier and value of each attribute (MS-OXTNEF section 2.1.3); checksums are not looked at."""
    position = 6  # signature, key
    for _ in range(MAX_ATTRIBUTES):
        if position >= len(data):
            return
        level, name = data[position], _number(data, position + 1)
        value = _slice(data, position + 9, _number(data, position + 5))
        yield level, name, value
        position += 11 + len(value)
    raise DecodingError("the TNEF stream has too many attributes")


def _take_message_properties(found: Tnef, value: bytes, charset: str) -> None:
    for name, kind, octets in _properties(value):
        if name == _CLASS_PROPERTY and not found.message_class:
            found.message_class = _string(kind, octets, charset)
        elif name == _BODY_PROPERTY and kind in (_STRING8, _UNICODE):
            found.text = _string(kind, octets, charset)
        elif name == _HTML_PROPERTY and kind == _BINARY:
            found.html = octets


def _take_attachment(found: TnefAttachment, name: int, value: bytes, charset: str) -> None:
    if name == _TITLE:
        found.file_name = found.file_name or _text(value, charset)
    elif name == _DATA:
        found.content = value
    elif name == _ATTACHMENT_PROPERTIES:
        for number, kind, octets in _properties(value):
            if number == _LONG_NAME or (number == _SHORT_NAME and not found.file_name):
                found.file_name = _string(kind, octets, charset)
            elif number == _MIME_TAG:
                found.content_type = _string(kind, octets, charset)
            elif number == _DATA_PROPERTY:
                found.content = octets[_INTERFACE_BYTES:] if kind == _OBJECT else octets


def _properties(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield identifier, type and first value of each property (MS-OXTNEF section 2.1.3.4)."""
    count, position = _number(data, 0), 4
    if count > MAX_PROPERTIES:
        raise DecodingError("the TNEF stream has too many properties")
    for _ in range(count):
        kind, name = _number(data, position, 2), _number(data, position + 2, 2)
        position += 4
        if name >= 0x8000:  # a named property: GUID, then a number or a name
            is_named = _number(data, position + 16) == 1
            length = _padded(_number(data, position + 20)) if is_named else 0
            position += 24 + length
        multiple, kind = kind & _MULTIPLE, kind & ~_MULTIPLE
        values = 1
        if multiple or kind in _VARIABLE:
            values = _number(data, position)
            position += 4
        if values > MAX_VALUES:
            raise DecodingError("a TNEF property has too many values")
        first: bytes | None = None
        for _ in range(values):
            if kind in _VARIABLE:
                length = _number(data, position)
                position += 4
            elif kind in _FIXED_BYTES:
                length = _FIXED_BYTES[kind]
            else:
                raise DecodingError("a TNEF property is of an unknown type")
            value = _slice(data, position, length)
            position += _padded(length)
            first = value if first is None else first
        yield name, kind, first or b""


def _string(kind: int, octets: bytes, charset: str) -> str:
    if kind == _UNICODE:
        return octets.decode("utf-16-le", "replace").rstrip("\0")
    return _text(octets, charset)


def _text(octets: bytes, charset: str) -> str:
    return decode_text(octets, charset).rstrip("\0")


def _padded(length: int) -> int:
    return (length + 3) & ~3


def _number(data: bytes, position: int, size: int = 4) -> int:
    return int.from_bytes(_slice(data, position, size), "little")


def _slice(data: bytes, position: int, length: int) -> bytes:
    if position + length > len(data):
        raise DecodingError("the TNEF stream is cut off")
    return data[position : position + length]

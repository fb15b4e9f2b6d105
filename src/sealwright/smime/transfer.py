"""The canonical form of what is signed (RFC 8551 section 3.1): CRLF, and transfer encodings that survive every mail server.

Text and data outside 7 bits, long lines and lines that begin with "From " are encoded anew (quoted-printable or base64). What
is signed or encrypted inside already, and forwarded messages, stay octet for octet but for their line ends: encoding them
anew would break somebody else's signature.
"""

import binascii
import re
from collections.abc import Sequence

from sealwright.errors import DecodingError
from sealwright.smime import fields
from sealwright.smime.base64_text import base64_lines
from sealwright.smime.entities import MAX_DEPTH, MAX_PARTS
from sealwright.smime.fields import Field

MAX_LINE = 998
"""RFC 5322 section 2.1.1, without CRLF."""
_LINE_END = re.compile(rb"\r\n|\r|\n")
_8BIT = bytes(range(128, 256))
_UNTOUCHED = ("multipart/signed", "multipart/encrypted")


def crlf(octets: bytes) -> bytes:
    """Return octets with every line end as CRLF."""
    if octets.count(b"\n") == octets.count(b"\r") == octets.count(b"\r\n"):
        return octets
    return octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def is_7bit(octets: bytes) -> bool:
    """Say whether octets with CRLF survive transport as they are: 7 bits, no NUL, no long line."""
    if not octets.isascii() or b"\0" in octets:
        return False
    start, longest = 0, MAX_LINE + len(b"\r\n")
    while len(octets) - start >= longest:
        start = octets.rfind(b"\n", start, start + longest) + 1
        if not start:
            return False
    return True


def canonical(structural: Sequence[Field], body: bytes) -> tuple[list[Field], bytes]:
    """Bring an entity into canonical form.

    Args:
        structural: Its Content fields; others stay as they are.
        body: As it came; a "binary" part keeps its octets, elsewhere any line end becomes CRLF.

    Returns:
        Fields and body. Not everything can be made 7-bit: see `is_7bit`.

    Raises:
        DecodingError: If the message nests too deep or has too many parts.
    """
    return _Canonical().entity(list(structural), body, 0)


class _Canonical:
    def __init__(self) -> None:
        self._parts = 0

    def entity(self, header: list[Field], body: bytes, depth: int) -> tuple[list[Field], bytes]:
        self._parts += 1
        if depth > MAX_DEPTH or self._parts > MAX_PARTS:
            raise DecodingError("the message nests too deep or has too many parts")
        said = fields.first(header, "content-type") or b"text/plain"
        content_type = fields.media_type(said)
        if content_type in _UNTOUCHED or content_type.startswith("message/"):
            return header, crlf(body)
        if content_type.startswith("multipart/"):
            return self._multipart(header, body, fields.parameters(said)[1].get("boundary", ""), depth)
        return _leaf(header, body, is_text=content_type.startswith("text/"))

    def _multipart(self, header: list[Field], body: bytes, boundary: str, depth: int) -> tuple[list[Field], bytes]:
        if not boundary:
            return header, crlf(body)
        line = re.escape(boundary.encode("utf-8", "replace"))
        mark = re.compile(rb"(?:\A|\r\n|\n|\r)--" + line + rb"(--)?[ \t]*(?=[\r\n]|\Z)")
        written, end, delimiter = [], 0, None
        for found in mark.finditer(body):
            written.append(self._between(body[end : found.start()], delimiter, depth))
            written.append(crlf(found.group()))
            delimiter, end = found, found.end()
            if found[1]:
                break
        written.append(self._between(body[end:], delimiter, depth))
        return _with_encoding(header, b"7bit"), b"".join(written)

    def _between(self, octets: bytes, delimiter: re.Match[bytes] | None, depth: int) -> bytes:
        """Return what stands between two delimiters, the line end of the first one included."""
        line_end = _LINE_END.match(octets)
        if delimiter is None or delimiter[1] or line_end is None:
            return crlf(octets)  # the preamble, the epilogue, or nothing
        header, body = fields.split_entity(octets[line_end.end() :])
        header, body = self.entity([Field(each.name, crlf(each.value)) for each in header], body, depth + 1)
        return b"\r\n" + b"".join(field.line for field in header) + b"\r\n" + body


def _leaf(header: list[Field], body: bytes, *, is_text: bool) -> tuple[list[Field], bytes]:
    encoding = fields.first(header, "content-transfer-encoding").decode("ascii", "replace").strip().lower()
    if encoding == "binary":
        return _with_encoding(header, b"base64"), base64_lines(body)
    text = crlf(body)
    if encoding in ("", "7bit", "8bit"):
        return _identity_leaf(header, text, is_text=is_text)
    if not is_7bit(text):  # lines too long, or stray octets
        decoded = fields.decode_body(text, encoding.encode())
        encoders = {"base64": base64_lines, "quoted-printable": quoted_printable}
        text = encoders[encoding](decoded) if encoding in encoders else text
    return header, text


def _identity_leaf(header: list[Field], text: bytes, *, is_text: bool) -> tuple[list[Field], bytes]:
    if is_7bit(text) and not text.startswith(b"From ") and b"\nFrom " not in text:
        return _with_encoding(header, b"7bit"), text
    if is_text and b"\0" not in text and len(text.translate(None, delete=_8BIT)) * 3 >= len(text) * 2:
        return _with_encoding(header, b"quoted-printable"), quoted_printable(text)
    return _with_encoding(header, b"base64"), base64_lines(text)


def quoted_printable(text: bytes) -> bytes:
    """Encode text with CRLF; no line is longer than 76 octets, none begins with "From " (RFC 2045 section 6.7)."""
    encoded = binascii.b2a_qp(text, quotetabs=False, istext=True)
    return re.sub(rb"(\A|\n)From ", rb"\1=46=\r\nrom ", crlf(encoded))


def _with_encoding(header: Sequence[Field], encoding: bytes) -> list[Field]:
    """Return a header with this transfer encoding; "7bit" is not written where nothing else stood."""
    kept = [field for field in header if not field.is_called("content-transfer-encoding")]
    if encoding == b"7bit":
        return kept
    return [*kept, Field("Content-Transfer-Encoding", b" " + encoding)]

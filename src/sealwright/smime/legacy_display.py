"""Legacy display (RFC 9788 section 5.2.2): hidden fields repeated at the top of the text, for readers of the outer header only.

Programs that know header protection leave these lines out again; everybody else sees the true subject. Only the main body
parts get them: what a program shows first, never an attachment, and nothing that is signed inside already.
"""

import html
import re
from collections.abc import Callable, Sequence
from functools import partial

from sealwright.smime import fields
from sealwright.smime.entities import MAX_DEPTH, MAX_PARTS
from sealwright.smime.fields import Field
from sealwright.smime.header_protection import with_parameter, without_parameter
from sealwright.smime.transfer import crlf, is_7bit, quoted_printable

USER_FACING = ("subject", "from", "to", "cc", "date", "reply-to", "sender")
"""Fields that programs show; others would be noise (RFC 9787 section 1.1)."""
_BODY = re.compile(rb"<body\b[^<>]*>", re.IGNORECASE)
_ELEMENT = re.compile(
    rb'<div\b[^<>]*class="header-protection-legacy-display"[^<>]*>(?:[^<]|<(?!/?div\b)){0,65536}</div>(?:\r\n)?',
    re.IGNORECASE,
)
"""As `add_legacy_display` writes it; one with others inside stays."""
_CHARSET = re.compile(r"us-ascii|utf-8|iso-8859-\d{1,2}|windows-125\d", re.IGNORECASE)


def add_legacy_display(
    structural: Sequence[Field], body: bytes, hidden: Sequence[Field], depth: int = 0
) -> tuple[list[Field], bytes]:
    """Put hidden fields at the top of the main body parts.

    Args:
        structural: Content fields of an entity in canonical form.
        body: Its body, with CRLF.
        hidden: Fields of the header that others see otherwise or not at all.
        depth: Of the entity in the message.

    Returns:
        Fields and body; as they were where there is nothing to show, or no place for it.
    """
    header, lines = list(structural), [field for field in hidden if field.is_called(*USER_FACING)]
    content_type, parameters = fields.parameters(fields.first(header, "content-type") or b"text/plain")
    disposition, _ = fields.parameters(fields.first(header, "content-disposition"))
    if not lines or depth > MAX_DEPTH or disposition == "attachment" or content_type == "multipart/signed":
        return header, body
    if content_type.startswith("multipart/"):
        wanted = MAX_DEPTH if content_type == "multipart/alternative" else 1
        change = partial(add_legacy_display, hidden=lines, depth=depth + 1)
        return header, _in_parts(body, parameters.get("boundary", ""), wanted, change)
    if content_type not in ("text/plain", "text/html") or "name" in parameters:
        return header, body
    text = [f"{field.name}: {fields.decode_field(field.value)}" for field in lines]
    return _leaf(header, body, text, content_type, parameters.get("charset", "us-ascii"))


def remove_legacy_display(structural: Sequence[Field], body: bytes, depth: int = 0) -> tuple[list[Field], bytes]:
    """Take hidden fields off the top of body parts again, for a message whose header stands above it as it is.

    Args:
        structural: Content fields of the entity.
        body: Its body, with CRLF.
        depth: Of the entity in the message.

    Returns:
        Fields and body; a part stays as it was where what others wrote there is not understood.
    """
    header = list(structural)
    content_type, parameters = fields.parameters(fields.first(header, "content-type") or b"text/plain")
    if content_type.startswith("multipart/") and content_type != "multipart/signed" and depth <= MAX_DEPTH:
        change = partial(remove_legacy_display, depth=depth + 1)
        return header, _in_parts(body, parameters.get("boundary", ""), MAX_PARTS, change)
    if parameters.get("hp-legacy-display") != "1":
        return header, body
    octets = crlf(fields.decode_body(body, fields.first(header, "content-transfer-encoding")))
    if content_type == "text/html":
        octets = _ELEMENT.sub(b"", octets, count=1)
    elif (end := octets.find(b"\r\n\r\n")) >= 0:
        octets = octets[end + len(b"\r\n\r\n") :]
    value = next(field.value for field in header if field.is_called("content-type"))
    return _encoded(header, without_parameter(value, "hp-legacy-display"), octets)


def _in_parts(
    body: bytes, boundary: str, wanted: int, change: Callable[[list[Field], bytes], tuple[list[Field], bytes]]
) -> bytes:
    """Change the first parts of a multipart body; everything else stays octet for octet."""
    mark = re.compile(rb"(?:\A|\r\n)--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*(?:\r\n|\Z)")
    written, end, delimiter = [], 0, None
    for found in mark.finditer(body):
        if delimiter is not None:
            header, content = change(*fields.split_entity(body[end : found.start()]))
            written.append(b"".join(field.line for field in header) + b"\r\n" + content)
        elif found.start() > 0:
            written.append(body[: found.start()])
        written.append(found.group())
        delimiter, end = found, found.end()
        wanted -= 1
        if found[1] or wanted < 0:
            break
    return b"".join(written) + body[end:]


def _leaf(
    header: list[Field], body: bytes, lines: Sequence[str], content_type: str, charset: str
) -> tuple[list[Field], bytes]:
    octets = fields.decode_body(body, fields.first(header, "content-transfer-encoding"))
    if charset.lower().startswith(("utf-16", "utf-32", "utf-7")):
        return header, body  # no place for ASCII
    try:
        octets, charset = (
            _in_html(octets, lines, charset) if content_type == "text/html" else _in_text(octets, lines, charset)
        )
    except UnicodeError:
        return header, body  # better no copy than a spoilt text
    value = next((field.value for field in header if field.is_called("content-type")), b" text/plain")
    value = with_parameter(with_parameter(value, "charset", charset), "hp-legacy-display", "1")
    return _encoded(header, value, crlf(octets))


def _encoded(header: Sequence[Field], value: bytes, octets: bytes) -> tuple[list[Field], bytes]:
    """Return fields with a Content-Type, and a text in the transfer encoding that it needs."""
    kept = [field for field in header if not field.is_called("content-type", "content-transfer-encoding")]
    if is_7bit(octets) and b"\nFrom " not in octets:
        return [*kept, Field("Content-Type", value)], octets
    encoding = Field("Content-Transfer-Encoding", b" quoted-printable")
    return [*kept, Field("Content-Type", value), encoding], quoted_printable(octets)


def _in_html(octets: bytes, lines: Sequence[str], charset: str) -> tuple[bytes, str]:
    shown = html.escape("\r\n".join(lines)).encode("ascii", "xmlcharrefreplace")
    opening = _BODY.search(octets)
    place = opening.end() if opening else 0
    element = b'<div class="header-protection-legacy-display">\r\n<pre>' + shown + b"</pre>\r\n</div>\r\n"
    return octets[:place] + element + octets[place:], charset


def _in_text(octets: bytes, lines: Sequence[str], charset: str) -> tuple[bytes, str]:
    """Return the text below the lines and its charset, which is UTF-8 where its own cannot hold the lines.

    Raises:
        UnicodeError: If they cannot be put together.
    """
    shown, is_known = "".join(f"{line}\r\n" for line in lines) + "\r\n", _CHARSET.fullmatch(charset) is not None
    try:
        return shown.encode(charset if is_known else "ascii") + octets, charset
    except UnicodeEncodeError:
        if not is_known:
            raise
        return shown.encode() + octets.decode(charset).encode(), "utf-8"

"""The MIME tree of a message: the text to show and the attachments. Bounded in depth and in number of parts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

from sealwright.errors import DecodingError
from sealwright.smime import fields

MAX_DEPTH = 20
MAX_PARTS = 1000
MAX_HTML_CHARACTERS = 512 * 1024
MAX_FILE_NAME = 150
_LEGACY_CLASS = "header-protection-legacy-display"
_UNSAFE_IN_NAMES = re.compile(r'[\\/:*?"<>|]+')
_BREAKING = frozenset(("br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "blockquote", "pre"))
_RAW_TEXT = {
    name: re.compile(rf"</{name}\b", re.IGNORECASE) for name in ("script", "style", "head", "title", "template")
}
_MARKUP = re.compile(r"<!--|<(?:(/?)([a-zA-Z][a-zA-Z0-9]*)|[!?])")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is not the text of the message.

    Attributes:
        file_name: Safe as the last part of a path: no separators, no leading dots, never empty.
        content_type: Such as "application/pdf".
        content: Transfer encoding undone.
    """

    file_name: str
    content_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entity:
    """A MIME entity taken apart one level deep.

    Attributes:
        fields: Its header.
        body: As it came.
        content_type: Lower case; "text/plain" where there is none.
        parameters: Of the Content-Type, by lower-case name.
    """

    fields: list[fields.Field]
    body: bytes = field(repr=False)
    content_type: str
    parameters: dict[str, str]

    def decoded(self) -> bytes:
        """Return the body with its transfer encoding undone."""
        return fields.decode_body(self.body, fields.first(self.fields, "content-transfer-encoding"))


@dataclass(slots=True)
class _Found:
    texts: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    parts: int = 0


def parse_entity(octets: bytes) -> Entity:
    """Take an entity apart.

    Raises:
        DecodingError: If it has too many header fields.
    """
    header, body = fields.split_entity(octets)
    content_type, parameters = fields.parameters(fields.first(header, "content-type"))
    if not re.fullmatch(r"[!-.0-~]+/[!-.0-~]+", content_type):
        content_type, parameters = "text/plain", {}
    return Entity(header, body, content_type, parameters)


def split_multipart(body: bytes, boundary: str) -> list[bytes]:
    """Split a multipart body into its parts, octet for octet; a missing last delimiter is forgiven.

    Raises:
        DecodingError: If there are too many parts.
    """
    if not boundary:
        return []
    mark = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary.encode("utf-8", "replace")) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    parts: list[bytes] = []
    start: int | None = None
    for match in mark.finditer(body):
        if start is not None:
            parts.append(body[start : max(start, match.start())])
        if match[1]:
            return parts
        end = match.end()
        start = end + (2 if body[end : end + 2] == b"\r\n" else 1)
        if len(parts) > MAX_PARTS:
            raise DecodingError("the message has too many parts")
    if start is not None and start < len(body):
        parts.append(body[start:])
    return parts


def text_and_attachments(entity: Entity, *, strip_legacy_display: bool) -> tuple[str, tuple[Attachment, ...]]:
    """Return the text to show and the attachments; HTML is shown as its text, so that no part can reach into another.

    Args:
        entity: The root of the message.
        strip_legacy_display: The header is protected: leave out copies of it in the body (RFC 9788 section 4.5.3).

    Raises:
        DecodingError: If the message nests too deep or has too many parts.
    """
    found = _Found()
    _walk(entity, found, 0, strip_legacy_display)
    return "\n".join(found.texts), tuple(found.attachments)


def _walk(entity: Entity, found: _Found, depth: int, strip: bool) -> None:
    found.parts += 1
    if depth > MAX_DEPTH or found.parts > MAX_PARTS:
        raise DecodingError("the message nests too deep or has too many parts")
    disposition, options = fields.parameters(fields.first(entity.fields, "content-disposition"))
    name = options.get("filename") or entity.parameters.get("name") or ""
    if entity.content_type.startswith("multipart/"):
        children = [parse_entity(part) for part in split_multipart(entity.body, entity.parameters.get("boundary", ""))]
        if entity.content_type == "multipart/alternative":
            children = list(_chosen(children))
        for child in children:
            _walk(child, found, depth + 1, strip)
    elif entity.content_type in ("text/plain", "text/html") and disposition != "attachment" and not name:
        found.texts.append(_text(entity, strip))
    else:
        content = entity.decoded()
        default = "message.eml" if entity.content_type == "message/rfc822" else "attachment"
        found.attachments.append(Attachment(safe_file_name(name, default), entity.content_type, content))


def _chosen(children: list[Entity]) -> Iterator[Entity]:
    """Choose among alternatives: plain text, else the last one; a calendar or other non-text stays as an attachment."""
    texts = [child for child in children if child.content_type == "text/plain"]
    rich = [child for child in children if child.content_type == "text/html" or child.content_type[:10] == "multipart/"]
    yield from texts[:1] or rich[-1:]
    yield from (child for child in children if child not in texts and child not in rich)


def _text(entity: Entity, strip: bool) -> str:
    text = fields.decode_text(entity.decoded(), entity.parameters.get("charset", "us-ascii")).replace("\r\n", "\n")
    legacy = strip and entity.parameters.get("hp-legacy-display") == "1"
    if entity.content_type == "text/html":
        return html_to_text(text, drop_class=_LEGACY_CLASS if legacy else None)
    return text.partition("\n\n")[2] if legacy else text


def html_to_text(html: str, *, drop_class: str | None = None) -> str:
    """Return the text of an HTML document: nothing is loaded, run or kept of its markup. Linear in its length.

    Args:
        html: The document; beyond 512 Ki characters it is cut.
        drop_class: Leave out elements of this class.
    """
    html = html[:MAX_HTML_CHARACTERS]
    pieces: list[str] = []
    left_out: tuple[str, int] | None = None  # the element being left out, and how deep it nests in itself
    position = 0
    while position < len(html):
        opening = _MARKUP.search(html, position)
        if left_out is None:
            text = html[position : opening.start() if opening else len(html)]
            pieces.append(re.sub(r"\s+", " ", unescape(text)))
        if opening is None:
            break
        end = "-->" if opening.group() == "<!--" else ">"
        closing = html.find(end, opening.end())
        if closing < 0:
            break
        position = closing + len(end)
        tag, attributes = (opening[2] or "").lower(), html[opening.end() : closing]
        if left_out is not None:
            if tag == left_out[0]:
                depth = left_out[1] + (-1 if opening[1] else 1)
                left_out = (tag, depth) if depth else None
        elif tag in _RAW_TEXT and not opening[1]:
            finish = _RAW_TEXT[tag].search(html, position)
            position = finish.start() if finish else len(html)
        elif not opening[1] and tag == "div" and drop_class is not None and drop_class in attributes:
            left_out = (tag, 1)
        elif tag in _BREAKING:
            pieces.append("\n")
    return re.sub(r"[ \t]*\n(?:[ \t]*\n){2,}", "\n\n", "".join(pieces)).strip() + "\n"


def safe_file_name(name: str, default: str = "attachment") -> str:
    """Return a file name that stays in its folder."""
    decoded = fields.decode_field(name.encode("utf-8", "replace")) if "=?" in name else fields.one_line(name)
    last = _UNSAFE_IN_NAMES.sub("/", decoded).rstrip("/ .").rpartition("/")[2].lstrip(". ")
    return last[-MAX_FILE_NAME:] or default

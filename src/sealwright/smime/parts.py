"""The MIME tree of a message: the text to show and the attachments. Bounded in depth and in number of parts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

from sealwright.errors import DecodingError
from sealwright.smime import fields

MAX_DEPTH = 20
MAX_PARTS = 1000
MAX_HTML_BYTES = 4 * 1024 * 1024
MAX_FILE_NAME = 150
_LEGACY_CLASS = "header-protection-legacy-display"
_UNSAFE_IN_NAMES = re.compile(r'[\\/:*?"<>|]+')
_BREAKING = frozenset(("br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "blockquote", "pre"))
_VOID = frozenset(
    ("br", "hr", "img", "input", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr")
)
_HIDDEN = frozenset(("script", "style", "head", "title", "template"))


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
    """Return the text of an HTML document: nothing is loaded, run or kept of its markup.

    Args:
        html: The document; beyond 4 Mi characters it is cut.
        drop_class: Leave out elements of this class.
    """
    reader = _TextReader(drop_class)
    try:
        reader.feed(html[:MAX_HTML_BYTES])
        reader.close()
    except (AssertionError, ValueError):  # malformed declarations
        reader.pieces.append("\n[the rest of this part cannot be read]")
    return re.sub(r"[ \t]*\n(?:[ \t]*\n){2,}", "\n\n", "".join(reader.pieces)).strip() + "\n"


class _TextReader(HTMLParser):
    def __init__(self, drop_class: str | None) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.drop_class = drop_class
        self.hidden: tuple[str, int] | None = None  # the element being left out, and how deep it nests in itself

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.hidden is not None:
            if self.hidden[0] == tag:
                self.hidden = (tag, self.hidden[1] + 1)
            return
        classes = (dict(attrs).get("class") or "").split()
        if tag not in _VOID and (tag in _HIDDEN or (self.drop_class is not None and self.drop_class in classes)):
            self.hidden = (tag, 1)
        elif tag in _BREAKING:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if self.hidden is not None and self.hidden[0] == tag:
            self.hidden = (tag, self.hidden[1] - 1) if self.hidden[1] > 1 else None
        elif self.hidden is None and tag in _BREAKING:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if self.hidden is None:
            self.pieces.append(re.sub(r"\s+", " ", data))


def safe_file_name(name: str, default: str = "attachment") -> str:
    """Return a file name that stays in its folder."""
    decoded = fields.decode_field(name.encode("utf-8", "replace")) if "=?" in name else fields.one_line(name)
    last = _UNSAFE_IN_NAMES.sub("/", decoded).rstrip("/ .").rpartition("/")[2].lstrip(". ")
    return last[-MAX_FILE_NAME:] or default

"""The MIME tree of a message: the text to show and the attachments. Bounded in depth and in number of parts."""

import re
from dataclasses import dataclass, field
from html import unescape

from sealwright.errors import DecodingError
from sealwright.smime import fields, tnef
from sealwright.smime.cautions import Caution, caution
from sealwright.smime.entities import (
    MAX_DEPTH,
    MAX_PARTS,
    CmsKind,
    Entity,
    cms_kind,
    cms_octets,
    file_name,
    parse_entity,
    smime_kind,
    split_multipart,
)

MAX_HTML_CHARACTERS = 512 * 1024
"""More text than anybody reads."""
MAX_FILE_NAME = 150
"""File systems take 255 octets, and a character may have four; the end is kept, for its ending."""
_IDENTITY = (b"", b"7bit", b"8bit", b"binary")
_LEGACY_CLASS = "header-protection-legacy-display"
_UNSAFE_IN_NAMES = re.compile(r'[\\/:*?"<>|]+')
_BREAKING = frozenset(("br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "blockquote", "pre"))
_RAW_TEXT = {
    name: re.compile(rf"</{name}\b", re.IGNORECASE) for name in ("script", "style", "head", "title", "template")
}
_SPACE_AT_END = re.compile(r"(?<![ \t])[ \t]+\n")  # from the first space only: from each it would be quadratic
_MANY_EMPTY_LINES = re.compile(r"\n{3,}")
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
class ErrantPart:
    """A part that is S/MIME by itself among others; it was not opened (RFC 9787: an errant layer).

    Attributes:
        number: As IMAP numbers parts, such as "1.2".
        content_type: Of the part.
        kind: As far as can be seen from outside.
    """

    number: str
    content_type: str
    kind: CmsKind


@dataclass(slots=True)
class Contents:
    """What an entity shows.

    Attributes:
        texts: In their order; HTML is reduced to its text by itself, so that no part can reach into another.
        attachments: Everything else.
        errant: Parts that are S/MIME by themselves.
        cautions: About parts.
        parts: How many there are.
        is_beyond_limits: There is more than is looked at; nothing is shown then, and all of it is one attachment.
    """

    texts: list[str] = field(default_factory=list, repr=False)
    attachments: list[Attachment] = field(default_factory=list)
    errant: list[ErrantPart] = field(default_factory=list)
    cautions: list[Caution] = field(default_factory=list)
    parts: int = 0
    is_beyond_limits: bool = False

    @property
    def text(self) -> str:
        """The text to show."""
        return "\n".join(self.texts)


def contents_of(entity: Entity, *, strip_legacy_display: bool) -> Contents:
    """Return what an entity shows.

    Args:
        entity: The root of the message.
        strip_legacy_display: The header is protected: leave out copies of it in the body (RFC 9788 section 4.5.3).
    A message that nests too deep or has too many parts is not shown in part: who wrote it chose what would be left out.
    """
    found = Contents()
    if not entity.fields and b"\0" in entity.body:  # a signed or encrypted file that is no MIME entity
        found.attachments.append(Attachment("content", "application/octet-stream", entity.body))
        return found
    try:
        _walk(entity, found, "", strip_legacy_display)
    except DecodingError as error:
        whole = Attachment("message.eml", "message/rfc822", entity.octets)
        return Contents(attachments=[whole], cautions=[caution("beyond-limits", error.message)], is_beyond_limits=True)
    return found


def attachment(entity: Entity) -> Attachment:
    """Return an entity as an attachment."""
    default = "message.eml" if entity.content_type == "message/rfc822" else "attachment"
    return Attachment(safe_file_name(file_name(entity), default), entity.content_type, entity.decoded())


def _walk(entity: Entity, found: Contents, number: str, strip: bool) -> None:
    found.parts += 1
    if number.count(".") >= MAX_DEPTH or found.parts > MAX_PARTS:
        raise DecodingError("the message nests too deep or has too many parts")
    _beware(entity, found, number)
    if entity.content_type.startswith("multipart/"):
        parts = split_multipart(entity.body, entity.parameters.get("boundary", ""))
        children = [(f"{number}.{place}".lstrip("."), parse_entity(part)) for place, part in enumerate(parts, 1)]
        hidden = _hidden(children) if entity.content_type == "multipart/alternative" else ()
        for place, child in children:
            shown = len(found.texts)
            _walk(child, found, place, strip)
            if place in hidden:  # its attachments are the message's: some programs have them in the richest alternative
                del found.texts[shown:]
    elif _is_shown(entity):
        found.texts.append(_text(entity, strip))
    elif not (_is_tnef(entity) and _walk_tnef(entity, found)):
        found.attachments.append(attachment(entity))


def _is_tnef(entity: Entity) -> bool:
    return entity.content_type in tnef.CONTENT_TYPES or (
        entity.content_type == "application/octet-stream" and file_name(entity).strip().lower() == "winmail.dat"
    )


def _walk_tnef(entity: Entity, found: Contents) -> bool:
    """Show what a winmail.dat holds; its text only if the message has no other before it. False if it cannot be read."""
    try:
        wrapped = tnef.parse_tnef(entity.decoded())
    except DecodingError:
        return False
    found.parts += len(wrapped.attachments)
    if found.parts > MAX_PARTS:
        raise DecodingError("the message has too many parts")
    text = wrapped.text.replace("\r\n", "\n") or (
        html_to_text(fields.decode_text(wrapped.html, "utf-8")) if wrapped.html else ""
    )
    if text and not any(shown.strip() for shown in found.texts):
        found.texts.append(text)
    found.attachments.extend(
        Attachment(safe_file_name(each.file_name), _plain_type(each.content_type), each.content)
        for each in wrapped.attachments
    )
    return True


def _plain_type(written: str) -> str:
    content_type, _ = fields.parameters(written.encode("utf-8", "replace"))
    return content_type if fields.is_media_type(content_type) else "application/octet-stream"


def _is_shown(entity: Entity) -> bool:
    disposition, _ = fields.parameters(fields.first(entity.fields, "content-disposition"))
    is_text = entity.content_type in ("text/plain", "text/html")
    return is_text and disposition != "attachment" and not file_name(entity)


def _beware(entity: Entity, found: Contents, number: str) -> None:
    """Note what is odd about a part; `number` is empty for the root, whose protection is the message's own."""
    kind = smime_kind(entity)
    if number and kind in ("opaque", "multipart"):
        errant = ErrantPart(number, entity.content_type, _kind_of(entity) if kind == "opaque" else "signed")
        found.errant.append(errant)
        if errant.kind != "compressed":
            code = "errant-encryption" if errant.kind == "encrypted" else "errant-signature"
            found.cautions.append(caution(code, f"part {number}"))
    if number and sum(each.is_called("content-type") for each in entity.fields) > 1:
        found.cautions.append(caution("duplicate-content-field", f"part {number}"))
    encoding = fields.first(entity.fields, "content-transfer-encoding").lower()
    is_composite = entity.content_type.startswith(("multipart/", "message/"))
    if encoding not in (_IDENTITY if is_composite else (*_IDENTITY, b"base64", b"quoted-printable")):
        found.cautions.append(caution("unknown-transfer-encoding", f"part {number}" if number else ""))
    if entity.content_type in ("message/partial", "message/external-body"):
        found.cautions.append(caution(entity.content_type.replace("/", "-"), f"part {number}" if number else ""))


def _kind_of(entity: Entity) -> CmsKind:
    try:
        return cms_kind(cms_octets(entity))
    except DecodingError:
        is_signed = entity.parameters.get("smime-type", "").lower() in ("signed-data", "certs-only")
        return "signed" if is_signed else "encrypted"


def _hidden(children: list[tuple[str, Entity]]) -> set[str]:
    """Return the alternatives whose text is not shown: all but the plain text, or else all but the last one."""
    texts = [number for number, child in children if child.content_type == "text/plain"]
    rich = [number for number, child in children if child.content_type.startswith(("text/html", "multipart/"))]
    return {*texts, *rich} - {*(texts[:1] or rich[-1:])}


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
    return _MANY_EMPTY_LINES.sub("\n\n", _SPACE_AT_END.sub("\n", "".join(pieces))).strip() + "\n"


def safe_file_name(name: str, default: str = "attachment") -> str:
    """Return a file name that stays in its folder."""
    decoded = fields.decode_field(name.encode("utf-8", "replace")) if "=?" in name else fields.one_line(name)
    last = _UNSAFE_IN_NAMES.sub("/", decoded).rstrip("/ .").rpartition("/")[2].lstrip(". ")
    return last[-MAX_FILE_NAME:] or default

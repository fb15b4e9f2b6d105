"""Header fields as octets: splitting an entity, parameters, decoded text. Accepts anything, bounded, never raises by chance.

The fields are kept exactly as they came, because signatures and header protection copy them octet by octet. `email` is asked
only for what has a long tail of history: address lists.
"""

import binascii
import codecs
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry
from urllib.parse import unquote_to_bytes

from sealwright.errors import DecodingError
from sealwright.smime.base64_text import decode_base64

MAX_FIELDS = 2000
"""Each is looked at several times; more of them are an attack."""
MAX_DECODED_BYTES = 16 * 1024
"""A longer address or subject field is not decoded: `email` takes more than linear time."""
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:([^\n]*)\n?")
_FOLDED = re.compile(rb"(?:[ \t][^\n]*\n?)+")
_EMPTY_LINE = re.compile(rb"\r*\n|\r+\Z")
_MEDIA_TYPE = re.compile(r"[!-.0-~]+/[!-.0-~]+")
_TOKEN = re.compile(r'((?:[^;"]++|"(?:[^"\\]++|\\.)*+"?)*+)(?:;|\Z)', re.DOTALL)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")
_ADDR_SPEC = re.compile(r"[^@\s]+@[^@\s]+")
_WORD = r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?\s]*)\?="
_ENCODED_WORD = re.compile(_WORD)
_ENCODED_WORDS = re.compile(rf"{_WORD}(?:\s*{_WORD})*")
"""RFC 2047 section 6.2: between encoded words, and nowhere else, white space is left out."""
_CHARSETS = re.compile(
    r"(us-)?ascii|utf[-_]?8|utf[-_]?16([-_]?[lb]e)?|iso[-_]?8859[-_]?\d{1,2}|latin[-_]?[19]|(windows|cp)[-_]?\d{3,4}|"
    r"koi8[-_][rut]|gbk?|gb2312|gb18030|big5(hkscs)?|euc[-_](jp|kr)|shift[-_]jis|iso[-_]?2022[-_](jp|kr)|tis[-_]620"
)
_HEADERS = HeaderRegistry()
EMAIL_ERRORS = (MessageError, ValueError, LookupError, AttributeError, TypeError, RecursionError)
"""What `email` raises for a field that it cannot read: known bugs."""


@dataclass(frozen=True, slots=True)
class Field:
    """A header field.

    Attributes:
        name: As written.
        value: Octets after the colon, folding kept, without the last line end.
    """

    name: str
    value: bytes

    @property
    def line(self) -> bytes:
        """The field as in a message, with CRLF."""
        return self.name.encode() + b":" + self.value + b"\r\n"

    def is_called(self, *names: str) -> bool:
        """Say whether the field has one of these lower-case names."""
        return self.name.lower() in names


def split_entity(entity: bytes) -> tuple[list[Field], bytes]:
    """Split an entity into its fields and its body; see `parse_header`."""
    fields, body_start = parse_header(entity)
    return fields, entity[body_start:]


def parse_header(entity: bytes) -> tuple[list[Field], int]:
    """Return the fields of an entity, and where its body begins: after an empty line, or at the first that is no field.

    Raises:
        DecodingError: If there are too many fields.
    """
    fields: list[Field] = []
    position = 0
    while found := _FIELD.match(entity, position):
        if len(fields) >= MAX_FIELDS:
            raise DecodingError("the message has too many header fields")
        name, value = found.groups()
        value, position = value.rstrip(b"\r"), found.end()
        if folded := _FOLDED.match(entity, position):
            value, position = value + b"\r\n" + folded.group().rstrip(b"\r\n"), folded.end()
        fields.append(Field(name.decode("ascii"), value))
    empty_line = _EMPTY_LINE.match(entity, position)
    return fields, empty_line.end() if empty_line else position


def first(fields: Sequence[Field], name: str) -> bytes:
    """Return the value of the first field of a lower-case name, unfolded; empty if there is none."""
    for field in fields:
        if field.name.lower() == name:
            return unfolded(field.value)
    return b""


def unfolded(value: bytes) -> bytes:
    """Return the value of a field as one line (RFC 5322 section 2.2.3)."""
    return value.replace(b"\r\n", b"").replace(b"\n", b"").strip()


def parameters(value: bytes) -> tuple[str, dict[str, str]]:
    """Split a Content-Type or Content-Disposition value.

    Returns:
        The lower-case value and its parameters by lower-case name, quotes removed, RFC 2231 forms joined and decoded.
    """
    head, *rest = _split_value(value)
    plain: dict[str, str] = {}
    for item in rest:
        name, _, text = item.partition("=")
        text = text.strip()
        if text.startswith('"'):
            text = text[1:-1] if text.endswith('"') and len(text) > 1 else text[1:]
            text = re.sub(r"\\(.)", r"\1", text) if "\\" in text else text
        plain.setdefault(name.strip().lower(), text)
    if "*" not in "".join(plain):
        return head.strip().lower(), plain
    found = {name: text for name, text in plain.items() if "*" not in name}
    for name in {name.partition("*")[0] for name in plain if "*" in name}:
        found[name] = _extended(name, plain)
    return head.strip().lower(), found


def media_type(value: bytes) -> str:
    """Return the lower-case value of a Content-Type, without its parameters."""
    return _split_value(value)[0].strip().lower()


def is_media_type(value: str) -> bool:
    """Say whether a lower-case value is a type and a subtype."""
    return _MEDIA_TYPE.fullmatch(value) is not None


def _without_comments(value: str) -> str:
    """Leave out comments (RFC 2045 section 5.1: permitted in every structured field), outside quoted strings."""
    if "(" not in value:
        return value
    kept, depth, quoted, escaped = [], 0, False, False
    for character in value:
        if not depth and (quoted or escaped or character != "("):
            kept.append(character)
        if escaped:
            escaped = False
        elif character == "\\" and (quoted or depth):
            escaped = True
        elif character == '"' and not depth:
            quoted = not quoted
        elif not quoted and character in "()":
            depth = max(0, depth + (1 if character == "(" else -1))
    return "".join(kept) if not depth else value


def _split_value(value: bytes) -> list[str]:
    """Split the value of a structured field: what it says, and its parameters as they are written."""
    return split_parameters(_without_comments(value.decode("utf-8", "replace")[:MAX_DECODED_BYTES]))


def split_parameters(value: str) -> list[str]:
    """Split at the semicolons outside quoted strings."""
    if '"' not in value:
        return value.removesuffix(";").split(";")
    return [match[1] for match in _TOKEN.finditer(value) if match[0]] or [""]


def _extended(name: str, plain: dict[str, str]) -> str:
    """Join and decode the RFC 2231 forms of a parameter: name*, name*0, name*0*."""
    if f"{name}*" in plain:
        pieces = [(plain[f"{name}*"], True)]
    else:
        pieces = []
        for number in range(100):
            if f"{name}*{number}*" in plain:
                pieces.append((plain[f"{name}*{number}*"], True))
            elif f"{name}*{number}" in plain:
                pieces.append((plain[f"{name}*{number}"], False))
            else:
                break
    charset, octets = "utf-8", b""
    for number, (text, encoded) in enumerate(pieces):
        if number == 0 and encoded and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)  # noqa: PLW2901
        octets += unquote_to_bytes(text) if encoded else text.encode("utf-8", "replace")
    return decode_text(octets, charset)


def decode_text(octets: bytes, charset: str) -> str:
    """Decode text in a charset of mail; an unknown one is read as UTF-8, and what cannot be read is replaced."""
    name = charset.strip().lower()
    try:
        codec = codecs.lookup(name).name if _CHARSETS.fullmatch(name) else "utf-8"
        return octets.decode("utf-8" if codec == "ascii" else codec, "replace")
    except (LookupError, ValueError):
        return octets.decode("utf-8", "replace")


def decode_body(octets: bytes, transfer_encoding: bytes, *, start: int = 0) -> bytes:
    """Undo a Content-Transfer-Encoding, as far as it can be read; identity encodings give the body as it is.

    Args:
        octets: An entity, or a body alone.
        transfer_encoding: As in the field.
        start: Where the body begins.
    """
    name = transfer_encoding.decode("ascii", "replace").strip().lower()
    if name == "base64":
        return decode_base64(octets, start)
    body = octets[start:]
    return binascii.a2b_qp(body) if name == "quoted-printable" else body


def one_line(text: str) -> str:
    """Replace control and direction characters, which could disguise what is shown."""
    return _CONTROL.sub(" ", text).strip()


def decode_field(value: bytes) -> str:
    """Decode the encoded words of an unstructured field such as Subject."""
    text = value.decode("utf-8", "replace")[:MAX_DECODED_BYTES]
    return one_line(_ENCODED_WORDS.sub(_decoded_words, text))


def _decoded_words(words: re.Match[str]) -> str:
    """Decode encoded words in a row; those of one charset together, since programs split characters between them."""
    pieces: list[tuple[str, bytes]] = []
    for charset, encoding, text in _ENCODED_WORD.findall(words.group()):
        octets = text.encode("utf-8", "replace")
        decoded = decode_body(octets, b"base64") if encoding in "bB" else binascii.a2b_qp(octets, header=True)
        if pieces and pieces[-1][0] == charset.lower():
            decoded = pieces.pop()[1] + decoded
        pieces.append((charset.lower(), decoded))
    return "".join(decode_text(octets, charset.partition("*")[0]) for charset, octets in pieces)  # RFC 2231 section 5


def addresses(fields: Sequence[Field], name: str) -> tuple[str, ...]:
    """Return the addr-specs of all fields of a name, such as From; a field that cannot be read gives none."""
    found: list[str] = []
    for field in fields:
        text = unfolded(field.value).decode("utf-8", "replace")
        if not field.is_called(name) or len(text) > MAX_DECODED_BYTES:
            continue
        with contextlib.suppress(*EMAIL_ERRORS):
            specs = [address.addr_spec for address in address_list(text)]
            found.extend(spec for spec in specs if _ADDR_SPEC.fullmatch(spec))
    return tuple(dict.fromkeys(found))


def address_list(text: str) -> Sequence[Address]:
    """Return the mailboxes of an address field; may raise any of `EMAIL_ERRORS`."""
    return getattr(_HEADERS("from", text), "addresses", ())

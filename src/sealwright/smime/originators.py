"""Who a message says it is from: From and Sender (RFC 5322 section 3.6.2), read strictly.

A reader that forgives finds an address where another program finds another one, and a signature would then vouch for an
author whom nobody named. So the grammar of RFC 5322 section 3.4 is read without its obsolete forms, and whatever is left
over is a doubt with a code of `cautions`. Never raises.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sealwright.errors import InputError
from sealwright.pkix.names import canonical_address, is_folded
from sealwright.smime.fields import Field, decode_field

_PIECE = re.compile(
    r'(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<special>[<>:;,@.\\"()\[\]])|(?P<atom>[^ \t\r\n<>:;,@.\\"()\[\]]+)|[ \t\r\n]+'
)
_BARE_QUOTE = re.compile(r'(?P<special>")')
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_ADDRESS_IN_TEXT = re.compile(r"[^\s@<>()\"',;:]+@[^\s@<>()\"',;:]+")
_WARNING_ONLY = ("address-in-display-name", "from-not-ascii")
MAX_FIELD_BYTES = 4096
"""Open quotations make the reading quadratic; no honest From field is longer."""
MAX_MAILBOXES = 100
"""Authors of one message; each is looked at."""


@dataclass(frozen=True, slots=True)
class Originators:
    """What all fields of a name say.

    Attributes:
        addresses: Addr-specs as written, no doubles.
        doubts: Codes of `cautions`; without `from-missing`.
    """

    addresses: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def author(self) -> str | None:
        """The one canonical address that the fields name beyond doubt, or None."""
        if len(self.addresses) != 1 or any(doubt not in _WARNING_ONLY for doubt in self.doubts):
            return None
        return compared(self.addresses[0])


@dataclass(slots=True)
class _Token:
    kind: str
    text: str
    follows_space: bool


def compared(address: str) -> str | None:
    """Return an addr-spec in the form in which addresses are compared; None if it cannot be a certified mailbox."""
    try:
        return canonical_address(address)
    except InputError:
        return None


def originators(fields: Sequence[Field], name: str) -> Originators:
    """Read all fields of a lower-case name: "from" or "sender"."""
    found, doubts = [], []
    values = [field.value for field in fields if field.is_called(name)]
    if len(values) > 1:
        doubts.append("several-from-fields")
    for value in values[:MAX_MAILBOXES]:
        text = re.sub(rb"\r?\n", b"", value).decode("utf-8", "replace")
        if len(value) > MAX_FIELD_BYTES or _CONTROL.search(text):
            doubts.append("from-malformed")
            continue
        addresses, codes = _mailboxes(text)
        found += addresses
        doubts += codes
    if len(set(found)) > 1:
        doubts.append("several-authors")
    for address in found:
        doubts += _look(address)
    return Originators(tuple(dict.fromkeys(found)), tuple(dict.fromkeys(doubts)))


def _mailboxes(text: str) -> tuple[list[str], list[str]]:
    """Read a mailbox-list."""
    tokens, comments, doubts = _tokens(text)
    found: list[str] = []
    for mailbox in _split(tokens):
        if any(token.text in (":", ";") and token.kind == "special" for token in mailbox):
            # "Staff: a@x;" is a group, <@relay:a@x> a source route
            is_route = any(token.text == "<" and token.kind == "special" for token in mailbox)
            doubts.append("from-obsolete-route" if is_route else "from-group")
            continue
        address, display = _mailbox(mailbox)
        if address is None:
            doubts.append("from-malformed")
            continue
        found.append(address)
        if _names_another(f"{display} {comments}", address):
            doubts.append("address-in-display-name")
        if len(found) > MAX_MAILBOXES:
            doubts.append("from-malformed")
            break
    return found, doubts


def _tokens(text: str) -> tuple[list[_Token], str, list[str]]:
    """Return the tokens without comments and space, the text of the comments, and doubts."""
    tokens: list[_Token] = []
    comments: list[str] = []
    doubts: list[str] = []
    depth, space = 0, False
    for match in _pieces(text):
        kind, piece = match.lastgroup or "space", match.group()
        if piece == "(" or (depth and piece == ")"):
            depth += 1 if piece == "(" else -1
            space = True
        elif depth or kind == "space":
            comments.append(piece if depth else "")
            space = True
        elif piece in ("\\", '"', ")"):  # an open quotation, a stray backslash or parenthesis
            doubts.append("from-malformed")
        else:
            tokens.append(_Token(kind, piece, space))
            space = False
    if depth:
        doubts.append("from-malformed")
    return tokens, "".join(comments), doubts


def _pieces(text: str) -> Iterator[re.Match[str]]:
    """Yield the pieces; inside a comment a quotation mark quotes nothing (RFC 5322 section 3.2.2)."""
    position, depth = 0, 0
    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None:  # cannot be: every character is in one of the classes
            return
        if depth and match.lastgroup == "quoted":
            match = _BARE_QUOTE.match(text, position) or match
        if match.group() == "(":
            depth += 1
        elif match.group() == ")" and depth:
            depth -= 1
        yield match
        position = match.end()


def _split(tokens: list[_Token]) -> list[list[_Token]]:
    """Split at commas; a comma in a route makes a mailbox that is malformed, which is what it should be."""
    pieces: list[list[_Token]] = [[]]
    for token in tokens:
        if token.kind == "special" and token.text == ",":
            pieces.append([])
        else:
            pieces[-1].append(token)
    return [piece for piece in pieces if piece]


def _mailbox(tokens: list[_Token]) -> tuple[str | None, str]:
    """Read `display-name <addr-spec>` or `addr-spec`; the address is None if it is neither."""
    texts = [token.text if token.kind == "special" else "" for token in tokens]
    if "<" not in texts:
        return _addr_spec(tokens), ""
    start = texts.index("<")
    phrase, inside = tokens[:start], tokens[start + 1 : -1]
    if texts[-1] != ">" or any(token.kind == "special" and token.text != "." for token in phrase):
        return None, ""
    if inside and inside[0].follows_space:
        return None, ""
    return _addr_spec(inside), " ".join(token.text for token in phrase)


def _addr_spec(tokens: list[_Token]) -> str | None:
    """Read dot-atom or quoted-string, "@", dot-atom; nothing between them."""
    texts = [token.text for token in tokens]
    if texts.count("@") != 1 or any(token.follows_space for token in tokens[1:]):
        return None
    at = texts.index("@")
    local, domain = tokens[:at], tokens[at + 1 :]
    quoted = len(local) == 1 and local[0].kind == "quoted"
    if not (quoted or _is_dot_atom(local)) or not _is_dot_atom(domain):
        return None
    address = "".join(texts)
    return None if "=?" in address or "?=" in address else address


def _is_dot_atom(tokens: list[_Token]) -> bool:
    """Say whether atoms and dots take turns."""
    kinds = [token.kind if token.kind == "atom" else token.text for token in tokens]
    return len(kinds) % 2 == 1 and all(kind == ("." if place % 2 else "atom") for place, kind in enumerate(kinds))


def _names_another(text: str, address: str) -> bool:
    """Say whether a name, its encoded words undone, holds an address other than the one it stands beside."""
    decoded = unicodedata.normalize("NFKC", decode_field(text.encode("utf-8", "replace")))
    return any(found.lower().strip(".") != address.lower() for found in _ADDRESS_IN_TEXT.findall(decoded))


def _look(address: str) -> list[str]:
    """Return the doubts about letters outside ASCII."""
    if address.isascii():
        return []
    for label in address.rpartition("@")[2].split("."):
        try:
            label.encode("idna")
        except UnicodeError:
            return ["from-malformed"]
    return ["from-lookalike" if is_folded(address) else "from-not-ascii"]

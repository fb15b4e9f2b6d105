"""Which header of a message counts: the outer one, or the one inside its protection (RFC 9788; read: RFC 8551 section 3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

from sealwright.smime.entities import Entity, parse_entity
from sealwright.smime.fields import Field, addresses, decode_field, first, parameters
from sealwright.smime.header_protection import is_structural, seen_fields
from sealwright.smime.originators import Originators, compared, originators


@dataclass(frozen=True, slots=True)
class Headers:
    """A message's header.

    Attributes:
        protected: Fields that were encrypted, or signed by a signature that holds; empty without header protection.
        shown: The fields that count: the protected ones, else the outer ones.
        author: What From says: the protected one only if a valid signature by its author covers it, because an encryption
            alone says nothing about the sender.
        sender: What Sender says, of the same header.
        outer_from: What From says outside.
        outer: Fields outside the protection; the same as `shown` where there is none.
        recipients_differ: Outside are other addresses in To and Cc than the sender put there.
    """

    protected: tuple[Field, ...]
    shown: tuple[Field, ...]
    author: Originators
    sender: Originators
    outer_from: Originators
    outer: tuple[Field, ...] = ()
    recipients_differ: bool = False

    @property
    def subject(self) -> str:
        """One line, decoded."""
        return decode_field(first(self.shown, "subject"))

    @property
    def from_differs(self) -> bool:
        """There is a protected From, and outside stands another address."""
        if not all(any(field.is_called("from") for field in fields) for fields in (self.protected, self.outer)):
            return False
        if _values(self.protected, "from") == _values(self.outer, "from"):
            return False
        inner = originators(self.protected, "from")
        return _comparable(inner) != _comparable(self.outer_from)


def unwrapped(payload: Entity) -> tuple[Entity, bool]:
    """Return the entity to show, and whether its header is the message's own.

    Call it for the root of the cryptographic payload only: an hp parameter anywhere else means nothing (RFC 9788 section
    2.1.1), and no header protection is without a layer of protection.
    """
    if payload.parameters.get("hp", "").lower() in ("clear", "cipher"):
        return payload, True
    # RFC 8551 section 3.1: the whole message as message/rfc822; with forwarded=no it is this message, not another one.
    if payload.content_type == "message/rfc822" and payload.parameters.get("forwarded", "").lower() == "no":
        return parse_entity(payload.decoded()), True
    return payload, False


def headers_of(outer: Sequence[Field], inner: Sequence[Field], *, is_protected: bool, is_vouched: bool) -> Headers:
    """Choose the header that counts.

    Args:
        outer: Fields of the message.
        inner: Fields of the payload, HP-Outer among them.
        is_protected: The payload's header is the message's own, and it was encrypted or signed by a signature that holds.
        is_vouched: A valid signature covers the payload.
    """
    protected = tuple(each for each in inner if not is_structural(each)) if is_protected else ()
    visible = tuple(each for each in outer if not is_structural(each))
    outer_from = originators(outer, "from")
    is_same = _values(protected, "from") == _values(outer, "from")  # then it says the same, too
    inner_from = outer_from if is_same else originators(protected, "from")
    speaks = protected if protected and is_vouched else tuple(outer)
    return Headers(
        protected=protected,
        shown=protected or visible,
        author=inner_from if speaks is protected else outer_from,
        sender=originators(speaks, "sender"),
        outer_from=outer_from,
        outer=visible,
        recipients_differ=bool(protected) and _recipients_differ(inner, visible),
    )


def _recipients_differ(inner: Sequence[Field], outer: Sequence[Field]) -> bool:
    """Compare To and Cc outside with what HP-Outer says of them, or, without any HP-Outer, with the protected ones.

    A sender who encrypts may hide recipients, and then others see none.
    """
    is_cipher = parameters(first(inner, "content-type"))[1].get("hp", "").lower() == "cipher"
    put_there = (seen_fields(inner) if is_cipher else []) or inner
    if _values(outer, "to", "cc") == _values(put_there, "to", "cc"):
        return False
    seen, expected = _recipients(outer), _recipients(put_there)
    return bool(seen) and seen != expected


def _values(header: Sequence[Field], *names: str) -> list[tuple[str, bytes]]:
    """Return what fields of some lower-case names say, as octets."""
    return [(field.name.lower(), field.value) for field in header if field.is_called(*names)]


def _recipients(header: Sequence[Field]) -> set[str]:
    found = (*addresses(header, "to"), *addresses(header, "cc"))
    return {compared(address) or address for address in found}


def _comparable(found: Originators) -> tuple[str, ...]:
    return tuple(sorted(compared(address) or address for address in found.addresses))

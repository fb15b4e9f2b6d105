"""Header protection (RFC 9788): what of a message's header others may see, and its copy inside the protection.

A header confidentiality policy says what stands outside an encrypted message. The true header is inside; each field that is
visible outside is repeated there as HP-Outer, so that the reader can tell what others saw. The form of RFC 8551 section 3.1
(a whole message/rfc822 inside) is read and never written.
"""

import email.utils
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Literal

from sealwright.smime import fields
from sealwright.smime.fields import Field, split_parameters

HIDDEN_SUBJECT = b" [...]"
HeaderPolicy = Callable[[Field], Field | None]
"""What others may see of a field that is not structural; None leaves it out."""


def hcp_baseline(field: Field) -> Field | None:
    """Hide the subject, leave out Comments and Keywords (RFC 9788 section 3.2.1); the default."""
    if field.is_called("subject"):
        return Field(field.name, HIDDEN_SUBJECT)
    return None if field.is_called("comments", "keywords") else field


def hcp_shy(field: Field) -> Field | None:
    """Hide people's names and the time zone, too (RFC 9788 section 3.2.2)."""
    if field.is_called("from", "to", "cc"):
        found = fields.addresses([field], field.name.lower())
        return Field(field.name, b" " + ",\r\n ".join(found).encode()) if found else field
    if field.is_called("date"):
        try:
            moment = email.utils.parsedate_to_datetime(fields.first([field], "date").decode("ascii", "replace"))
        except ValueError:
            return field
        return Field(field.name, b" " + email.utils.format_datetime(moment.astimezone(UTC)).encode())
    return hcp_baseline(field)


def hcp_no_confidentiality(field: Field) -> Field | None:
    """Show the whole header (RFC 9788 section 3.2.3); MUST NOT be a default."""
    return field


POLICIES: dict[str, HeaderPolicy] = {
    "baseline": hcp_baseline,
    "shy": hcp_shy,
    "no-confidentiality": hcp_no_confidentiality,
}


def visible_fields(inside: Sequence[Field], policy: HeaderPolicy) -> list[Field]:
    """Return what stands outside."""
    return [shown for shown in map(policy, inside) if shown is not None]


def payload_header(
    inside: Sequence[Field],
    outside: Sequence[Field],
    structural: Sequence[Field],
    protection: Literal["clear", "cipher"],
) -> bytes:
    """Return the header of the cryptographic payload with its empty line (RFC 9788 section 5.2.1).

    Args:
        inside: The true header.
        outside: What others see of it; without encryption nothing, because all of it is seen.
        structural: Content fields, without an hp parameter or with an old one, which is replaced.
        protection: "clear" for a signature alone, "cipher" where the payload is encrypted.
    """
    outer = [b"HP-Outer: " + field.line for field in outside]
    types = [field for field in structural if field.is_called("content-type")]
    others = [field for field in structural if not field.is_called("content-type")]
    content_type = Field("Content-Type", with_parameter(types[0].value if types else b" text/plain", "hp", protection))
    before, after = (b"".join([field.line for field in each]) for each in (inside, (*others, content_type)))
    return b"".join((b"MIME-Version: 1.0\r\n", before, *outer, after, b"\r\n"))


def with_parameter(content_type: bytes, name: str, value: str) -> bytes:
    """Return a Content-Type value with a parameter, in place of any it had of that name."""
    return without_parameter(content_type, name) + f'; {name}="{value}"'.encode()


def without_parameter(content_type: bytes, name: str) -> bytes:
    """Return a Content-Type value without a parameter."""
    pieces = split_parameters(content_type.decode("utf-8", "surrogateescape"))
    kept = [piece for piece in pieces if piece.strip() and piece.partition("=")[0].strip().lower() != name]
    return ";".join(kept).rstrip().encode("utf-8", "surrogateescape")


def hidden_fields(payload: Sequence[Field]) -> list[Field]:
    """Return the fields of a payload's header that others did not see as they are (RFC 9788 section 4.3).

    Args:
        payload: Header of a payload with hp="cipher"; HP-Outer says what stood outside, and only that counts.
    """
    seen = {(field.name.lower(), fields.unfolded(field.value)) for field in seen_fields(payload)}
    return [
        field
        for field in payload
        if not is_structural(field) and (field.name.lower(), fields.unfolded(field.value)) not in seen
    ]


def seen_fields(payload: Sequence[Field]) -> list[Field]:
    """Return the fields that others saw, as HP-Outer in a payload's header says (RFC 9788 section 2.2)."""
    split = [field.value.partition(b":") for field in payload if field.is_called("hp-outer")]
    return [Field(name.strip().decode("ascii", "replace"), value) for name, colon, value in split if colon]


def is_structural(field: Field) -> bool:
    """Say whether a field is about the entity and not about the message (RFC 9788 section 1.1.1), HP-Outer included."""
    return field.name.lower().startswith("content-") or field.is_called("mime-version", "hp-outer")

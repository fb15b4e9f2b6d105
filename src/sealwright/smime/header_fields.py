"""Header fields with letters outside ASCII, written in ASCII where that is possible: encoded words (RFC 2047), A-labels.

An address whose local part is not ASCII has no ASCII form (RFC 6532); its field stays as it is, and the mail server must know
SMTPUTF8.
"""

import re
from base64 import b64encode

from sealwright.smime.fields import EMAIL_ERRORS, MAX_DECODED_BYTES, Field, address_list, unfolded

ADDRESSES = ("from", "to", "cc", "reply-to", "sender")
_UNSTRUCTURED = ("subject", "comments", "keywords", "organization", "thread-topic")
_ENCODED_BYTES = 45
"""60 characters of base64: with "=?utf-8?b?" and "?=" one word is 72 of at most 75 characters."""


def ascii_field(field: Field) -> Field:
    """Return a field in ASCII, if it can be said so; else as it is."""
    if field.value.isascii() or len(field.value) > MAX_DECODED_BYTES:
        return field
    try:
        text = unfolded(field.value).decode("utf-8")
    except UnicodeDecodeError:
        return field
    if field.is_called(*_UNSTRUCTURED):
        return Field(field.name, b" " + encoded_words(text))
    if field.is_called(*ADDRESSES):
        written = _addresses(text)
        return field if written is None else Field(field.name, b" " + written)
    return field


def encoded_words(text: str) -> bytes:
    """Return a text as encoded words, folded (RFC 2047 section 2); no character is split between two."""
    words, current = [], b""
    for character in text:
        octets = character.encode("utf-8", "replace")
        if len(current) + len(octets) > _ENCODED_BYTES:
            words.append(current)
            current = b""
        current += octets
    words.append(current)
    return b"\r\n ".join(b"=?utf-8?b?" + b64encode(word) + b"?=" for word in words)


def mailbox(display_name: str, addr_spec: str) -> bytes:
    """Return a mailbox in ASCII; the addr-spec must be ASCII."""
    if not display_name:
        return addr_spec.encode("ascii")
    if not display_name.isascii():
        return encoded_words(display_name) + b" <" + addr_spec.encode("ascii") + b">"
    quoted = re.sub(r'(["\\])', r"\\\1", display_name)
    return f'"{quoted}" <{addr_spec}>'.encode("ascii")


def _addresses(text: str) -> bytes | None:
    try:
        found = address_list(text)
        if not found or any(not one.username.isascii() for one in found):
            return None
        specs = [f"{one.addr_spec.rpartition('@')[0]}@{one.domain.encode('idna').decode('ascii')}" for one in found]
    except EMAIL_ERRORS:
        return None
    return b",\r\n ".join(mailbox(one.display_name, spec) for one, spec in zip(found, specs, strict=True))

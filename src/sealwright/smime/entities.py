"""A MIME entity taken apart one level deep, octet for octet, and which entities S/MIME is made of (RFC 8551 section 3)."""

import re
from dataclasses import dataclass, field
from typing import Literal

from sealwright.cms import schema
from sealwright.smime import fields

MAX_PARTS = 1000
"""Of one message; each is parsed and shown by itself."""
MAX_DEPTH = 20
"""How deep parts nest: more than mail that people write, less than the stack holds."""
SmimeKind = Literal["", "opaque", "multipart", "signature"]
CmsKind = Literal["signed", "encrypted", "compressed"]
_OPAQUE = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_KIND_OF_NAME: dict[str, SmimeKind] = {
    "smime.p7m": "opaque",
    "smime.p7c": "opaque",
    "smime.p7z": "opaque",
    "smime.p7s": "signature",
}
"""RFC 8551 section 3.2.1. Other names with these endings are signed documents (CAdES), and attachments."""
_KIND_OF_CONTENT: dict[str, CmsKind] = {schema.SIGNED_DATA: "signed", schema.COMPRESSED_DATA: "compressed"}
_PEM = re.compile(rb"-----BEGIN (?:PKCS7|CMS)-----([A-Za-z0-9+/=\s]*)-----END ")
_SIGNATURE = ("application/pkcs7-signature", "application/x-pkcs7-signature")


@dataclass(frozen=True, slots=True)
class Entity:
    """A MIME entity taken apart one level deep.

    Attributes:
        fields: Its header.
        octets: All of it, as it came.
        body_start: Where in them the body begins.
        content_type: Lower case; "text/plain" where there is none.
        parameters: Of the Content-Type, by lower-case name.
    """

    fields: list[fields.Field]
    octets: bytes = field(repr=False)
    body_start: int
    content_type: str
    parameters: dict[str, str]

    @property
    def body(self) -> bytes:
        """The body as it came, copied."""
        return self.octets[self.body_start :]

    def decoded(self) -> bytes:
        """Return the body with its transfer encoding undone."""
        return fields.decode_body(
            self.octets, fields.first(self.fields, "content-transfer-encoding"), start=self.body_start
        )


def parse_entity(octets: bytes) -> Entity:
    """Take an entity apart.

    Raises:
        DecodingError: If it has too many header fields.
    """
    header, body_start = fields.parse_header(octets)
    content_type, parameters = fields.parameters(fields.first(header, "content-type"))
    if not fields.is_media_type(content_type):
        content_type, parameters = "text/plain", {}
    return Entity(header, octets, body_start, content_type, parameters)


def split_multipart(body: bytes, boundary: str) -> list[bytes]:
    """Split a multipart body into its parts, octet for octet; a missing last delimiter is forgiven.

    Of more than `MAX_PARTS` one more is returned, so that the reader sees that they are too many.
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
            return parts
    if start is not None and start < len(body):
        parts.append(body[start:])
    return parts


def smime_kind(entity: Entity) -> SmimeKind:
    """Say what an entity is in S/MIME: a CMS message, multipart/signed, a detached signature, or nothing of these.

    A message whose type a gateway forgot is known by its file name (RFC 8551 section 3.9).
    """
    if entity.content_type in _OPAQUE:
        return "opaque"
    if entity.content_type in _SIGNATURE:
        return "signature"
    if entity.content_type == "multipart/signed":
        protocol = entity.parameters.get("protocol", "").strip().lower() or _protocol_of_parts(entity)
        return "multipart" if protocol in _SIGNATURE else ""
    if entity.content_type == "application/octet-stream":
        return _KIND_OF_NAME.get(file_name(entity).strip().lower(), "")
    return ""


def _protocol_of_parts(entity: Entity) -> str:
    """Return the type of the second part, for programs that leave the protocol parameter out (RFC 1847 wants it)."""
    parts = split_multipart(entity.body, entity.parameters.get("boundary", ""))
    return parse_entity(parts[1]).content_type if len(parts) == 2 else ""


def cms_octets(entity: Entity) -> bytes:
    """Return the CMS message that an entity holds, also where a program wrapped it once more.

    Gateways have been seen to lose the Content-Transfer-Encoding, so that base64 stands where octets should, and to write
    PEM (`openssl smime -outform PEM`). CMS begins with a SEQUENCE, 0x30, which is "0" as text: base64 of CMS begins with "M".
    """
    octets = entity.decoded()
    text = octets.lstrip()[:64]
    if text.startswith(b"-----BEGIN "):
        match = _PEM.search(octets)
        return fields.decode_body(match[1], b"base64") if match else octets
    if octets[:1] != b"\x30" and re.match(rb"M[A-Za-z0-9+/\s]+\Z", text):
        return fields.decode_body(octets, b"base64")
    return octets


def cms_kind(content_info: bytes) -> CmsKind:
    """Say what a CMS message is; decides how it is read, and nothing about trust.

    Raises:
        DecodingError: If it is none that is mail.
    """
    return _KIND_OF_CONTENT.get(schema.content_type(content_info), "encrypted")


def file_name(entity: Entity) -> str:
    """Return the file name that an entity suggests, as it is written; empty if there is none."""
    _, options = fields.parameters(fields.first(entity.fields, "content-disposition"))
    return options.get("filename") or entity.parameters.get("name") or ""

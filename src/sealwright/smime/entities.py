"""A MIME entity taken apart one level deep, octet for octet, and which entities S/MIME is made of (RFC 8551 section 3)."""

import re
from dataclasses import dataclass, field
from typing import Literal

from sealwright.cms import schema
from sealwright.errors import DecodingError
from sealwright.smime import fields

MAX_PARTS = 1000
SmimeKind = Literal["", "opaque", "multipart", "signature"]
CmsKind = Literal["signed", "encrypted", "compressed"]
_OPAQUE = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_SIGNATURE = ("application/pkcs7-signature", "application/x-pkcs7-signature")


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


def smime_kind(entity: Entity) -> SmimeKind:
    """Say what an entity is in S/MIME: a CMS message, multipart/signed, a detached signature, or nothing of these.

    A message whose type a gateway forgot is known by its file name (RFC 8551 section 3.9).
    """
    if entity.content_type in _OPAQUE:
        return "opaque"
    if entity.content_type in _SIGNATURE:
        return "signature"
    if entity.content_type == "multipart/signed":
        return "multipart" if entity.parameters.get("protocol", "").strip().lower() in _SIGNATURE else ""
    if entity.content_type == "application/octet-stream":
        name = file_name(entity).lower()
        return "opaque" if name == "smime.p7m" else "signature" if name == "smime.p7s" else ""
    return ""


def cms_kind(content_info: bytes) -> CmsKind:
    """Say what a CMS message is; decides how it is read, and nothing about trust.

    Raises:
        DecodingError: If it is none that is mail.
    """
    content = schema.load_content(content_info)
    if isinstance(content, schema.SignedData):
        return "signed"
    return "compressed" if isinstance(content, schema.CompressedData) else "encrypted"


def file_name(entity: Entity) -> str:
    """Return the file name that an entity suggests, as it is written; empty if there is none."""
    _, options = fields.parameters(fields.first(entity.fields, "content-disposition"))
    return options.get("filename") or entity.parameters.get("name") or ""

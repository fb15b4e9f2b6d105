"""From a protected message to what may be shown: layers of encryption and signature opened from the outside in.

Only the outermost layers count (the cryptographic envelope, RFC 9788 section 4.1): a signed part deep inside a multipart
says nothing about the message. A signature *outside* the encryption says nothing either about who wrote the text, so the
innermost signature is the one reported. Whose certificate it is, and whether it fits From, is judged by the caller.
"""

import re
from dataclasses import dataclass, field

from sealwright.cms import enveloped, signed
from sealwright.cms.decryptors import FindKeys
from sealwright.cms.identifiers import RecipientIdentifier
from sealwright.errors import DecodingError, InvalidSignatureError
from sealwright.smime import fields
from sealwright.smime.parts import Attachment, Entity, parse_entity, split_multipart, text_and_attachments

MAX_MESSAGE_BYTES = 100 * 1024 * 1024
MAX_LAYERS = 8
"""Signed, encrypted and signed again makes three; more is an attack."""
_OPAQUE = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_SIGNATURE = ("application/pkcs7-signature", "application/x-pkcs7-signature")


@dataclass(frozen=True, slots=True)
class OpenedMessage:
    """What a message holds.

    Attributes:
        encrypted: It was encrypted.
        authenticated_encryption: Every layer of encryption protects integrity too.
        verified: The innermost signature, if there is one and it holds.
        signature_error: Why the innermost signature does not hold, for people; None if it holds or there is none.
        headers_protected: The header that is reported was encrypted or verifiably signed with the text.
        from_addresses: Of every From field; of the protected header only if the signature holds, because an encryption
            alone says nothing about the sender.
        subject: One line, decoded.
        body_text: The text to show; HTML reduced to its text.
        attachments: Everything else.
        entity: The innermost message, octet for octet.
        recipient: Which key opened the innermost encryption.
    """

    encrypted: bool
    authenticated_encryption: bool
    verified: signed.SignedContent | None
    signature_error: str | None
    headers_protected: bool
    from_addresses: tuple[str, ...]
    subject: str
    body_text: str = field(repr=False)
    attachments: tuple[Attachment, ...]
    entity: bytes = field(repr=False)
    recipient: RecipientIdentifier | None


@dataclass(slots=True)
class _Layers:
    """What the layers opened so far said."""

    entity: bytes
    encrypted: bool = False
    authenticated: bool = True
    verified: signed.SignedContent | None = None
    signature_error: str | None = None
    recipient: RecipientIdentifier | None = None


def open_message(message: bytes, find_keys: FindKeys) -> OpenedMessage:
    """Open a message, whatever its protection; one without any is returned as it is.

    Args:
        message: RFC 5322; any line ends.
        find_keys: Gives every key that a recipient identifier may mean.

    Raises:
        DecodingError: If it is malformed or beyond the limits of size, depth or parts.
        DecryptionError: If it is encrypted and cannot be decrypted.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise DecodingError("the message is too large")
    layers = _Layers(message)
    outer = current = parse_entity(message)
    for _ in range(MAX_LAYERS):
        if not _open_layer(current, layers, find_keys):
            break
        current = parse_entity(layers.entity)
    else:
        raise DecodingError("the message has too many layers of protection")
    protected = (layers.encrypted or layers.verified is not None) and current.parameters.get("hp") in (
        "clear",
        "cipher",
    )
    shown = current.fields if protected else outer.fields
    speaks = current.fields if protected and layers.verified is not None else outer.fields
    body_text, attachments = text_and_attachments(current, strip_legacy_display=protected)
    return OpenedMessage(
        encrypted=layers.encrypted,
        authenticated_encryption=layers.encrypted and layers.authenticated,
        verified=layers.verified,
        signature_error=layers.signature_error,
        headers_protected=protected,
        from_addresses=fields.addresses(speaks, "from"),
        subject=fields.decode_field(fields.first(shown, "subject")),
        body_text=body_text,
        attachments=attachments,
        entity=layers.entity,
        recipient=layers.recipient,
    )


def _open_layer(entity: Entity, layers: _Layers, find_keys: FindKeys) -> bool:
    """Open one layer; False where the payload is reached."""
    if entity.content_type in _OPAQUE or _is_disguised(entity):
        kind = entity.parameters.get("smime-type", "").lower()
        return kind not in ("certs-only", "compressed-data") and _open_opaque(entity.decoded(), layers, find_keys)
    if entity.content_type == "multipart/signed" and entity.parameters.get("protocol", "").lower() in _SIGNATURE:
        return _open_detached(entity, layers)
    return False


def _is_disguised(entity: Entity) -> bool:
    """Recognize a message whose type a gateway forgot, by its file name (RFC 8551 section 3.2.1)."""
    _, options = fields.parameters(fields.first(entity.fields, "content-disposition"))
    name = options.get("filename") or entity.parameters.get("name") or ""
    return entity.content_type == "application/octet-stream" and name.lower() == "smime.p7m"


def _open_opaque(content_info: bytes, layers: _Layers, find_keys: FindKeys) -> bool:
    if signed.is_signed_data(content_info):
        content = signed.unverified_content(content_info)
        if content is None:  # certificates only, or a signature that has lost its content
            return False
        _judge(content_info, (None,), layers)
        layers.entity = content
        return True
    decrypted = enveloped.decrypt(content_info, find_keys)
    layers.entity = decrypted.content
    layers.encrypted = True
    layers.authenticated = layers.authenticated and decrypted.authenticated
    layers.recipient = decrypted.recipient
    layers.verified = layers.signature_error = None  # of a signature outside the encryption
    return True


def _open_detached(entity: Entity, layers: _Layers) -> bool:
    parts = split_multipart(entity.body, entity.parameters.get("boundary", ""))
    if len(parts) != 2:
        layers.verified, layers.signature_error = None, "the message was changed: it is not one text and one signature"
        return False
    signature = parse_entity(parts[1])
    if signature.content_type not in _SIGNATURE:
        layers.verified, layers.signature_error = None, "the message was changed: the signature is missing"
        return False
    # The signature is over CRLF; stores that keep bare line feeds are common (RFC 8551 section 3.1.1).
    canonical = re.sub(rb"\r\n|\r|\n", b"\r\n", parts[0])
    _judge(signature.decoded(), tuple(dict.fromkeys((parts[0], canonical))), layers)
    layers.entity = parts[0] if layers.verified is None else layers.verified.content
    return True


def _judge(content_info: bytes, contents: tuple[bytes | None, ...], layers: _Layers) -> None:
    """Verify over the first of the contents that fits; what was known of signatures further out is forgotten."""
    layers.verified = layers.signature_error = None
    for content in contents:
        try:
            layers.verified, layers.signature_error = signed.verify(content_info, content), None
        except (InvalidSignatureError, DecodingError) as error:
            layers.signature_error = error.message
        else:
            return

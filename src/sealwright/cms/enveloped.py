"""EnvelopedData (RFC 5652 section 6) and AuthEnvelopedData (RFC 5083) over whole messages."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509
from cryptography.hazmat import asn1

from sealwright.asn1.der import object_identifier
from sealwright.asn1.writer import enclosed, tlv
from sealwright.cms import algorithms, schema
from sealwright.cms.content_ciphers import ContentCipher, WrittenCipher, new_cipher, read_cipher
from sealwright.cms.decryptors import FindKeys, WrappedKey
from sealwright.cms.identifiers import RecipientIdentifier
from sealwright.cms.key_transport import KeyTransport
from sealwright.cms.recipients import (
    VERSION_0,
    KeyCandidate,
    candidate_keys,
    encode_recipient_infos,
    enveloped_data_version,
    originators,
    wrap_for_all,
    wrapped_keys,
)
from sealwright.errors import DecodingError, DecryptionError

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Whole-message functions hold a few copies in memory; no mail server takes more."""
MAX_ATTRIBUTES = 64
"""Authenticated attributes are few, and each is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decryption:
    """How a message was decrypted.

    Attributes:
        content_type: Dotted OID of what the plaintext is; id-data for mail.
        authenticated: True for AuthEnvelopedData only; CBC protects no integrity.
        content_cipher: Such as "aes-256-cbc".
        key_management: How the content-encryption key was wrapped, such as "rsa-pkcs1-v1.5".
        recipient: Which RecipientInfo opened it.
        recipients: All that the message names, in its order.
        derived_key: The content's key was derived, so that its cipher cannot have been changed on the way (RFC 9709).
        warnings: Codes of what is weak: those of `KeyCandidate`, and "legacy-cipher".
    """

    content_type: str
    authenticated: bool
    content_cipher: str
    key_management: str
    recipient: RecipientIdentifier
    recipients: tuple[RecipientIdentifier, ...]
    derived_key: bool
    warnings: tuple[str, ...]

    @classmethod
    def of(
        cls,
        content_type: str,
        cipher: ContentCipher,
        candidate: KeyCandidate,
        wrapped: Sequence[WrappedKey],
        **content: bytes,
    ) -> Self:
        """Return what is known once a key has opened the content."""
        return cls(
            content_type=content_type,
            authenticated=cipher.is_authenticated,
            content_cipher=cipher.name,
            key_management=candidate.key_management,
            recipient=candidate.recipient,
            recipients=tuple(each.recipient for each in wrapped),
            derived_key=cipher.derivation_info is not None,
            warnings=candidate.warnings + (("legacy-cipher",) if cipher.is_legacy else ()),
            **content,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decrypted(Decryption):
    """A decrypted content.

    Attributes:
        content: Plaintext.
    """

    content: bytes = field(repr=False)


def encrypt(
    content: bytes,
    recipients: Sequence[x509.Certificate],
    *,
    cipher: WrittenCipher = "aes-256-cbc",
    key_transport: KeyTransport = "rsa-pkcs1-v1.5",
    derive_key: bool = False,
    content_type: str = schema.DATA,
) -> bytes:
    """Encrypt to all recipients under a fresh key.

    Args:
        content: Plaintext.
        recipients: At least one; whether they are trusted is the caller's question.
        cipher: "aes-256-cbc" is read by every client; those that authenticate give AuthEnvelopedData.
        key_transport: For RSA recipients; PKCS #1 v1.5 is read by every client.
        derive_key: Bind the cipher into the key (RFC 9709); read by the newest clients only.
        content_type: Dotted OID; RFC 8551 section 2.4.3 wants id-data in mail.

    Returns:
        DER ContentInfo.

    Raises:
        InputError: If there is no recipient, or too many.
        UnsupportedAlgorithmError: If a recipient's key cannot be encrypted to.
    """
    content_cipher = new_cipher(cipher, derive_key=derive_key)
    key = secrets.token_bytes(content_cipher.key_bytes)
    infos = wrap_for_all(key, recipients, key_transport)
    attributes = _authenticated_attributes(content_type) if content_cipher.is_authenticated else None
    ciphertext, tag = content_cipher.encrypt(key, content, associated_data(attributes))
    if content_cipher.is_authenticated:
        kind, version, after = schema.AUTH_ENVELOPED_DATA, VERSION_0, tlv(0x04, tag)
        if attributes is not None:
            after = tlv(0xA1, *map(schema.raw, attributes)) + after
    else:
        kind, version, after = schema.ENVELOPED_DATA, enveloped_data_version(infos), b""
    return enclosed(
        ciphertext,
        (0x80, b"", b""),
        (0x30, object_identifier(content_type) + content_cipher.algorithm_der(), b""),
        (0x30, version + encode_recipient_infos(infos), after),
        *schema.content_info_around(kind),
    )


def decrypt(
    content_info: bytes,
    find_keys: FindKeys,
    *,
    allow_legacy: bool = False,
    certificates: Iterable[x509.Certificate] = (),
) -> Decrypted:
    """Decrypt with whichever of the reader's keys fits.

    Args:
        content_info: DER or BER.
        find_keys: Gives every key that a recipient identifier may mean.
        allow_legacy: Also read triple DES and RC2, for old mail.
        certificates: Of senders who encrypt with a lasting key (RFC 6278), besides those in the message.

    Raises:
        DecodingError: If it is not an encrypted CMS message, or malformed.
        DecryptionError: If it cannot be decrypted. Only what everybody can see, the name of an unsafe or unknown cipher, is
            told; nothing that depends on a key.
    """
    if len(content_info) > MAX_MESSAGE_BYTES:
        raise DecodingError("the encrypted message is too large")
    # 1 what it is, for whom, and with which cipher
    message = schema.load_content(content_info)
    attributes, tag = None, b""
    if isinstance(message, schema.EnvelopedData):
        info = message.encrypted_content_info
    elif isinstance(message, schema.AuthEnvelopedData):
        info, attributes, tag = message.auth_encrypted_content_info, message.auth_attrs, message.mac
    else:
        raise DecodingError("the message is not encrypted")
    is_authenticated = isinstance(message, schema.AuthEnvelopedData)
    originator_info = None if message.originator_info is None else b"".join(map(schema.raw, message.originator_info))
    wrapped = wrapped_keys(message.recipient_infos.as_list(), originators(originator_info, certificates))
    cipher = read_cipher(info.content_encryption_algorithm, authenticated=is_authenticated, allow_legacy=allow_legacy)
    if info.encrypted_content is None:
        raise DecodingError("the message has lost its content")
    if is_authenticated:
        check_authenticated_attributes(attributes, info.content_type.dotted_string)
    # 2 each key that fits, until one opens the content
    for candidate in candidate_keys(wrapped, find_keys, cipher):
        try:
            content = cipher.decrypt(candidate.key, info.encrypted_content, tag, associated_data(attributes))
        except DecryptionError:
            continue
        return Decrypted.of(info.content_type.dotted_string, cipher, candidate, wrapped, content=content)
    raise DecryptionError


def check_authenticated_attributes(attributes: Sequence[asn1.TLV] | None, content_type: str) -> None:
    """Check that the authenticated attributes speak of this content (RFC 5083 section 2.1).

    They MUST be there with a content type other than id-data, which nothing else would authenticate; the contentType among
    them must be the content's.

    Raises:
        DecodingError: If they do not.
    """
    if attributes is None:
        if content_type != schema.DATA:
            raise DecodingError("the type of the content is not authenticated")
        return
    if len(attributes) > MAX_ATTRIBUTES:
        raise DecodingError("the message has too many attributes")
    try:
        parsed = [attribute.parse(schema.Attribute) for attribute in attributes]
        types = [each for each in parsed if each.attr_type.dotted_string == algorithms.CONTENT_TYPE]
        named = [
            value.parse(x509.ObjectIdentifier).dotted_string for each in types for value in each.attr_values.as_list()
        ]
    except ValueError as error:
        raise DecodingError("an authenticated attribute is malformed") from error
    if named != [content_type] and (named or content_type != schema.DATA):
        raise DecodingError("the type of the content is not the authenticated one")


def associated_data(attributes: Sequence[asn1.TLV] | None) -> bytes:
    """Return what the tag covers besides the content: the attributes under the tag of a SET (RFC 5083 section 2.2)."""
    return b"" if attributes is None else tlv(0x31, *map(schema.raw, attributes))


def _authenticated_attributes(content_type: str) -> list[asn1.TLV] | None:
    if content_type == schema.DATA:
        return None
    encode = asn1.encode_der
    attribute_type, value = x509.ObjectIdentifier(algorithms.CONTENT_TYPE), x509.ObjectIdentifier(content_type)
    return [schema.any_element(tlv(0x30, encode(attribute_type), tlv(0x31, encode(value))))]

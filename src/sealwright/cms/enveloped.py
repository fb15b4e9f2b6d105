"""EnvelopedData (RFC 5652 section 6) and AuthEnvelopedData (RFC 5083) over whole messages."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers import algorithms as ciphers
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealwright.asn1.ber import tlv
from sealwright.cms import algorithms, schema
from sealwright.cms.decryptors import FindKeys
from sealwright.cms.identifiers import RecipientIdentifier
from sealwright.cms.recipients import MAX_RECIPIENTS, candidate_keys, wrap_key, wrapped_keys
from sealwright.errors import DecodingError, DecryptionError, InputError

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Whole-message functions hold a few copies in memory; no mail server takes more."""
MIN_TAG_BYTES = 12


@dataclass(frozen=True, slots=True)
class Decrypted:
    """A decrypted content.

    Attributes:
        content: Plaintext.
        content_type: Dotted OID of what the plaintext is; id-data for mail.
        authenticated: True for AuthEnvelopedData only; CBC protects no integrity.
        content_cipher: Such as "aes-256-cbc".
        key_management: How the content-encryption key was wrapped, such as "rsa-pkcs1-v1.5".
        recipient: Which RecipientInfo opened it.
        recipients: All that the message names, in its order.
        warnings: Codes of what is weak about it.
    """

    content: bytes = field(repr=False)
    content_type: str
    authenticated: bool
    content_cipher: str
    key_management: str
    recipient: RecipientIdentifier
    recipients: tuple[RecipientIdentifier, ...]
    warnings: tuple[str, ...] = ()


def encrypt(
    content: bytes,
    recipients: Sequence[x509.Certificate],
    *,
    cipher: Literal["aes-256-cbc", "aes-256-gcm"] = "aes-256-cbc",
) -> bytes:
    """Encrypt to all recipients under a fresh key.

    Args:
        content: Plaintext.
        recipients: At least one; whether they are trusted is the caller's question.
        cipher: "aes-256-cbc" is read by every client; "aes-256-gcm" also protects integrity.

    Returns:
        DER ContentInfo.

    Raises:
        InputError: If there is no recipient, or too many.
        UnsupportedAlgorithmError: If a recipient's key cannot be encrypted to.
    """
    if not 1 <= len(recipients) <= MAX_RECIPIENTS:
        raise InputError("a message is encrypted to at least one and at most 1,000 recipients")
    key = secrets.token_bytes(32)
    infos: list[schema.RecipientInfo] = [wrap_key(key, certificate) for certificate in recipients]
    if cipher == "aes-256-gcm":
        return _encrypt_gcm(content, key, infos)
    iv = secrets.token_bytes(16)
    padder, encryptor = padding.PKCS7(128).padder(), Cipher(ciphers.AES(key), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padder.update(content) + padder.finalize()) + encryptor.finalize()
    # RFC 5652 section 6.1: version 0 with key transport by issuerAndSerialNumber only, else 2
    version = 0 if all(isinstance(info, schema.KeyTransRecipientInfo) for info in infos) else 2
    enveloped = schema.EnvelopedData(
        version=version,
        originator_info=None,
        recipient_infos=asn1.SetOf(infos),
        encrypted_content_info=_content_info(algorithms.AES256_CBC, asn1.encode_der(iv), ciphertext),
        unprotected_attrs=None,
    )
    return schema.content_info(schema.ENVELOPED_DATA, asn1.encode_der(enveloped))


def decrypt(content_info: bytes, find_keys: FindKeys) -> Decrypted:
    """Decrypt with whichever of the reader's keys fits.

    Args:
        content_info: DER or BER.
        find_keys: Gives every key that a recipient identifier may mean.

    Raises:
        DecodingError: If it is not an encrypted CMS message.
        DecryptionError: If it cannot be decrypted, for whatever reason.
    """
    if len(content_info) > MAX_MESSAGE_BYTES:
        raise DecodingError("the encrypted message is too large")
    message = schema.load_content(content_info)
    if isinstance(message, schema.EnvelopedData):
        info, known = message.encrypted_content_info, algorithms.CBC_KEY_BYTES
    elif isinstance(message, schema.AuthEnvelopedData):
        info, known = message.auth_encrypted_content_info, algorithms.GCM_KEY_BYTES
    else:
        raise DecodingError("the message is signed, not encrypted")
    wrapped = wrapped_keys(message.recipient_infos.as_list())
    oid = schema.algorithm_oid(info.content_encryption_algorithm)
    if oid not in known or len(info.content_encryption_algorithm) != 2 or info.encrypted_content is None:
        raise DecryptionError
    for candidate in candidate_keys(wrapped, find_keys, known[oid]):
        content = _decrypt_content(message, info, candidate.key)
        if content is not None:
            return Decrypted(
                content=content,
                content_type=info.content_type.dotted_string,
                authenticated=isinstance(message, schema.AuthEnvelopedData),
                content_cipher=algorithms.CIPHER_NAMES[oid],
                key_management=candidate.key_management,
                recipient=candidate.recipient,
                recipients=tuple(each.recipient for each in wrapped),
            )
    raise DecryptionError


def _content_info(oid: str, parameters: bytes, ciphertext: bytes) -> schema.EncryptedContentInfo:
    return schema.EncryptedContentInfo(
        content_type=x509.ObjectIdentifier(schema.DATA),
        content_encryption_algorithm=schema.algorithm(oid, parameters),
        encrypted_content=ciphertext,
    )


def _encrypt_gcm(content: bytes, key: bytes, infos: list[schema.RecipientInfo]) -> bytes:
    nonce = secrets.token_bytes(12)
    sealed = AESGCM(key).encrypt(nonce, content, None)
    parameters = asn1.encode_der(schema.GCMParameters(aes_nonce=nonce, aes_icv_length=16))
    enveloped = schema.AuthEnvelopedData(
        version=0,
        originator_info=None,
        recipient_infos=asn1.SetOf(infos),
        auth_encrypted_content_info=_content_info(algorithms.AES256_GCM, parameters, sealed[:-16]),
        auth_attrs=None,
        mac=sealed[-16:],
        unauth_attrs=None,
    )
    return schema.content_info(schema.AUTH_ENVELOPED_DATA, asn1.encode_der(enveloped))


def _decrypt_content(
    message: schema.EnvelopedData | schema.AuthEnvelopedData, info: schema.EncryptedContentInfo, key: bytes
) -> bytes | None:
    """Decrypt the content; None if key, padding or tag are wrong."""
    ciphertext, parameters = info.encrypted_content or b"", info.content_encryption_algorithm[1]
    try:
        if isinstance(message, schema.EnvelopedData):
            decryptor = Cipher(ciphers.AES(key), modes.CBC(parameters.parse(bytes))).decryptor()
            unpadder = padding.PKCS7(128).unpadder()
            padded = decryptor.update(ciphertext) + decryptor.finalize()
            return unpadder.update(padded) + unpadder.finalize()
        gcm = parameters.parse(schema.GCMParameters)
        if gcm.aes_icv_length != len(message.mac) or not MIN_TAG_BYTES <= len(message.mac) <= 16:
            return None
        mode = modes.GCM(gcm.aes_nonce, message.mac, min_tag_length=MIN_TAG_BYTES)
        opener = Cipher(ciphers.AES(key), mode).decryptor()
        if message.auth_attrs is not None:  # RFC 5083 section 2.2: authenticated as a SET
            opener.authenticate_additional_data(tlv(0x31, *map(schema.raw, message.auth_attrs)))
        return opener.update(ciphertext) + opener.finalize()
    except (ValueError, InvalidTag):
        return None

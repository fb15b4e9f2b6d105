"""One RecipientInfo on its own: how a reader hands it to a key that is elsewhere, in an HSM or behind a service."""

from cryptography.hazmat import asn1

from sealwright.asn1.der import object_identifier
from sealwright.asn1.writer import tlv
from sealwright.cms import algorithms
from sealwright.cms.decryptors import WrappedKey
from sealwright.cms.known_certificates import known_certificate
from sealwright.cms.recipient_schema import (
    KEMRecipientInfo,
    KeyAgreeRecipientInfo,
    KeyTransRecipientInfo,
    RecipientEncryptedKey,
)
from sealwright.cms.recipients import parse_recipient_infos, wrapped_keys
from sealwright.errors import DecodingError, InputError

MAX_BYTES = 16 * 1024
"""An RSA-16384 key wraps into 2 KiB, ML-KEM-1024 into 1.7 KiB; issuer names are short."""


def encode_recipient_info(wrapped: WrappedKey) -> bytes:
    """Encode the RecipientInfo of one recipient, without what it holds for others.

    Returns:
        DER RecipientInfo (RFC 5652 section 6.2).

    Raises:
        InputError: If it takes a password or a key that was agreed before, which no other place has.
    """
    info = wrapped.info
    if isinstance(info, KeyTransRecipientInfo):
        return asn1.encode_der(info)
    if isinstance(info, KeyAgreeRecipientInfo):
        alone = KeyAgreeRecipientInfo(
            version=info.version,
            originator=info.originator,
            ukm=info.ukm,
            key_encryption_algorithm=info.key_encryption_algorithm,
            recipient_encrypted_keys=[_own(info, wrapped)],
        )
        return b"\xa1" + asn1.encode_der(alone)[1:]
    if isinstance(info, KEMRecipientInfo):
        return tlv(0xA4, object_identifier(algorithms.KEM_RECIPIENT), asn1.encode_der(info))
    raise InputError("what was encrypted with a password or an agreed key is opened here or nowhere")


def decode_recipient_info(encoded: bytes, content_key_bytes: int, originator_certificate: bytes = b"") -> WrappedKey:
    """Decode what `encode_recipient_info` made.

    Args:
        encoded: DER RecipientInfo for one recipient.
        content_key_bytes: What the content's cipher needs.
        originator_certificate: DER, where the sender has a lasting key; else empty.

    Raises:
        DecodingError: If it is malformed, of a kind that takes no private key, or for more than one recipient.
    """
    if len(encoded) > MAX_BYTES or len(originator_certificate) > MAX_BYTES:
        raise DecodingError("the RecipientInfo is too large")
    infos = parse_recipient_infos(encoded)
    found = wrapped_keys(infos)
    usable = KeyTransRecipientInfo | KeyAgreeRecipientInfo | KEMRecipientInfo
    if len(infos) != 1 or len(found) != 1 or not isinstance(found[0].info, usable):
        raise DecodingError("not one RecipientInfo of one recipient with a private key")
    originator = known_certificate(originator_certificate) if originator_certificate else None
    if originator_certificate and originator is None:
        raise DecodingError("the originator's certificate cannot be read")
    one = found[0]
    return WrappedKey(one.recipient, one.info, one.encrypted_key, originator, content_key_bytes)


def _own(info: KeyAgreeRecipientInfo, wrapped: WrappedKey) -> RecipientEncryptedKey:
    return next(key for key in info.recipient_encrypted_keys if key.encrypted_key == wrapped.encrypted_key)


def originator_der(wrapped: WrappedKey) -> bytes:
    """Return the certificate of a sender with a lasting key, DER; empty where there is none."""
    return b"" if wrapped.originator_certificate is None else wrapped.originator_certificate.der

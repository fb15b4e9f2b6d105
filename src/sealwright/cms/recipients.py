"""RecipientInfos: a content-encryption key wrapped for many, and found again by one (RFC 5652 section 6.2).

Each kind of RecipientInfo has a module of its own; this one chooses between them.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sealwright.cms import key_agreement, key_transport, schema
from sealwright.cms.decryptors import FindKeys, WrappedKey
from sealwright.cms.identifiers import RecipientIdentifier, identifier
from sealwright.errors import DecodingError, UnsupportedAlgorithmError

MAX_RECIPIENTS = 1000
"""A mail to more people goes to a list; more RecipientInfos than this are an attack on the reader."""
MAX_TRIED_KEYS = 16
"""Each costs a private-key operation and a pass over the content; more matching keys than this no honest message has."""
_SUBSTITUTE_SECRET = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class KeyCandidate:
    """A content-encryption key that may be right: only the content, or its tag, can tell.

    Attributes:
        key: Of the length that the content cipher needs.
        recipient: Which RecipientInfo it comes from.
        key_management: Such as "rsa-pkcs1-v1.5".
    """

    key: bytes = field(repr=False)
    recipient: RecipientIdentifier
    key_management: str


def wrap_key(content_encryption_key: bytes, certificate: x509.Certificate) -> schema.RecipientInfo:
    """Wrap the content-encryption key for the holder of a certificate.

    Raises:
        UnsupportedAlgorithmError: If the certificate's key is neither RSA nor on P-256, P-384 or P-521.
    """
    public_key = certificate.public_key()
    if isinstance(public_key, rsa.RSAPublicKey):
        return key_transport.wrap_key(content_encryption_key, certificate, public_key)
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return key_agreement.wrap_key(content_encryption_key, certificate, public_key)
    raise UnsupportedAlgorithmError("mail can be encrypted to RSA and elliptic-curve keys only")


def wrapped_keys(infos: Sequence[schema.RecipientInfo]) -> list[WrappedKey]:
    """List the wrapped keys of a message in its order; kinds that are not known are skipped.

    Raises:
        DecodingError: If there are more than `MAX_RECIPIENTS`.
    """
    found: list[WrappedKey] = []
    for info in infos:
        if isinstance(info, schema.KeyTransRecipientInfo):
            found.append(WrappedKey(identifier(info.rid), info, info.encrypted_key))
        elif isinstance(info, schema.KeyAgreeRecipientInfo):
            found.extend(
                WrappedKey(identifier(key.rid), info, key.encrypted_key) for key in info.recipient_encrypted_keys
            )
        if len(found) > MAX_RECIPIENTS:
            raise DecodingError("the message has too many recipients")
    return found


def candidate_keys(wrapped: Sequence[WrappedKey], find_keys: FindKeys, key_bytes: int) -> Iterator[KeyCandidate]:
    """Give the content-encryption keys that the reader's keys unwrap, in the order of the message.

    Where RSA PKCS #1 v1.5 gives no key of the right length, another takes its place and the caller goes on as if it were
    right (RFC 3218): it is the same for the same message, so that asking again tells nothing either.

    Args:
        wrapped: From `wrapped_keys`.
        find_keys: The reader's keys.
        key_bytes: What the content cipher needs.
    """
    tried = 0
    for each in wrapped:
        for decryptor in find_keys(each.recipient):
            tried += 1
            if tried > MAX_TRIED_KEYS:
                return
            key = decryptor.unwrap_key(each)
            if isinstance(each.info, schema.KeyTransRecipientInfo):
                substitute = hmac.digest(_SUBSTITUTE_SECRET, each.encrypted_key, hashlib.sha256)[:key_bytes]
                key = key if key is not None and len(key) == key_bytes else substitute
            if key is not None and len(key) == key_bytes:
                yield KeyCandidate(key, each.recipient, _key_management(each.info))


def _key_management(info: schema.KeyTransRecipientInfo | schema.KeyAgreeRecipientInfo) -> str:
    return "rsa" if isinstance(info, schema.KeyTransRecipientInfo) else "ecdh"

"""What can open a RecipientInfo: private keys in memory, in an HSM or behind a service, all behind one protocol."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x448, x25519

from sealwright.cms import kem, key_agreement, key_transport, symmetric_recipients
from sealwright.cms.identifiers import RecipientIdentifier
from sealwright.cms.known_certificates import KnownCertificate
from sealwright.cms.recipient_schema import (
    KEKRecipientInfo,
    KEMRecipientInfo,
    KeyAgreeRecipientInfo,
    KeyTransRecipientInfo,
    PasswordRecipientInfo,
)
from sealwright.errors import DecodingError

DecryptionKey = rsa.RSAPrivateKey | key_agreement.AgreementPrivateKey | kem.KEMPrivateKey
OpenableRecipientInfo = (
    KeyTransRecipientInfo | KeyAgreeRecipientInfo | KEMRecipientInfo | KEKRecipientInfo | PasswordRecipientInfo
)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """One recipient's chance to open the message.

    Attributes:
        recipient: Whose key it takes.
        info: The RecipientInfo.
        encrypted_key: The wrapped content-encryption key; one KeyAgreeRecipientInfo may hold several.
        originator_certificate: The certificate with the sender's key, where a KeyAgreeRecipientInfo names one and it is there.
        content_key_bytes: What the content's cipher needs; 0 while that is not known.
    """

    recipient: RecipientIdentifier
    info: OpenableRecipientInfo
    encrypted_key: bytes
    originator_certificate: KnownCertificate | None = None
    content_key_bytes: int = 0


class KeyDecryptor(Protocol):
    """One key that may open a message."""

    def unwrap_key(self, wrapped: WrappedKey) -> bytes | None:
        """Return the content-encryption key, or None where it cannot be had; why not is never told.

        With RSA PKCS #1 v1.5 wrong padding may give other octets of any length; the caller goes on with a key of the
        right length as if nothing had happened (RFC 3218). Raises nothing for what the message holds; an implementation
        over a network or an HSM raises `UnavailableError` where the key cannot be reached.
        """
        ...


FindKeys = Callable[[RecipientIdentifier], Sequence[KeyDecryptor]]
"""Gives every key that an identifier may mean, best first; empty where there is none.

Key identifiers may collide, and each match must be tried (RFC 8551 section 2.2). A caller that gives keys that the
identifier does not name risks that AES-CBC content opens to nonsense, once in 256 tries.
"""


@dataclass(frozen=True, slots=True)
class PrivateKeyDecryptor:
    """A private key of `cryptography`, or an HSM key that subclasses the same base class.

    Attributes:
        private_key: RSA, on an elliptic curve, X25519 or X448, or ML-KEM; the last is any object with `decapsulate`.
    """

    private_key: DecryptionKey = field(repr=False)

    def unwrap_key(self, wrapped: WrappedKey) -> bytes | None:
        """Unwrap with the private key; see `KeyDecryptor.unwrap_key`."""
        info, key = wrapped.info, self.private_key
        try:
            if isinstance(key, rsa.RSAPrivateKey):
                return key_transport.unwrap_key(info, key) if isinstance(info, KeyTransRecipientInfo) else None
            if isinstance(key, ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey | x448.X448PrivateKey):
                if not isinstance(info, KeyAgreeRecipientInfo):
                    return None
                return key_agreement.unwrap_key(info, wrapped.encrypted_key, key, wrapped.originator_certificate)
            return kem.unwrap_key(info, key) if isinstance(info, KEMRecipientInfo) else None
        except (ValueError, keywrap.InvalidUnwrap, DecodingError, UnsupportedAlgorithm):
            return None


@dataclass(frozen=True, slots=True)
class SymmetricKeyDecryptor:
    """A key-encryption key that was agreed before (KEKRecipientInfo).

    Attributes:
        key_encryption_key: 16, 24 or 32 octets, for AES key wrap; 24 for triple DES.
    """

    key_encryption_key: bytes = field(repr=False)

    def unwrap_key(self, wrapped: WrappedKey) -> bytes | None:
        """Unwrap with the key; see `KeyDecryptor.unwrap_key`."""
        if not isinstance(wrapped.info, KEKRecipientInfo):
            return None
        try:
            return symmetric_recipients.unwrap_kek(wrapped.info, self.key_encryption_key)
        except (ValueError, keywrap.InvalidUnwrap, DecodingError):
            return None


@dataclass(frozen=True, slots=True)
class PasswordDecryptor:
    """A password (PasswordRecipientInfo).

    Attributes:
        password: As octets, UTF-8 where it was typed.
    """

    password: bytes = field(repr=False)

    def unwrap_key(self, wrapped: WrappedKey) -> bytes | None:
        """Unwrap with the password; see `KeyDecryptor.unwrap_key`."""
        if not isinstance(wrapped.info, PasswordRecipientInfo):
            return None
        try:
            return symmetric_recipients.unwrap_password(wrapped.info, self.password)
        except (ValueError, DecodingError):
            return None

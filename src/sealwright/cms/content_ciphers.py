"""Content-encryption algorithms: AES-CBC (RFC 3565), AES-GCM and -CCM (RFC 5084), ChaCha20-Poly1305 (RFC 8103), old ones.

A `ContentCipher` is an algorithm with its parameters, as a message names it. It gives encryptors and decryptors that take
the content in pieces of any size. With RFC 9709 the key of the content is derived from the one that recipients unwrap, so
that nobody can turn an authenticated message into an unauthenticated one.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers import algorithms as old_ciphers
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.ciphers import algorithms as ciphers
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sealwright.asn1.der import object_identifier
from sealwright.asn1.writer import tlv
from sealwright.cms import algorithms, schema
from sealwright.cms.cipher_streams import (
    MAX_TAG_BYTES,
    MIN_TAG_BYTES,
    CbcDecryptor,
    CbcEncryptor,
    CcmDecryptor,
    ChaCha20Poly1305Decryptor,
    ChaCha20Poly1305Encryptor,
    ContentDecryptor,
    ContentEncryptor,
    GcmDecryptor,
    GcmEncryptor,
)
from sealwright.cms.rc2 import Rc2CbcDecryptor
from sealwright.cms.recipient_schema import AEADParameters, RC2CBCParameter
from sealwright.errors import DecodingError, DecryptionError

WrittenCipher = Literal[
    "aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "aes-128-gcm", "aes-192-gcm", "aes-256-gcm", "chacha20-poly1305"
]
_Kind = Literal["cbc", "gcm", "ccm", "chacha20-poly1305", "des-ede3-cbc", "rc2-cbc"]
_SHORT_BYTES = 64 * 1024
"""GCM in one call saves half of the time of a short mail; of a longer one it makes a copy too many."""
_NONCE_BYTES = {"cbc": 16, "gcm": 12, "chacha20-poly1305": 12}
_RC2_KEYS = {160: ("rc2-40-cbc", 5), 120: ("rc2-64-cbc", 8), 58: ("rc2-cbc", 16)}
"""RFC 8018 appendix B.2.3: rc2ParameterVersion, and a key as long as it is strong (RFC 8551 appendix B.2)."""
_CEK_HKDF_SALT = b"The Cryptographic Message Syntax"  # RFC 9709 section 2
_CIPHERS: dict[str, tuple[str, _Kind, int]] = {
    **{oid: (f"aes-{size * 8}-cbc", "cbc", size) for oid, size in algorithms.CBC_KEY_BYTES.items()},
    **{oid: (f"aes-{size * 8}-gcm", "gcm", size) for oid, size in algorithms.GCM_KEY_BYTES.items()},
    **{oid: (f"aes-{size * 8}-ccm", "ccm", size) for oid, size in algorithms.CCM_KEY_BYTES.items()},
    algorithms.CHACHA20_POLY1305: ("chacha20-poly1305", "chacha20-poly1305", 32),
    algorithms.DES_EDE3_CBC: ("des-ede3-cbc", "des-ede3-cbc", 24),
    algorithms.RC2_CBC: ("rc2-cbc", "rc2-cbc", 16),
}
_BLOCK_CIPHERS: dict[str, Callable[[bytes], BlockCipherAlgorithm]] = {
    "cbc": ciphers.AES,
    "des-ede3-cbc": old_ciphers.TripleDES,
}
_OIDS = {name: oid for oid, (name, _, _) in _CIPHERS.items()}


@dataclass(frozen=True, slots=True)
class ContentCipher:
    """A content-encryption algorithm with its parameters.

    Attributes:
        name: Such as "aes-256-gcm".
        kind: Which construction.
        key_bytes: Length of the content-encryption key.
        nonce: Or initialization vector.
        tag_bytes: Zero where the cipher does not authenticate.
        derivation_info: With RFC 9709, DER of the inner AlgorithmIdentifier; else None.
    """

    name: str
    kind: _Kind
    key_bytes: int
    nonce: bytes
    tag_bytes: int = 0
    derivation_info: bytes | None = None

    @property
    def is_authenticated(self) -> bool:
        """Whether the cipher protects integrity too; then it stands in AuthEnvelopedData only."""
        return self.tag_bytes > 0

    @property
    def is_legacy(self) -> bool:
        """Whether the cipher is read for old messages only."""
        return self.kind in ("des-ede3-cbc", "rc2-cbc")

    def encryptor(self, content_encryption_key: bytes, associated_data: bytes = b"") -> ContentEncryptor:
        """Start to encrypt a content."""
        key = self._key(content_encryption_key)
        if self.kind == "gcm":
            return GcmEncryptor(key, self.nonce, associated_data)
        if self.kind == "chacha20-poly1305":
            return ChaCha20Poly1305Encryptor(key, self.nonce, associated_data)
        return CbcEncryptor(Cipher(ciphers.AES(key), modes.CBC(self.nonce)).encryptor())

    def decryptor(self, content_encryption_key: bytes, associated_data: bytes = b"") -> ContentDecryptor:
        """Start to decrypt a content.

        Args:
            content_encryption_key: Of `key_bytes`.
            associated_data: What the tag covers besides: the authenticated attributes as a DER SET, or nothing.

        Raises:
            DecryptionError: If the parameters do not fit the cipher.
        """
        key = self._key(content_encryption_key)
        try:
            if self.kind == "gcm":
                return GcmDecryptor(key, self.nonce, self.tag_bytes, associated_data)
            if self.kind == "ccm":
                return CcmDecryptor(key, self.nonce, self.tag_bytes, associated_data)
            if self.kind == "chacha20-poly1305":
                return ChaCha20Poly1305Decryptor(key, self.nonce, associated_data)
            if self.kind == "rc2-cbc":
                return CbcDecryptor(Rc2CbcDecryptor(key, len(key) * 8, self.nonce), 64)
            block_cipher = _BLOCK_CIPHERS[self.kind](key)
            decryptor = Cipher(block_cipher, modes.CBC(self.nonce)).decryptor()
            return CbcDecryptor(decryptor, block_cipher.block_size)
        except ValueError as error:
            raise DecryptionError from error

    def encrypt(
        self, content_encryption_key: bytes, plaintext: bytes, associated_data: bytes = b""
    ) -> tuple[bytes, bytes]:
        """Encrypt a whole content; returns the ciphertext, and the tag or nothing."""
        if self.kind == "gcm" and len(plaintext) <= _SHORT_BYTES:
            sealed = AESGCM(self._key(content_encryption_key)).encrypt(self.nonce, plaintext, associated_data)
            return sealed[: -self.tag_bytes], sealed[-self.tag_bytes :]
        encryptor = self.encryptor(content_encryption_key, associated_data)
        ciphertext = encryptor.update(plaintext)
        rest, tag = encryptor.finalize()
        return ciphertext + rest if rest else ciphertext, tag

    def decrypt(
        self, content_encryption_key: bytes, ciphertext: bytes, tag: bytes = b"", associated_data: bytes = b""
    ) -> bytes:
        """Decrypt a whole content.

        Raises:
            DecryptionError: If key, parameters, padding or tag are wrong.
        """
        if self.kind == "gcm" and len(ciphertext) <= _SHORT_BYTES and len(tag) == self.tag_bytes == MAX_TAG_BYTES:
            try:
                gcm = AESGCM(self._key(content_encryption_key))
                return gcm.decrypt(self.nonce, ciphertext + tag, associated_data)
            except (InvalidTag, ValueError) as error:
                raise DecryptionError from error
        decryptor = self.decryptor(content_encryption_key, associated_data)
        plaintext = decryptor.update(ciphertext)
        rest = decryptor.finalize(tag)
        return plaintext + rest if rest else plaintext

    def algorithm_der(self) -> bytes:
        """Return the contentEncryptionAlgorithm of a cipher that is written, in DER."""
        if self.derivation_info is not None:
            return tlv(0x30, object_identifier(algorithms.CEK_HKDF_SHA256), self.derivation_info)
        parameters = tlv(0x04, self.nonce)
        if self.kind == "gcm":
            parameters = tlv(0x30, parameters, bytes((0x02, 1, self.tag_bytes)))
        return tlv(0x30, object_identifier(_OIDS[self.name]), parameters)

    def _key(self, content_encryption_key: bytes) -> bytes:
        if self.derivation_info is None:
            return content_encryption_key
        # RFC 9709 section 2: the inner algorithm is bound into the key
        kdf = HKDF(hashes.SHA256(), self.key_bytes, _CEK_HKDF_SALT, self.derivation_info)
        return kdf.derive(content_encryption_key)


def new_cipher(name: WrittenCipher, *, derive_key: bool = False) -> ContentCipher:
    """Return a cipher with a fresh nonce, for one message under a fresh key.

    Args:
        name: Which.
        derive_key: Derive the content's key with HKDF (RFC 9709).
    """
    _, kind, key_bytes = _CIPHERS[_OIDS[name]]
    plain = ContentCipher(name, kind, key_bytes, secrets.token_bytes(_NONCE_BYTES[kind]), 0 if kind == "cbc" else 16)
    if not derive_key:
        return plain
    info = plain.algorithm_der()
    return ContentCipher(name, kind, key_bytes, plain.nonce, plain.tag_bytes, info)


def read_cipher(
    identifier: schema.AlgorithmIdentifier, *, authenticated: bool, allow_legacy: bool = False
) -> ContentCipher:
    """Read a contentEncryptionAlgorithm.

    Args:
        identifier: As in the message.
        authenticated: It stands in AuthEnvelopedData rather than in EnvelopedData.
        allow_legacy: Also read ciphers that are no longer safe.

    Raises:
        DecodingError: If the parameters are malformed.
        DecryptionError: If the algorithm is not known, not allowed, or stands in the wrong kind of message.
    """
    oid, info = schema.algorithm_oid(identifier), None
    if oid == algorithms.CEK_HKDF_SHA256:
        identifier = schema.algorithm_parameter(identifier)
        oid, info = schema.algorithm_oid(identifier), schema.algorithm_der(identifier)
    if oid not in _CIPHERS:
        raise DecryptionError("the message is encrypted with an algorithm that is not read here")
    cipher = _with_parameters(_CIPHERS[oid], identifier, info)
    if cipher.is_legacy and not allow_legacy:
        raise DecryptionError(f"the message is encrypted with {cipher.name}, which is safe no longer")
    if cipher.is_authenticated is not authenticated:
        # An authenticated cipher without its tag, or the reverse, is a downgrade by somebody on the way.
        raise DecryptionError
    return cipher


def _with_parameters(
    known: tuple[str, _Kind, int], identifier: schema.AlgorithmIdentifier, info: bytes | None
) -> ContentCipher:
    name, kind, key_bytes = known
    if len(identifier) != 2:
        raise DecodingError("the content-encryption algorithm has no parameters")
    try:
        if kind in ("gcm", "ccm"):
            parameters = identifier[1].parse(AEADParameters)
            if not MIN_TAG_BYTES <= parameters.aes_icv_length <= MAX_TAG_BYTES:
                raise DecryptionError
            return ContentCipher(name, kind, key_bytes, parameters.aes_nonce, parameters.aes_icv_length, info)
        if kind == "rc2-cbc":
            old = identifier[1].parse(RC2CBCParameter)
            if old.rc2_parameter_version not in _RC2_KEYS:
                raise DecryptionError("the message is encrypted with RC2 of a key length that is not read here")
            name, key_bytes = _RC2_KEYS[old.rc2_parameter_version]
            return ContentCipher(name, kind, key_bytes, old.iv, 0, info)
        tag_bytes = MAX_TAG_BYTES if kind == "chacha20-poly1305" else 0
        return ContentCipher(name, kind, key_bytes, identifier[1].parse(bytes), tag_bytes, info)
    except ValueError as error:
        raise DecodingError("the content-encryption algorithm has malformed parameters") from error

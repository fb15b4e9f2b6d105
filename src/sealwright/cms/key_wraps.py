"""Key wraps of KeyAgreeRecipientInfo and KEKRecipientInfo: AES (RFC 3394), and triple DES (RFC 3217), which is read only.

Triple DES wraps the keys of triple DES alone, so that it is read where that is: in old messages, on demand.
"""

import hashlib
import hmac

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from sealwright.cms import algorithms
from sealwright.errors import DecodingError

_TRIPLE_DES_KEY_BYTES, _TRIPLE_DES_WRAPPED_BYTES = 24, 40
_TRIPLE_DES_IV = bytes.fromhex("4adda22c79e82105")  # RFC 3217 section 3.1


def wrap_key_bytes(wrap: str) -> int:
    """Return the length of a wrap's key-encryption key.

    Args:
        wrap: Dotted OID.

    Raises:
        DecodingError: If it is not known.
    """
    if wrap == algorithms.DES_EDE3_WRAP:
        return _TRIPLE_DES_KEY_BYTES
    if wrap not in algorithms.WRAP_KEY_BYTES:
        raise DecodingError("not a key wrap that is read here")
    return algorithms.WRAP_KEY_BYTES[wrap]


def unwrap_key(wrap: str, key_encryption_key: bytes, encrypted_key: bytes) -> bytes:
    """Unwrap a content-encryption key.

    Args:
        wrap: Dotted OID.
        key_encryption_key: Of `wrap_key_bytes`.
        encrypted_key: As in the message.

    Raises:
        InvalidUnwrap: If the key does not fit.
        ValueError: If it has the wrong length.
    """
    if wrap != algorithms.DES_EDE3_WRAP:
        return keywrap.aes_key_unwrap(key_encryption_key, encrypted_key)
    # RFC 3217 section 3.2, whose numbers these are; 9, the parity of the key, is skipped: programs do not set it
    # 1 the length
    if len(encrypted_key) != _TRIPLE_DES_WRAPPED_BYTES:
        raise keywrap.InvalidUnwrap
    # 2 outer decryption, 3 octets in reverse order, 4 initialization vector and inner ciphertext
    inner = _decrypt(key_encryption_key, _TRIPLE_DES_IV, encrypted_key)[::-1]
    # 5 inner decryption, 6 key and its checksum
    key_and_checksum = _decrypt(key_encryption_key, inner[:8], inner[8:])
    key, checksum = key_and_checksum[:_TRIPLE_DES_KEY_BYTES], key_and_checksum[_TRIPLE_DES_KEY_BYTES:]
    # 7, 8 the checksum (section 2)
    if not hmac.compare_digest(hashlib.sha1(key, usedforsecurity=False).digest()[:8], checksum):
        raise keywrap.InvalidUnwrap
    return key


def _decrypt(key: bytes, iv: bytes, data: bytes) -> bytes:
    decryptor = Cipher(TripleDES(key), modes.CBC(iv)).decryptor()
    return decryptor.update(data) + decryptor.finalize()

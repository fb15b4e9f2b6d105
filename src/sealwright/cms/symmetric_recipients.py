"""KEKRecipientInfo and PasswordRecipientInfo: keys that both sides have had before (RFC 5652 6.2.3-4, RFC 3211). Read only."""

import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers import algorithms as ciphers
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from sealwright.cms import algorithms, key_wraps, schema
from sealwright.cms.recipient_schema import KEKRecipientInfo, PasswordRecipientInfo, PBKDF2Params
from sealwright.errors import DecodingError
from sealwright.pkix.pbes2 import PBKDF2_PRFS

MAX_PBKDF2_ITERATIONS = 1_000_000
"""About half a second; what the sender asks for is what the reader must do, so it has a bound."""
MAX_WRAPPED_BYTES = 1024
"""A content-encryption key has at most 32 octets; RFC 3211 pads it to blocks."""
_BLOCK_BYTES = 16


def unwrap_kek(info: KEKRecipientInfo, key_encryption_key: bytes) -> bytes:
    """Unwrap with a key-encryption key.

    Raises:
        InvalidUnwrap: If the key does not fit.
        DecodingError: If the algorithm is not a key wrap of this key's length.
        ValueError: If the wrapped key has the wrong length.
    """
    wrap = schema.algorithm_oid(info.key_encryption_algorithm)
    if key_wraps.wrap_key_bytes(wrap) != len(key_encryption_key):
        raise DecodingError("not a key wrap for this key")
    return key_wraps.unwrap_key(wrap, key_encryption_key, info.encrypted_key)


def unwrap_password(info: PasswordRecipientInfo, password: bytes) -> bytes:
    """Unwrap with a password.

    Args:
        info: With PBKDF2 and the wrap of RFC 3211 over AES-CBC.
        password: As octets, UTF-8 where it was typed.

    Raises:
        ValueError: If parameters are malformed.
        DecodingError: If the algorithms are not known, the rounds too many, or the password is another.
    """
    if schema.algorithm_oid(info.key_encryption_algorithm) != algorithms.PWRI_KEK:
        raise DecodingError("not a password-based key wrap that is read here")
    inner = schema.algorithm_parameter(info.key_encryption_algorithm)
    size = algorithms.CBC_KEY_BYTES.get(schema.algorithm_oid(inner))
    if size is None or len(inner) != 2 or len(info.encrypted_key) > MAX_WRAPPED_BYTES:
        raise DecodingError("not a password-based key wrap that is read here")
    kek = _pbkdf2(info.key_derivation_algorithm, password, size)
    return _unwrap_rfc3211(kek, inner[1].parse(bytes), info.encrypted_key)


def _pbkdf2(identifier: schema.AlgorithmIdentifier | None, password: bytes, size: int) -> bytes:
    if identifier is None or len(identifier) != 2 or schema.algorithm_oid(identifier) != algorithms.PBKDF2:
        raise DecodingError("not a key derivation that is read here")
    parameters = identifier[1].parse(PBKDF2Params)
    prf = "1.2.840.113549.2.7" if parameters.prf is None else schema.algorithm_oid(parameters.prf)
    if prf not in PBKDF2_PRFS or parameters.key_length not in (None, size):
        raise DecodingError("not a key derivation that is read here")
    if not 1 <= parameters.iteration_count <= MAX_PBKDF2_ITERATIONS:
        raise DecodingError("the password has too many rounds")
    kdf = PBKDF2HMAC(PBKDF2_PRFS[prf](), size, parameters.salt, parameters.iteration_count)
    return kdf.derive(password)


def _unwrap_rfc3211(kek: bytes, iv: bytes, wrapped: bytes) -> bytes:
    """Undo both encryptions (RFC 3211 section 2.3.2).

    Raises:
        DecodingError: If the check octets do not fit.
    """
    if len(wrapped) < 2 * _BLOCK_BYTES or len(wrapped) % _BLOCK_BYTES:
        raise DecodingError("a wrapped key has the wrong length")
    # 1 the last block, whose predecessor is its initialization vector, is that of the outer encryption
    last = _cbc(kek, wrapped[-2 * _BLOCK_BYTES : -_BLOCK_BYTES], wrapped[-_BLOCK_BYTES:])
    # 2 the outer encryption, 3 the inner one
    padded = _cbc(kek, iv, _cbc(kek, last, wrapped))
    # 4 length, the complement of the key's first three octets, key, padding
    key = padded[4 : 4 + padded[0]]
    check = bytes(octet ^ 0xFF for octet in padded[1:4])
    if len(key) != padded[0] or len(key) < len(check) or not hmac.compare_digest(check, key[:3]):
        raise DecodingError("the password is another")
    return key


def _cbc(key: bytes, iv: bytes, data: bytes) -> bytes:
    decryptor = Cipher(ciphers.AES(key), modes.CBC(iv)).decryptor()
    return decryptor.update(data) + decryptor.finalize()

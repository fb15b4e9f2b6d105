"""PBES2 (RFC 8018 section 6.2) around a PKCS#8 key: PBKDF2 and AES-CBC, which is what programs write today.

`cryptography` decrypts and loads in one step, and so cannot give the content of a key in a form that it does not load.
"""

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.asn1 import TLV
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers import algorithms as ciphers
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from sealwright.errors import DecodingError, DecryptionError

MAX_ITERATIONS = 10_000_000
"""Of password hashing: some seconds. More is there to keep us busy; RFC 8018 asks for 1,000, programs use up to 2,000,000."""
_PBES2, _PBKDF2 = "1.2.840.113549.1.5.13", "1.2.840.113549.1.5.12"
PBKDF2_PRFS: dict[str, type[hashes.HashAlgorithm]] = {
    "1.2.840.113549.2.7": hashes.SHA1,
    "1.2.840.113549.2.8": hashes.SHA224,
    "1.2.840.113549.2.9": hashes.SHA256,
    "1.2.840.113549.2.10": hashes.SHA384,
    "1.2.840.113549.2.11": hashes.SHA512,
}
_AES_CBC = {f"2.16.840.1.101.3.4.1.{number}": size for number, size in ((2, 16), (22, 24), (42, 32))}
_HMAC_SHA1 = "1.2.840.113549.2.7"


@asn1.sequence
class _AlgorithmIdentifier:
    algorithm: x509.ObjectIdentifier
    parameters: TLV


@asn1.sequence
class _EncryptedPrivateKeyInfo:
    encryption_algorithm: _AlgorithmIdentifier
    encrypted_data: bytes


@asn1.sequence
class _PBES2Params:
    key_derivation_func: _AlgorithmIdentifier
    encryption_scheme: _AlgorithmIdentifier


@asn1.sequence
class _PBKDF2Params:
    salt: bytes
    iteration_count: int
    key_length: int | None
    prf: _AlgorithmIdentifier | None


def decrypt(encrypted: bytes, password: bytes) -> bytes | None:
    """Decrypt an EncryptedPrivateKeyInfo.

    Args:
        encrypted: DER.
        password: As octets, UTF-8 where it was typed.

    Returns:
        DER of what should be a PrivateKeyInfo; None where it is encrypted in another way.

    Raises:
        DecodingError: If it asks for too many rounds of password hashing.
        DecryptionError: If the password is another; once in 256 times nonsense is returned instead.
    """
    try:
        info = asn1.decode_der(_EncryptedPrivateKeyInfo, encrypted)
        if info.encryption_algorithm.algorithm.dotted_string != _PBES2:
            return None
        scheme = info.encryption_algorithm.parameters.parse(_PBES2Params)
        size = _AES_CBC.get(scheme.encryption_scheme.algorithm.dotted_string)
        if scheme.key_derivation_func.algorithm.dotted_string != _PBKDF2 or size is None:
            return None
        derivation = scheme.key_derivation_func.parameters.parse(_PBKDF2Params)
        iv = scheme.encryption_scheme.parameters.parse(bytes)
    except ValueError:
        return None
    prf = PBKDF2_PRFS.get(_HMAC_SHA1 if derivation.prf is None else derivation.prf.algorithm.dotted_string)
    if prf is None or derivation.key_length not in (None, size) or derivation.iteration_count < 1 or len(iv) != 16:
        return None
    if derivation.iteration_count > MAX_ITERATIONS:
        raise DecodingError("opening the private key would take too long: too many rounds of password hashing")
    key = PBKDF2HMAC(prf(), size, derivation.salt, derivation.iteration_count).derive(password)
    decryptor, unpadder = Cipher(ciphers.AES(key), modes.CBC(iv)).decryptor(), padding.PKCS7(128).unpadder()
    try:
        padded = decryptor.update(info.encrypted_data) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError as error:
        raise DecryptionError("the password does not open the private key") from error

"""Sealed records: AES-256-GCM with identity, algorithm, storage key version and public key as associated data; new keys."""

import secrets
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from sealwright.errors import InputError, UnsupportedAlgorithmError, VerificationError
from sealwright.keystore.model import RecordIdentity, SealedRecord
from sealwright.wire.encoding import encode_fields

NONCE_BYTES = 12
SERVICE_ALGORITHMS = frozenset({"ed25519", "p256", "p384", "rsa-3072", "rsa-4096"})
ENCRYPTION_ALGORITHMS = frozenset({"p256", "p384", "rsa-2048", "rsa-3072", "rsa-4096", "ml-kem-768", "ml-kem-1024"})
_ML_KEM: dict[str, type[mlkem.MLKEM768PrivateKey] | type[mlkem.MLKEM1024PrivateKey]] = {
    "ml-kem-768": mlkem.MLKEM768PrivateKey,
    "ml-kem-1024": mlkem.MLKEM1024PrivateKey,
}
_CURVES: dict[str, ec.EllipticCurve] = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}
_ECDSA: dict[str, hashes.HashAlgorithm] = {"ecdsa-sha256": hashes.SHA256(), "ecdsa-sha384": hashes.SHA384()}


class StorageKeys(Protocol):
    """Where storage keys come from."""

    @property
    def current_version(self) -> int:
        """The version that new records are sealed with."""
        ...

    def storage_key(self, organization_id: str, version: int) -> bytes:
        """Return an organization's storage key, 32 octets.

        Raises:
            VerificationError: If there is no such version.
        """
        ...


def seal_record(
    keys: StorageKeys, identity: RecordIdentity, algorithm: str, content: bytes, spki: bytes
) -> SealedRecord:
    """Seal content under the organization's current storage key."""
    version, nonce = keys.current_version, secrets.token_bytes(NONCE_BYTES)
    data = _associated_data(identity, algorithm, version, spki)
    ciphertext = AESGCM(keys.storage_key(identity.organization_id, version)).encrypt(nonce, content, data)
    return SealedRecord(identity, algorithm, version, nonce + ciphertext, spki)


def open_record(keys: StorageKeys, record: SealedRecord) -> bytes:
    """Open a record.

    Raises:
        VerificationError: If any part of it was changed.
    """
    try:
        data = _associated_data(record.identity, record.algorithm, record.storage_key_version, record.spki)
        cipher = AESGCM(keys.storage_key(record.identity.organization_id, record.storage_key_version))
        return cipher.decrypt(record.ciphertext[:NONCE_BYTES], record.ciphertext[NONCE_BYTES:], data)
    except (InvalidTag, ValueError, OverflowError, InputError) as error:
        raise VerificationError("a sealed record was changed or belongs elsewhere") from error


def generate_key(algorithm: str, permitted: frozenset[str]) -> tuple[bytes, bytes]:
    """Make a key; return PKCS#8 (of ML-KEM the seed form, RFC 9935 section 6) and SubjectPublicKeyInfo, DER.

    Raises:
        UnsupportedAlgorithmError: If the algorithm is not permitted.
    """
    if algorithm not in permitted:
        raise UnsupportedAlgorithmError(f"no key of this kind is made with {algorithm}")
    key: (
        ec.EllipticCurvePrivateKey
        | ed25519.Ed25519PrivateKey
        | mlkem.MLKEM768PrivateKey
        | mlkem.MLKEM1024PrivateKey
        | rsa.RSAPrivateKey
    )
    if algorithm == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    elif algorithm in _ML_KEM:
        key = _ML_KEM[algorithm].generate()
    elif algorithm in _CURVES:
        key = ec.generate_private_key(_CURVES[algorithm])
    else:
        key = rsa.generate_private_key(65537, int(algorithm.removeprefix("rsa-")))
    pkcs8 = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return pkcs8, key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign_with(pkcs8: bytes, algorithm: str, message: bytes) -> bytes:
    """Sign a whole message.

    Args:
        pkcs8: A key that came out of an authenticated record, so that checking an RSA key again would only cost time.
        algorithm: As in `ServiceKeystore.sign`.
        message: Not its digest.

    Raises:
        UnsupportedAlgorithmError: If key and algorithm do not fit.
    """
    key = load_der_private_key(pkcs8, None, unsafe_skip_rsa_key_validation=True)
    if isinstance(key, ed25519.Ed25519PrivateKey) and algorithm == "ed25519":
        return key.sign(message)
    if isinstance(key, ec.EllipticCurvePrivateKey) and algorithm in _ECDSA:
        return key.sign(message, ec.ECDSA(_ECDSA[algorithm]))
    if isinstance(key, rsa.RSAPrivateKey) and algorithm == "rsa-pkcs1v15-sha256":
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    raise UnsupportedAlgorithmError("the service key does not sign with that algorithm")


def _associated_data(identity: RecordIdentity, algorithm: str, version: int, spki: bytes) -> bytes:
    try:
        return encode_fields(
            "sealwright sealed record",
            1,
            identity.kind.encode("ascii"),
            identity.organization_id.encode("ascii"),
            identity.record_id.encode("ascii"),
            identity.owner.encode("ascii"),
            identity.generation.to_bytes(4, "big"),
            algorithm.encode("ascii"),
            version.to_bytes(4, "big"),
            spki,
        )
    except (UnicodeEncodeError, OverflowError) as error:
        raise InputError("a record's identity is ASCII, and its generation a number of 32 bits") from error

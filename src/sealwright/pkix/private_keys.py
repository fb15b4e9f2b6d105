"""Private keys as other programs write them: PEM or DER, PKCS#8 (RFC 5958) or older, with and without a password.

`cryptography` reads all but some forms of ML-KEM and ML-DSA: it wants the seed alone. RFC 9935 section 6 and RFC 9881 section 6
also allow the seed with the expanded key, which OpenSSL writes, and the expanded key alone. The first is read here through its
seed, after the two were compared; the second has lost what `cryptography` needs.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.asn1 import TLV, Implicit
from cryptography.hazmat.primitives.asymmetric import mldsa, mlkem
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from sealwright.errors import DecodingError, DecryptionError, InputError, UnsupportedAlgorithmError
from sealwright.pkix import pbes2
from sealwright.pkix.ml_kem_expansion import expand_seed
from sealwright.pkix.pem import pem_blocks

MAX_KEY_BYTES = 128 * 1024
"""An RSA-16384 key has 9 KiB; certificates may lie beside it in a PEM file."""
_NIST = "2.16.840.1.101.3.4."


_MLDSAPrivateKey = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
_SeedClass = type[mlkem.MLKEM768PrivateKey] | type[mlkem.MLKEM1024PrivateKey] | type[_MLDSAPrivateKey]


@dataclass(frozen=True, slots=True)
class _SeedAlgorithm:
    """An algorithm whose private key is a seed; `key_class` is None where `cryptography` lacks it."""

    name: str
    seed_bytes: int
    expanded_bytes: int
    key_class: _SeedClass | None


_SEED_ALGORITHMS = {
    _NIST + "4.1": _SeedAlgorithm("ML-KEM-512", 64, 1632, None),
    _NIST + "4.2": _SeedAlgorithm("ML-KEM-768", 64, 2400, mlkem.MLKEM768PrivateKey),
    _NIST + "4.3": _SeedAlgorithm("ML-KEM-1024", 64, 3168, mlkem.MLKEM1024PrivateKey),
    _NIST + "3.17": _SeedAlgorithm("ML-DSA-44", 32, 2560, mldsa.MLDSA44PrivateKey),
    _NIST + "3.18": _SeedAlgorithm("ML-DSA-65", 32, 4032, mldsa.MLDSA65PrivateKey),
    _NIST + "3.19": _SeedAlgorithm("ML-DSA-87", 32, 4896, mldsa.MLDSA87PrivateKey),
}


@asn1.sequence
class _OneAsymmetricKey:
    """RFC 5958 section 2."""

    version: int
    private_key_algorithm: list[TLV]
    private_key: bytes
    attributes: Annotated[list[TLV] | None, Implicit(0)]
    public_key: Annotated[asn1.BitString | None, Implicit(1)]


@asn1.sequence
class _Both:
    """The third form of ML-KEM-PrivateKey and ML-DSA-PrivateKey (RFC 9935, RFC 9881)."""

    seed: bytes
    expanded_key: bytes


def load_private_key(encoded: bytes, password: bytes | None = None) -> PrivateKeyTypes:
    """Load a private key that somebody else made; RSA keys are validated, which takes 30 to 200 ms.

    Args:
        encoded: PEM, where certificates may stand beside the key, or DER.
        password: Of an encrypted key; ignored where the key is in clear.

    Raises:
        DecodingError: If it is not a private key, its parts contradict each other, or it asks for too much password hashing.
        DecryptionError: If the password is another.
        InputError: If a password is needed.
        UnsupportedAlgorithmError: If it is a key, but of a kind or in a form that is not read here.
    """
    if len(encoded) > MAX_KEY_BYTES:
        raise DecodingError("the private key is too large")
    label, block = next((found for found in pem_blocks(encoded) if found[0].endswith(b"PRIVATE KEY")), (b"", b""))
    if label not in (b"", b"PRIVATE KEY", b"ENCRYPTED PRIVATE KEY"):  # older than PKCS#8
        return _load(block, password, is_pem=True, is_encrypted=b"ENCRYPTED" in block)
    der = _from_pem(block) if block else encoded
    if not _is_encrypted(der):
        return _load_clear(der)
    if password is None:
        raise InputError("the private key is protected by a password")
    clear = pbes2.decrypt(der, password)
    if clear is None:
        return _load(der, password, is_pem=False, is_encrypted=True)
    try:
        return _load_clear(clear)
    except DecodingError as error:
        if clear[:1] == b"\x30":  # another password gives anything but a SEQUENCE, mostly
            raise
        raise DecryptionError("the password does not open the private key") from error


def _load_clear(der: bytes) -> PrivateKeyTypes:
    seed_key = _seed_key(der)
    return seed_key if seed_key is not None else _load(der, None, is_pem=False, is_encrypted=False)


def _load(encoded: bytes, password: bytes | None, *, is_pem: bool, is_encrypted: bool) -> PrivateKeyTypes:
    if is_encrypted and password is None:
        raise InputError("the private key is protected by a password")
    load = load_pem_private_key if is_pem else load_der_private_key
    try:
        return load(encoded, password if is_encrypted else None)
    except UnsupportedAlgorithm as error:
        raise UnsupportedAlgorithmError("the private key is of a kind that is not read here") from error
    except (ValueError, TypeError) as error:
        if is_encrypted:
            raise DecryptionError("the password does not open the private key") from error
        raise DecodingError("not a private key, or not a valid one") from error


def _from_pem(block: bytes) -> bytes:
    body = b"".join(block.split(b"\n")[1:-1])
    try:
        return base64.b64decode(body.replace(b"\r", b""), validate=True)
    except binascii.Error as error:
        raise DecodingError("not a private key, or not a valid one") from error


def _is_encrypted(der: bytes) -> bool:
    """Tell EncryptedPrivateKeyInfo, which starts with an AlgorithmIdentifier, from keys, which start with a version."""
    try:
        first = asn1.decode_der(TLV, der)
        return bytes(first.data[:1]) == b"\x30"
    except ValueError:
        return False


def _seed_key(der: bytes) -> PrivateKeyTypes | None:
    """Return an ML-KEM or ML-DSA key in any of its three forms; None where it is something else."""
    try:
        info = asn1.decode_der(_OneAsymmetricKey, der)
        oid = info.private_key_algorithm[0].parse(x509.ObjectIdentifier).dotted_string
    except (ValueError, IndexError):
        return None
    algorithm = _SEED_ALGORITHMS.get(oid)
    if algorithm is None:
        return None
    seed, expanded = _forms(info.private_key)
    if seed is not None and len(seed) != algorithm.seed_bytes:
        raise DecodingError(f"an {algorithm.name} seed has the wrong length")
    if expanded is not None and len(expanded) != algorithm.expanded_bytes:
        raise DecodingError(f"an expanded {algorithm.name} key has the wrong length")
    if seed is None:
        raise UnsupportedAlgorithmError(
            f"the {algorithm.name} key holds the expanded key without its seed, which cannot be used here; "
            "export it again with the seed"
        )
    if algorithm.name.startswith("ML-KEM") and expanded is not None:
        _check_same(algorithm, expand_seed(algorithm.name, seed), expanded)
    if algorithm.key_class is None:
        raise UnsupportedAlgorithmError(f"{algorithm.name} keys are not used here")
    private_key = algorithm.key_class.from_seed_bytes(seed)
    if isinstance(private_key, _MLDSAPrivateKey) and expanded is not None:
        _check_ml_dsa(algorithm, private_key, seed, expanded)
    return private_key


def _forms(private_key: bytes) -> tuple[bytes | None, bytes | None]:
    """Return seed and expanded key; which form it is, the tag tells, never the length (RFC 9935 section 6)."""
    try:
        element = asn1.decode_der(TLV, private_key)
        if element.tag_bytes == b"\x80":
            return bytes(element.data), None
        if element.tag_bytes == b"\x04":
            return None, bytes(element.data)
        both = asn1.decode_der(_Both, private_key)
    except ValueError as error:
        raise DecodingError("not a private key, or not a valid one") from error
    return both.seed, both.expanded_key


def _check_ml_dsa(
    algorithm: _SeedAlgorithm,
    private_key: _MLDSAPrivateKey,
    seed: bytes,
    expanded: bytes,
) -> None:
    """Compare what the expanded key starts with: rho, K and tr (FIPS 204 algorithms 6 and 24).

    The vectors behind them are not compared: they follow from the seed, and only the seed is used.
    """
    dimensions = {"ML-DSA-44": b"\4\4", "ML-DSA-65": b"\6\5", "ML-DSA-87": b"\x08\7"}[algorithm.name]
    derived = hashlib.shake_256(seed + dimensions).digest(128)
    public_hash = hashlib.shake_256(private_key.public_key().public_bytes_raw()).digest(64)
    _check_same(algorithm, derived[:32] + derived[96:] + public_hash, expanded[:128])


def _check_same(algorithm: _SeedAlgorithm, derived: bytes, given: bytes) -> None:
    if not hmac.compare_digest(derived, given):
        raise DecodingError(f"the seed and the expanded {algorithm.name} key contradict each other")

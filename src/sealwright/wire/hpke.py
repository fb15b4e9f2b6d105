"""HPKE (RFC 9180) as Sealwright uses it: ML-KEM-768 + X25519 (X-Wing), HKDF-SHA256, AES-256-GCM, base mode, one shot.

Public keys are 1,216 octets, ML-KEM-768 (1,184) || X25519 (32); private keys 96 octets, ML-KEM seed (64) || X25519 (32).
What binds a ciphertext to its purpose is `info`, made with `encode_fields`.
"""

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from sealwright.errors import DecodingError, DecryptionError

PUBLIC_KEY_BYTES = 1184 + 32
PRIVATE_KEY_BYTES = 64 + 32
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True)
class HpkeKeyPair:
    """An HPKE key pair as raw octets.

    Attributes:
        public_key: 1,216 octets.
        private_key: 96 octets; never in a repr.
    """

    public_key: bytes
    private_key: bytes = field(repr=False)


def generate_hpke_key_pair() -> HpkeKeyPair:
    """Make a fresh key pair."""
    kem, exchange = mlkem.MLKEM768PrivateKey.generate(), x25519.X25519PrivateKey.generate()
    return HpkeKeyPair(
        public_key=kem.public_key().public_bytes_raw() + exchange.public_key().public_bytes_raw(),
        private_key=kem.private_bytes_raw() + exchange.private_bytes_raw(),
    )


def expand_hpke_seed(seed: bytes) -> HpkeKeyPair:
    """Return the key pair of a 32-octet seed, as X-Wing expands it: SHAKE256(seed, 96) is the private key."""
    private_key = hashlib.shake_256(seed).digest(PRIVATE_KEY_BYTES)
    kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(private_key[:64]).public_key()
    exchange = x25519.X25519PrivateKey.from_private_bytes(private_key[64:]).public_key()
    return HpkeKeyPair(kem.public_bytes_raw() + exchange.public_bytes_raw(), private_key)


def check_hpke_public_key(public_key: bytes) -> None:
    """Check that `public_key` can be sealed to.

    Raises:
        DecodingError: If it is not 1,216 octets of a valid ML-KEM-768 and X25519 key.
    """
    _load_public_key(public_key)


def hpke_seal(public_key: bytes, info: bytes, plaintext: bytes) -> bytes:
    """Encrypt `plaintext` to `public_key`, bound to `info`.

    Returns:
        Encapsulated key || ciphertext || tag.

    Raises:
        DecodingError: If the public key is not valid.
    """
    return _SUITE.encrypt(plaintext, _load_public_key(public_key), info)


def hpke_open(private_key: bytes, info: bytes, sealed: bytes) -> bytes:
    """Decrypt what `hpke_seal` made with the same `info`.

    Raises:
        DecodingError: If the private key is not 96 octets.
        DecryptionError: If key, info or ciphertext do not belong together.
    """
    if len(private_key) != PRIVATE_KEY_BYTES:
        raise DecodingError("an HPKE private key has 96 octets")
    pair = hpke.MLKEM768X25519PrivateKey(
        mlkem.MLKEM768PrivateKey.from_seed_bytes(private_key[:64]),
        x25519.X25519PrivateKey.from_private_bytes(private_key[64:]),
    )
    try:
        return _SUITE.decrypt(sealed, pair, info)
    except (InvalidTag, ValueError) as error:
        raise DecryptionError("the sealed data was not made for this key and purpose") from error


def _load_public_key(public_key: bytes) -> hpke.MLKEM768X25519PublicKey:
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise DecodingError("an HPKE public key has 1,216 octets")
    try:
        return hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(public_key[:1184]),
            x25519.X25519PublicKey.from_public_bytes(public_key[1184:]),
        )
    except ValueError as error:
        raise DecodingError("not a valid ML-KEM-768 + X25519 public key") from error

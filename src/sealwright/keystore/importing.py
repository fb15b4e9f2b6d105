"""Keys of another system: opened in the keystore alone, proved against their public key, and named.

The import key pair is derived from the seal, so every process and node has the same one and none is stored.
"""

from cryptography.hazmat.primitives.asymmetric import ec, mlkem, rsa, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sealwright.errors import DecryptionError, InputError, SealwrightError, UnsupportedAlgorithmError
from sealwright.pkix.private_keys import load_private_key
from sealwright.wire.hpke import HpkeKeyPair, hpke_open
from sealwright.wire.key_import import import_info

MIN_RSA_BITS = 1024
"""What mail of the nineties was encrypted for; such a key only ever decrypts here."""
_CURVES = {"secp256r1": "p256", "secp384r1": "p384", "secp521r1": "p521"}


def open_imported_key(
    pair: HpkeKeyPair, organization_id: str, mailbox_id: str, spki: bytes, sealed_key: bytes
) -> tuple[str, bytes]:
    """Open a key that was sealed to the import key.

    Args:
        pair: The import key.
        organization_id: 32 hex digits.
        mailbox_id: 32 hex digits.
        spki: Of the certificate that came with it, DER.
        sealed_key: HPKE ciphertext of PKCS#8 DER.

    Returns:
        Algorithm, and PKCS#8 DER as `cryptography` writes it (ML-KEM as the seed).

    Raises:
        InputError: If it was sealed for another mailbox or key management, is no private key, or not that of `spki`.
        UnsupportedAlgorithmError: If mail is not decrypted with such keys.
    """
    try:
        private_key = load_private_key(
            hpke_open(pair.private_key, import_info(organization_id, mailbox_id, spki), sealed_key)
        )
    except DecryptionError as error:
        raise InputError("the key was sealed for another mailbox, or to another key management") from error
    except UnsupportedAlgorithmError:
        raise
    except SealwrightError as error:
        raise InputError("what was sealed is no private key, or not a valid one") from error
    algorithm = encryption_algorithm(private_key)
    public_key = private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public_key != spki:
        raise InputError("the private key and the certificate do not belong together")
    return algorithm, private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def encryption_algorithm(private_key: object) -> str:
    """Return the name of a private key's algorithm.

    Raises:
        UnsupportedAlgorithmError: If mail is not decrypted with such keys.
    """
    match private_key:
        case rsa.RSAPrivateKey() if private_key.key_size >= MIN_RSA_BITS:
            return f"rsa-{private_key.key_size}"
        case ec.EllipticCurvePrivateKey() if private_key.curve.name in _CURVES:
            return _CURVES[private_key.curve.name]
        case x25519.X25519PrivateKey():
            return "x25519"
        case x448.X448PrivateKey():
            return "x448"
        case mlkem.MLKEM768PrivateKey():
            return "ml-kem-768"
        case mlkem.MLKEM1024PrivateKey():
            return "ml-kem-1024"
        case _:
            raise UnsupportedAlgorithmError("mail is not decrypted with keys of this kind")

"""Whether an archived key is the one that a certificate is for: proved by using both, answered with yes or no only."""

import hmac
import secrets

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from sealwright.pkix.extensions import UNDECODABLE

_PROBE_BYTES = 32
_OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


def is_key_of(pkcs8: bytes, spki: bytes, certificate: bytes) -> bool:
    """Tell whether an archived private key decrypts what is encrypted for its public key and for its certificate.

    Args:
        pkcs8: The archived key, DER, as it came out of its record.
        spki: The public key that the record names, DER SubjectPublicKeyInfo.
        certificate: DER; empty where the key has none yet.
    """
    try:
        if certificate:
            certified = x509.load_der_x509_certificate(certificate).public_key()
            if certified.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != spki:
                return False
        return _opens_what_is_sealed_for(load_der_public_key(spki), pkcs8)
    except (*UNDECODABLE, UnsupportedAlgorithm, ValueError, TypeError):
        return False


def _opens_what_is_sealed_for(public_key: object, pkcs8: bytes) -> bool:
    # checking an RSA key's numbers takes 28 to 196 ms; that it decrypts shows the same in one
    private_key = load_der_private_key(pkcs8, None, unsafe_skip_rsa_key_validation=True)
    if isinstance(private_key, rsa.RSAPrivateKey) and isinstance(public_key, rsa.RSAPublicKey):
        probe = secrets.token_bytes(_PROBE_BYTES)
        return hmac.compare_digest(private_key.decrypt(public_key.encrypt(probe, _OAEP), _OAEP), probe)
    if isinstance(private_key, ec.EllipticCurvePrivateKey) and isinstance(public_key, ec.EllipticCurvePublicKey):
        ephemeral = ec.generate_private_key(public_key.curve)
        theirs = ephemeral.exchange(ec.ECDH(), public_key)
        return hmac.compare_digest(private_key.exchange(ec.ECDH(), ephemeral.public_key()), theirs)
    if isinstance(private_key, mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey) and isinstance(
        public_key, mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey
    ):
        shared, ciphertext = public_key.encapsulate()
        return hmac.compare_digest(private_key.decapsulate(ciphertext), shared)
    return False

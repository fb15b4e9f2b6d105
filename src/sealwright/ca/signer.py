"""Signing with an issuer's key in the keystore: certificates that were linted, and revocation lists."""

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sealwright.ca.lint import LintToken, hash_for
from sealwright.errors import InvalidSignatureError
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.protocol import ServiceKeystore
from sealwright.keystore.signing import KeystoreECKey

_ALGORITHM_IDENTIFIERS = {
    "secp256r1": bytes.fromhex("300a06082a8648ce3d040302"),  # ecdsa-with-SHA256
    "secp384r1": bytes.fromhex("300a06082a8648ce3d040303"),  # ecdsa-with-SHA384
}


def issuer_public_key(key: SealedRecord) -> ec.EllipticCurvePublicKey:
    """Return the public key of an issuer's record.

    Raises:
        InvalidSignatureError: If the record holds no EC key.
    """
    public_key = serialization.load_der_public_key(key.spki)
    if not isinstance(public_key, ec.EllipticCurvePublicKey):
        raise InvalidSignatureError("an issuer's key is an EC key")
    return public_key


def sign_certificate(keystore: ServiceKeystore, key: SealedRecord, tbs_certificate: bytes, token: LintToken) -> bytes:
    """Sign exactly these to-be-signed bytes and check the result.

    Returns:
        The certificate, DER.

    Raises:
        ConflictError: If the token is for something else or was used.
        InvalidSignatureError: If the keystore's signature is not right, or covers something else.
    """
    token.redeem(tbs_certificate)
    public_key = issuer_public_key(key)
    algorithm = ec.ECDSA(hash_for(public_key))
    signature = KeystoreECKey(keystore, key).sign(tbs_certificate, algorithm)
    encoded = _sequence(
        tbs_certificate + _ALGORITHM_IDENTIFIERS[public_key.curve.name] + _tlv(0x03, b"\x00" + signature)
    )
    certificate = x509.load_der_x509_certificate(encoded)
    try:
        public_key.verify(certificate.signature, certificate.tbs_certificate_bytes, algorithm)
    except InvalidSignature as error:
        raise InvalidSignatureError("the keystore's signature of a certificate does not verify") from error
    if certificate.tbs_certificate_bytes != tbs_certificate:
        raise InvalidSignatureError("the signed certificate is not the linted one")
    return encoded


def draft_from_tbs(tbs_certificate: bytes, issuer_key: ec.EllipticCurvePublicKey) -> x509.Certificate:
    """Return a draft around persisted to-be-signed bytes, to be linted again; its signature is empty."""
    algorithm = _ALGORITHM_IDENTIFIERS[issuer_key.curve.name]
    return x509.load_der_x509_certificate(_sequence(tbs_certificate + algorithm + _tlv(0x03, b"\x00")))


def sign_crl(keystore: ServiceKeystore, key: SealedRecord, builder: x509.CertificateRevocationListBuilder) -> bytes:
    """Sign a revocation list and check the result.

    Raises:
        InvalidSignatureError: If the keystore's signature is not right.
    """
    public_key = issuer_public_key(key)
    crl = builder.sign(KeystoreECKey(keystore, key), hash_for(public_key))
    if not crl.is_signature_valid(public_key):
        raise InvalidSignatureError("the keystore's signature of a revocation list does not verify")
    return crl.public_bytes(serialization.Encoding.DER)


def _sequence(content: bytes) -> bytes:
    return _tlv(0x30, content)


def _tlv(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content

"""Certification requests (RFC 2986) and the kinds of key that are certified."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from sealwright.errors import DecodingError, InvalidSignatureError, UnsupportedAlgorithmError
from sealwright.pkix.extensions import UNDECODABLE
from sealwright.pkix.key_checks import check_ed25519_key, check_rsa_key

MAX_REQUEST_BYTES = 64 * 1024

CertifiablePublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
SubscriberPublicKey = CertifiablePublicKey | mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey
"""ML-KEM keys sign nothing, not even a request: they are certified only on the key management's word."""


def check_certification_request(certification_request_der: bytes) -> CertifiablePublicKey:
    """Check a request's self-signature (the proof of possession) and its key, and return the key.

    Names and extensions of the request are ignored: the CA takes them from what it knows about the holder.

    Raises:
        DecodingError: If the bytes are not a PKCS#10 request.
        InvalidSignatureError: If the request is not signed by the key it names.
        UnsupportedAlgorithmError: If the key is not P-256, P-384, RSA or Ed25519.
        ProfileViolationError: If the key is weak (`pkix.key_checks`).
    """
    if len(certification_request_der) > MAX_REQUEST_BYTES:
        raise DecodingError("the certification request is too large")
    try:
        request = x509.load_der_x509_csr(certification_request_der)
        public_key = check_public_key(_decoded_key(request))
        is_signed = request.is_signature_valid
    except UnsupportedAlgorithm as error:
        raise UnsupportedAlgorithmError("the certification request uses an unknown algorithm") from error
    except UNDECODABLE as error:
        raise DecodingError("not a certification request") from error
    if not is_signed:
        raise InvalidSignatureError("the certification request is not signed by the key it names")
    return public_key


def _decoded_key(request: x509.CertificateSigningRequest) -> object:
    try:
        return request.public_key()
    except ValueError as error:
        # a point that is not on its curve, or at infinity, is refused here
        raise DecodingError("the certification request's public key is malformed, or no point of its curve") from error


def check_public_key(public_key: object) -> CertifiablePublicKey:
    """Check that a key may be certified and return it. Points of P-256 and P-384 were checked when they were loaded.

    Raises:
        UnsupportedAlgorithmError: If it is not P-256, P-384, RSA or Ed25519.
        ProfileViolationError: If it is weak (`pkix.key_checks`).
    """
    if isinstance(public_key, ec.EllipticCurvePublicKey) and isinstance(public_key.curve, (ec.SECP256R1, ec.SECP384R1)):
        return public_key
    if isinstance(public_key, rsa.RSAPublicKey):
        check_rsa_key(public_key)
        return public_key
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        check_ed25519_key(public_key.public_bytes_raw())
        return public_key
    raise UnsupportedAlgorithmError("a certified key is P-256, P-384, Ed25519 or RSA of at least 2048 bits")


def load_subscriber_key(spki: bytes) -> SubscriberPublicKey:
    """Load a DER SubjectPublicKeyInfo and check that mail may be encrypted for it.

    Raises:
        DecodingError: If the bytes are not a SubjectPublicKeyInfo.
        UnsupportedAlgorithmError: If it is neither ML-KEM-768, ML-KEM-1024 nor what `check_public_key` takes.
        ProfileViolationError: If it is weak (`pkix.key_checks`).
    """
    try:
        public_key: CertificatePublicKeyTypes | object = load_der_public_key(spki)
    except UnsupportedAlgorithm as error:
        raise UnsupportedAlgorithmError("the public key has an unknown algorithm") from error
    except (ValueError, TypeError) as error:
        raise DecodingError("not a SubjectPublicKeyInfo") from error
    if isinstance(public_key, mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey):
        return public_key
    return check_public_key(public_key)

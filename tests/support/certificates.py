"""Certificates for tests of formats: self-signed, any key. What the product's CA signs is tested with the CA."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

Key = CertificateIssuerPrivateKeyTypes
NOW = datetime.now(UTC).replace(microsecond=0)


def self_signed(key: Key, name: str, *, key_identifier: bytes | None = None) -> x509.Certificate:
    """Return a certificate for `key`, named and addressed `name`@example.test.

    Args:
        key: Of the subject.
        name: Of the subject.
        key_identifier: SubjectKeyIdentifier, if not the one that the key gives.
    """
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    if key_identifier is not None:
        identifier = x509.SubjectKeyIdentifier(key_identifier)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(f"{name}@example.test")]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256() if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) else None)
    )


def rsa_key() -> rsa.RSAPrivateKey:
    """Return a fresh RSA-2048 key."""
    return rsa.generate_private_key(65537, 2048)


def ec_key() -> ec.EllipticCurvePrivateKey:
    """Return a fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())

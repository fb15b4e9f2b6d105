"""Keys and certificates of mail users, made for the run."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class User:
    """A key with its self-signed certificate."""

    key: Key
    certificate: x509.Certificate


def make_user(name: str, key: Key) -> User:
    """Certify a key for `name`@example.test."""
    now = datetime.now(UTC).replace(microsecond=0)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(f"{name}@example.test")]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return User(key, certificate)


def rsa_key() -> rsa.RSAPrivateKey:
    """Make the kind of encryption key that the product makes unless told otherwise."""
    return rsa.generate_private_key(65537, 3072)


def p256_key() -> ec.EllipticCurvePrivateKey:
    """Make the kind of signing key that devices make."""
    return ec.generate_private_key(ec.SECP256R1())

"""Keys and certificates of mail users, made for the run."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True)
class User:
    """A key with its certificate, which is self-signed or has a chain to a root."""

    key: Key
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()


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


def make_signer(name: str, key: Key) -> User:
    """Certify a signing key for `name`@example.test by an intermediate below a root, P-256 both."""
    root_key, issuer_key = p256_key(), p256_key()
    root = _certificate("root", "root", root_key, root_key, None)
    issuer = _certificate("issuer", "root", issuer_key, root_key, None)
    return User(key, _certificate(name, "issuer", key, issuer_key, f"{name}@example.test"), (issuer, root))


def _certificate(subject: str, issuer: str, key: Key, issuer_key: Key, address: str | None) -> x509.Certificate:
    """Certify a mailbox, or without an address a CA."""
    now = datetime.now(UTC).replace(microsecond=0)
    is_ca = address is None
    usages = dict.fromkeys(_USAGES, False) | dict.fromkeys(
        ("key_cert_sign", "crl_sign") if is_ca else ("digital_signature", "content_commitment"), True
    )
    builder = (
        x509.CertificateBuilder(_named(issuer), _named(subject), key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        .add_extension(x509.KeyUsage(**usages), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if address is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(address)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def rsa_key() -> rsa.RSAPrivateKey:
    """Make the kind of encryption key that the product makes unless told otherwise."""
    return rsa.generate_private_key(65537, 3072)


def p256_key() -> ec.EllipticCurvePrivateKey:
    """Make the kind of signing key that devices make."""
    return ec.generate_private_key(ec.SECP256R1())

"""People with mail certificates of one root, for tests of verdicts: fast, in memory, with anything wrong that one asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from support.certificates import NOW

from sealwright.cms.decryptors import PrivateKeyDecryptor
from sealwright.smime.trust import Trust

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class MailPerson:
    """A key with its certificate.

    Attributes:
        key: Private key.
        certificate: Issued by the root.
    """

    key: Key
    certificate: x509.Certificate

    def find_keys(self, recipient: Any) -> Any:
        """Return the keys that an identifier may mean."""
        return [PrivateKeyDecryptor(self.key)] if recipient.matches(self.certificate) else []


class MailRoot:
    """A root that certifies whatever it is asked to.

    Args:
        name: Its common name.
    """

    def __init__(self, name: str = "Root") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        key_id = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        builder = x509.CertificateBuilder(self.subject, self.subject, self.key.public_key(), 1)
        builder = builder.not_valid_before(NOW - timedelta(days=900)).not_valid_after(NOW + timedelta(days=900))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(key_id, critical=False)
        self.certificate = builder.sign(self.key, hashes.SHA256())

    def person(
        self,
        name: str,
        *,
        addresses: Sequence[str] | None = None,
        key: Key | None = None,
        start: datetime = NOW - timedelta(days=1),
        end: datetime = NOW + timedelta(days=90),
        mail: bool = True,
        signs: bool = True,
        receives: bool = True,
        says_uses: bool = True,
    ) -> MailPerson:
        """Certify a person; without `addresses` as name@example.test, with an empty list without any address."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(self.subject, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(start).not_valid_after(end)
        is_agreement = isinstance(key, ec.EllipticCurvePrivateKey)
        usage = x509.KeyUsage(
            digital_signature=signs,
            content_commitment=False,
            key_encipherment=receives and not is_agreement,
            data_encipherment=False,
            key_agreement=receives and is_agreement,
            key_cert_sign=False,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        purpose = ExtendedKeyUsageOID.EMAIL_PROTECTION if mail else ExtendedKeyUsageOID.CODE_SIGNING
        if says_uses:
            builder = builder.add_extension(usage, critical=True)
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        names = [x509.RFC822Name(each) for each in ([f"{name}@example.test"] if addresses is None else addresses)]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return MailPerson(key, builder.sign(self.key, hashes.SHA256()))

    def crl(
        self, *revoked: x509.Certificate, at: datetime = NOW, since: timedelta = timedelta(hours=2)
    ) -> x509.CertificateRevocationList:
        """Return a current list; what is on it has been revoked for as long as `since`."""
        entries = [x509.RevokedCertificateBuilder(each.serial_number, at - since).build() for each in revoked]
        builder = x509.CertificateRevocationListBuilder(
            self.subject, at - timedelta(hours=1), at + timedelta(days=7), [], entries
        )
        return builder.sign(self.key, hashes.SHA256())

    def trust(self, *revoked: x509.Certificate, **options: Any) -> Trust:
        """Return the trust of somebody who trusts this root and has its current list."""
        return Trust(**{"now": NOW, "anchors": (self.certificate,), "crls": (self.crl(*revoked),), **options})

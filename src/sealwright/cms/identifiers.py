"""How a CMS message names a certificate or a key: SignerIdentifier and RecipientIdentifier (RFC 5652 sections 5.3 and 6.2)."""

from dataclasses import dataclass

from cryptography import x509

from sealwright.cms.recipient_schema import IssuerAndSerialNumber, RecipientKeyIdentifier


@dataclass(frozen=True, slots=True)
class RecipientIdentifier:
    """How a message names whose key opens it (or who signed it); one of the forms.

    Attributes:
        issuer_der: DER Name of the certificate's issuer, with `serial_number`.
        serial_number: Of the certificate.
        subject_key_identifier: Raw octets of the certificate's extension.
        key_identifier: Of a key-encryption key that both sides have had before (KEKRecipientInfo).
        is_password: The key comes from a password (PasswordRecipientInfo); nothing says which.
    """

    issuer_der: bytes | None = None
    serial_number: int | None = None
    subject_key_identifier: bytes | None = None
    key_identifier: bytes | None = None
    is_password: bool = False

    def matches(self, certificate: x509.Certificate) -> bool:
        """Say whether the identifier names this certificate."""
        if self.subject_key_identifier is not None:
            return self.subject_key_identifier == subject_key_identifier(certificate)
        return self.serial_number == certificate.serial_number and self.issuer_der == certificate.issuer.public_bytes()


def subject_key_identifier(certificate: x509.Certificate) -> bytes | None:
    """Return the certificate's SubjectKeyIdentifier, or None."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None


def issuer_and_serial(certificate: x509.Certificate) -> IssuerAndSerialNumber:
    """Return the certificate's issuerAndSerialNumber."""
    return IssuerAndSerialNumber(issuer=certificate.issuer, serial_number=certificate.serial_number)


def identifier(sid: IssuerAndSerialNumber | RecipientKeyIdentifier | bytes) -> RecipientIdentifier:
    """Return either ASN.1 form as a `RecipientIdentifier`."""
    if isinstance(sid, bytes):
        return RecipientIdentifier(subject_key_identifier=sid)
    if isinstance(sid, RecipientKeyIdentifier):
        return RecipientIdentifier(subject_key_identifier=sid.subject_key_identifier)
    return RecipientIdentifier(issuer_der=sid.issuer.public_bytes(), serial_number=sid.serial_number)

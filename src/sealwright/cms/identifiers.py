"""How a CMS message names a certificate or a key: SignerIdentifier and RecipientIdentifier (RFC 5652 sections 5.3 and 6.2)."""

from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509

from sealwright.asn1.der import content_of, elements
from sealwright.asn1.writer import tlv
from sealwright.cms import schema
from sealwright.cms.recipient_schema import IssuerAndSerialNumber, RecipientKeyIdentifier
from sealwright.pkix.extensions import UNDECODABLE

_REMEMBERED = 512
"""Certificates whose names were taken out; the same recipients come again in every mail of a thread."""


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
        return (
            self.serial_number == certificate.serial_number and self.issuer_der == issuer_and_serial_der(certificate)[0]
        )


def subject_key_identifier(certificate: x509.Certificate) -> bytes | None:
    """Return the certificate's SubjectKeyIdentifier, or None."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (x509.ExtensionNotFound, *UNDECODABLE):
        return None


@lru_cache(maxsize=_REMEMBERED)
def issuer_and_serial(certificate: x509.Certificate) -> IssuerAndSerialNumber:
    """Return the certificate's issuerAndSerialNumber."""
    return IssuerAndSerialNumber(
        issuer=schema.any_element(issuer_and_serial_der(certificate)[0]), serial_number=certificate.serial_number
    )


@lru_cache(maxsize=_REMEMBERED)
def issuer_and_serial_der(certificate: x509.Certificate) -> tuple[bytes, bytes]:
    """Return the DER Name of the issuer and the DER serial number, as they stand in the certificate."""
    fields = elements(content_of(0x30, certificate.tbs_certificate_bytes))
    # TBSCertificate: [0] version (absent in version 1), serialNumber, signature, issuer
    first = 1 if fields[0][0] == 0xA0 else 0
    return tlv(*fields[first + 2]), tlv(*fields[first])


def identifier(sid: IssuerAndSerialNumber | RecipientKeyIdentifier | bytes) -> RecipientIdentifier:
    """Return either ASN.1 form as a `RecipientIdentifier`."""
    if isinstance(sid, bytes):
        return RecipientIdentifier(subject_key_identifier=sid)
    if isinstance(sid, RecipientKeyIdentifier):
        return RecipientIdentifier(subject_key_identifier=sid.subject_key_identifier)
    return RecipientIdentifier(issuer_der=schema.raw(sid.issuer), serial_number=sid.serial_number)

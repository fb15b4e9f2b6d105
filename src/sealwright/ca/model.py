"""What the CA speaks about: organizations, subjects, issuers, certificates."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from sealwright.keystore.model import SealedRecord

ROOT: Final = "root"
SIGNING: Final = "signing"
ENCRYPTION: Final = "encryption"
TLS: Final = "tls"
INTERMEDIATES = (SIGNING, ENCRYPTION, TLS)
ISSUERS = (ROOT, *INTERMEDIATES)
"""Names of an organization's issuers, in the order they are made."""

CA_KEY: Final = "issuer"
"""Usage of the keys of the issuers themselves."""

CertificateState = Literal["PENDING", "ISSUED", "REVOKED", "ABANDONED"]


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization as its CA knows it.

    Attributes:
        organization_id: 32 hex digits.
        name: Legal name.
        country: Two letters, or None.
        organization_identifier: Registered identifier such as "NTRDE-DER3306.HRB12345", or None.
        kms_key: Raw Ed25519 public key that signs escrow statements.
    """

    organization_id: str
    name: str
    country: str | None
    organization_identifier: str | None
    kms_key: bytes


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a certificate is for.

    Attributes:
        address: The primary address, canonical.
        addresses: All addresses of the mailbox, canonical, with the primary one.
        given_name: Or empty.
        surname: Or empty.
        common_name: Display name, or empty.
        mailbox_id: 32 hex digits.
    """

    address: str
    addresses: tuple[str, ...]
    given_name: str
    surname: str
    common_name: str
    mailbox_id: str


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate as handed out.

    Attributes:
        certificate: DER.
        chain: DER of the intermediates, without the root.
        not_after: Aware UTC.
    """

    certificate: bytes
    chain: tuple[bytes, ...]
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuer of an organization.

    Attributes:
        issuer_id: 32 hex digits.
        organization_id: 32 hex digits.
        name: One of `ISSUERS`.
        certificate: DER.
        key: Sealed record of the service key "issuer/<name>".
        crl_number: Of the list below; 0 before the first.
        crl: DER, or empty before the first.
        crl_next_update: Aware UTC, or None before the first.
    """

    issuer_id: str
    organization_id: str
    name: str
    certificate: bytes
    key: SealedRecord = field(repr=False)
    crl_number: int = 0
    crl: bytes = field(default=b"", repr=False)
    crl_next_update: datetime | None = None


@dataclass(frozen=True, slots=True)
class CertifiedKey:
    """Whose a key is, for good; one for each key of an organization.

    Attributes:
        usage: Name of the issuer that certifies it, or `CA_KEY`; empty if it was never certified.
        mailbox_id: 32 hex digits; empty for a server's or an issuer's key.
        compromised: Whether it was reported as compromised.
    """

    usage: str
    mailbox_id: str
    compromised: bool = False


@dataclass(frozen=True, slots=True)
class CertificateRecord:
    """One certificate in the CA's books.

    Attributes:
        certificate_id: 32 hex digits.
        organization_id: 32 hex digits.
        issuer_id: Which issuer.
        serial_number: Positive.
        mailbox_id: 32 hex digits; empty for a server's or an issuer's certificate.
        address: Primary address or first server name; empty for an issuer's.
        spki_sha256: Hex.
        request_key: Hex hash of what was asked for: issuer, key and subject; equal requests have equal ones.
        renewal: 0 for the first certificate of a request key, then 1, 2 ...
        tbs_certificate: DER as it was linted.
        certificate: DER; empty while PENDING.
        state: PENDING -> ISSUED -> REVOKED, or PENDING -> ABANDONED.
        not_before: Aware UTC.
        not_after: Aware UTC.
        revocation_date: Aware UTC, or None.
        revocation_reason: A key of `pkix.crl.REASONS`, or None.
        device_id: Whose signing key it is; empty for all others.
    """

    certificate_id: str
    organization_id: str
    issuer_id: str
    serial_number: int
    mailbox_id: str
    address: str
    spki_sha256: str
    request_key: str
    renewal: int
    tbs_certificate: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    state: CertificateState
    not_before: datetime
    not_after: datetime
    revocation_date: datetime | None = None
    revocation_reason: str | None = None
    device_id: str = ""

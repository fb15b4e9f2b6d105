"""Certificate revocation lists (RFC 5280 section 5): what goes into one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from sealwright.errors import InputError

REASONS: dict[str, x509.ReasonFlags] = {
    "unspecified": x509.ReasonFlags.unspecified,
    "keyCompromise": x509.ReasonFlags.key_compromise,
    "affiliationChanged": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessationOfOperation": x509.ReasonFlags.cessation_of_operation,
    "privilegeWithdrawn": x509.ReasonFlags.privilege_withdrawn,
}
"""Reasons that a certificate can be revoked for here; there is no hold and no return from a list."""


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """One line of a list.

    Attributes:
        serial_number: Of the revoked certificate.
        revocation_date: Aware UTC.
        reason: A key of `REASONS`.
    """

    serial_number: int
    revocation_date: datetime
    reason: str


def check_reason(reason: str) -> None:
    """Check a revocation reason.

    Raises:
        InputError: If it is none of `REASONS`.
    """
    if reason not in REASONS:
        raise InputError(f"a certificate is revoked for one of: {', '.join(REASONS)}")


def crl_builder(
    issuer: x509.Certificate,
    entries: Sequence[RevokedEntry],
    crl_number: int,
    this_update: datetime,
    next_update: datetime,
) -> x509.CertificateRevocationListBuilder:
    """Return the to-be-signed complete list of an issuer, with CRLNumber and authorityKeyIdentifier."""
    key_identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_identifier)
    # the whole list goes in at once: adding entry by entry copies it each time
    return x509.CertificateRevocationListBuilder(
        issuer.subject,
        this_update,
        next_update,
        [
            x509.Extension(x509.AuthorityKeyIdentifier.oid, False, authority),
            x509.Extension(x509.CRLNumber.oid, False, x509.CRLNumber(crl_number)),
        ],
        [_entry(entry) for entry in entries],
    )


def _entry(entry: RevokedEntry) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(entry.serial_number, entry.revocation_date)
    if entry.reason != "unspecified":  # RFC 5280 section 5.3.1: leave the extension out instead
        builder = builder.add_extension(x509.CRLReason(REASONS[entry.reason]), critical=False)
    return builder.build()

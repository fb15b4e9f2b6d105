"""Looking a certificate up in revocation lists (RFC 5280 section 6.3), and the bound on signature checks of one path."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from sealwright.errors import PathValidationError

MAX_SIGNATURE_CHECKS = 100
CLOCK_TOLERANCE = timedelta(minutes=5)


class SignatureBudget:
    """How many signatures may still be verified for one path."""

    def __init__(self, checks: int = MAX_SIGNATURE_CHECKS) -> None:
        self._left = checks

    def spend(self) -> None:
        """Account for one signature check.

        Raises:
            PathValidationError: If all are spent.
        """
        if self._left == 0:
            raise PathValidationError("finding a path to a trusted root takes too many steps")
        self._left -= 1


class RevocationChecker:
    """Complete, direct lists only: indirect, delta and reason-scoped lists count for nothing.

    A stale list, or one younger than the time in question, still proves what it says: no revocation is taken back. That
    a list does *not* name a certificate proves something only while the list is current: `without_status`.
    """

    def __init__(self, crls: Sequence[x509.CertificateRevocationList], now: datetime, budget: SignatureBudget) -> None:
        self._crls = crls
        self._now = now
        self._budget = budget

    def check(self, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
        """Check that no usable list of the issuer names the certificate.

        Raises:
            PathValidationError: If one does, or too many signatures would have to be verified.
        """
        for crl in self._crls:
            if crl.issuer != certificate.issuer:
                continue
            try:
                entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
                if entry is not None and self._is_revocation(entry) and _is_usable(crl, issuer, self._budget):
                    raise PathValidationError("a certificate of the path is revoked")
            except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
                continue  # a list that cannot be decoded is no list

    def _is_revocation(self, entry: x509.RevokedCertificate) -> bool:
        reason = x509.ReasonFlags.unspecified
        for extension in entry.extensions:
            if isinstance(extension.value, x509.CRLReason):
                reason = extension.value.reason
        if reason is x509.ReasonFlags.remove_from_crl:
            return False
        # A stolen key may have signed at any time before it was noticed.
        is_stolen = reason in (x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise)
        return is_stolen or entry.revocation_date_utc <= self._now


def without_status(
    path: Sequence[x509.Certificate], crls: Sequence[x509.CertificateRevocationList], now: datetime
) -> list[x509.Certificate]:
    """Return the certificates of a valid path of which no list says now whether they are revoked.

    A list counts if it is current, complete, without critical extensions, and signed by the certificate's own issuer: an
    old one that somebody on the way put in the place of the new one does not.

    Args:
        path: From `path.validate_path`: leaf first, anchor last.
        crls: Lists to look into.
        now: The present, aware UTC.
    """
    budget = SignatureBudget()
    return [certificate for certificate, issuer in pairwise(path) if not _is_covered(issuer, crls, now, budget)]


def _is_covered(
    issuer: x509.Certificate,
    crls: Sequence[x509.CertificateRevocationList],
    now: datetime,
    budget: SignatureBudget,
) -> bool:
    for crl in crls:
        try:
            next_update = crl.next_update_utc
            is_current = next_update is not None and crl.last_update_utc - CLOCK_TOLERANCE <= now <= next_update
            if crl.issuer == issuer.subject and is_current and _is_usable(crl, issuer, budget):
                return True
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, PathValidationError):
            continue
    return False


def _is_usable(crl: x509.CertificateRevocationList, issuer: x509.Certificate, budget: SignatureBudget) -> bool:
    if any(extension.critical for extension in crl.extensions):
        return False
    usage = [ext.value for ext in issuer.extensions if isinstance(ext.value, x509.KeyUsage)]
    if usage and not usage[0].crl_sign:
        return False
    public_key = issuer.public_key()
    budget.spend()
    return crl.is_signature_valid(public_key)  # type: ignore[arg-type]  # another kind of key raises TypeError

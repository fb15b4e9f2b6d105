"""What one revocation list says about one certificate (RFC 5280 section 6.3.3): scope, entries, extensions.

Complete, delta, partitioned and indirect lists. A list with a critical extension that is not known here, in the list or in
any entry, counts for nothing (section 5.2 and 5.3).
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from cryptography import x509

from sealwright.pkix.distinguished_names import NormalizedName, normalized_name
from sealwright.pkix.extensions import find_extension, unknown_critical

MAX_SCANNED_ENTRIES = 200_000
"""A list whose entries have critical extensions is read entry by entry, at about 5 us each; a larger one is not used."""
ALL_REASONS = frozenset(x509.ReasonFlags) - {x509.ReasonFlags.unspecified, x509.ReasonFlags.remove_from_crl}
_KNOWN_EXTENSIONS = frozenset(
    (
        x509.IssuingDistributionPoint.oid,
        x509.DeltaCRLIndicator.oid,
        x509.CRLNumber.oid,
        x509.AuthorityKeyIdentifier.oid,
        x509.FreshestCRL.oid,
    )
)
_KNOWN_ENTRY_EXTENSIONS = frozenset((x509.CRLReason.oid, x509.InvalidityDate.oid, x509.CertificateIssuer.oid))
_CRITICAL = b"\x01\x01\xff\x04"
"""BOOLEAN TRUE before the OCTET STRING of an extension."""
Names = frozenset[object]


@dataclass(frozen=True, slots=True)
class RevocationEntry:
    """A certificate's line in a list, or the same from a responder.

    Attributes:
        revocation_time: Aware UTC.
        reason: As in `crlEntry` reasonCode; unspecified where there is none.
        invalid_since: The earlier of revocation date and invalidity date.
    """

    revocation_time: datetime
    reason: x509.ReasonFlags
    invalid_since: datetime


class RevocationList:
    """A decoded list.

    Attributes:
        crl: The list.
        issuer: Normalized.
        number: cRLNumber, or None.
        base_number: Of the complete list that a delta list changes; None for a complete list.
        this_update: Aware UTC.
        scope: Two lists with the same scope are versions of each other.
        is_usable: False if it has a critical extension that is not known; entries are looked at in `find`.
    """

    def __init__(self, crl: x509.CertificateRevocationList) -> None:
        """Decode a list.

        Raises:
            ValueError: If it cannot be decoded.
            x509.DuplicateExtension: The same.
            x509.UnsupportedGeneralNameType: The same.
        """
        self.crl = crl
        self.issuer = normalized_name(crl.issuer)
        extensions = crl.extensions
        number = find_extension(extensions, x509.CRLNumber)
        self.number = number.crl_number if number is not None else None
        delta = find_extension(extensions, x509.DeltaCRLIndicator)
        self.base_number = delta.crl_number if delta is not None else None
        self._distribution_point = find_extension(extensions, x509.IssuingDistributionPoint)
        self.is_indirect = self._distribution_point is not None and self._distribution_point.indirect_crl
        self.scope = (self.issuer, self._distribution_point)
        _ = crl.next_update_utc
        self.this_update = crl.last_update_utc
        self.is_usable = not unknown_critical(extensions, _KNOWN_EXTENSIONS)
        self._has_been_read = False
        self._index: dict[tuple[NormalizedName, int], x509.RevokedCertificate] | None = None

    def _read_entries(self) -> None:
        """Read all entries where one of them may have a critical extension; index those of an indirect list."""
        if self._has_been_read:
            return
        expected = sum(extension.critical for extension in self.crl.extensions)
        if self.is_indirect or self.crl.tbs_certlist_bytes.count(_CRITICAL) != expected:
            self._index = self._read_each()
        self._has_been_read = True

    def _read_each(self) -> dict[tuple[NormalizedName, int], x509.RevokedCertificate]:
        issuer, index = self.issuer, {}
        for count, entry in enumerate(self.crl):
            extensions = entry.extensions
            if count == MAX_SCANNED_ENTRIES or unknown_critical(extensions, _KNOWN_ENTRY_EXTENSIONS):
                raise ValueError("the list has an entry that is not understood, or too many")
            named = find_extension(extensions, x509.CertificateIssuer)
            if named is not None:  # holds for this and all following entries (section 5.3.3)
                names = named.get_values_for_type(x509.DirectoryName)
                if not self.is_indirect or not names:
                    raise ValueError("the list names the issuer of an entry where it cannot")
                issuer = normalized_name(names[0])
            index[issuer, entry.serial_number] = entry
        return index

    def find(self, certificate: x509.Certificate) -> RevocationEntry | None:
        """Return the entry of a certificate, or None (section 6.3.3 (i) and (j)).

        Reads a large list whole where it has to: call it for a list that is authentic.

        Raises:
            ValueError: If the list cannot be decoded, or any entry has a critical extension that is not known.
            x509.DuplicateExtension: If it cannot be decoded.
        """
        self._read_entries()
        if self._index is not None:
            entry = self._index.get((normalized_name(certificate.issuer), certificate.serial_number))
        elif self.issuer == normalized_name(certificate.issuer):
            entry = self._by_serial_number(certificate.serial_number)
        else:
            entry = None
        if entry is None:
            return None
        reason = find_extension(entry.extensions, x509.CRLReason)
        invalidity = find_extension(entry.extensions, x509.InvalidityDate)
        revoked = entry.revocation_date_utc
        since = min(revoked, invalidity.invalidity_date_utc) if invalidity is not None else revoked
        return RevocationEntry(revoked, reason.reason if reason is not None else x509.ReasonFlags.unspecified, since)

    def _by_serial_number(self, serial_number: int) -> x509.RevokedCertificate | None:
        if serial_number >= 0:
            return self.crl.get_revoked_certificate_by_serial_number(serial_number)
        # the library's look-up refuses what RFC 5280 section 4.1.2.2 wants handled gracefully
        entries = islice(self.crl, MAX_SCANNED_ENTRIES)
        return next((entry for entry in entries if entry.serial_number == serial_number), None)

    def reasons_for(self, certificate: x509.Certificate, extensions: x509.Extensions) -> frozenset[x509.ReasonFlags]:
        """Return the revocation reasons for which a certificate is in the scope of this list; empty for none.

        Args:
            certificate: Of any issuer.
            extensions: Its extensions.
        """
        constraints = find_extension(extensions, x509.BasicConstraints)
        point = self._distribution_point
        if point is not None:
            is_ca = constraints is not None and constraints.ca
            # (b) (2) (ii)-(iv) Lists of one kind of certificates.
            wrong_kind = is_ca if point.only_contains_user_certs else point.only_contains_ca_certs and not is_ca
            if wrong_kind or point.only_contains_attribute_certs:
                return frozenset()
        found: frozenset[x509.ReasonFlags] = frozenset()
        # The last is implied: a list of the certificate's own issuer (end of section 6.3.3).
        implied = x509.DistributionPoint([x509.DirectoryName(certificate.issuer)], None, None, None)
        for one in (*(find_extension(extensions, x509.CRLDistributionPoints) or ()), implied):
            if self._is_at(one, certificate):
                found |= (one.reasons or ALL_REASONS) & ((point and point.only_some_reasons) or ALL_REASONS)  # (d)
        return found

    def _is_at(self, point: x509.DistributionPoint, certificate: x509.Certificate) -> bool:
        # (b) (1) The issuer of the list.
        issuer = certificate.issuer
        if point.crl_issuer:
            issuers = _directory_names(point.crl_issuer)
            if self.issuer not in issuers or not self.is_indirect:
                return False
            issuer = self.crl.issuer
        elif self.issuer != normalized_name(issuer):
            return False
        # (b) (2) (i) The distribution point of a partitioned list.
        own = self._distribution_point
        if own is None or (own.full_name is None and own.relative_name is None):
            return True
        names = _point_names(own.full_name, own.relative_name, self.crl.issuer)
        if point.full_name is None and point.relative_name is None:
            return bool(names & _point_names(point.crl_issuer, None, issuer))
        return bool(names & _point_names(point.full_name, point.relative_name, issuer))


def _point_names(
    full_name: list[x509.GeneralName] | None, relative_name: x509.RelativeDistinguishedName | None, issuer: x509.Name
) -> Names:
    if relative_name is not None:
        return frozenset((normalized_name(x509.Name([*issuer.rdns, relative_name])),))
    return frozenset(
        normalized_name(name.value) if isinstance(name, x509.DirectoryName) else (type(name), str(name.value))
        for name in full_name or ()
    )


def _directory_names(names: list[x509.GeneralName]) -> set[NormalizedName]:
    return {normalized_name(name.value) for name in names if isinstance(name, x509.DirectoryName)}

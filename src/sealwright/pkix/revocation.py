"""Revocation status of the certificates of a path, from lists and responses (RFC 5280 section 6.3, RFC 6960).

A list or response proves a revocation for ever: nobody takes one back, except a hold, which ends with the next list that
does not name the certificate any more. That a certificate is *not* revoked is proved only by a list or response that
is current, so that an old one in the place of the new one shows as "unknown".

Time: `at` is the time in question. Only a time that a trusted timestamp proves may be earlier than the present. A
revocation counts if it is for a compromised key (a stolen key may have signed at any time before it was noticed), or if it
or its invalidity date lies at or before that time.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509

from sealwright.errors import DecodingError, InvalidSignatureError, PathValidationError
from sealwright.pkix import ocsp
from sealwright.pkix.crl_status import ALL_REASONS, RevocationEntry, RevocationList
from sealwright.pkix.distinguished_names import normalized_name
from sealwright.pkix.extensions import UNDECODABLE, decode_extensions, find_extension
from sealwright.pkix.path_building import CertificatePool, may_be_issuer
from sealwright.pkix.signatures import check_hash

CLOCK_TOLERANCE = timedelta(minutes=5)
"""Clocks of honest signers, responders and readers are that wrong."""
RESPONSE_LIFE = timedelta(hours=24)
"""Of a response without nextUpdate: newer information is always to be had (RFC 6960 section 4.2.2.1), so it grows old soon."""
MAX_LISTS = 1_000
"""A list takes about 50 us to look at; who brings more wants us to be busy."""
MAX_RESPONSES = 100
"""A path of 10 certificates asks for 9."""
_COMPROMISED = (x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise, x509.ReasonFlags.aa_compromise)
_HOLD = x509.ReasonFlags.certificate_hold


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """What lists and responders say about one certificate of a path.

    Attributes:
        state: "good", "unknown", or "revoked" after the time in question.
        revocation_time: Aware UTC, if revoked.
        reason: As in RFC 5280 section 5.3.1, such as "superseded", if revoked.
    """

    state: Literal["good", "revoked", "unknown"]
    revocation_time: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Lists and responses, from anywhere: each counts only as far as its signature and its signer's path go.

    Attributes:
        crls: Lists, complete and delta.
        ocsp_responses: DER OCSPResponse each.
    """

    crls: Sequence[x509.CertificateRevocationList] = ()
    ocsp_responses: Sequence[bytes] = ()


class RevocationChecker:
    """Looks certificates of validated paths up.

    Args:
        evidence: Lists and responses.
        pool: Where other certificates of a list's issuer are.
        now: The present, aware UTC.
        at: The time in question.
        allow_weak: Whether lists and responses may be signed with SHA-1.
        is_crl_issuer: Tells whether a certificate that signs lists has a valid path to an anchor.

    Raises:
        PathValidationError: "too-many-steps", if there are too many of them.
    """

    def __init__(
        self,
        evidence: Evidence,
        pool: CertificatePool,
        *,
        now: datetime,
        at: datetime,
        allow_weak: bool,
        is_crl_issuer: Callable[[x509.Certificate, x509.Certificate], bool],
    ) -> None:
        if len(evidence.crls) > MAX_LISTS or len(evidence.ocsp_responses) > MAX_RESPONSES:
            raise PathValidationError("there are too many revocation lists or OCSP responses", "too-many-steps")
        self._lists = _decode(evidence.crls)
        self._responses = evidence.ocsp_responses
        self._pool = pool
        self._now, self._at = now, at
        self._allow_weak = allow_weak
        self._is_crl_issuer = is_crl_issuer

    def check(
        self, certificate: x509.Certificate, issuer: x509.Certificate, anchor: x509.Certificate
    ) -> CertificateStatus:
        """Return what is known about a certificate.

        Args:
            certificate: Of a path that is being validated.
            issuer: The next one of it.
            anchor: The last one of it; whoever signs lists for it has a path to the same.

        Raises:
            PathValidationError: "revoked"; "too-many-steps".
        """
        entry, is_good = self._look_into_lists(certificate, issuer, anchor)
        by_responder, is_good_by_responder = self._look_into_responses(certificate, issuer)
        entry = entry or by_responder
        if entry is None:
            return CertificateStatus("good" if is_good or is_good_by_responder else "unknown")
        if entry.reason in _COMPROMISED or entry.invalid_since <= self._at:
            day, reason = entry.revocation_time.date().isoformat(), entry.reason.value
            raise PathValidationError(f"a certificate of the path is revoked since {day} ({reason})", "revoked")
        return CertificateStatus("revoked", entry.revocation_time, entry.reason.value)

    def _look_into_lists(
        self, certificate: x509.Certificate, issuer: x509.Certificate, anchor: x509.Certificate
    ) -> tuple[RevocationEntry | None, bool]:
        extensions = decode_extensions(certificate)
        covered: frozenset[x509.ReasonFlags] = frozenset()
        entries: dict[object, RevocationEntry | None] = {}
        complete: dict[object, list[RevocationList]] = {}
        for one in self._lists:  # oldest first
            try:
                reasons = one.reasons_for(certificate, extensions)
                if not reasons or not self._is_authentic(one, issuer, anchor):
                    continue
                found = one.find(certificate)
            except UNDECODABLE:
                continue
            scope = one.scope
            if one.base_number is None:
                complete.setdefault(scope, []).append(one)
            elif not any(_is_base(base, one) for base in complete.get(scope, ())):
                continue
            if self._is_current(certificate, one.crl.last_update_utc, one.crl.next_update_utc):
                covered |= reasons
            entries[scope] = _merge(entries.get(scope), found, is_complete=one.base_number is None)
        revoked = next((entry for entry in entries.values() if entry is not None), None)
        return revoked, covered >= ALL_REASONS

    def _look_into_responses(
        self, certificate: x509.Certificate, issuer: x509.Certificate
    ) -> tuple[RevocationEntry | None, bool]:
        is_good = False
        for der in self._responses:
            try:
                answer = ocsp.read_response(der, certificate, issuer, self._pool, allow_weak=self._allow_weak)
            except (DecodingError, InvalidSignatureError):
                continue
            next_update = answer.next_update or answer.this_update + RESPONSE_LIFE
            is_current = self._is_current(certificate, answer.this_update, next_update)
            if answer.entry is not None and (is_current or answer.entry.reason is not _HOLD):
                return answer.entry, False
            is_good = is_good or (answer.is_good and is_current)
        return None, is_good

    def _is_current(self, certificate: x509.Certificate, this_update: datetime, next_update: datetime | None) -> bool:
        """Tell whether a list or response says something about now, or about the time in question.

        A list need not name certificates that have expired, so that for them only the time in question counts.
        """
        if next_update is None:
            return False
        times = {self._at} if certificate.not_valid_after_utc < self._now else {self._at, self._now}
        return any(this_update - CLOCK_TOLERANCE <= time <= next_update for time in times)

    def _is_authentic(self, one: RevocationList, issuer: x509.Certificate, anchor: x509.Certificate) -> bool:
        """Tell whether a list is signed by a key that may (section 6.3.3 (f) and (g))."""
        try:
            check_hash(one.crl.signature_hash_algorithm, allow_weak=self._allow_weak)
        except PathValidationError:
            return False
        if one.issuer == normalized_name(issuer.subject) and self._signs(issuer, one.crl):
            return True  # its path is the one that is validated right now
        others = (other for other in self._pool.named(one.crl.issuer) if other != issuer)
        return any(self._signs(other, one.crl) and self._is_crl_issuer(other, anchor) for other in others)

    def _signs(self, signer: x509.Certificate, crl: x509.CertificateRevocationList) -> bool:
        usage = find_extension(decode_extensions(signer), x509.KeyUsage)
        if usage is not None and not usage.crl_sign:
            return False
        return may_be_issuer(crl, signer) and self._pool.is_signed_by(crl, signer)


def _decode(crls: Iterable[x509.CertificateRevocationList]) -> list[RevocationList]:
    """Return the lists that can be used, oldest first, a complete one before the delta lists of the same time."""
    usable = []
    for crl in crls:
        try:
            one = RevocationList(crl)
        except UNDECODABLE:
            continue
        if one.is_usable:
            usable.append(one)
    return sorted(usable, key=lambda one: (one.this_update, one.base_number is not None, one.number or 0))


def _is_base(base: RevocationList, delta: RevocationList) -> bool:
    """Tell whether a complete list may be brought up to date with a delta list (section 6.3.3 (c), section 5.2.4)."""
    if base.number is None or delta.number is None or delta.base_number is None:
        return False
    return delta.base_number <= base.number <= delta.number


def _merge(
    known: RevocationEntry | None, found: RevocationEntry | None, *, is_complete: bool
) -> RevocationEntry | None:
    """Return what is known after a newer list of the same scope (section 6.3.3 (k))."""
    if known is not None and known.reason is not _HOLD:
        return known
    if found is None:
        return None if is_complete else known
    return None if found.reason is x509.ReasonFlags.remove_from_crl else found

"""Certification path validation (RFC 5280 section 6.1 in its own order, RFC 9618, RFC 8550), for S/MIME.

Stricter than RFC 5280: the trust anchor is checked like an issuer (as far as it says anything: one of version 1 says
nothing), keys and hashes have a minimum, an issuer's extendedKeyUsage binds those below it, and an end-entity certificate
for mail is no CA. Policies are processed below the anchor.

Foreign certificates (RFC 8550 section 4.4): one without keyUsage may be used for everything, one without extendedKeyUsage
too. Both are accepted with a warning, "no-key-usage" and "no-extended-key-usage"; what Sealwright's own CA issues has both,
because its profiles are linted before they are signed.

A trust anchor is never accepted as the end entity itself, not even a self-signed certificate for mail that somebody put among
his roots: RFC 5280 section 6.1 has no such path, nobody but its holder says whose it is, and it cannot be revoked.

Codes of `PathValidationError` here: "no-path", "leaf-is-anchor", "too-many-steps", "malformed", "expired", "not-yet-valid",
"weak-key", "weak-signature", "unknown-algorithm", "critical-extension", "not-a-ca", "path-length", "key-usage", "purpose",
"name-constraints", "policy", "revoked", "status-unknown". Warnings: "no-key-usage", "no-extended-key-usage", "rsa-1024" (the
size), "sha1", "status-unknown", "revoked-later".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from sealwright.errors import DecodingError, PathValidationError
from sealwright.pkix.distinguished_names import is_self_issued
from sealwright.pkix.end_entity import Purpose, check_end_entity, check_issuer_purposes
from sealwright.pkix.extensions import decode_extensions, find_extension, is_decodable, unknown_critical
from sealwright.pkix.name_constraints import NameConstraintState
from sealwright.pkix.path_building import CertificatePool
from sealwright.pkix.policies import POLICY_MAPPINGS, PolicySettings, PolicyState
from sealwright.pkix.revocation import CertificateStatus, Evidence, RevocationChecker
from sealwright.pkix.signatures import WorkBudget, check_algorithms

_HANDLED_EXTENSIONS = frozenset(
    (
        x509.BasicConstraints.oid,
        x509.KeyUsage.oid,
        x509.ExtendedKeyUsage.oid,
        x509.SubjectAlternativeName.oid,
        x509.NameConstraints.oid,
        x509.CertificatePolicies.oid,
        x509.PolicyConstraints.oid,
        x509.InhibitAnyPolicy.oid,
        x509.CRLDistributionPoints.oid,
        POLICY_MAPPINGS,
    )
)


@dataclass(frozen=True, slots=True)
class ValidPath:
    """A valid certification path.

    Attributes:
        certificates: Leaf first, anchor last.
        statuses: One for each certificate but the anchor, in the same order.
        valid_policies: Policies, dotted, that the path is valid for under the initial policy set; anyPolicy for all.
        warnings: Stable codes of what is weak or missing and yet accepted.
    """

    certificates: tuple[x509.Certificate, ...]
    statuses: tuple[CertificateStatus, ...]
    valid_policies: frozenset[str]
    warnings: tuple[str, ...]

    @property
    def without_status(self) -> tuple[x509.Certificate, ...]:
        """The certificates of which nobody says whether they are revoked."""
        states = zip(self.certificates, self.statuses, strict=False)  # the anchor has none
        return tuple(certificate for certificate, status in states if status.state == "unknown")


def validate_path(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    *,
    now: datetime,
    purpose: Purpose,
    at: datetime | None = None,
    crls: Sequence[x509.CertificateRevocationList] = (),
    ocsp_responses: Sequence[bytes] = (),
    policies: PolicySettings | None = None,
    require_status: bool = False,
    allow_weak: bool = False,
) -> ValidPath:
    """Find and validate a path from a certificate to a trust anchor.

    Args:
        leaf: The certificate in question.
        intermediates: Any certificates, in any order; never trusted by themselves.
        anchors: Trusted root certificates, as given: their own signature is not looked at.
        now: The present, aware UTC.
        purpose: What the leaf's key is to be used for; "any" for RFC 5280 alone, also of a CA's certificate.
        at: The time in question, if a trusted timestamp proves one earlier than the present; see `pkix.revocation`.
        crls: Lists to look into, complete and delta; one that nobody who may has signed counts for nothing.
        ocsp_responses: DER, likewise.
        policies: What is asked of certificate policies; nothing by default.
        require_status: Refuse a path with a certificate of which nobody says whether it is revoked.
        allow_weak: Accept, with warnings, RSA keys from 1024 bits and SHA-1.

    Returns:
        The path and what is to be said about it.

    Raises:
        PathValidationError: If there is no valid path within 10 certificates, 100 signature checks and 2,000 steps.
            Where several paths were found, the first one's reason is given.
    """
    if not is_decodable(leaf):
        raise PathValidationError("the certificate cannot be decoded", "malformed")
    pool = CertificatePool(anchors, intermediates, WorkBudget())
    evidence = Evidence(crls, ocsp_responses)
    validation = _Validation(pool, evidence, policies or PolicySettings(), now=now, at=at or now, allow_weak=allow_weak)
    return validation.validate(leaf, purpose, require_status=require_status)


class _Validation:
    """Validates paths over one pool: that of the leaf, and those of other certificates that sign lists."""

    def __init__(
        self,
        pool: CertificatePool,
        evidence: Evidence,
        policies: PolicySettings,
        *,
        now: datetime,
        at: datetime,
        allow_weak: bool,
    ) -> None:
        self._pool, self._policies, self._at, self._allow_weak = pool, policies, at, allow_weak
        self._revocation = RevocationChecker(
            evidence, pool, now=now, at=at, allow_weak=allow_weak, is_crl_issuer=self._is_crl_issuer
        )
        self._crl_issuers: dict[tuple[x509.Certificate, x509.Certificate], bool] = {}

    def validate(
        self, leaf: x509.Certificate, purpose: Purpose, *, require_status: bool, anchor: x509.Certificate | None = None
    ) -> ValidPath:
        problem = None
        for path in self._pool.paths(leaf):
            if anchor is not None and path[-1] != anchor:
                continue
            try:
                return self._check(path, purpose, require_status=require_status)
            except (PathValidationError, DecodingError) as error:
                if problem is None:
                    problem = PathValidationError(error.message, getattr(error, "code", "malformed"))
        if problem is None and leaf in self._pool.anchors:
            raise PathValidationError(
                "the certificate is itself a trusted root, and no CA vouches for it", "leaf-is-anchor"
            )
        raise problem or PathValidationError("no path leads from the certificate to a trusted root", "no-path")

    def _is_crl_issuer(self, certificate: x509.Certificate, anchor: x509.Certificate) -> bool:
        """Tell whether a certificate that signs lists has a valid path (RFC 5280 section 6.3.3 (f)).

        Its own status must be known, from somebody else: while it is being looked for, its lists count for nothing.
        """
        key = (certificate, anchor)
        if key not in self._crl_issuers:
            self._crl_issuers[key] = False
            try:
                self.validate(certificate, "crl", require_status=True, anchor=anchor)
                self._crl_issuers[key] = True
            except PathValidationError as error:
                if error.code == "too-many-steps":
                    raise
        return self._crl_issuers[key]

    def _check(self, path: list[x509.Certificate], purpose: Purpose, *, require_status: bool) -> ValidPath:
        """Check a path whose signatures and issuer names are already known to be right (RFC 5280 section 6.1)."""
        # 6.1.2 Initialization.
        policies = PolicyState(self._policies, len(path) - 1)
        constraints, path_length = NameConstraintState(), _PathLength()
        statuses: list[CertificateStatus] = []
        warnings: list[str] = []
        for depth in range(len(path) - 1, -1, -1):
            certificate = path[depth]
            is_anchor, is_leaf, self_issued = depth == len(path) - 1, depth == 0, is_self_issued(certificate)
            extensions = decode_extensions(certificate)
            # 6.1.3 (a)(1) The signature verified when the path was built; it must be worth something, too.
            warnings += check_algorithms(certificate, is_anchor=is_anchor, allow_weak=self._allow_weak)
            # 6.1.3 (a)(2) It is valid at the time in question.
            _check_validity(certificate, self._at)
            # 6.1.3 (a)(3) It is not revoked. (a)(4), the issuer's name, was seen to when the path was built.
            if not is_anchor:
                status = self._revocation.check(certificate, path[depth + 1], path[-1])
                if status.state == "unknown" and require_status:
                    raise PathValidationError("nobody says whether a certificate is revoked", "status-unknown")
                statuses.insert(0, status)
            # 6.1.3 (b)(c) Its names are within the constraints above.
            if is_leaf or not self_issued:
                constraints.check(certificate)
            # 6.1.3 (d)-(f) Its policies.
            if not is_anchor:
                policies.check_policies(extensions, is_leaf=is_leaf, is_self_issued=self_issued)
            # 6.1.4 (o), 6.1.5 (f) No critical extension is left unprocessed.
            if unknown_critical(extensions, _HANDLED_EXTENSIONS):
                reason = "a certificate of the path has a critical extension that is not known"
                raise PathValidationError(reason, "critical-extension")
            if is_leaf:
                break
            # 6.1.4 (a)(b)(h)-(j) Policies, prepared for the next certificate.
            if not is_anchor:
                policies.prepare_for_next(extensions, is_self_issued=self_issued)
            # 6.1.4 (k)-(n) It is a CA, the path below is short enough, and its key may sign certificates.
            _check_issuer(certificate, extensions, is_anchor=is_anchor)
            check_issuer_purposes(extensions, purpose)
            path_length.take_up(extensions, counts=not is_anchor and not self_issued)
            # 6.1.4 (g) Its name constraints bind all below.
            found = find_extension(extensions, x509.NameConstraints)
            if found is not None:
                constraints.add(found)
        # 6.1.5 Wrap-up.
        valid_policies = policies.wrap_up(extensions)
        warnings += check_end_entity(path[0], extensions, purpose)
        words = {"unknown": ["status-unknown"], "revoked": ["revoked-later"], "good": []}
        warnings += [word for status in statuses for word in words[status.state]]
        return ValidPath(tuple(path), tuple(statuses), valid_policies, tuple(dict.fromkeys(warnings)))


class _PathLength:
    """max_path_length (RFC 5280 section 6.1.4 (l) and (m))."""

    def __init__(self) -> None:
        self._left: int | None = None

    def take_up(self, extensions: x509.Extensions, *, counts: bool) -> None:
        if counts and self._left is not None:  # (l)
            if self._left == 0:
                raise PathValidationError("the path is longer than an issuer of it allows", "path-length")
            self._left -= 1
        constraints = find_extension(extensions, x509.BasicConstraints)
        limit = constraints.path_length if constraints is not None else None
        if limit is not None:  # (m)
            self._left = limit if self._left is None else min(self._left, limit)


def _check_validity(certificate: x509.Certificate, at: datetime) -> None:
    if at < certificate.not_valid_before_utc:
        raise PathValidationError("a certificate of the path is not valid yet", "not-yet-valid")
    if at > certificate.not_valid_after_utc:
        raise PathValidationError("a certificate of the path has expired", "expired")


def _check_issuer(certificate: x509.Certificate, extensions: x509.Extensions, *, is_anchor: bool) -> None:
    if is_anchor and certificate.version is x509.Version.v1:
        return  # it was made before there were extensions, and somebody trusts it all the same
    constraints = find_extension(extensions, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise PathValidationError("a certificate of the path was issued by one that is no CA", "not-a-ca")
    usage = find_extension(extensions, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise PathValidationError("an issuer of the path may not sign certificates", "key-usage")

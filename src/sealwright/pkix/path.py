"""Certification paths: building within bounds, then RFC 5280 section 6.1 in its own order.

Stricter than the RFC where S/MIME allows it: the trust anchor is checked like an issuer, keys and hashes have a minimum,
an issuer's extendedKeyUsage binds those below it, and an end-entity certificate states keyUsage and emailProtection.
Policies are not processed; a certificate that demands it (policyConstraints) is refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, mlkem, rsa, x25519
from cryptography.x509.oid import ExtendedKeyUsageOID

from sealwright.errors import DecodingError, PathValidationError
from sealwright.pkix.name_constraints import NameConstraintState
from sealwright.pkix.revocation import RevocationChecker, SignatureBudget

MAX_PATH_CERTIFICATES = 10
MAX_CANDIDATES = 100
"""Certificates that path building looks at; what comes with a mail beyond this is an attack."""

Purpose = Literal["sign", "encrypt"]
ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)

_HANDLED_EXTENSIONS = frozenset(
    (
        x509.BasicConstraints.oid,
        x509.KeyUsage.oid,
        x509.ExtendedKeyUsage.oid,
        x509.SubjectAlternativeName.oid,
        x509.NameConstraints.oid,
        x509.CertificatePolicies.oid,
        x509.InhibitAnyPolicy.oid,  # can only narrow a policy set that nothing here depends on
    )
)
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_OTHER_KEYS = (
    ed25519.Ed25519PublicKey,
    x25519.X25519PublicKey,
    mlkem.MLKEM768PublicKey,
    mlkem.MLKEM1024PublicKey,
    mldsa.MLDSA65PublicKey,
    mldsa.MLDSA87PublicKey,
)


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """What lists and responders say about one certificate of a path (RFC 5280 section 6.3, RFC 6960).

    Attributes:
        state: "good", "revoked" (after the time in question), or "unknown".
        revocation_time: Aware UTC, if revoked.
        reason: `x509.ReasonFlags` value such as "superseded", if revoked.
    """

    state: Literal["good", "revoked", "unknown"]
    revocation_time: datetime | None = None
    reason: str | None = None


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
    statuses: tuple[CertificateStatus, ...] = ()
    valid_policies: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


def validate_path(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    *,
    now: datetime,
    purpose: Purpose,
    crls: Sequence[x509.CertificateRevocationList] = (),
) -> ValidPath:
    """Find and validate a path from an end-entity certificate to a trust anchor.

    Args:
        leaf: The end-entity certificate.
        intermediates: Any certificates, in any order; never trusted by themselves.
        anchors: Trusted root certificates.
        now: The time in question, aware UTC: the present, or the time of a signature.
        purpose: What the leaf's key is to be used for.
        crls: Lists to look into; one that its issuer did not sign counts for nothing.

    Returns:
        The path and what is to be said about it.

    Raises:
        PathValidationError: If there is no valid path within 10 certificates and 100 signature checks.
    """
    budget = SignatureBudget()
    problem = PathValidationError("no path leads from the certificate to a trusted root")
    for path in _build_paths(leaf, intermediates, anchors, budget):
        try:
            _check_path(path, now, purpose, RevocationChecker(crls, now, budget))
        except (PathValidationError, DecodingError) as error:
            problem = PathValidationError(error.message, getattr(error, "code", "malformed"))
        else:
            return ValidPath(tuple(path))
    raise problem


def _build_paths(
    leaf: x509.Certificate,
    intermediates: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    budget: SignatureBudget,
) -> Iterator[list[x509.Certificate]]:
    trusted = list(dict.fromkeys(anchors))
    others = [certificate for certificate in dict.fromkeys(intermediates) if certificate not in trusted]
    candidates = trusted + others[:MAX_CANDIDATES]
    stack = [[leaf]]
    while stack:
        path = stack.pop()
        last = path[-1]
        for issuer in reversed(candidates):  # the stack turns the order round: anchors come first
            if issuer.subject != last.issuer or issuer in path or not _key_identifiers_agree(last, issuer):
                continue
            if len(path) < MAX_PATH_CERTIFICATES and _is_issued_by(last, issuer, budget):
                stack.append([*path, issuer])
        if len(path) > 1 and last in trusted:
            yield path


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate, budget: SignatureBudget) -> bool:
    budget.spend()
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _key_identifiers_agree(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        authority = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        subject = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return True
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return False
    return authority is None or authority == subject


def _check_path(path: list[x509.Certificate], now: datetime, purpose: Purpose, revocation: RevocationChecker) -> None:
    """Check a path whose signatures and issuer names are already known to be right (RFC 5280 section 6.1)."""
    constraints = NameConstraintState()
    certificates_left: int | None = None
    for depth in range(len(path) - 1, -1, -1):
        certificate = path[depth]
        is_anchor, is_leaf = depth == len(path) - 1, depth == 0
        is_self_issued = certificate.subject == certificate.issuer
        extensions = _extensions(certificate)
        # 6.1.3 (a)(1) The key and the signature algorithm are of a kind and strength that still means something.
        _check_algorithms(certificate, is_anchor)
        # 6.1.3 (a)(2) It is valid at the time in question.
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise PathValidationError("a certificate of the path has expired or is not valid yet")
        # 6.1.3 (a)(3) It is not revoked. (a)(4), the issuer's name, was seen to when the path was built.
        if not is_anchor:
            revocation.check(certificate, path[depth + 1])
        # 6.1.3 (b)(c) Its names are within the constraints above.
        if is_leaf or not is_self_issued:
            constraints.check(certificate)
        # 6.1.4 (o), 6.1.5 (f) No critical extension is left unprocessed.
        for extension in extensions:
            if extension.critical and extension.oid not in _HANDLED_EXTENSIONS:
                raise PathValidationError("a certificate of the path has a critical extension that is not known")
        if is_leaf:
            _check_leaf(certificate, extensions, purpose)
            return
        # 6.1.4 (k)-(n) It is a CA, the path below is short enough, and its key may sign certificates.
        path_length = _check_issuer(extensions)
        if not is_anchor and not is_self_issued and certificates_left is not None:
            if certificates_left == 0:
                raise PathValidationError("the path is longer than an issuer of it allows")
            certificates_left -= 1
        if path_length is not None:
            certificates_left = path_length if certificates_left is None else min(certificates_left, path_length)
        # 6.1.4 (g) Its name constraints bind all below.
        found = _find(extensions, x509.NameConstraints)
        if found is not None:
            constraints.add(found)
    raise PathValidationError("the path is empty")


def _extensions(certificate: x509.Certificate) -> x509.Extensions:
    try:
        extensions, version = certificate.extensions, certificate.version
    except (ValueError, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType) as error:
        raise PathValidationError("the extensions of a certificate cannot be decoded") from error
    if version is not x509.Version.v3:
        raise PathValidationError("a certificate of the path is not of version 3")
    return extensions


def _check_algorithms(certificate: x509.Certificate, is_anchor: bool) -> None:
    try:
        public_key = certificate.public_key()
        hash_algorithm = certificate.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PathValidationError("a certificate of the path has an unknown key or signature algorithm") from error
    if isinstance(public_key, rsa.RSAPublicKey):
        strong = 2048 <= public_key.key_size <= 16384
    elif isinstance(public_key, ec.EllipticCurvePublicKey):
        strong = isinstance(public_key.curve, _CURVES)
    else:
        strong = isinstance(public_key, _OTHER_KEYS)
    # nobody depends on the signature that an anchor puts on itself
    if not strong or (not is_anchor and hash_algorithm is not None and not isinstance(hash_algorithm, _HASHES)):
        raise PathValidationError("a certificate of the path has a key or signature that is too weak")


def _check_issuer(extensions: x509.Extensions) -> int | None:
    constraints = _find(extensions, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise PathValidationError("a certificate of the path was issued by one that is no CA")
    usage = _find(extensions, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise PathValidationError("an issuer of the path may not sign certificates")
    purposes = _find(extensions, x509.ExtendedKeyUsage)
    if purposes is not None and not _allows_mail(purposes):
        raise PathValidationError("an issuer of the path is not for mail")
    return constraints.path_length


def _check_leaf(certificate: x509.Certificate, extensions: x509.Extensions, purpose: Purpose) -> None:
    constraints = _find(extensions, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise PathValidationError("a CA's certificate is not used for mail")
    purposes = _find(extensions, x509.ExtendedKeyUsage)
    if purposes is None or not _allows_mail(purposes):
        raise PathValidationError("the certificate is not for mail")
    usage = _find(extensions, x509.KeyUsage)
    if usage is None:
        raise PathValidationError("the certificate does not say what its key is for")
    if purpose == "sign":
        is_allowed = usage.digital_signature or usage.content_commitment
    elif isinstance(certificate.public_key(), (ec.EllipticCurvePublicKey, x25519.X25519PublicKey)):
        is_allowed = usage.key_agreement
    else:
        is_allowed = usage.key_encipherment
    if not is_allowed:
        raise PathValidationError(f"the certificate's key is not made to {purpose}")


def _allows_mail(purposes: x509.ExtendedKeyUsage) -> bool:
    return any(
        purpose in (ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
        for purpose in purposes
    )


def _find(extensions: x509.Extensions, kind: type[ExtensionT]) -> ExtensionT | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None

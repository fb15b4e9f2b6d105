"""What a reader trusts, and whether a signer's certificate is trusted by it. The same judge for a device and for `inspect`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from sealwright.errors import PathValidationError
from sealwright.pkix.end_entity import Purpose
from sealwright.pkix.extensions import UNDECODABLE
from sealwright.pkix.path import ValidPath, validate_path
from sealwright.pkix.revocation import Evidence

MAX_CRLS = 16
"""Lists that a message brings; one for each certificate of a path would do."""

FetchEvidence = Callable[[Sequence[x509.Certificate]], Evidence]
FetchIssuers = Callable[[x509.Certificate, Sequence[x509.Certificate]], Sequence[x509.Certificate]]


def _nothing(_path: Sequence[x509.Certificate]) -> Evidence:
    return Evidence()


def _nobody(_certificate: x509.Certificate, _known: Sequence[x509.Certificate]) -> Sequence[x509.Certificate]:
    return ()


@dataclass(frozen=True, slots=True)
class Trust:
    """What a verdict rests on.

    Attributes:
        now: The time in question, aware UTC.
        anchors: Trusted roots; none means that no signature is valid.
        certificates: More certificates to build paths with; never trusted by themselves.
        crls: Revocation lists that are at hand.
        fetch_evidence: Gets lists and OCSP responses. Called only with a path that is valid, so that nothing that a
            stranger wrote into a certificate is ever asked for.
        fetch_issuers: Gets candidates for intermediates that are missing above a certificate. There is no valid path yet, so
            it may ask only who is known beforehand.
        domain: The anchors count for addresses of this domain only; None for all.
        allow_weak: Admit SHA-1 signatures and RSA keys of 1024 bits.
    """

    now: datetime
    anchors: Sequence[x509.Certificate] = ()
    certificates: Sequence[x509.Certificate] = ()
    crls: Sequence[x509.CertificateRevocationList] = field(default=(), repr=False)
    fetch_evidence: FetchEvidence = _nothing
    fetch_issuers: FetchIssuers = _nobody
    domain: str | None = None
    allow_weak: bool = False


@dataclass(frozen=True, slots=True)
class TrustedPath:
    """The path of a certificate that is trusted.

    Attributes:
        path: Leaf first, anchor last.
        without_status: Certificates of it of which nobody says whether they are revoked.
        warnings: Codes of `pkix.path`: what is weak or missing and yet accepted.
    """

    path: tuple[x509.Certificate, ...]
    without_status: tuple[x509.Certificate, ...]
    warnings: tuple[str, ...] = ()


def find_trusted_path(
    certificate: x509.Certificate,
    brought: Sequence[x509.Certificate],
    trust: Trust,
    *,
    purpose: Purpose = "sign",
    at: datetime | None = None,
    crls: Sequence[x509.CertificateRevocationList] = (),
    ocsp_responses: Sequence[bytes] = (),
) -> TrustedPath:
    """Find the path of a signer's certificate to an anchor, not revoked as far as is known.

    Args:
        certificate: The signer's.
        brought: Certificates that came with the message.
        trust: What it is judged by.
        purpose: "sign", or "timestamp" for the certificate of a timestamp authority.
        at: A time that a trusted timestamp proves, if the path may have ended since.
        crls: Lists that came with the message (RFC 8550 section 2.1).
        ocsp_responses: Likewise, DER (RFC 5940).

    Raises:
        PathValidationError: If there is none.
    """
    others = [*trust.certificates, *brought]
    lists, responses = [*trust.crls, *crls], list(ocsp_responses)

    def validate() -> ValidPath:
        return validate_path(
            certificate,
            others,
            trust.anchors,
            now=trust.now,
            purpose=purpose,
            at=at,
            crls=lists,
            ocsp_responses=responses,
            allow_weak=trust.allow_weak,
        )

    # 1 Whose it is, before anything that it names is asked for; a missing intermediate comes from hosts known beforehand.
    try:
        path = validate()
    except PathValidationError as error:
        fetched_issuers = trust.fetch_issuers(certificate, [*trust.anchors, *others]) if error.code == "no-path" else ()
        if not fetched_issuers:
            raise
        others = [*fetched_issuers, *others]
        path = validate()
    # 2 Revocation; what is not known is told, never silence.
    fetched = trust.fetch_evidence(path.certificates)
    if fetched.crls or fetched.ocsp_responses:
        lists += fetched.crls
        responses += fetched.ocsp_responses
        path = validate()
    return TrustedPath(path.certificates, path.without_status, path.warnings)


def load_lists(encoded: Sequence[bytes]) -> list[x509.CertificateRevocationList]:
    """Load the lists that a message brought (RFC 8550 section 2.1); what cannot be read is none."""
    found = []
    for der in encoded[:MAX_CRLS]:
        try:
            found.append(x509.load_der_x509_crl(der))
        except UNDECODABLE:
            continue
    return found

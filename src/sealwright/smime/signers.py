"""What one signature is worth: cryptography, then path, revocation and time (RFC 8550), then whom its certificate names."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cryptography import x509

from sealwright.cms import signed
from sealwright.cms.signed_data import SignedDataParts
from sealwright.cms.signer_report import SignedContent, SignerReport
from sealwright.errors import DecodingError, PathValidationError
from sealwright.pkix.levels import identity_level
from sealwright.pkix.names import certificate_addresses
from sealwright.pkix.revocation import CLOCK_TOLERANCE
from sealwright.smime.cautions import Caution, caution
from sealwright.smime.fields import one_line
from sealwright.smime.proven_time import proven_time
from sealwright.smime.trust import MAX_CRLS, Trust, TrustedPath, find_trusted_path, load_lists

_ENDED = ("expired", "revoked")
_WEAK = ("sha1", "rsa-1024")
_TOLD = ("no-key-usage", "no-extended-key-usage", "revoked-later")
"""Warnings of a path that are told under their own codes; weak algorithms and unknown revocation have cautions already."""
_CAUTION_OF = {
    "no-trust-anchor": "no-trust-anchor",
    **dict.fromkeys(("weak-algorithm", "weak-signature", "weak-key"), "weak-signature"),
}
"""What people are warned of, by the code of a problem; every other one is "signature-broken" or "signer-not-trusted"."""


@dataclass(frozen=True, slots=True)
class SignerVerdict:
    """What is known about one signature.

    Attributes:
        is_intact: It holds over the content (RFC 5652 section 5.6). Says nothing about who made it.
        is_trusted: A path leads to a trusted anchor: valid at the time in question, not known to be revoked.
        problem: Why it is not valid: a code of `cms.signer_report.Problem`, of `pkix.path`, or one of "no-trust-anchor",
            "weak-signature", "foreign-domain"; empty if it is valid.
        reason: The same for people, in more detail.
        certificate: The signer's, if the message brought it.
        addresses: That the certificate speaks for, canonical; none if the signature does not hold.
        path: Leaf first, anchor last; empty if not trusted.
        is_revocation_known: A current list covers each certificate of the path.
        identity_level: How the signer's identity was validated; "unknown" unless valid.
        signing_time: As the signer claims.
        proven_time: Earliest time at which a trusted timestamp proves that the signature was there.
        digest: Such as "sha256".
        signature_algorithm: Such as "ecdsa-sha256".
        weaknesses: Such as "sha1".
        capabilities: SMIMECapabilities DER to learn from; empty unless the signature is valid and its time has come
            (RFC 8551 section 2.5.2).
        matches_from: The certificate names the one author.
        matches_sender: The certificate names the Sender.
        countersigners: Of others over this signature (RFC 5652 section 11.4), each judged by itself; what they are worth does
            not change what this one is.
        cautions: About this signature.
    """

    is_intact: bool
    is_trusted: bool = False
    problem: str = ""
    reason: str = ""
    certificate: x509.Certificate | None = None
    addresses: tuple[str, ...] = ()
    path: tuple[x509.Certificate, ...] = field(default=(), repr=False)
    is_revocation_known: bool = False
    identity_level: str = "unknown"
    signing_time: datetime | None = None
    proven_time: datetime | None = None
    digest: str = ""
    signature_algorithm: str = ""
    weaknesses: tuple[str, ...] = ()
    capabilities: bytes = b""
    matches_from: bool = False
    matches_sender: bool = False
    countersigners: tuple["SignerVerdict", ...] = ()
    cautions: tuple[Caution, ...] = ()

    @property
    def revocation(self) -> Literal["good", "revoked", "unknown"]:
        """What is known of the revocation of all certificates of the path."""
        if self.problem == "revoked":
            return "revoked"
        return "good" if self.is_revocation_known else "unknown"

    @property
    def is_valid(self) -> bool:
        """The signature holds, and its signer is trusted."""
        return self.is_intact and self.is_trusted


@dataclass(frozen=True, slots=True)
class SignatureVerdict:
    """What one SignedData is worth.

    Attributes:
        content: What was signed, as it is to be read on; of a broken signature without any guarantee. None if missing.
        signers: In the order of the message.
        cautions: About the SignedData as a whole.
    """

    content: bytes | None = field(repr=False)
    signers: tuple[SignerVerdict, ...]
    cautions: tuple[Caution, ...] = ()


def judge_signed_data(parts: SignedDataParts, content: bytes | None, trust: Trust) -> SignatureVerdict:
    """Judge every signature of a SignedData by itself (RFC 5652 section 5.6).

    Args:
        parts: The SignedData, taken apart.
        content: What a detached signature covers; None where the message holds its content.
        trust: What signers are judged by.

    Raises:
        DecodingError: If there is no content, or there are two.
    """
    examined = signed.examine_parts(parts, content, certificates=trust.certificates, allow_weak=trust.allow_weak)
    return judge_signed_content(examined, trust)


def judge_signed_content(examined: SignedContent, trust: Trust) -> SignatureVerdict:
    """Judge every signature of a SignedData that was examined, in memory or while it passed by."""
    signers = tuple(_judge(each, examined, trust) for each in examined.signers)
    found = [] if signers else [caution("no-signer")]
    if len(signers) > 1:
        found.append(caution("several-signers"))
    return SignatureVerdict(examined.content, signers, tuple(found))


def _judge(report: SignerReport, examined: SignedContent, trust: Trust) -> SignerVerdict:
    certificate, claimed = report.certificate, report.signing_time
    if not report.is_intact or certificate is None:
        why = caution(_CAUTION_OF.get(report.problem, "signature-broken"), report.reason)
        return SignerVerdict(
            is_intact=False,
            problem=report.problem,
            reason=report.reason,
            certificate=certificate,
            signing_time=claimed,
            digest=report.digest,
            signature_algorithm=report.signature_algorithm,
            weaknesses=report.weaknesses,
            cautions=(why,),
        )
    found: list[Caution] = []
    # 1 Whom the certificate speaks for.
    try:
        addresses = certificate_addresses(certificate)
    except DecodingError:
        addresses = ()
    if not addresses:
        found.append(caution("certificate-without-address"))
    # 2 When it was signed, as far as the signer can be believed.
    is_early = claimed is not None and claimed > trust.now + CLOCK_TOLERANCE
    if is_early:
        found.append(caution("signing-time-in-future"))
    proven = proven_time(report.timestamps, trust)
    # 3 Path, revocation and time.
    path: tuple[x509.Certificate, ...] = ()
    unknown: tuple[x509.Certificate, ...] = ()
    accepted: tuple[str, ...] = ()
    problem = reason = ""
    weaknesses = report.weaknesses
    try:
        trusted, has_ended = _trusted_path(certificate, addresses, examined, trust, proven)
        path, unknown, accepted = trusted.path, trusted.without_status, trusted.warnings
        found += [caution("signer-has-ended")] if has_ended else []
        weaknesses = tuple(dict.fromkeys((*weaknesses, *(each for each in accepted if each in _WEAK))))
    except PathValidationError as error:
        problem, reason = error.code, one_line(error.message)
        found.append(caution(_CAUTION_OF.get(error.code, "signer-not-trusted"), reason))
    found += [caution(each) for each in accepted if each in _TOLD]
    if weaknesses and path:
        found.append(caution("weak-signature", ", ".join(weaknesses)))
    found += [caution("revocation-unknown", _name(each)) for each in unknown]
    return SignerVerdict(
        is_intact=True,
        is_trusted=bool(path),
        problem=problem,
        reason=reason,
        certificate=certificate,
        addresses=addresses,
        path=path,
        is_revocation_known=bool(path) and not unknown,
        identity_level=identity_level(certificate) if path else "unknown",
        signing_time=claimed,
        proven_time=proven,
        digest=report.digest,
        signature_algorithm=report.signature_algorithm,
        weaknesses=weaknesses,
        capabilities=report.capabilities if path and not is_early else b"",
        countersigners=tuple(_judge(each, examined, trust) for each in report.countersignatures),
        cautions=tuple(found),
    )


def _trusted_path(
    certificate: x509.Certificate,
    addresses: Sequence[str],
    examined: SignedContent,
    trust: Trust,
    proven: datetime | None,
) -> tuple[TrustedPath, bool]:
    """Find the path as it is now; where it has ended, as it was at the time that a timestamp proves (True then)."""
    if not trust.anchors:
        raise PathValidationError("no root is trusted", "no-trust-anchor")
    foreign = [each for each in addresses if trust.domain is not None and each.rpartition("@")[2] != trust.domain]
    if foreign:
        raise PathValidationError(f"no root is trusted for {foreign[0].rpartition('@')[2]}", "foreign-domain")
    brought, crls = examined.certificates, load_lists(examined.crls)
    responses = examined.ocsp_responses[:MAX_CRLS]
    try:
        return find_trusted_path(certificate, brought, trust, crls=crls, ocsp_responses=responses), False
    except PathValidationError as error:
        if proven is None or error.code not in _ENDED:
            raise
        with contextlib.suppress(PathValidationError):
            then = find_trusted_path(certificate, brought, trust, at=proven, crls=crls, ocsp_responses=responses)
            return then, True
        raise


def _name(certificate: x509.Certificate) -> str:
    return one_line(certificate.subject.rfc4514_string() or f"serial number {certificate.serial_number:x}")

"""Whether one signature holds (RFC 5652 section 5.6), as a fixed order of checks; the first that fails is the one reported."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from sealwright.asn1.der import elements, object_identifier
from sealwright.asn1.writer import tlv
from sealwright.cms import schema
from sealwright.cms.digests import ContentDigests, Digest, digest_for, looks_like_attributes
from sealwright.cms.known_certificates import KnownCertificate
from sealwright.cms.signature_algorithms import SignatureAlgorithm, signature_algorithm_for
from sealwright.cms.signature_checks import MIN_RSA_BITS, is_signature, mismatch, weaknesses
from sealwright.cms.signed_attributes import SignedAttributes, algorithm_protection, parse_signed_attributes
from sealwright.cms.signer_info import SignerInfo
from sealwright.cms.signer_report import Problem, SignerReport
from sealwright.errors import DecodingError

DATA_DER = object_identifier(schema.DATA)
MAX_CANDIDATES = 8
"""Certificates that are tried for one signature; key identifiers collide by accident once, here by attack."""


@dataclass(frozen=True, slots=True)
class SignedThing:
    """What a SignerInfo signs: the content of a SignedData, or another signature.

    Attributes:
        content_type: DER OBJECT IDENTIFIER; None for a countersignature, whose contentType must be absent.
        content_digest: By the SignerInfo's digest; None if it was not computed.
        content: All of it; None where only the digest is known.
        looks_like_attributes: It is one DER SET of attributes.
    """

    content_type: bytes | None
    content_digest: bytes | None
    content: bytes | None
    looks_like_attributes: bool


def signed_thing(info: SignerInfo, content: bytes | ContentDigests, content_type: bytes | None) -> SignedThing:
    """Return what a SignerInfo is judged over.

    Args:
        info: Says which digest is wanted.
        content: Whole, or digested by a streaming reader.
        content_type: DER OBJECT IDENTIFIER; None for a countersignature.
    """
    digest = digest_for(info.digest_algorithm)
    if isinstance(content, ContentDigests):
        computed = content.digest(digest) if digest is not None else None
        return SignedThing(content_type, computed, None, content.looks_like_attributes)
    is_wanted = digest is not None and info.signed_attributes is not None
    computed = digest.of(content) if digest is not None and is_wanted else None
    return SignedThing(content_type, computed, content, looks_like_attributes(content[:16], len(content)))


class _NotIntact(Exception):  # noqa: N818  (it never leaves this module)
    def __init__(self, problem: Problem, reason: str) -> None:
        super().__init__(reason)
        self.problem: Problem = problem
        self.reason = reason


@dataclass(slots=True)
class _Findings:
    """What became known before the judgement fell."""

    attributes: SignedAttributes | None = None
    known: KnownCertificate | None = None
    weaknesses: tuple[str, ...] = ()


def judge(
    info: SignerInfo, thing: SignedThing, certificates: Sequence[KnownCertificate], *, allow_weak: bool
) -> SignerReport:
    """Judge one signature; nothing is raised for a bad one.

    Args:
        info: The SignerInfo.
        thing: What it signs.
        certificates: Where the signer's may be.
        allow_weak: Let SHA-1 and RSA keys of 1,024 to 2,047 bits hold.
    """
    digest, algorithm = digest_for(info.digest_algorithm), signature_algorithm_for(info.signature_algorithm)
    findings = _Findings()
    problem: Problem = ""
    reason = ""
    try:
        _check(info, thing, certificates, digest, algorithm, findings)
        if findings.weaknesses and not allow_weak:
            problem, reason = "weak-algorithm", "the signature uses an algorithm that is no longer safe"
    except _NotIntact as error:
        problem, reason = error.problem, error.reason
    attributes = findings.attributes
    return SignerReport(
        is_intact=not problem,
        problem=problem,
        reason=reason,
        identifier=info.identifier,
        certificate=findings.known.certificate if findings.known is not None else None,
        digest=digest.name if digest is not None else "",
        signature_algorithm=_name(algorithm, digest),
        weaknesses=findings.weaknesses,
        signature=info.signature,
        has_signed_attributes=info.signed_attributes is not None,
        signing_time=attributes.signing_time if attributes is not None else None,
        capabilities=attributes.capabilities if attributes is not None else b"",
        encryption_key_preference=attributes.encryption_key_preference if attributes is not None else b"",
    )


def _name(algorithm: SignatureAlgorithm | None, digest: Digest | None) -> str:
    if algorithm is None:
        return ""
    if algorithm.name == "rsa" and digest is not None:  # rsaEncryption: the digest is that of the SignerInfo
        return f"rsa-{digest.name}"
    return algorithm.name


def _check(
    info: SignerInfo,
    thing: SignedThing,
    certificates: Sequence[KnownCertificate],
    digest: Digest | None,
    algorithm: SignatureAlgorithm | None,
    findings: _Findings,
) -> None:
    # 1 The attributes are read first, so that a report names the signing time of a broken signature, too.
    if info.signed_attributes is not None:
        try:
            findings.attributes = parse_signed_attributes(info.signed_attributes)
        except DecodingError as error:
            raise _NotIntact("attributes-malformed", error.message) from error
    # 2 The signer's certificate: named by the SignerIdentifier, and by signingCertificate where that is there.
    candidates = _candidates(info, certificates, findings)
    # 3 The algorithms belong together.
    if digest is None or algorithm is None:
        raise _NotIntact("unsupported-algorithm", "the signature uses an algorithm that is not read here")
    fitting = _fitting(info, algorithm, digest, candidates, findings)
    # 4 The attributes are about this content.
    _check_attributes(info, thing, findings.attributes)
    # 5 The signature; one certificate of those with a colliding key identifier is enough.
    for known in fitting:
        if _holds(info, thing, known, algorithm, digest):
            findings.known = known
            findings.weaknesses = weaknesses(digest, algorithm.key_kind, known.rsa_bits)
            return
    raise _NotIntact(
        "signature-invalid", "the signature does not verify: the message was changed or the signer is another"
    )


def _candidates(
    info: SignerInfo, certificates: Sequence[KnownCertificate], findings: _Findings
) -> list[KnownCertificate]:
    named = [known for known in certificates if info.is_by(known)]
    if not named:
        raise _NotIntact("certificate-missing", "the signer's certificate is not in the message")
    findings.known = named[0]
    references = findings.attributes.signing_certificates if findings.attributes is not None else ()
    # RFC 8550 section 3 and RFC 5035 section 5.4: it SHALL be the certificate that verifies the signature
    meant = [known for known in named if all(reference.names(known) for reference in references)]
    if not meant:
        raise _NotIntact("certificate-mismatch", "the signature was made for another certificate")
    findings.known = meant[0]
    return meant


def _fitting(
    info: SignerInfo,
    algorithm: SignatureAlgorithm,
    digest: Digest,
    candidates: Sequence[KnownCertificate],
    findings: _Findings,
) -> list[KnownCertificate]:
    fitting, reason = [], ""
    for known in candidates:
        has_attributes = info.signed_attributes is not None
        why_not = mismatch(algorithm, digest, known.key_kind, has_signed_attributes=has_attributes)
        reason = reason or why_not
        if not why_not:
            fitting.append(known)
    if not fitting:
        raise _NotIntact("algorithm-mismatch", reason)
    findings.weaknesses = weaknesses(digest, algorithm.key_kind, fitting[0].rsa_bits)
    strong = [
        known for known in fitting[:MAX_CANDIDATES] if algorithm.key_kind != "rsa" or known.rsa_bits >= MIN_RSA_BITS
    ]
    if not strong:
        raise _NotIntact("weak-algorithm", f"RSA keys below {MIN_RSA_BITS} bits say nothing")
    return strong


def _check_attributes(info: SignerInfo, thing: SignedThing, attributes: SignedAttributes | None) -> None:
    if attributes is None:
        # RFC 5652 section 5.3: signedAttrs MUST be present if the content type is not id-data
        if thing.content_type not in (None, DATA_DER):
            raise _NotIntact("attributes-missing", "a signature over this content type needs signed attributes")
        if thing.looks_like_attributes:
            raise _NotIntact("ambiguous-content", "a signature without attributes over this content is ambiguous")
        return
    if attributes.content_type is None and thing.content_type is not None:
        raise _NotIntact("attributes-missing", "the signature does not say what type of content it is over")
    if attributes.content_type != thing.content_type:
        raise _NotIntact("content-type-mismatch", "the signature was made over another type of content")
    if attributes.message_digest is None:
        raise _NotIntact("attributes-missing", "the signature does not hold the content's digest")
    if thing.content_digest is None:
        raise _NotIntact("algorithm-mismatch", "the signature's digest is not among those that the message announces")
    if not hmac.compare_digest(attributes.message_digest, thing.content_digest):
        raise _NotIntact("content-changed", "the content was changed after it was signed")
    protection = attributes.algorithm_protection
    if protection is not None and protection != algorithm_protection(info.digest_algorithm, info.signature_algorithm):
        raise _NotIntact("algorithm-mismatch", "the signature's algorithms were changed (RFC 6211)")


def _holds(
    info: SignerInfo, thing: SignedThing, known: KnownCertificate, algorithm: SignatureAlgorithm, digest: Digest
) -> bool:
    key, signature = known.public_key, info.signature
    if info.signed_attributes is None:
        if thing.content is None and (thing.content_digest is None or algorithm.is_pure):
            raise _NotIntact(
                "unsupported-algorithm", "such a signature is verified only over a content that is held whole"
            )
        return is_signature(key, algorithm, digest, signature, thing.content, thing.content_digest or b"")
    if is_signature(key, algorithm, digest, signature, tlv(0x31, info.signed_attributes)):
        return True
    # RFC 5652 section 5.4 signs the DER encoding; some programs send it in another order than they signed it in
    ordered = b"".join(sorted(tlv(*attribute) for attribute in elements(info.signed_attributes)))
    return ordered != info.signed_attributes and is_signature(key, algorithm, digest, signature, tlv(0x31, ordered))

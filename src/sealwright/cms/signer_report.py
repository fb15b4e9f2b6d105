"""What is said about each signature of a message: whether it holds, and if not, why."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cryptography import x509

from sealwright.cms.identifiers import RecipientIdentifier

Problem = Literal[
    "",
    "certificate-missing",
    "certificate-mismatch",
    "unsupported-algorithm",
    "algorithm-mismatch",
    "weak-algorithm",
    "attributes-missing",
    "attributes-malformed",
    "content-type-mismatch",
    "content-changed",
    "ambiguous-content",
    "signature-invalid",
]
"""Why a signature does not hold; empty where it holds.

certificate-missing: neither the message nor the caller has the signer's certificate. certificate-mismatch: a
signingCertificate attribute names another one. algorithm-mismatch: digest, signature, key and CMSAlgorithmProtection do not
belong together. attributes-missing: a required signed attribute is not there. ambiguous-content: without signed attributes,
over a content that looks like signed attributes.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerReport:
    """One SignerInfo, judged; whether its certificate is to be trusted is another question (`pkix.path`).

    Attributes:
        is_intact: The cryptography and the attributes hold: this certificate's key signed this content.
        problem: Stable code of why it is not intact, or empty.
        reason: The same for people, or empty.
        identifier: How the message names the signer.
        certificate: The signer's; None if it is not known.
        digest: Such as "sha256"; empty if it is not read here.
        signature_algorithm: Such as "ecdsa-sha256"; empty if it is not read here.
        weaknesses: Codes of what is weak about the algorithms: "sha1", "rsa-1024".
        signature: Raw.
        has_signed_attributes: False where the signature covers the content alone.
        signing_time: What the signer claims, or None. It may lie far in the future; the clock is the caller's.
        capabilities: SMIMECapabilities DER, or empty.
        encryption_key_preference: SMIMEEncryptionKeyPreference DER, or empty.
        countersignatures: Of others over this signature (RFC 5652 section 11.4).
        timestamps: DER TimeStampTokens over this signature (RFC 3161), unread.
    """

    is_intact: bool
    problem: Problem = ""
    reason: str = ""
    identifier: RecipientIdentifier
    certificate: x509.Certificate | None = None
    digest: str = ""
    signature_algorithm: str = ""
    weaknesses: tuple[str, ...] = ()
    signature: bytes = field(default=b"", repr=False)
    has_signed_attributes: bool = True
    signing_time: datetime | None = None
    capabilities: bytes = b""
    encryption_key_preference: bytes = b""
    countersignatures: tuple["SignerReport", ...] = ()
    timestamps: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedContent:
    """What a SignedData holds.

    Attributes:
        content: What was signed.
        content_type: Dotted OID.
        signers: Each SignerInfo, in the order of the message; may be empty, which means that nobody signed.
        certificates: All that the message brought.
        crls: DER CertificateLists that the message brought.
        ocsp_responses: DER OCSPResponses that the message brought (RFC 5940).
    """

    content: bytes = field(repr=False)
    content_type: str
    signers: tuple[SignerReport, ...]
    certificates: tuple[x509.Certificate, ...]
    crls: tuple[bytes, ...] = ()
    ocsp_responses: tuple[bytes, ...] = ()

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
        timestamps: Over this signature (RFC 3161).
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
    timestamps: tuple["TimestampReport", ...] = ()


TimestampProblem = Literal["", "malformed", "signature", "unsupported", "imprint"]
"""Why a timestamp does not hold; empty where it holds.

malformed: not a token. signature: the authority's signature is not intact, see its report. unsupported: a digest or an
extension that is not read here. imprint: it is over something else.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampReport:
    """A TimeStampToken, judged; whether its authority is to be trusted is another question (`pkix.path`).

    Attributes:
        is_intact: It is over the message, and the authority's signature holds.
        problem: Stable code of why it is not intact, or empty.
        reason: The same for people, or empty.
        token: The TimeStampToken.
        gen_time: When it was made, as the authority says; None if it is malformed.
        policy: Dotted OID.
        serial_number: Of the token.
        nonce: Of the request, or None.
        digest: Of the imprint; empty if it is not read here.
        signer: The authority's signature.
        certificates: That the token brought.
        crls: DER CertificateLists that the token brought.
    """

    is_intact: bool
    problem: TimestampProblem = ""
    reason: str = ""
    token: bytes = field(repr=False)
    gen_time: datetime | None = None
    policy: str = ""
    serial_number: int = 0
    nonce: int | None = None
    digest: str = ""
    signer: SignerReport | None = None
    certificates: tuple[x509.Certificate, ...] = ()
    crls: tuple[bytes, ...] = ()


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

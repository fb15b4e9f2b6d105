"""SignerInfo (RFC 5652 section 5.3): taken apart, made, and counted in bytes that are never encoded twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sealwright.asn1.der import elements
from sealwright.asn1.writer import tlv
from sealwright.cms.identifiers import RecipientIdentifier
from sealwright.cms.known_certificates import KnownCertificate, encoded_certificate
from sealwright.cms.signed_attributes import encode_signed_attributes
from sealwright.cms.signers import Signer
from sealwright.errors import DecodingError

_VERSIONS = (b"\x01", b"\x03")
"""1 with issuerAndSerialNumber, 3 with subjectKeyIdentifier; programs mix them up, and nothing hangs on it."""
_SHAPES = frozenset(
    b"\x02" + sid + b"\x30" + signed + b"\x30\x04" + unsigned
    for sid in (b"\x30", b"\x80")
    for signed in (b"", b"\xa0")
    for unsigned in (b"", b"\xa1")
)
"""The tags of its elements: version, sid, digestAlgorithm, signedAttrs, signatureAlgorithm, signature, unsignedAttrs."""


@dataclass(frozen=True, slots=True)
class SignerInfo:
    """One signature, as it came.

    Attributes:
        identifier: The SignerIdentifier.
        sid: Its content.
        digest_algorithm: DER AlgorithmIdentifier.
        signed_attributes: Octets inside the SET, in the order of the message, or None.
        signature_algorithm: DER AlgorithmIdentifier.
        signature: Raw.
        unsigned_attributes: Octets inside the SET, or empty.
    """

    identifier: RecipientIdentifier
    sid: bytes
    digest_algorithm: bytes
    signed_attributes: bytes | None
    signature_algorithm: bytes
    signature: bytes
    unsigned_attributes: bytes

    def is_by(self, known: KnownCertificate) -> bool:
        """Say whether the SignerIdentifier names a certificate; key identifiers may collide (RFC 8551 section 4.4)."""
        if self.identifier.subject_key_identifier is not None:
            return self.sid == known.subject_key_identifier
        return self.sid == known.issuer + known.serial_number


def parse_signer_info(tag: int, content: bytes) -> SignerInfo:
    """Read a SignerInfo.

    Args:
        tag: Of the element.
        content: Of the element.

    Raises:
        DecodingError: If it is malformed.
    """
    fields = elements(content)
    tags = bytes(tag for tag, _ in fields)
    if tag != 0x30 or tags not in _SHAPES:
        raise DecodingError("a SignerInfo is malformed")
    unsigned_attributes = fields.pop()[1] if tags[-1] == 0xA1 else b""
    signed_attributes = fields.pop(3)[1] if tags[3] == 0xA0 else None
    (_, version), sid, digest_algorithm, signature_algorithm, (_, signature) = fields
    if version not in _VERSIONS:
        raise DecodingError("a SignerInfo is of an unknown version")
    return SignerInfo(
        _signer_identifier(*sid),
        sid[1],
        tlv(*digest_algorithm),
        signed_attributes,
        tlv(*signature_algorithm),
        signature,
        unsigned_attributes,
    )


def _signer_identifier(tag: int, content: bytes) -> RecipientIdentifier:
    if tag == 0x80:
        return RecipientIdentifier(subject_key_identifier=content)
    fields = elements(content)
    if [tag for tag, _ in fields] != [0x30, 0x02]:
        raise DecodingError("a SignerInfo names its signer in a malformed way")
    issuer, (_, serial_number) = fields
    return RecipientIdentifier(issuer_der=tlv(*issuer), serial_number=int.from_bytes(serial_number, "big", signed=True))


def make_signer_info(
    signer: Signer,
    *,
    content_type: bytes | None,
    message_digest: bytes,
    signing_time: datetime,
    others: Sequence[bytes],
) -> bytes:
    """Sign a content whose digest is known, and return the DER SignerInfo.

    Args:
        signer: Who signs; named by issuerAndSerialNumber, which every program reads.
        content_type: DER OBJECT IDENTIFIER; None for a countersignature.
        message_digest: Of the content, by `signer.algorithm.digest`.
        signing_time: Aware.
        others: Further DER attributes.

    Raises:
        UnavailableError: If the signer's key cannot be reached now.
    """
    certificate_der, sid = encoded_certificate(signer.certificate)
    algorithm = signer.algorithm
    attributes = encode_signed_attributes(
        algorithm,
        certificate_der,
        content_type=content_type,
        message_digest=message_digest,
        signing_time=signing_time,
        others=others,
    )
    return tlv(
        0x30,
        b"\x02\x01\x01",
        sid,
        algorithm.digest.identifier_der,
        tlv(0xA0, attributes),
        algorithm.signature.identifier_der,
        # RFC 5652 section 5.4: what is signed has the tag of SET OF, what is sent that of [0]
        tlv(0x04, signer.sign(tlv(0x31, attributes))),
    )

"""SignerInfo (RFC 5652 section 5.3): taken apart, made, and counted in bytes that are never encoded twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding

from sealwright.asn1.ber import tlv
from sealwright.asn1.der import elements
from sealwright.cms.identifiers import RecipientIdentifier
from sealwright.cms.known_certificates import KnownCertificate
from sealwright.cms.signed_attributes import encode_signed_attributes
from sealwright.cms.signers import Signer
from sealwright.errors import DecodingError

_VERSIONS = (1, 3)
"""1 with issuerAndSerialNumber, 3 with subjectKeyIdentifier; programs mix them up, and nothing hangs on it."""


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


def parse_signer_info(fields: Sequence[tuple[int, bytes]]) -> SignerInfo:
    """Read a SignerInfo.

    Args:
        fields: Tag and content of each of its elements.

    Raises:
        DecodingError: If it is malformed.
    """
    rest = list(fields)
    tags = [tag for tag, _ in rest]
    signed = tags[3:4] == [0xA0]
    expected = [0x02, tags[1] if len(tags) > 1 else 0, 0x30, *([0xA0] if signed else []), 0x30, 0x04]
    if tags not in (expected, [*expected, 0xA1]) or tags[1] not in (0x30, 0x80):
        raise DecodingError("a SignerInfo is malformed")
    if int.from_bytes(rest[0][1], "big") not in _VERSIONS:
        raise DecodingError("a SignerInfo is of an unknown version")
    after = 4 if signed else 3
    return SignerInfo(
        identifier=_signer_identifier(*rest[1]),
        sid=rest[1][1],
        digest_algorithm=tlv(*rest[2]),
        signed_attributes=rest[3][1] if signed else None,
        signature_algorithm=tlv(*rest[after]),
        signature=rest[after + 1][1],
        unsigned_attributes=rest[after + 2][1] if len(rest) > after + 2 else b"",
    )


def _signer_identifier(tag: int, content: bytes) -> RecipientIdentifier:
    if tag == 0x80:
        return RecipientIdentifier(subject_key_identifier=content)
    fields = elements(content)
    if [tag for tag, _ in fields] != [0x30, 0x02]:
        raise DecodingError("a SignerInfo names its signer in a malformed way")
    issuer, (_, serial_number) = fields
    return RecipientIdentifier(issuer_der=tlv(*issuer), serial_number=int.from_bytes(serial_number, "big", signed=True))


@lru_cache(maxsize=64)
def _issuer_and_serial(certificate: x509.Certificate) -> tuple[bytes, bytes]:
    """Return DER IssuerAndSerialNumber and DER of a signer's certificate."""
    serial_number = asn1.encode_der(certificate.serial_number)
    return tlv(0x30, certificate.issuer.public_bytes(), serial_number), certificate.public_bytes(Encoding.DER)


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
    sid, certificate_der = _issuer_and_serial(signer.certificate)
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

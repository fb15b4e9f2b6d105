"""Signed attributes (RFC 5652 section 11, RFC 8551 section 2.5, RFC 5035, RFC 6211): written and read.

Each type at most once. Those that decide something hold exactly one value; others are covered by the signature and
otherwise left alone.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from cryptography.hazmat import asn1

from sealwright.asn1.der import elements, object_identifier
from sealwright.asn1.writer import tlv
from sealwright.cms import digests
from sealwright.cms.known_certificates import KnownCertificate
from sealwright.cms.signature_algorithms import SigningAlgorithm
from sealwright.errors import DecodingError

MAX_ATTRIBUTES = 64
"""A dozen types are in use in mail and in signed documents."""


_PKCS9 = "1.2.840.113549.1.9."
CONTENT_TYPE = object_identifier(_PKCS9 + "3")
MESSAGE_DIGEST = object_identifier(_PKCS9 + "4")
SIGNING_TIME = object_identifier(_PKCS9 + "5")
SMIME_CAPABILITIES = object_identifier(_PKCS9 + "15")
ENCRYPTION_KEY_PREFERENCE = object_identifier(_PKCS9 + "16.2.11")
SIGNING_CERTIFICATE = object_identifier(_PKCS9 + "16.2.12")
SIGNING_CERTIFICATE_V2 = object_identifier(_PKCS9 + "16.2.47")
ALGORITHM_PROTECTION = object_identifier(_PKCS9 + "52")
_SINGLE_VALUED = {
    each[2:]: each
    for each in (
        CONTENT_TYPE,
        MESSAGE_DIGEST,
        SIGNING_TIME,
        SMIME_CAPABILITIES,
        ENCRYPTION_KEY_PREFERENCE,
        SIGNING_CERTIFICATE,
        SIGNING_CERTIFICATE_V2,
        ALGORITHM_PROTECTION,
    )
}
"""By the content of the OBJECT IDENTIFIER."""


@dataclass(frozen=True, slots=True)
class CertificateReference:
    """ESSCertID or ESSCertIDv2 (RFC 5035 sections 4 and 5): which certificate the signer meant.

    Attributes:
        digest: Of the hash; None if it is not read here.
        certificate_hash: Of the DER certificate.
        issuer_serial: DER issuer and DER serial number, or None.
    """

    digest: digests.Digest | None
    certificate_hash: bytes
    issuer_serial: tuple[bytes, bytes] | None

    def names(self, known: KnownCertificate) -> bool:
        """Say whether it names a certificate."""
        if self.digest is None:
            return False
        computed = known.sha256 if self.digest is digests.SHA256 else self.digest.of(known.der)
        if self.certificate_hash != computed:
            return False
        return self.issuer_serial in (None, (known.issuer, known.serial_number))


@dataclass(frozen=True, slots=True)
class SignedAttributes:
    """What the signed attributes of one SignerInfo say.

    Attributes:
        content_type: DER OBJECT IDENTIFIER, or None.
        message_digest: Raw, or None.
        signing_time: Aware UTC, or None.
        capabilities: SMIMECapabilities DER, or empty.
        encryption_key_preference: SMIMEEncryptionKeyPreference DER (RFC 8551 section 2.5.3), or empty.
        signing_certificates: From signingCertificate and signingCertificateV2; the signer's must be each of them.
        algorithm_protection: Content of CMSAlgorithmProtection (RFC 6211), or None.
    """

    content_type: bytes | None
    message_digest: bytes | None
    signing_time: datetime | None
    capabilities: bytes
    encryption_key_preference: bytes
    signing_certificates: tuple[CertificateReference, ...]
    algorithm_protection: bytes | None


def parse_signed_attributes(content: bytes) -> SignedAttributes:
    """Read signed attributes.

    Args:
        content: Octets inside the SET; each attribute is DER.

    Raises:
        DecodingError: If they are malformed, one is there twice, or one that has a single value has none or more.
    """
    found = _by_type(content)
    references = []
    if SIGNING_CERTIFICATE in found:
        references.append(_certificate_reference(found[SIGNING_CERTIFICATE], is_version_2=False))
    if SIGNING_CERTIFICATE_V2 in found:
        references.append(_certificate_reference(found[SIGNING_CERTIFICATE_V2], is_version_2=True))
    content_type, message_digest = found.get(CONTENT_TYPE), found.get(MESSAGE_DIGEST)
    signing_time, protection = found.get(SIGNING_TIME), found.get(ALGORITHM_PROTECTION)
    if content_type is not None and content_type[0] != 0x06:
        raise DecodingError("contentType is not an OBJECT IDENTIFIER")
    return SignedAttributes(
        tlv(*content_type) if content_type is not None else None,
        _expect(0x04, message_digest) if message_digest is not None else None,
        parse_time(*signing_time) if signing_time is not None else None,
        tlv(0x30, _expect(0x30, found[SMIME_CAPABILITIES])) if SMIME_CAPABILITIES in found else b"",
        tlv(*found[ENCRYPTION_KEY_PREFERENCE]) if ENCRYPTION_KEY_PREFERENCE in found else b"",
        tuple(references),
        _expect(0x30, protection) if protection is not None else None,
    )


def _by_type(content: bytes) -> dict[bytes, tuple[int, bytes]]:
    """Return the value of each attribute, or the SET of those that may have several, by its type."""
    found: dict[bytes, tuple[int, bytes]] = {}
    attributes = elements(content)
    if not 1 <= len(attributes) <= MAX_ATTRIBUTES:
        raise DecodingError("there are no signed attributes, or too many")
    for tag, attribute in attributes:
        fields = elements(attribute)
        if tag != 0x30 or len(fields) != 2 or fields[0][0] != 0x06 or fields[1][0] != 0x31:
            raise DecodingError("a signed attribute is malformed")
        (_, oid), values = fields
        known = _SINGLE_VALUED.get(oid)
        attribute_type = known or tlv(0x06, oid)
        if attribute_type in found:
            raise DecodingError("a signed attribute is there twice")
        if known is not None:
            several = elements(values[1])
            if len(several) != 1:
                raise DecodingError("a signed attribute has not exactly one value")
            (values,) = several
        found[attribute_type] = values
    return found


def _expect(tag: int, element: tuple[int, bytes]) -> bytes:
    if element[0] != tag:
        raise DecodingError("a signed attribute is of another ASN.1 type")
    return element[1]


def _certificate_reference(value: tuple[int, bytes], *, is_version_2: bool) -> CertificateReference:
    """Read the first ESSCertID, which is the signer's; policies and further certificates are for the path."""
    fields = elements(_expect(0x30, value))
    references = elements(_expect(0x30, fields[0])) if fields else []
    if not references:
        raise DecodingError("signingCertificate names no certificate")
    parts = elements(_expect(0x30, references[0]))
    digest: digests.Digest | None = digests.SHA256 if is_version_2 else digests.SHA1
    if is_version_2 and parts and parts[0][0] == 0x30:
        digest = digests.digest_for(tlv(*parts.pop(0)))
    if not 1 <= len(parts) <= 2:
        raise DecodingError("signingCertificate is malformed")
    issuer_serial = _issuer_serial(_expect(0x30, parts[1])) if len(parts) == 2 else None
    return CertificateReference(digest, _expect(0x04, parts[0]), issuer_serial)


def _issuer_serial(content: bytes) -> tuple[bytes, bytes]:
    """Read IssuerSerial: of a certificate's issuer there is exactly one directoryName (RFC 5035 section 5)."""
    fields = elements(content)
    if len(fields) != 2:
        raise DecodingError("signingCertificate has a malformed issuerSerial")
    names = elements(_expect(0x30, fields[0]))
    if len(names) != 1:
        raise DecodingError("signingCertificate names more than one issuer")
    return _expect(0xA4, names[0]), tlv(0x02, _expect(0x02, fields[1]))


def parse_time(tag: int, content: bytes) -> datetime:
    """Read Time: UTCTime or GeneralizedTime, both in UTC with seconds (RFC 5652 section 11.3).

    Raises:
        DecodingError: If it is neither.
    """
    encoded = tlv(tag, content)
    try:
        if tag == 0x17:
            return asn1.decode_der(asn1.UTCTime, encoded).as_datetime()
        return asn1.decode_der(asn1.GeneralizedTime, encoded).as_datetime()
    except ValueError as error:
        raise DecodingError("the time is malformed") from error


def encode_time(moment: datetime) -> bytes:
    """Return Time: UTCTime through 2049, GeneralizedTime after (RFC 8551 section 2.5.1)."""
    year, *others = moment.astimezone(UTC).timetuple()[:6]
    rest = b"%02d%02d%02d%02d%02dZ" % tuple(others)
    return tlv(0x17, b"%02d" % (year % 100) + rest) if year < 2050 else tlv(0x18, b"%04d" % year + rest)


def attribute(attribute_type: bytes, value: bytes) -> bytes:
    """Return the DER of an attribute with one value.

    Args:
        attribute_type: DER OBJECT IDENTIFIER.
        value: DER.
    """
    return tlv(0x30, attribute_type, tlv(0x31, value))


def algorithm_protection(digest_algorithm_der: bytes, signature_algorithm_der: bytes) -> bytes:
    """Return the content of CMSAlgorithmProtection (RFC 6211): the digest's identifier and, under [1], the signature's."""
    return digest_algorithm_der + b"\xa1" + signature_algorithm_der[1:]


@lru_cache(maxsize=64)
def _fixed_attributes(
    algorithm: SigningAlgorithm, certificate_der: bytes, content_type: bytes | None
) -> tuple[bytes, ...]:
    """Return the attributes that are the same in every signature of a signer."""
    certificate_hash = tlv(0x04, hashlib.sha256(certificate_der).digest())
    protection = algorithm_protection(algorithm.digest.identifier_der, algorithm.signature.identifier_der)
    typed = () if content_type is None else (attribute(CONTENT_TYPE, content_type),)
    return (
        *typed,
        # RFC 5035: SHA-256 is the default of ESSCertIDv2 and therefore absent
        attribute(SIGNING_CERTIFICATE_V2, tlv(0x30, tlv(0x30, tlv(0x30, certificate_hash)))),
        attribute(ALGORITHM_PROTECTION, tlv(0x30, protection)),
    )


@lru_cache(maxsize=8)
def _message_digest_header(octets: int) -> bytes:
    """Return what stands before the octets of messageDigest."""
    return attribute(MESSAGE_DIGEST, tlv(0x04, bytes(octets)))[:-octets]


def encode_signed_attributes(
    algorithm: SigningAlgorithm,
    certificate_der: bytes,
    *,
    content_type: bytes | None,
    message_digest: bytes,
    signing_time: datetime,
    others: Sequence[bytes],
) -> bytes:
    """Return the octets inside the SET of signed attributes, in DER order.

    Args:
        algorithm: Of the signer.
        certificate_der: The signer's.
        content_type: DER OBJECT IDENTIFIER; None for a countersignature, which MUST NOT have one (RFC 5652 section 11.4).
        message_digest: Of the content.
        signing_time: Aware.
        others: DER attributes of other types, such as SMIMECapabilities.
    """
    return b"".join(
        sorted(
            (
                *_fixed_attributes(algorithm, certificate_der, content_type),
                _message_digest_header(len(message_digest)) + message_digest,
                attribute(SIGNING_TIME, encode_time(signing_time)),
                *others,
            )
        )
    )

"""Unsigned attributes of a SignerInfo (RFC 5652 section 5.3): what others add to a signature after it was made."""

from collections.abc import Iterable, Sequence

from cryptography import x509

from sealwright.asn1.ber import cms_to_der
from sealwright.asn1.der import content_of, elements, object_identifier
from sealwright.asn1.writer import tlv
from sealwright.cms import schema
from sealwright.cms.known_certificates import encoded_certificate
from sealwright.cms.signed_attributes import attribute
from sealwright.errors import DecodingError, InputError

COUNTERSIGNATURE = object_identifier("1.2.840.113549.1.9.6")
TIMESTAMP_TOKEN = object_identifier("1.2.840.113549.1.9.16.2.14")
"""id-aa-timeStampToken (RFC 3161 appendix A): a token over the signature value."""
MAX_UNSIGNED_ATTRIBUTES = 64
"""Long-term formats have a dozen."""
_CERTIFICATES = 0xA0


def parse_unsigned_attributes(content: bytes) -> dict[bytes, list[bytes]]:
    """Return the DER values of each type of unsigned attribute; a type may come again (RFC 5652 section 11.4).

    Args:
        content: Octets inside the SET.

    Raises:
        DecodingError: If one is malformed, or there are too many.
    """
    attributes = elements(content)
    if len(attributes) > MAX_UNSIGNED_ATTRIBUTES:
        raise DecodingError("a signature has too many unsigned attributes")
    found: dict[bytes, list[bytes]] = {}
    for tag, each in attributes:
        fields = elements(each)
        if tag != 0x30 or len(fields) != 2 or fields[0][0] != 0x06 or fields[1][0] != 0x31:
            raise DecodingError("an unsigned attribute is malformed")
        found.setdefault(tlv(*fields[0]), []).extend(tlv(*value) for value in elements(fields[1][1]))
    return found


def add_unsigned_attribute(
    content_info: bytes,
    signature: bytes,
    attribute_type: bytes,
    value: bytes,
    certificates: Iterable[x509.Certificate] = (),
) -> bytes:
    """Add an attribute to a signature of a message; the signature itself is not touched.

    Args:
        content_info: SignedData, DER or BER.
        signature: Which of its signatures, by its value.
        attribute_type: DER OBJECT IDENTIFIER, such as `TIMESTAMP_TOKEN`.
        value: DER.
        certificates: To send along with it.

    Returns:
        DER ContentInfo.

    Raises:
        DecodingError: If it is not a SignedData.
        InputError: If it does not hold this signature.
    """
    content_type, wrapped = elements(content_of(0x30, cms_to_der(content_info)))
    if tlv(*content_type) != object_identifier(schema.SIGNED_DATA):
        raise DecodingError("the message is not signed")
    parts = elements(content_of(0x30, wrapped[1]))
    infos = elements(parts[-1][1])
    added, is_found = [], False
    for tag, content in infos:
        fields = elements(content)
        if (0x04, signature) in fields:
            is_found = True
            kept = elements(fields.pop()[1]) if fields[-1][0] == 0xA1 else []
            attributes = sorted((*(tlv(*each) for each in kept), attribute(attribute_type, value)))
            fields.append((0xA1, b"".join(attributes)))
        added.append(tlv(tag, *(tlv(*field) for field in fields)))
    if not is_found:
        raise InputError("the message does not hold this signature")
    before = _with_certificates(parts[:-1], certificates)
    body = tlv(0x30, *(tlv(*part) for part in before), tlv(0x31, *sorted(added)))
    return schema.content_info(schema.SIGNED_DATA, body)


def _with_certificates(
    parts: Sequence[tuple[int, bytes]], certificates: Iterable[x509.Certificate]
) -> list[tuple[int, bytes]]:
    """Return version, digestAlgorithms, encapContentInfo, certificates and CRLs, with more certificates."""
    wanted = {encoded_certificate(each)[0] for each in certificates}
    if not wanted:
        return list(parts)
    version, digests, content, *sets = parts
    present = [tlv(*each) for tag, octets in sets if tag == _CERTIFICATES for each in elements(octets)]
    kept = [each for each in sets if each[0] != _CERTIFICATES]
    merged = (_CERTIFICATES, b"".join(sorted({*present, *wanted})))
    return [version, digests, content, merged, *kept]

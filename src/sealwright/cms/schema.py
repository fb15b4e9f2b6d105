"""The ASN.1 types of RFC 5652, RFC 5083, RFC 5753 and RFC 8551 as far as they are read and written here.

Field names are the standards' in Python case. Where `cryptography`'s decoder cannot express a type, there is a way round:
AlgorithmIdentifier has optional ANY parameters, so it is read as SEQUENCE OF ANY; certificates keep the order in which they
came, so they are lists of ANY under an implicit tag.
"""

import contextlib
from functools import lru_cache
from typing import Annotated

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.asn1 import TLV, Default, Explicit, Implicit, SetOf

from sealwright.asn1.ber import cms_to_der
from sealwright.asn1.der import object_identifier
from sealwright.asn1.writer import Layer, enclosed, tlv
from sealwright.cms.recipient_schema import RecipientInfo
from sealwright.errors import DecodingError

AlgorithmIdentifier = list[TLV]

DATA = "1.2.840.113549.1.7.1"
SIGNED_DATA = "1.2.840.113549.1.7.2"
ENVELOPED_DATA = "1.2.840.113549.1.7.3"
COMPRESSED_DATA = "1.2.840.113549.1.9.16.1.9"
AUTH_ENVELOPED_DATA = "1.2.840.113549.1.9.16.1.23"


@asn1.sequence
class EncryptedContentInfo:
    """RFC 5652 section 6.1."""

    content_type: x509.ObjectIdentifier
    content_encryption_algorithm: list[TLV]
    encrypted_content: Annotated[bytes | None, Implicit(0)]


@asn1.sequence
class EnvelopedData:
    """RFC 5652 section 6.1."""

    version: int
    originator_info: Annotated[list[TLV] | None, Implicit(0)]
    recipient_infos: SetOf[RecipientInfo]
    encrypted_content_info: EncryptedContentInfo
    unprotected_attrs: Annotated[list[TLV] | None, Implicit(1)]


@asn1.sequence
class AuthEnvelopedData:
    """RFC 5083 section 2.1."""

    version: int
    originator_info: Annotated[list[TLV] | None, Implicit(0)]
    recipient_infos: SetOf[RecipientInfo]
    auth_encrypted_content_info: EncryptedContentInfo
    auth_attrs: Annotated[list[TLV] | None, Implicit(1)]
    mac: bytes
    unauth_attrs: Annotated[list[TLV] | None, Implicit(2)]


@asn1.sequence
class Attribute:
    """RFC 5652 section 5.3."""

    attr_type: x509.ObjectIdentifier
    attr_values: SetOf[TLV]


@asn1.sequence
class EncapsulatedContentInfo:
    """RFC 5652 section 5.2."""

    e_content_type: x509.ObjectIdentifier
    e_content: Annotated[bytes | None, Explicit(0)]


@asn1.sequence
class SignedData:
    """RFC 5652 section 5.1; certificates and CRLs keep their order, a SignerInfo is taken apart in `signer_info`."""

    version: int
    digest_algorithms: SetOf[TLV]
    encap_content_info: EncapsulatedContentInfo
    certificates: Annotated[list[TLV] | None, Implicit(0)]
    crls: Annotated[list[TLV] | None, Implicit(1)]
    signer_infos: SetOf[TLV]


@asn1.sequence
class CompressedData:
    """RFC 3274 section 1.1."""

    version: int
    compression_algorithm: list[TLV]
    encap_content_info: EncapsulatedContentInfo


@asn1.sequence
class ContentInfo:
    """RFC 5652 section 3, of any content; the next ones are of one each, so that a large one is not copied on the way."""

    content_type: x509.ObjectIdentifier
    content: Annotated[TLV, Explicit(0)]


@asn1.sequence
class _EnvelopedContentInfo:
    content_type: x509.ObjectIdentifier
    content: Annotated[EnvelopedData, Explicit(0)]


@asn1.sequence
class _AuthEnvelopedContentInfo:
    content_type: x509.ObjectIdentifier
    content: Annotated[AuthEnvelopedData, Explicit(0)]


@asn1.sequence
class _SignedContentInfo:
    content_type: x509.ObjectIdentifier
    content: Annotated[SignedData, Explicit(0)]


@asn1.sequence
class _CompressedContentInfo:
    content_type: x509.ObjectIdentifier
    content: Annotated[CompressedData, Explicit(0)]


@asn1.sequence
class RSASSAPSSParams:
    """RFC 4055 section 3.1."""

    hash_algorithm: Annotated[list[TLV] | None, Explicit(0)]
    mask_gen_algorithm: Annotated[list[TLV] | None, Explicit(1)]
    salt_length: Annotated[int, Explicit(2), Default(20)]


def any_element(encoded: bytes) -> TLV:
    """Return DER octets as ANY."""
    return asn1.decode_der(TLV, encoded)


def raw(element: TLV) -> bytes:
    """Return the DER octets of an ANY with a one-octet tag."""
    return tlv(element.tag_bytes[0], bytes(element.data))


def algorithm(oid: str, *parameters: bytes) -> AlgorithmIdentifier:
    """Return an AlgorithmIdentifier; no parameters means absent, not NULL."""
    return [_oid_element(oid), *map(any_element, parameters)]


@lru_cache(maxsize=128)
def _oid_element(oid: str) -> TLV:
    return any_element(object_identifier(oid))


def algorithm_der(identifier: AlgorithmIdentifier) -> bytes:
    """Return the DER of an AlgorithmIdentifier."""
    return tlv(0x30, *map(raw, identifier))


@asn1.sequence
class _Elements:
    items: list[TLV]


def parse_algorithm(encoded: bytes) -> AlgorithmIdentifier:
    """Parse the DER of an AlgorithmIdentifier.

    Raises:
        DecodingError: If it is not a SEQUENCE of one or two elements starting with an OID.
    """
    try:
        identifier = asn1.decode_der(_Elements, tlv(0x30, encoded)).items
    except ValueError as error:
        raise DecodingError("not an AlgorithmIdentifier") from error
    algorithm_oid(identifier)
    return identifier


def algorithm_oid(identifier: AlgorithmIdentifier) -> str:
    """Return the dotted OID of an AlgorithmIdentifier.

    Raises:
        DecodingError: If it has none, or more than one parameter.
    """
    if len(identifier) not in (1, 2):
        raise DecodingError("not an AlgorithmIdentifier")
    try:
        oid: x509.ObjectIdentifier = identifier[0].parse(x509.ObjectIdentifier)
    except ValueError as error:
        raise DecodingError("not an AlgorithmIdentifier") from error
    return oid.dotted_string


def algorithm_parameter(identifier: AlgorithmIdentifier) -> AlgorithmIdentifier:
    """Return the AlgorithmIdentifier that is the parameter of another, as in MGF1 and ECDH.

    Raises:
        DecodingError: If there is none.
    """
    if len(identifier) != 2:
        raise DecodingError("an algorithm lacks its parameter")
    return parse_algorithm(raw(identifier[1]))


def content_info_around(oid: str) -> tuple[Layer, Layer]:
    """Return the elements of a ContentInfo around its content."""
    return (0xA0, b"", b""), (0x30, object_identifier(oid), b"")


def content_info(oid: str, content: bytes) -> bytes:
    """Return the DER ContentInfo over an encoded content."""
    return enclosed(content, *content_info_around(oid))


Content = EnvelopedData | AuthEnvelopedData | SignedData | CompressedData
_ContentInfo = _EnvelopedContentInfo | _AuthEnvelopedContentInfo | _SignedContentInfo | _CompressedContentInfo
_CONTENT_INFOS: dict[str, type[_ContentInfo]] = {
    SIGNED_DATA: _SignedContentInfo,
    ENVELOPED_DATA: _EnvelopedContentInfo,
    AUTH_ENVELOPED_DATA: _AuthEnvelopedContentInfo,
    COMPRESSED_DATA: _CompressedContentInfo,
}
_CONTENT_TYPES = [(object_identifier(oid), oid) for oid in _CONTENT_INFOS]


def load_content(encoded: bytes) -> Content:
    """Decode a DER or BER ContentInfo.

    Raises:
        DecodingError: If it is neither, or holds another content type.
    """
    if encoded[1:2] != b"\x80":  # an indefinite length is not DER
        with contextlib.suppress(ValueError):
            return _parse(encoded)
    try:
        return _parse(cms_to_der(encoded))
    except ValueError as error:
        raise DecodingError("not a CMS message that can be read here") from error


def content_type(encoded: bytes) -> str:
    """Return the dotted OID of what a DER or BER ContentInfo holds; the content itself need not be well formed.

    Raises:
        DecodingError: If it is no ContentInfo, or holds another content type.
    """
    oid = _content_type(encoded)
    if oid is None:
        load_content(encoded)  # says what is wrong
        raise DecodingError("not a CMS message that can be read here")
    return oid


def _content_type(encoded: bytes) -> str | None:
    header_bytes = 2 + (encoded[1] & 0x7F if encoded[1:2] > b"\x80" else 0)
    for start, oid in _CONTENT_TYPES if encoded[:1] == b"\x30" else ():
        if encoded.startswith(start, header_bytes):
            return oid
    return None


def _parse(encoded: bytes) -> Content:
    oid = _content_type(encoded)
    if oid is None:
        other = asn1.decode_der(ContentInfo, encoded).content_type.dotted_string
        raise DecodingError(f"a CMS content of type {other} is not mail")
    content: Content = asn1.decode_der(_CONTENT_INFOS[oid], encoded).content
    return content

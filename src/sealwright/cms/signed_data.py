"""A SignedData (RFC 5652 section 5.1) taken apart, within limits, and nothing judged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat import asn1

from sealwright.asn1.der import content_of, elements, object_identifier
from sealwright.asn1.writer import tlv
from sealwright.cms import schema
from sealwright.cms.digests import Digest, digest_for
from sealwright.cms.enveloped import MAX_MESSAGE_BYTES
from sealwright.cms.known_certificates import KnownCertificate, parse_certificates
from sealwright.cms.signer_info import SignerInfo, parse_signer_info
from sealwright.errors import DecodingError

MAX_SIGNERS = 16
"""Documents that circulate for signing have a few; each costs a verification."""
MAX_CRLS = 64
"""One for each issuer."""
_OCSP_RESPONSE = object_identifier("1.3.6.1.5.5.7.16.2")


@dataclass(frozen=True, slots=True)
class SignedDataParts:
    """What a SignedData holds.

    Attributes:
        content_type: eContentType, dotted.
        content: eContent; None where the signature is detached.
        certificates: That can be read.
        crls: DER CertificateLists.
        ocsp_responses: DER OCSPResponses.
        signer_infos: In the order of the message.
    """

    content_type: str
    content: bytes | None = field(repr=False)
    certificates: tuple[KnownCertificate, ...]
    crls: tuple[bytes, ...]
    ocsp_responses: tuple[bytes, ...]
    signer_infos: tuple[SignerInfo, ...]


def load_signed_data(content_info: bytes) -> SignedDataParts:
    """Take a SignedData apart.

    Args:
        content_info: DER or BER.

    Raises:
        DecodingError: If it is not a SignedData, or has too many parts.
    """
    if len(content_info) > MAX_MESSAGE_BYTES:
        raise DecodingError("the signed message is too large")
    message = schema.load_content(content_info)
    if not isinstance(message, schema.SignedData):
        raise DecodingError("the message is encrypted, not signed")
    crls, ocsp_responses = parse_revocation_information(_raw(message.crls))
    infos = message.signer_infos.as_list()
    if len(infos) > MAX_SIGNERS:
        raise DecodingError("the message has too many signers")
    return SignedDataParts(
        message.encap_content_info.e_content_type.dotted_string,
        message.encap_content_info.e_content,
        parse_certificates(_raw(message.certificates)),
        crls,
        ocsp_responses,
        tuple(parse_signer_info(element.tag_bytes[0], bytes(element.data)) for element in infos),
    )


def _raw(choices: list[asn1.TLV] | None) -> list[bytes]:
    return [schema.raw(element) for element in choices or []]


def announced_digests(digest_algorithms: Iterable[bytes]) -> list[Digest]:
    """Return the digests of SignedData.digestAlgorithms that are read here, each once.

    Args:
        digest_algorithms: DER AlgorithmIdentifiers.
    """
    found = (digest_for(identifier) for identifier in digest_algorithms)
    return list(dict.fromkeys(digest for digest in found if digest is not None))


def parse_revocation_information(choices: Sequence[bytes]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Split RevocationInfoChoices into DER CertificateLists and DER OCSPResponses (RFC 5940 section 2.1), unread.

    Raises:
        DecodingError: If there are too many.
    """
    if len(choices) > MAX_CRLS:
        raise DecodingError("the message brings too many revocation lists")
    crls = tuple(choice for choice in choices if choice[:1] == b"\x30")
    responses = []
    for choice in choices:
        if choice[:1] == b"\xa1":
            other = elements(content_of(0xA1, choice))
            if len(other) == 2 and tlv(*other[0]) == _OCSP_RESPONSE:
                responses.append(tlv(*other[1]))
    return crls, tuple(responses)

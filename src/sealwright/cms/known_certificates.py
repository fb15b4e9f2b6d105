"""Certificates as SignedData brings them, with what a SignerInfo is compared with, computed once per certificate.

The same signers and intermediates come again in every mail of a thread, so what was parsed is remembered by its octets;
nothing here says that a certificate is trusted.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from sealwright.asn1.writer import tlv
from sealwright.cms.identifiers import issuer_and_serial_der, subject_key_identifier
from sealwright.cms.signature_algorithms import KeyKind, key_kind
from sealwright.errors import DecodingError
from sealwright.pkix.extensions import UNDECODABLE

MAX_CERTIFICATES = 64
"""Three for each of twenty signers."""
_REMEMBERED = 512
"""With the next limit at most 8 MiB of certificates."""
_REMEMBERED_BYTES = 16 * 1024
"""An ML-DSA-87 certificate has 7.5 kB; one that is longer is parsed each time."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownCertificate:
    """A certificate that can be read as a whole.

    Attributes:
        certificate: Parsed.
        der: Its octets.
        public_key: Parsed.
        key_kind: Which signatures the key can make, or None.
        rsa_bits: Length of an RSA key, 0 for others.
        issuer: DER Name.
        serial_number: DER INTEGER.
        subject_key_identifier: Raw octets of the extension, or None.
        sha256: Of the DER.
    """

    certificate: x509.Certificate
    der: bytes
    public_key: CertificatePublicKeyTypes
    key_kind: KeyKind | None
    rsa_bits: int
    issuer: bytes
    serial_number: bytes
    subject_key_identifier: bytes | None
    sha256: bytes


def known_certificate(der: bytes) -> KnownCertificate | None:
    """Return a certificate, or None for octets that are not one, or one with a key that cannot be read."""
    return _remembered(der) if len(der) <= _REMEMBERED_BYTES else _parse(der)


def from_certificate(certificate: x509.Certificate) -> KnownCertificate | None:
    """Return what is known of a parsed certificate."""
    return known_certificate(certificate.public_bytes(Encoding.DER))


def parse_certificates(choices: Sequence[bytes]) -> tuple[KnownCertificate, ...]:
    """Read CertificateSet; attribute certificates and what cannot be read are left out.

    Args:
        choices: DER of each CertificateChoices.

    Raises:
        DecodingError: If there are too many.
    """
    if len(choices) > MAX_CERTIFICATES:
        raise DecodingError("the message brings too many certificates")
    found = (known_certificate(choice) for choice in choices if choice[:1] == b"\x30")
    return tuple(known for known in found if known is not None)


@lru_cache(maxsize=_REMEMBERED)
def encoded_certificate(certificate: x509.Certificate) -> tuple[bytes, bytes]:
    """Return the DER of one's own or a chain's certificate, and its DER IssuerAndSerialNumber."""
    return certificate.public_bytes(Encoding.DER), tlv(0x30, *issuer_and_serial_der(certificate))


def _parse(der: bytes) -> KnownCertificate | None:
    try:
        certificate = x509.load_der_x509_certificate(der)
        # `cryptography` parses lazily: what cannot be read now is no certificate, rather than an exception later
        _ = certificate.issuer, certificate.subject, certificate.extensions, certificate.not_valid_after_utc
        public_key = certificate.public_key()
        issuer, serial_number = issuer_and_serial_der(certificate)
    except (*UNDECODABLE, DecodingError):
        return None
    return KnownCertificate(
        certificate,
        der,
        public_key,
        key_kind(public_key),
        public_key.key_size if isinstance(public_key, rsa.RSAPublicKey) else 0,
        issuer,
        serial_number,
        subject_key_identifier(certificate),
        hashlib.sha256(der).digest(),
    )


_remembered = lru_cache(maxsize=_REMEMBERED)(_parse)

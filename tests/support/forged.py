"""SignedData put together by hand, so that a test can break one rule at a time; correctly signed all the same."""

import hashlib
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding

from sealwright.asn1.writer import tlv
from sealwright.cms import schema
from sealwright.cms.signers import PrivateKeySigner

PKCS9 = "1.2.840.113549.1.9."
CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME = PKCS9 + "3", PKCS9 + "4", PKCS9 + "5"
COUNTERSIGNATURE, CAPABILITIES, ALGORITHM_PROTECTION = PKCS9 + "6", PKCS9 + "15", PKCS9 + "52"
KEY_PREFERENCE, SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2 = PKCS9 + "16.2.11", PKCS9 + "16.2.12", PKCS9 + "16.2.47"
TIMESTAMP_TOKEN = PKCS9 + "16.2.14"


def oid(dotted: str) -> bytes:
    """Return a DER OBJECT IDENTIFIER."""
    return asn1.encode_der(x509.ObjectIdentifier(dotted))


def attribute(dotted: str, *values: bytes) -> bytes:
    """Return a DER attribute."""
    return tlv(0x30, oid(dotted), tlv(0x31, *values))


def typical(content: bytes) -> list[bytes]:
    """Return the two attributes that every signature needs."""
    return [
        attribute(CONTENT_TYPE, oid(schema.DATA)),
        attribute(MESSAGE_DIGEST, tlv(0x04, hashlib.sha256(content).digest())),
    ]


def unsigned(content: bytes, *, detached: bool) -> bytes:
    """Return a SignedData that nobody signed, DER ContentInfo."""
    e_content = [] if detached else [tlv(0xA0, tlv(0x04, content))]
    body = tlv(0x30, b"\x02\x01\x01", tlv(0x31), tlv(0x30, oid(schema.DATA), *e_content), tlv(0x31))
    return tlv(0x30, oid(schema.SIGNED_DATA), tlv(0xA0, body))


@dataclass
class Forged:
    """A SignedData to be.

    Attributes:
        signer: Gives certificate, algorithms and signature.
        content: What is sent.
        attributes: Signed attributes in the order in which they are sent; None for none.
        order: The order in which they are signed, if another.
        content_type: Dotted OID of eContentType.
        digest_algorithm: DER, if not the signer's.
        signature_algorithm: DER, if not the signer's.
        sid: DER, if not issuerAndSerialNumber.
        version: Of the SignerInfo.
        unsigned: Octets inside the SET of unsigned attributes.
        certificates: DER of CertificateChoices, if not the signer's certificate alone.
        crls: DER of RevocationInfoChoices.
    """

    signer: PrivateKeySigner
    content: bytes
    attributes: list[bytes] | None = None
    order: list[bytes] | None = None
    content_type: str = schema.DATA
    digest_algorithm: bytes | None = None
    signature_algorithm: bytes | None = None
    sid: bytes | None = None
    version: int = 1
    unsigned: bytes = b""
    certificates: list[bytes] | None = None
    crls: list[bytes] = field(default_factory=list)

    def signer_info(self) -> bytes:
        """Return the DER SignerInfo."""
        algorithm, certificate = self.signer.algorithm, self.signer.certificate
        message = self.content
        if self.attributes is not None:
            message = tlv(0x31, *(self.attributes if self.order is None else self.order))
        return tlv(
            0x30,
            asn1.encode_der(self.version),
            self.sid or tlv(0x30, certificate.issuer.public_bytes(), asn1.encode_der(certificate.serial_number)),
            self.digest_algorithm or algorithm.digest.identifier_der,
            *([tlv(0xA0, *self.attributes)] if self.attributes is not None else []),
            self.signature_algorithm or algorithm.signature.identifier_der,
            tlv(0x04, self.signer.sign(message)),
            *([tlv(0xA1, self.unsigned)] if self.unsigned else []),
        )

    def message(self, *signer_infos: bytes, e_content: bool = True) -> bytes:
        """Return the DER ContentInfo, with this signer or with the given ones."""
        certificates = self.certificates
        if certificates is None:
            certificates = [self.signer.certificate.public_bytes(Encoding.DER)]
        body = tlv(
            0x30,
            b"\x02\x01\x01",
            tlv(0x31, self.digest_algorithm or self.signer.algorithm.digest.identifier_der),
            tlv(0x30, oid(self.content_type), *([tlv(0xA0, tlv(0x04, self.content))] if e_content else [])),
            *([tlv(0xA0, *certificates)] if certificates else []),
            *([tlv(0xA1, *self.crls)] if self.crls else []),
            tlv(0x31, *(signer_infos or (self.signer_info(),))),
        )
        return tlv(0x30, oid(schema.SIGNED_DATA), tlv(0xA0, body))

"""SMIMECapabilities (RFC 8551 section 2.5.2): what a mail program says it can read, best first.

The value stands in a signed attribute, and in a certificate as an extension (RFC 4262). Only what is known here has a name;
other capabilities are kept and count for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.asn1 import TLV
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, rsa, x448, x25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from sealwright.asn1.writer import tlv
from sealwright.cms import algorithms, schema
from sealwright.errors import DecodingError
from sealwright.pkix.extensions import UNDECODABLE

MAX_CAPABILITIES_BYTES = 8 * 1024
"""Outlook, which lists most, writes less than 200 octets; the value is stored for each address."""
MAX_CAPABILITIES = 128
"""Those 200 octets hold about a dozen; each is compared with what every other recipient reads."""
EXTENSION = x509.ObjectIdentifier(algorithms.SMIME_CAPABILITIES)
"""RFC 4262: the same identifier as the attribute's."""

_NAMES = {
    **{oid: f"aes-{size * 8}-cbc" for oid, size in algorithms.CBC_KEY_BYTES.items()},
    **{oid: f"aes-{size * 8}-gcm" for oid, size in algorithms.GCM_KEY_BYTES.items()},
    algorithms.CHACHA20_POLY1305: "chacha20-poly1305",
    algorithms.CEK_HKDF_SHA256: "cek-hkdf-sha256",
    algorithms.PREFER_BINARY_INSIDE: "prefer-binary-inside",
    algorithms.DES_EDE3_CBC: "des-ede3-cbc",
    algorithms.RC2_CBC: "rc2-cbc",
    algorithms.RSA_ENCRYPTION: "rsa-pkcs1-v1.5",
    algorithms.ECDH_SHA256_KDF: "ecdh-sha256-kdf",
    algorithms.X25519_HKDF_SHA256: "ecdh-hkdf-sha256",
    **algorithms.ML_KEM,
}
_OIDS = {name: oid for oid, name in _NAMES.items()}
# RFC 4055 section 4.1: SHA-256 with MGF1 of SHA-256, parameters NULL in both places; the label is the empty default.
_SHA256 = schema.algorithm_der(schema.algorithm(algorithms.SHA256, algorithms.NULL))
_MGF1_SHA256 = schema.algorithm_der(schema.algorithm(algorithms.MGF1, _SHA256))
_OAEP_SHA256 = tlv(0x30, tlv(0xA0, _SHA256), tlv(0xA1, _MGF1_SHA256))
_OAEP_SHA256_UNTAGGED = tlv(0x30, _SHA256, _MGF1_SHA256)
"""As RFC 3560 section 5 prints it, without the tags that its own syntax wants."""
_AES256_WRAP = schema.algorithm_der(schema.algorithm(algorithms.AES256_WRAP))


@dataclass(frozen=True, slots=True)
class Capability:
    """One algorithm that can be read, or another thing that a program can do.

    Attributes:
        oid: Dotted.
        parameters: DER, or empty where they are absent.
    """

    oid: str
    parameters: bytes = b""

    @property
    def name(self) -> str:
        """Its name here, such as "aes-256-gcm" or "rsa-oaep-sha256"; empty if it has none."""
        if self.oid == algorithms.RSAES_OAEP:
            return "rsa-oaep-sha256" if self.parameters in (_OAEP_SHA256, _OAEP_SHA256_UNTAGGED) else ""
        return _NAMES.get(self.oid, "")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What somebody can read, the preferred first.

    Attributes:
        items: As announced.
    """

    items: tuple[Capability, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of those that have one, in order."""
        return tuple(dict.fromkeys(item.name for item in self.items if item.name))

    def shared_with(self, other: "Capabilities") -> "Capabilities":
        """Return what both can read, in this order; algorithms without a name are left out."""
        return Capabilities(tuple(item for item in self.items if item.name and item.name in other.names))


@asn1.sequence
class _Wrapped:
    """A SEQUENCE around the SEQUENCE OF, because the decoder wants fields."""

    items: list[TLV]


def parse(encoded: bytes) -> Capabilities:
    """Parse the DER of SMIMECapabilities; parameters NULL count as absent, which is what old programs mean by them.

    Raises:
        DecodingError: If it is not one, or beyond the limits.
    """
    if len(encoded) > MAX_CAPABILITIES_BYTES:
        raise DecodingError("the capabilities are too long")
    try:
        elements = asn1.decode_der(_Wrapped, tlv(0x30, encoded)).items
        if len(elements) > MAX_CAPABILITIES:
            raise DecodingError("there are too many capabilities")
        return Capabilities(tuple(_capability(element) for element in elements))
    except ValueError as error:
        raise DecodingError("not SMIMECapabilities") from error


def encode(capabilities: Capabilities) -> bytes:
    """Return the DER of SMIMECapabilities."""
    return tlv(
        0x30,
        *(
            schema.algorithm_der(schema.algorithm(item.oid, *([item.parameters] if item.parameters else [])))
            for item in capabilities.items
        ),
    )


def of_certificate(certificate: x509.Certificate) -> Capabilities | None:
    """Return what a certificate says its holder can read (RFC 4262), or None where it says nothing that can be read."""
    try:
        extension = certificate.extensions.get_extension_for_oid(EXTENSION).value
        return parse(extension.value) if isinstance(extension, x509.UnrecognizedExtension) else None
    except (x509.ExtensionNotFound, *UNDECODABLE, DecodingError):
        return None


def named(*names: str) -> Capabilities:
    """Return the capabilities of these names, in order.

    Raises:
        KeyError: If a name is unknown.
    """
    return Capabilities(tuple(_named(name) for name in names))


def announced(decryption_keys: Sequence[PublicKeyTypes] = ()) -> Capabilities:
    """Return what this program announces for a mailbox with these keys, the preferred first.

    Ciphers come first, in the order of RFC 8551 section 2.7.1: authenticated ones before AES-CBC. Then what holders of each
    kind of key can read. RFC 9709: that the key may be derived keeps an attacker from making AES-CBC out of AES-GCM. RFC 8551
    section 3.1.2: that what lies inside an encryption need not be base64 makes a message a quarter smaller.
    """
    names = [*ANNOUNCED_CIPHERS, "cek-hkdf-sha256", "prefer-binary-inside"]
    for key in decryption_keys:
        names.extend(_KEY_NAMES.get(next((kind for kind in _KEY_NAMES if isinstance(key, kind)), object), ()))
    return named(*dict.fromkeys(names))


ANNOUNCED_CIPHERS = ("aes-256-gcm", "chacha20-poly1305", "aes-128-gcm", "aes-256-cbc", "aes-128-cbc")
_KEY_NAMES: dict[type, tuple[str, ...]] = {
    rsa.RSAPublicKey: ("rsa-oaep-sha256", "rsa-pkcs1-v1.5"),
    ec.EllipticCurvePublicKey: ("ecdh-sha256-kdf",),
    x25519.X25519PublicKey: ("ecdh-hkdf-sha256",),
    x448.X448PublicKey: ("ecdh-hkdf-sha256",),
    mlkem.MLKEM768PublicKey: ("ml-kem-768",),
    mlkem.MLKEM1024PublicKey: ("ml-kem-1024",),
}


def _named(name: str) -> Capability:
    if name == "rsa-oaep-sha256":
        return Capability(algorithms.RSAES_OAEP, _OAEP_SHA256)
    if name == "rsa-pkcs1-v1.5":
        return Capability(algorithms.RSA_ENCRYPTION, algorithms.NULL)  # RFC 3370 section 4.2.1: MUST be NULL
    if name.startswith("ecdh-"):  # RFC 5753 section 8, RFC 8418 section 4: the parameter is the key wrap
        return Capability(_OIDS[name], _AES256_WRAP)
    return Capability(_OIDS[name])


def _capability(element: TLV) -> Capability:
    identifier = schema.parse_algorithm(schema.raw(element)) if element.tag_bytes == b"\x30" else []
    oid = schema.algorithm_oid(identifier)
    parameters = schema.raw(identifier[1]) if len(identifier) == 2 else b""
    return Capability(oid, b"" if parameters == algorithms.NULL and oid != algorithms.RSA_ENCRYPTION else parameters)

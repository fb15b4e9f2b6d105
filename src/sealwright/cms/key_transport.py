"""KeyTransRecipientInfo: the content-encryption key under an RSA key (RFC 5652 section 6.2.1, RFC 3370, RFC 3560)."""

from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sealwright.asn1.writer import tlv
from sealwright.cms import algorithms, schema
from sealwright.cms.known_certificates import encoded_certificate
from sealwright.cms.recipient_schema import KeyTransRecipientInfo, RSAESOAEPParams
from sealwright.errors import DecodingError

KeyTransport = Literal["rsa-pkcs1-v1.5", "rsa-oaep-sha256"]
MIN_RSA_BYTES = 256
"""RFC 8551 section 4.2: shorter than 2,048 bits is not safe; it is read, with a warning."""


def _oaep_sha256() -> bytes:
    """Return RSAES-OAEP-params with SHA-256 in both places; RFC 4055 section 4.1 wants NULL beside the digests."""
    digest = schema.algorithm_der(schema.algorithm(algorithms.SHA256, algorithms.NULL))
    mask = schema.algorithm_der(schema.algorithm(algorithms.MGF1, digest))
    return tlv(0x30, tlv(0xA0, digest), tlv(0xA1, mask))


_WRITTEN: dict[KeyTransport, tuple[bytes, padding.AsymmetricPadding]] = {
    "rsa-pkcs1-v1.5": (
        schema.algorithm_der(schema.algorithm(algorithms.RSA_ENCRYPTION, algorithms.NULL)),
        padding.PKCS1v15(),
    ),
    "rsa-oaep-sha256": (
        schema.algorithm_der(schema.algorithm(algorithms.RSAES_OAEP, _oaep_sha256())),
        padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
    ),
}
"""By scheme: DER AlgorithmIdentifier, and what `cryptography` calls it."""


def wrap_key(
    content_encryption_key: bytes,
    certificate: x509.Certificate,
    public_key: rsa.RSAPublicKey,
    key_transport: KeyTransport,
) -> bytes:
    """Encrypt the content-encryption key to an RSA key; returns the DER RecipientInfo, of version 0."""
    algorithm_der, rsa_padding = _WRITTEN[key_transport]
    _, issuer_and_serial = encoded_certificate(certificate)
    encrypted_key = public_key.encrypt(content_encryption_key, rsa_padding)
    return tlv(0x30, b"\x02\x01\x00", issuer_and_serial, algorithm_der, tlv(0x04, encrypted_key))


def unwrap_key(info: KeyTransRecipientInfo, private_key: rsa.RSAPrivateKey) -> bytes:
    """Decrypt the content-encryption key.

    Returns:
        The key. With PKCS #1 v1.5 wrong padding gives other octets instead, often of another length, so that nobody can
        tell it apart (RFC 3218).

    Raises:
        ValueError: If it cannot be decrypted.
        DecodingError: If the scheme is not known.
    """
    return private_key.decrypt(info.encrypted_key, _padding(info.key_encryption_algorithm))


def key_management(info: KeyTransRecipientInfo) -> str:
    """Name the scheme, such as "rsa-pkcs1-v1.5" or "rsa-oaep-sha256".

    Raises:
        DecodingError: If it is not known.
    """
    scheme = _padding(info.key_encryption_algorithm)
    return f"rsa-oaep-{scheme.algorithm.name}" if isinstance(scheme, padding.OAEP) else "rsa-pkcs1-v1.5"


def _padding(identifier: schema.AlgorithmIdentifier) -> padding.AsymmetricPadding:
    oid = schema.algorithm_oid(identifier)
    if oid == algorithms.RSA_ENCRYPTION:  # NULL parameters, or absent ones (RFC 3370 section 4.2.1)
        return _WRITTEN["rsa-pkcs1-v1.5"][1]
    if oid != algorithms.RSAES_OAEP:
        raise DecodingError("not an RSA encryption scheme")
    if len(identifier) == 1 or schema.raw(identifier[1]) == algorithms.NULL:
        return padding.OAEP(padding.MGF1(_digest(None)), _digest(None), None)
    parameters = identifier[1].parse(RSAESOAEPParams)
    # The three are independent: Java sends SHA-256 with MGF1 over SHA-1. What is absent is SHA-1 (RFC 4055 section 4.1).
    mask = parameters.mask_gen_func
    if mask is not None and schema.algorithm_oid(mask) != algorithms.MGF1:
        raise DecodingError("not a mask generation function that is read here")
    inner = schema.algorithm_parameter(mask) if mask is not None else None
    label = None
    if parameters.p_source_func is not None:
        if schema.algorithm_oid(parameters.p_source_func) != algorithms.P_SPECIFIED:
            raise DecodingError("not an OAEP label that is read here")
        label = parameters.p_source_func[1].parse(bytes) if len(parameters.p_source_func) > 1 else None
    return padding.OAEP(padding.MGF1(_digest(inner)), _digest(parameters.hash_func), label)


def _digest(identifier: schema.AlgorithmIdentifier | None) -> hashes.HashAlgorithm:
    oid = algorithms.SHA1 if identifier is None else schema.algorithm_oid(identifier)
    digest = algorithms.OAEP_DIGESTS.get(oid)
    if digest is None:
        raise DecodingError("not a digest that is read here")
    return digest()

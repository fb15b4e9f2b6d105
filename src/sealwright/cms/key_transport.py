"""KeyTransRecipientInfo: the content-encryption key under an RSA key (RFC 5652 section 6.2.1, RFC 3560, RFC 8017)."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sealwright.cms import algorithms, schema
from sealwright.cms.identifiers import issuer_and_serial
from sealwright.errors import DecodingError


def wrap_key(
    content_encryption_key: bytes, certificate: x509.Certificate, public_key: rsa.RSAPublicKey
) -> schema.KeyTransRecipientInfo:
    """Encrypt the content-encryption key to an RSA key with PKCS #1 v1.5, which every mail client reads."""
    return schema.KeyTransRecipientInfo(
        version=0,
        rid=issuer_and_serial(certificate),
        key_encryption_algorithm=schema.algorithm(algorithms.RSA_ENCRYPTION, algorithms.NULL),
        encrypted_key=public_key.encrypt(content_encryption_key, padding.PKCS1v15()),
    )


def unwrap_key(info: schema.KeyTransRecipientInfo, private_key: rsa.RSAPrivateKey) -> bytes:
    """Decrypt the content-encryption key.

    Returns:
        The key. With PKCS #1 v1.5 wrong padding gives other octets instead, often of another length, so that nobody can
        tell it apart (RFC 3218).

    Raises:
        ValueError: If it cannot be decrypted.
        DecodingError: If the scheme is not known.
    """
    return private_key.decrypt(info.encrypted_key, _padding(info.key_encryption_algorithm))


def _padding(identifier: schema.AlgorithmIdentifier) -> padding.AsymmetricPadding:
    oid = schema.algorithm_oid(identifier)
    if oid == algorithms.RSA_ENCRYPTION:
        return padding.PKCS1v15()
    if oid != algorithms.RSAES_OAEP:
        raise DecodingError("not an RSA encryption scheme")
    parameters = identifier[1].parse(schema.RSAESOAEPParams) if len(identifier) > 1 else None
    digest = mask = hashes.SHA1
    if parameters is not None and parameters.hash_func is not None:
        digest = algorithms.OAEP_DIGESTS.get(schema.algorithm_oid(parameters.hash_func), hashes.SHA1)  # type: ignore[assignment]
    if parameters is not None and parameters.mask_gen_func is not None:
        inner = schema.algorithm_parameter(parameters.mask_gen_func)
        mask = algorithms.OAEP_DIGESTS.get(schema.algorithm_oid(inner), hashes.SHA1)  # type: ignore[assignment]
    return padding.OAEP(padding.MGF1(mask()), digest(), None)

"""KeyAgreeRecipientInfo: the content-encryption key wrapped under an agreed key (RFC 5652 section 6.2.2, RFC 5753)."""

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealwright.cms import algorithms, schema
from sealwright.cms.identifiers import issuer_and_serial
from sealwright.errors import DecodingError


def wrap_key(
    content_encryption_key: bytes, certificate: x509.Certificate, public_key: ec.EllipticCurvePublicKey
) -> schema.KeyAgreeRecipientInfo:
    """Wrap the content-encryption key under a key agreed with a fresh ephemeral key."""
    ephemeral = ec.generate_private_key(public_key.curve)
    wrap = schema.algorithm(algorithms.AES256_WRAP)
    kek = _derive(hashes.SHA256(), ephemeral.exchange(ec.ECDH(), public_key), wrap, 32, None)
    point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    originator = schema.OriginatorPublicKey(
        algorithm=schema.algorithm(algorithms.EC_PUBLIC_KEY), public_key=asn1.BitString(point, 0)
    )
    return schema.KeyAgreeRecipientInfo(
        version=3,
        originator=asn1.Variant(originator, "originatorKey"),
        ukm=None,
        key_encryption_algorithm=schema.algorithm(algorithms.ECDH_SHA256_KDF, schema.algorithm_der(wrap)),
        recipient_encrypted_keys=[
            schema.RecipientEncryptedKey(
                rid=issuer_and_serial(certificate),
                encrypted_key=keywrap.aes_key_wrap(kek, content_encryption_key),
            )
        ],
    )


def unwrap_key(info: schema.KeyAgreeRecipientInfo, encrypted_key: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Unwrap one recipient's content-encryption key.

    Raises:
        ValueError: If the originator's key is not a point of the curve.
        InvalidUnwrap: If the key does not fit.
        DecodingError: If the scheme is not known.
    """
    originator = info.originator.value
    kdf = algorithms.ECDH_KDFS.get(schema.algorithm_oid(info.key_encryption_algorithm))
    if not isinstance(originator, schema.OriginatorPublicKey) or kdf is None:
        raise DecodingError("not an ECDH scheme that is read here")
    wrap = schema.algorithm_parameter(info.key_encryption_algorithm)
    size = algorithms.WRAP_KEY_BYTES.get(schema.algorithm_oid(wrap))
    if size is None:
        raise DecodingError("not an AES key wrap")
    point = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, originator.public_key.as_bytes())
    kek = _derive(kdf(), key.exchange(ec.ECDH(), point), wrap, size, info.ukm)
    return keywrap.aes_key_unwrap(kek, encrypted_key)


def _derive(
    digest: hashes.HashAlgorithm, shared: bytes, wrap: schema.AlgorithmIdentifier, size: int, ukm: bytes | None
) -> bytes:
    """Derive the key-encryption key; supp_pub_info is its length in bits (RFC 5753 section 7.2)."""
    info = schema.ECCCMSSharedInfo(key_info=wrap, entity_u_info=ukm, supp_pub_info=(size * 8).to_bytes(4, "big"))
    return X963KDF(digest, size, asn1.encode_der(info)).derive(shared)

"""KEMRecipientInfo: the content-encryption key wrapped under an encapsulated key (RFC 9629), with ML-KEM (RFC 9936)."""

from typing import Protocol, runtime_checkable

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sealwright.asn1.der import object_identifier
from sealwright.asn1.writer import tlv
from sealwright.cms import algorithms, schema
from sealwright.cms.identifiers import issuer_and_serial
from sealwright.cms.recipient_schema import CMSORIforKEMOtherInfo, KEMRecipientInfo, OtherRecipientInfo
from sealwright.errors import DecodingError

KEMPublicKey = mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey
_KEK_BYTES = 32
_HKDF_SHA256 = schema.algorithm(algorithms.HKDF_SHA256)
_AES256_WRAP = schema.algorithm(algorithms.AES256_WRAP)
_ML_KEM_768, _ML_KEM_1024 = (schema.algorithm(oid) for oid, name in algorithms.ML_KEM.items() if name != "ml-kem-512")
_WRITTEN_INFO = asn1.encode_der(CMSORIforKEMOtherInfo(wrap=_AES256_WRAP, kek_length=_KEK_BYTES, ukm=None))
_KEM_RECIPIENT = x509.ObjectIdentifier(algorithms.KEM_RECIPIENT)
_MIN_WRAP_BYTES = {"ml-kem-512": 16, "ml-kem-768": 32, "ml-kem-1024": 32}
"""RFC 9936 section 2.2.1: the wraps that MUST be used."""


@runtime_checkable
class KEMPrivateKey(Protocol):
    """What opens a KEMRecipientInfo; ML-KEM keys of `cryptography` do, and any other object with this method."""

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return the shared secret.

        Raises:
            ValueError: If the ciphertext is of the wrong length.
        """
        ...


def wrap_key(content_encryption_key: bytes, certificate: x509.Certificate, public_key: KEMPublicKey) -> bytes:
    """Wrap the content-encryption key under a fresh encapsulated key, with AES-256 whatever the content's cipher.

    Returns:
        DER RecipientInfo.
    """
    shared, ciphertext = public_key.encapsulate()
    kek = _derive(shared, _AES256_WRAP, _KEK_BYTES)
    info = KEMRecipientInfo(
        version=0,
        rid=issuer_and_serial(certificate),
        kem=_ML_KEM_768 if isinstance(public_key, mlkem.MLKEM768PublicKey) else _ML_KEM_1024,
        kemct=ciphertext,
        kdf=_HKDF_SHA256,
        kek_length=_KEK_BYTES,
        ukm=None,
        wrap=_AES256_WRAP,
        encrypted_key=keywrap.aes_key_wrap(kek, content_encryption_key),
    )
    return tlv(0xA4, object_identifier(algorithms.KEM_RECIPIENT), asn1.encode_der(info))


def read_info(info: OtherRecipientInfo) -> KEMRecipientInfo | None:
    """Return the KEMRecipientInfo of an OtherRecipientInfo; None where it is of another kind, or malformed.

    A malformed one is one recipient's loss; the others can still open the message.
    """
    if info.ori_type != _KEM_RECIPIENT:
        return None
    try:
        kem_info: KEMRecipientInfo = info.ori_value.parse(KEMRecipientInfo)
    except ValueError:
        return None
    return kem_info


def unwrap_key(info: KEMRecipientInfo, private_key: KEMPrivateKey) -> bytes:
    """Unwrap the content-encryption key.

    Raises:
        ValueError: If the ciphertext is not one of this kind of key.
        InvalidUnwrap: If the key does not fit.
        DecodingError: If the algorithms are not known, or do not fit each other.
    """
    size = _wrap_bytes(info)
    if info.version != 0 or info.ukm is not None:
        raise DecodingError("not a KEMRecipientInfo that is read here")
    if schema.algorithm_oid(info.kdf) != algorithms.HKDF_SHA256 or len(info.kdf) != 1:
        raise DecodingError("not a key derivation that is read here")
    return keywrap.aes_key_unwrap(_derive(private_key.decapsulate(info.kemct), info.wrap, size), info.encrypted_key)


def describe(info: KEMRecipientInfo) -> tuple[str, int, bool]:
    """Name the KEM, such as "ml-kem-768"; tell the length of its key-encryption key, and whether that is too weak for it.

    Raises:
        DecodingError: If it is not ML-KEM without parameters (RFC 9936 section 2.2.1), or the wrap does not fit.
    """
    name, size = algorithms.ML_KEM.get(schema.algorithm_oid(info.kem)), _wrap_bytes(info)
    if name is None or len(info.kem) != 1:
        raise DecodingError("not a KEM that is read here")
    return name, size, size < _MIN_WRAP_BYTES[name]


def _wrap_bytes(info: KEMRecipientInfo) -> int:
    """Return the length of the key-encryption key, which MUST be that of the wrap (RFC 9629 section 3)."""
    size = algorithms.WRAP_KEY_BYTES.get(schema.algorithm_oid(info.wrap))
    if size is None or info.kek_length != size:
        raise DecodingError("not an AES key wrap, or one of another length than promised")
    return size


def _derive(shared: bytes, wrap: schema.AlgorithmIdentifier, size: int) -> bytes:
    """Derive the key-encryption key: no salt, and what it is for as the info (RFC 9629 section 5, RFC 9936)."""
    info = _WRITTEN_INFO
    if wrap is not _AES256_WRAP:
        info = asn1.encode_der(CMSORIforKEMOtherInfo(wrap=wrap, kek_length=size, ukm=None))
    return HKDF(hashes.SHA256(), size, None, info).derive(shared)

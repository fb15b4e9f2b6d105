"""The ASN.1 types of RecipientInfos (RFC 5652 section 6.2, RFC 9629) and of their algorithms' parameters.

How types are written where `cryptography`'s decoder cannot express them is told in `cms.schema`.
"""

from typing import Annotated, Literal

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.asn1 import TLV, Default, Explicit, Implicit, Variant


@asn1.sequence
class IssuerAndSerialNumber:
    """RFC 5652 section 10.2.4; the Name stays as it came, so that another recipient's odd one does no harm."""

    issuer: TLV
    serial_number: int


@asn1.sequence
class KeyTransRecipientInfo:
    """RFC 5652 section 6.2.1."""

    version: int
    rid: IssuerAndSerialNumber | Annotated[bytes, Implicit(0)]
    key_encryption_algorithm: list[TLV]
    encrypted_key: bytes


@asn1.sequence
class OriginatorPublicKey:
    """RFC 5652 section 6.2.2."""

    algorithm: list[TLV]
    public_key: asn1.BitString


@asn1.sequence
class RecipientKeyIdentifier:
    """RFC 5652 section 6.2.2."""

    subject_key_identifier: bytes
    date: asn1.GeneralizedTime | None
    other: list[TLV] | None


@asn1.sequence
class RecipientEncryptedKey:
    """RFC 5652 section 6.2.2."""

    rid: IssuerAndSerialNumber | Annotated[RecipientKeyIdentifier, Implicit(0)]
    encrypted_key: bytes


@asn1.sequence
class KeyAgreeRecipientInfo:
    """RFC 5652 section 6.2.2."""

    version: int
    originator: Annotated[
        Variant[IssuerAndSerialNumber, Literal["issuerAndSerialNumber"]]
        | Annotated[Variant[bytes, Literal["subject_key_identifier"]], Implicit(0)]
        | Annotated[Variant[OriginatorPublicKey, Literal["originatorKey"]], Implicit(1)],
        Explicit(0),
    ]
    ukm: Annotated[bytes | None, Explicit(1)]
    key_encryption_algorithm: list[TLV]
    recipient_encrypted_keys: list[RecipientEncryptedKey]


@asn1.sequence
class KEKIdentifier:
    """RFC 5652 section 6.2.3."""

    key_identifier: bytes
    date: asn1.GeneralizedTime | None
    other: list[TLV] | None


@asn1.sequence
class KEKRecipientInfo:
    """RFC 5652 section 6.2.3."""

    version: int
    kekid: KEKIdentifier
    key_encryption_algorithm: list[TLV]
    encrypted_key: bytes


@asn1.sequence
class PasswordRecipientInfo:
    """RFC 5652 section 6.2.4."""

    version: int
    key_derivation_algorithm: Annotated[list[TLV] | None, Implicit(0)]
    key_encryption_algorithm: list[TLV]
    encrypted_key: bytes


@asn1.sequence
class OtherRecipientInfo:
    """RFC 5652 section 6.2.5."""

    ori_type: x509.ObjectIdentifier
    ori_value: TLV


@asn1.sequence
class KEMRecipientInfo:
    """RFC 9629 section 3; the value of an OtherRecipientInfo."""

    version: int
    rid: IssuerAndSerialNumber | Annotated[bytes, Implicit(0)]
    kem: list[TLV]
    kemct: bytes
    kdf: list[TLV]
    kek_length: int
    ukm: Annotated[bytes | None, Explicit(0)]
    wrap: list[TLV]
    encrypted_key: bytes


RecipientInfo = (
    KeyTransRecipientInfo
    | Annotated[KeyAgreeRecipientInfo, Implicit(1)]
    | Annotated[KEKRecipientInfo, Implicit(2)]
    | Annotated[PasswordRecipientInfo, Implicit(3)]
    | Annotated[OtherRecipientInfo, Implicit(4)]
)


@asn1.sequence
class RSAESOAEPParams:
    """RFC 4055 section 4.1."""

    hash_func: Annotated[list[TLV] | None, Explicit(0)]
    mask_gen_func: Annotated[list[TLV] | None, Explicit(1)]
    p_source_func: Annotated[list[TLV] | None, Explicit(2)]


@asn1.sequence
class ECCCMSSharedInfo:
    """RFC 5753 section 7.2."""

    key_info: list[TLV]
    entity_u_info: Annotated[bytes | None, Explicit(0)]
    supp_pub_info: Annotated[bytes, Explicit(2)]


@asn1.sequence
class CMSORIforKEMOtherInfo:
    """RFC 9629 section 5."""

    wrap: list[TLV]
    kek_length: int
    ukm: Annotated[bytes | None, Explicit(0)]


@asn1.sequence
class PBKDF2Params:
    """RFC 8018 appendix A.2; the salt is given here, never by another source."""

    salt: bytes
    iteration_count: int
    key_length: int | None
    prf: list[TLV] | None


@asn1.sequence
class AEADParameters:
    """GCMParameters and CCMParameters of RFC 5084 sections 3.1 and 3.2, which are the same."""

    aes_nonce: bytes
    aes_icv_length: Annotated[int, Default(12)]


@asn1.sequence
class RC2CBCParameter:
    """RFC 8018 appendix B.2.3; the version tells the effective key length."""

    rc2_parameter_version: int
    iv: bytes

"""Encrypted messages around RecipientInfos that the product itself would not write."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID
from support.certificates import NOW, ec_key, self_signed

from sealwright.asn1.writer import tlv
from sealwright.cms import schema
from sealwright.cms.content_ciphers import WrittenCipher, new_cipher
from sealwright.cms.recipient_schema import RecipientInfo

CONTENT = b"Content-Type: text/plain\r\n\r\nfor Bob alone\r\n"
_CA = ec_key()
_CA_CERTIFICATE = self_signed(_CA, "ca")


def certificate_for(public_key, name: str = "bob", key_identifier: bytes | None = None) -> x509.Certificate:
    """Return a certificate over any public key, also one that cannot sign."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
    if key_identifier is not None:
        identifier = x509.SubjectKeyIdentifier(key_identifier)
    return (
        x509.CertificateBuilder(_CA_CERTIFICATE.subject, subject, public_key, x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(_CA_CERTIFICATE.not_valid_after_utc)
        .add_extension(identifier, critical=False)
        .sign(_CA, hashes.SHA256())
    )


def seal(
    infos: Sequence[RecipientInfo],
    content_encryption_key: bytes,
    cipher: WrittenCipher = "aes-256-gcm",
    *,
    content_type: str = schema.DATA,
    attributes: Sequence[bytes] | None = None,
) -> bytes:
    """Encrypt `CONTENT` under a given key and put given RecipientInfos and authenticated attributes beside it."""
    content_cipher = new_cipher(cipher)
    elements = None if attributes is None else [schema.any_element(each) for each in attributes]
    associated = b"" if attributes is None else tlv(0x31, *attributes)
    ciphertext, tag = content_cipher.encrypt(content_encryption_key, CONTENT, associated)
    info = schema.EncryptedContentInfo(
        content_type=x509.ObjectIdentifier(content_type),
        content_encryption_algorithm=schema.parse_algorithm(content_cipher.algorithm_der()),
        encrypted_content=ciphertext,
    )
    if not content_cipher.is_authenticated:
        enveloped = schema.EnvelopedData(
            version=2,
            originator_info=None,
            recipient_infos=asn1.SetOf(list(infos)),
            encrypted_content_info=info,
            unprotected_attrs=None,
        )
        return schema.content_info(schema.ENVELOPED_DATA, asn1.encode_der(enveloped))
    authenticated = schema.AuthEnvelopedData(
        version=0,
        originator_info=None,
        recipient_infos=asn1.SetOf(list(infos)),
        auth_encrypted_content_info=info,
        auth_attrs=elements,
        mac=tag,
        unauth_attrs=None,
    )
    return schema.content_info(schema.AUTH_ENVELOPED_DATA, asn1.encode_der(authenticated))

"""Messages whose key is agreed with a sender's lasting key (RFC 6278), which the product does not write."""

import secrets
from typing import Any

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from support.envelopes import seal

from sealwright.asn1.writer import tlv
from sealwright.cms import algorithms, schema
from sealwright.cms.identifiers import issuer_and_serial, subject_key_identifier
from sealwright.cms.recipient_schema import KeyAgreeRecipientInfo, RecipientEncryptedKey

_WRAP = schema.algorithm_der(schema.algorithm(algorithms.AES256_WRAP))


def seal_with_lasting_key(sender, recipient, *, named=None, by_key_identifier=False, cipher="aes-256-cbc") -> bytes:
    """Encrypt from a sender's lasting key; `named` is another certificate that is named as the sender's."""
    key, ukm = secrets.token_bytes(32), secrets.token_bytes(16)
    own, public = sender[1], recipient[1].public_key()
    shared = own.exchange(ec.ECDH(), public) if isinstance(own, ec.EllipticCurvePrivateKey) else own.exchange(public)
    info = tlv(0x30, _WRAP, tlv(0xA0, tlv(0x04, ukm)), tlv(0xA2, tlv(0x04, (256).to_bytes(4, "big"))))
    kek = X963KDF(hashes.SHA256(), 32, info).derive(shared)
    certificate = named or sender[0]
    originator: Any = asn1.Variant(issuer_and_serial(certificate), "issuerAndSerialNumber")
    if by_key_identifier:
        originator = asn1.Variant(subject_key_identifier(certificate), "subject_key_identifier")
    agreed = KeyAgreeRecipientInfo(
        version=3,
        originator=originator,
        ukm=ukm,
        key_encryption_algorithm=schema.algorithm(algorithms.ECDH_SHA256_KDF, _WRAP),
        recipient_encrypted_keys=[
            RecipientEncryptedKey(rid=issuer_and_serial(recipient[0]), encrypted_key=keywrap.aes_key_wrap(kek, key))
        ],
    )
    return seal([agreed], key, cipher)

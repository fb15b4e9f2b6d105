"""The escrow statement: what the KMS tells the CA before a certificate with custody `escrowed` is issued."""

from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from msgspec import Struct

from sealwright.errors import InvalidSignatureError, VerificationError
from sealwright.wire.encoding import AwareDatetime, decode_json, encode_fields

ESCROW_PURPOSE = "sealwright escrow statement"


class EscrowStatement(Struct, frozen=True, kw_only=True):
    """One archived key, ready to be certified.

    Attributes:
        organization_id: 32 hex digits.
        mailbox_id: 32 hex digits.
        addresses: Canonical addr-specs, the primary one first.
        spki: DER SubjectPublicKeyInfo of the archived key.
        slot: "classical" or "kem".
        generation: Of the key.
        proof_method: How control of the mailbox was shown: "domain-control" or "mailbox".
        proof_time: When.
        expires: After this the CA refuses the statement.
    """

    organization_id: str
    mailbox_id: str
    addresses: tuple[str, ...]
    spki: bytes
    slot: str
    generation: int
    proof_method: str
    proof_time: AwareDatetime
    expires: AwareDatetime


def escrow_signature_input(payload: bytes) -> bytes:
    """Return the bytes that the KMS's registered key signs (Ed25519); `payload` is the statement's JSON."""
    return encode_fields(ESCROW_PURPOSE, 1, payload)


def verify_escrow_statement(payload: bytes, signature: bytes, kms_key: bytes, now: datetime) -> EscrowStatement:
    """Verify a statement and return what it says.

    Args:
        payload: JSON bytes exactly as signed.
        signature: 64 octets.
        kms_key: The registered raw Ed25519 public key.
        now: Aware UTC.

    Raises:
        InvalidSignatureError: If the signature is not right.
        VerificationError: If the statement has expired.
        DecodingError: If the payload is not a statement.
    """
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(kms_key).verify(signature, escrow_signature_input(payload))
    except (InvalidSignature, ValueError) as error:
        raise InvalidSignatureError("the escrow statement is not signed by the registered key management") from error
    statement = decode_json(payload, EscrowStatement)
    if now > statement.expires:
        raise VerificationError("the escrow statement has expired")
    return statement

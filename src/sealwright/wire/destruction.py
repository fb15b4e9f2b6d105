"""The destruction receipt: the KMS's word that a private key exists no more, for whoever has to prove it later."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from msgspec import Struct

from sealwright.errors import InvalidSignatureError, LogVerificationError
from sealwright.tlog.leaf import LeafRecord
from sealwright.wire.api import Answer, LeafOpening
from sealwright.wire.encoding import AwareDatetime, encode_fields
from sealwright.wire.leaf_check import check_leaf
from sealwright.wire.manifest import KeyState

DESTROY_LEAF = "key.destroy"
DESTRUCTION = "key.destroy"
"""Kind of the proposal that security officers decide on."""


class KeyDestruction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is approved: which key is destroyed. All but the key's identifier is for the people who decide.

    Attributes:
        key_id: 32 hex digits.
        mailbox_id: 32 hex digits.
        address: Primary address of the mailbox.
        slot: "classical" or "kem".
        generation: Of the key; 0 for an imported one.
        state: Of the key when it was proposed.
    """

    key_id: str
    mailbox_id: str
    address: str
    slot: str
    generation: int
    state: KeyState


class DestructionReceipt(Struct, frozen=True, kw_only=True):
    """What was destroyed, when and why.

    Attributes:
        organization_id: 32 hex digits.
        mailbox_id: 32 hex digits.
        key_id: 32 hex digits.
        slot: "classical" or "kem".
        generation: Of the key; 0 for an imported one.
        algorithm: Name such as "rsa-3072".
        spki_sha256: SHA-256 of the DER SubjectPublicKeyInfo.
        destroyed: When the record was erased.
        reason: As it was given.
        leaf_hash: RFC 6962 leaf hash of the "key.destroy" leaf.
    """

    organization_id: str
    mailbox_id: str
    key_id: str
    slot: str
    generation: int
    algorithm: str
    spki_sha256: bytes
    destroyed: AwareDatetime
    reason: str
    leaf_hash: bytes

    def encode(self) -> bytes:
        """Encode as the bytes that are signed."""
        texts = (self.organization_id, self.mailbox_id, self.key_id, self.slot, str(self.generation), self.algorithm)
        return encode_fields(
            "sealwright destruction receipt",
            1,
            *(text.encode("utf-8") for text in texts),
            self.spki_sha256,
            self.destroyed.isoformat().encode("ascii"),
            self.reason.encode("utf-8"),
            self.leaf_hash,
        )


class SignedDestruction(Answer, frozen=True, kw_only=True):
    """A receipt as it is handed out.

    Attributes:
        receipt: What it says.
        signature: Ed25519 by the organization's release key over the receipt's encoding.
        leaf: The act in the log.
        checkpoint: Signed note that the leaf's proof leads to.
    """

    receipt: DestructionReceipt
    signature: bytes
    leaf: LeafOpening
    checkpoint: str


def verify_destruction(signed: SignedDestruction, release_key: bytes, log_origin: str, log_key: bytes) -> LeafRecord:
    """Verify a receipt: the signature, and that the log shows the act that it names.

    Args:
        signed: As handed out.
        release_key: Raw Ed25519 public key of the domain statement.
        log_origin: The pinned origin.
        log_key: The pinned Ed25519 key of the log, raw.

    Returns:
        The leaf's record.

    Raises:
        InvalidSignatureError: If the receipt is not signed by this organization's key management.
        LogVerificationError: If the log does not show the destruction of this key.
    """
    receipt = signed.receipt
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(release_key).verify(signed.signature, receipt.encode())
    except (InvalidSignature, ValueError) as error:
        raise InvalidSignatureError("the receipt is not signed by this organization's key management") from error
    record = check_leaf(signed.leaf, signed.checkpoint, log_origin, log_key)
    said = (record.kind, record.organization_id, record.chain_id, record.fields.get("key"))
    wanted = (DESTROY_LEAF, receipt.organization_id, receipt.mailbox_id, receipt.key_id)
    same_key = record.fields.get("spki_sha256") == receipt.spki_sha256.hex()
    if said != wanted or not same_key or signed.leaf.leaf_hash != receipt.leaf_hash:
        raise LogVerificationError("the log's leaf is not about this destruction")
    return record

"""A key of another system on its way into a mailbox's history: the messages, and the bytes that both sides compute.

The private key travels as HPKE ciphertext to the keystore's import key. What serves the request passes it on and cannot open it;
the import key is signed by the organization's release key, so that nobody can put one of his own in its place.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from sealwright.errors import InvalidSignatureError
from sealwright.wire.api import Answer, Request
from sealwright.wire.encoding import encode_fields
from sealwright.wire.hpke import check_hpke_public_key

MAX_KEYS = 50
"""Keys in one request: with their chains they stay below a megabyte."""
MAX_CERTIFICATES = 20
"""Certificates of one key: renewed each year for twenty years on the same key."""


class ImportKeyAnswer(Answer, frozen=True, kw_only=True):
    """GET /v1/imports/key: what private keys are sealed to.

    Attributes:
        organization_id: 32 hex digits.
        public_key: HPKE, 1,216 octets; the same as long as the seal is.
        signature: Ed25519 by the release key over `import_key_input`.
    """

    organization_id: str
    public_key: bytes
    signature: bytes

    def verify(self, organization_id: str, release_key: bytes) -> None:
        """Verify that the key management's keystore has this key.

        Args:
            organization_id: 32 hex digits.
            release_key: Raw Ed25519 public key from the domain statement, 32 octets.

        Raises:
            InvalidSignatureError: If it is signed by somebody else, or another organization's.
            DecodingError: If it is no HPKE key.
        """
        check_hpke_public_key(self.public_key)
        if self.organization_id != organization_id:
            raise InvalidSignatureError("the import key is of another organization")
        try:
            key = ed25519.Ed25519PublicKey.from_public_bytes(release_key)
            key.verify(self.signature, import_key_input(organization_id, self.public_key))
        except (InvalidSignature, ValueError) as error:
            raise InvalidSignatureError("the import key is not signed by this organization's key management") from error


class KeyToImport(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key.

    Attributes:
        certificates: DER, at least one, all of this key; they say which old mail it opens.
        chain: DER, of the first certificate, without the root.
        sealed_key: `hpke_seal(import key, import_info(...), PKCS#8 DER)`.
    """

    certificates: tuple[bytes, ...]
    sealed_key: bytes
    chain: tuple[bytes, ...] = ()


class ImportRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/imports: keys for the history of the asking device's mailbox, at most `MAX_KEYS`."""

    keys: tuple[KeyToImport, ...]


class ImportOutcome(Answer, frozen=True, kw_only=True):
    """What became of one key.

    Attributes:
        key_id: In the history; empty if it was refused.
        outcome: "imported", "existing" (it is there; certificates that were new are added) or "refused".
        reason: Of a refusal.
    """

    key_id: str
    outcome: str
    reason: str = ""


class ImportAnswer(Answer, frozen=True, kw_only=True):
    """200: one outcome for each key, in the request's order."""

    outcomes: tuple[ImportOutcome, ...]


def import_key_input(organization_id: str, public_key: bytes) -> bytes:
    """Return what the release key signs."""
    return encode_fields("sealwright import key", 1, organization_id.encode("ascii"), public_key)


def import_info(organization_id: str, mailbox_id: str, spki: bytes) -> bytes:
    """Return the HPKE `info` of a sealed key: for this mailbox, and of this public key (SubjectPublicKeyInfo, DER)."""
    return encode_fields("sealwright key import", 1, organization_id.encode("ascii"), mailbox_id.encode("ascii"), spki)

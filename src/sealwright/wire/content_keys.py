"""Content keys instead of private keys: what a device asks the key management to unwrap, and the sealed answer.

Only RecipientInfos are taken, and each is answered with a key of the length that was asked for, right or wrong: whether it
was wrong only the content tells, and the content is not sent.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from msgspec import Struct

from sealwright.errors import InvalidSignatureError
from sealwright.wire.api import Answer, LeafOpening, Request
from sealwright.wire.encoding import decode_fields, encode_fields, sha256

MAX_ITEMS = 100
KEY_LENGTHS = frozenset((5, 8, 16, 24, 32))
"""Of the content ciphers that are read, in octets."""


class ContentKeyItem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One content key.

    Attributes:
        key_id: Which key of the mailbox unwraps it, 32 hex digits.
        recipient_info: DER, of one recipient.
        key_bytes: What the content's cipher needs.
        originator_certificate: DER, where the sender has a lasting key (RFC 6278).
    """

    key_id: str
    recipient_info: bytes
    key_bytes: int
    originator_certificate: bytes = b""


class ContentKeyRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/content-keys: at most `MAX_ITEMS`; one request is one leaf.

    Attributes:
        request_nonce: 32 octets.
    """

    request_nonce: bytes
    items: tuple[ContentKeyItem, ...]


class ContentKeyAnswer(Answer, frozen=True, kw_only=True):
    """200: the keys, sealed to the device.

    Attributes:
        sealed_keys: `hpke_seal(device key, content_keys_info(...), encode_content_keys(...))`.
        signature: Ed25519 by the release key over `content_keys_input`.
        leaf: The "key.use" leaf, included in `checkpoint`.
        checkpoint: C2SP signed note, text.
    """

    sealed_keys: bytes
    signature: bytes
    leaf: LeafOpening
    checkpoint: str

    def verify(self, info: bytes, release_key: bytes) -> None:
        """Verify the key management's signature.

        Args:
            info: `content_keys_info` of what this device asked for.
            release_key: Raw Ed25519 public key from the domain statement, 32 octets.

        Raises:
            InvalidSignatureError: If it does not verify.
        """
        try:
            key = ed25519.Ed25519PublicKey.from_public_bytes(release_key)
            key.verify(self.signature, content_keys_input(info, self.sealed_keys))
        except (InvalidSignature, ValueError) as error:
            raise InvalidSignatureError(
                "the content keys are not signed by this organization's key management"
            ) from error


def content_keys_info(
    organization_id: str, mailbox_id: str, device_thumbprint: bytes, request_nonce: bytes, leaf_hash: bytes
) -> bytes:
    """Return the HPKE `info`: for this device, this request and its leaf."""
    texts = (organization_id.encode("ascii"), mailbox_id.encode("ascii"))
    return encode_fields("sealwright content keys", 1, *texts, device_thumbprint, request_nonce, leaf_hash)


def content_keys_input(info: bytes, sealed_keys: bytes) -> bytes:
    """Return what the release key signs."""
    return encode_fields("sealwright content keys answer", 1, info, sha256(sealed_keys))


def encode_content_keys(keys: tuple[bytes, ...]) -> bytes:
    """Encode the plaintext: the keys in the order of the request."""
    return encode_fields("sealwright content key list", 1, *keys)


def decode_content_keys(encoded: bytes) -> tuple[bytes, ...]:
    """Decode what `encode_content_keys` made.

    Raises:
        DecodingError: If it is not that.
    """
    return decode_fields("sealwright content key list", 1, encoded)

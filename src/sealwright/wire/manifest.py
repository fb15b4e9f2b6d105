"""The release manifest: what the KMS signs when it gives a mailbox's keys to a device, and what HPKE `info` binds.

A client accepts a release only if the manifest is signed by the release key of its domain statement, names this
organization, mailbox, device and request, and lists every generation without a gap.
"""

from typing import Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from msgspec import Struct

from sealwright.errors import DecodingError, InvalidSignatureError
from sealwright.wire.encoding import decode_fields, encode_fields

KeyState = Literal["PRE_ACTIVATION", "ACTIVE", "SUSPENDED", "DEACTIVATED", "COMPROMISED", "DESTROYED"]
"""Key states of NIST SP 800-57 part 1 section 7."""
RELEASED_STATES: Final[frozenset[KeyState]] = frozenset({"ACTIVE", "DEACTIVATED", "COMPROMISED"})
"""Keys in these states go to devices, because old mail must stay readable; a manifest lists all others without them."""


Delivery = Literal["sealed", "remote"]


class ManifestKey(Struct, frozen=True):
    """One key of the history.

    Attributes:
        key_id: 32 hex digits.
        slot: "classical" or "kem".
        generation: 1, 2, 3 ... without a gap per slot; 0 for an imported key.
        state: Key state at the time of release.
        algorithm: Name such as "rsa-3072".
        spki_sha256: SHA-256 of the DER SubjectPublicKeyInfo.
    """

    key_id: str
    slot: str
    generation: int
    state: KeyState
    algorithm: str
    spki_sha256: bytes


def encode_manifest_key(key: ManifestKey) -> bytes:
    """Encode one key as a field of a manifest."""
    return encode_fields(
        "sealwright manifest key",
        1,
        key.key_id.encode("ascii"),
        key.slot.encode("ascii"),
        key.generation.to_bytes(4, "big"),
        key.state.encode("ascii"),
        key.algorithm.encode("ascii"),
        key.spki_sha256,
    )


class ReleaseManifest(Struct, frozen=True):
    """What one release says.

    Attributes:
        organization_id: 32 hex digits.
        mailbox_id: 32 hex digits.
        device_thumbprint: 32 octets.
        request_nonce: 32 octets that the device chose.
        leaf_hash: RFC 6962 leaf hash of the "key.release" leaf.
        chain_number: Number of that leaf in the mailbox's chain; nothing before it may be missing from the owner's view.
        delivery: "sealed": the keys come with it; "remote": they stay in the key management, which unwraps content keys.
        keys: All keys of the mailbox, ordered by slot and generation, also those that are suspended or destroyed.
    """

    organization_id: str
    mailbox_id: str
    device_thumbprint: bytes
    request_nonce: bytes
    leaf_hash: bytes
    chain_number: int
    delivery: Delivery
    keys: tuple[ManifestKey, ...]

    def released_keys(self) -> tuple[ManifestKey, ...]:
        """Return the keys that come with the manifest, in its order."""
        return tuple(key for key in self.keys if key.state in RELEASED_STATES)

    def encode(self) -> bytes:
        """Encode as the bytes that are signed and that HPKE binds as `info`."""
        keys = [encode_manifest_key(key) for key in self.keys]
        return encode_fields(
            "sealwright release manifest",
            1,
            self.organization_id.encode("ascii"),
            self.mailbox_id.encode("ascii"),
            self.device_thumbprint,
            self.request_nonce,
            self.leaf_hash,
            self.chain_number.to_bytes(8, "big"),
            self.delivery.encode("ascii"),
            *keys,
        )

    def verify(self, signature: bytes, release_key: bytes) -> None:
        """Verify the KMS's signature.

        Args:
            signature: Ed25519 signature of `encode()`, 64 octets.
            release_key: Raw Ed25519 public key from the domain statement, 32 octets.

        Raises:
            InvalidSignatureError: If it does not verify.
        """
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(release_key).verify(signature, self.encode())
        except (InvalidSignature, ValueError) as error:
            raise InvalidSignatureError("the release is not signed by this organization's key management") from error


class ReleasedKey(Struct, frozen=True):
    """One private key inside the HPKE plaintext.

    Attributes:
        key_id: 32 hex digits, as in the manifest.
        private_key_pkcs8: Unencrypted PKCS#8 DER.
    """

    key_id: str
    private_key_pkcs8: bytes

    def __repr__(self) -> str:
        return f"ReleasedKey(key_id={self.key_id!r})"


def encode_released_keys(keys: tuple[ReleasedKey, ...]) -> bytes:
    """Encode the plaintext of a release."""
    fields = [field for key in keys for field in (key.key_id.encode("ascii"), key.private_key_pkcs8)]
    return encode_fields("sealwright released keys", 1, *fields)


def decode_released_keys(encoded: bytes) -> tuple[ReleasedKey, ...]:
    """Decode what `encode_released_keys` made.

    Raises:
        DecodingError: If it is not that.
    """
    fields = decode_fields("sealwright released keys", 1, encoded)
    if len(fields) % 2:
        raise DecodingError("a released key has an identifier and a value")
    pairs = zip(fields[::2], fields[1::2], strict=True)
    return tuple(ReleasedKey(key_id.decode("ascii", "replace"), pkcs8) for key_id, pkcs8 in pairs)

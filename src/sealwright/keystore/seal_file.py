"""The seal file: storage secrets, each wrapped twice, and how the root wrapping key is kept.

The file carries a MAC under the root wrapping key, so that nobody without it can put another emergency key in.
"""

import hmac
import secrets
from collections.abc import Iterable
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from sealwright.errors import ConfigurationError, SealedError, VerificationError
from sealwright.keystore import shamir
from sealwright.keystore.shares import SET_ID_BYTES, Share, ShareKind
from sealwright.wire.encoding import encode_fields, sha256
from sealwright.wire.hpke import hpke_seal
from sealwright.wire.seal import SealKind

ROOT_KEY_BYTES = 32
SECRET_BYTES = 32
NONCE_BYTES = 12
VOUCHING_VERSION = 0
"""The storage secret that MACs and derived secrets come from; it seals no record and never changes."""


class WrappedSecret(Struct, frozen=True, forbid_unknown_fields=True):
    """One storage secret, wrapped twice.

    Attributes:
        version: `VOUCHING_VERSION`, or the storage key version.
        wrapped: Nonce (12) || AES-256-GCM under the root wrapping key || tag (16).
        emergency: HPKE ciphertext to the emergency key.
    """

    version: int
    wrapped: bytes
    emergency: bytes


class ShareSet(Struct, frozen=True, forbid_unknown_fields=True):
    """Shares that belong together, without what they say.

    Attributes:
        kind: What they open.
        set_id: 4 octets that each carries.
        threshold: How many it takes.
        digests: Of each share, in the order of their numbers.
    """

    kind: ShareKind
    set_id: bytes
    threshold: int
    digests: tuple[bytes, ...]

    def has(self, share: Share) -> bool:
        """Tell whether a share is one of these, to the last bit."""
        if (share.kind, share.set_id) != (self.kind, self.set_id) or not 1 <= share.x <= len(self.digests):
            return False
        return hmac.compare_digest(self.digests[share.x - 1], share.digest())


class KeyFileRoot(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="key-file"):
    """The root wrapping key lies in a file outside the data folder."""


class SharedRoot(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="shamir"):
    """The root wrapping key is nowhere: people have shares of it."""

    shares: ShareSet


class HsmRoot(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="pkcs11"):
    """The root wrapping key is wrapped by a key of an HSM that never leaves it.

    Attributes:
        key_id: CKA_ID, 16 octets.
        wrapped: What `keystore.hsm` made of the root wrapping key.
    """

    key_id: bytes
    wrapped: bytes


Root = KeyFileRoot | SharedRoot | HsmRoot


class EmergencyKey(Struct, frozen=True, forbid_unknown_fields=True):
    """The key that opens the seal without the root wrapping key.

    Attributes:
        public_key: HPKE, 1,216 octets; the 32-octet seed of its private part is shared.
        shares: Of that seed.
    """

    public_key: bytes
    shares: ShareSet


class SealFile(Struct, frozen=True, forbid_unknown_fields=True):
    """What lies in the seal file, as JSON.

    Attributes:
        format: 1.
        number: Changes of root or emergency key so far.
        proposal_id: That approved the last of them, or empty.
        root: How the root wrapping key is kept.
        emergency: The emergency key.
        secrets: Ascending versions from 0, without a gap.
        mac: HMAC-SHA256 under the root wrapping key over all of the above.
    """

    format: int
    number: int
    proposal_id: str
    root: Root
    emergency: EmergencyKey
    secrets: tuple[WrappedSecret, ...]
    mac: bytes = b""

    @property
    def kind(self) -> SealKind:
        """The seal's kind."""
        if isinstance(self.root, SharedRoot):
            return "shamir"
        return "pkcs11" if isinstance(self.root, HsmRoot) else "key-file"


def split_secret(kind: ShareKind, secret: bytes, shares: int, threshold: int) -> tuple[ShareSet, list[Share]]:
    """Share a secret of 32 octets.

    Raises:
        ConfigurationError: If shares and threshold do not fit.
    """
    set_id = secrets.token_bytes(SET_ID_BYTES)
    try:
        points = shamir.split(secret, shares, threshold)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    made = [Share(kind, set_id, threshold, x, values) for x, values in points]
    return ShareSet(kind, set_id, threshold, tuple(share.digest() for share in made)), made


def combine_shares(share_set: ShareSet, shares: Iterable[Share]) -> bytes:
    """Return the secret that shares give.

    Raises:
        VerificationError: If too few of them are of this set.
    """
    points = {share.x: share.values for share in shares if share_set.has(share)}
    if len(points) < share_set.threshold:
        raise VerificationError(
            f"this seal opens with {share_set.threshold} different {share_set.kind} shares; "
            f"{len(points)} of it were given"
        )
    return shamir.combine(list(points.items())[: share_set.threshold])


def read_seal_file(path: Path) -> SealFile:
    """Read a seal file; whether it was changed only `open_secrets` can tell.

    Raises:
        SealedError: If it cannot be read, or is no seal file.
    """
    try:
        seal = msgspec.json.decode(path.read_bytes(), type=SealFile)
    except OSError as error:
        raise SealedError(f"the seal cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise SealedError("the seal file is damaged") from error
    if seal.format != 1:
        raise SealedError("the seal file is of another version")
    return seal


def encode_seal_file(root_key: bytes, seal: SealFile) -> bytes:
    """Return the file's content with its MAC."""
    signed = msgspec.structs.replace(seal, mac=_mac(root_key, seal))
    return msgspec.json.format(msgspec.json.encode(signed), indent=1) + b"\n"


def wrap_secret(root_key: bytes, emergency_public_key: bytes, version: int, secret: bytes) -> WrappedSecret:
    """Wrap a storage secret under the root wrapping key and to the emergency key."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    wrapped = nonce + AESGCM(root_key).encrypt(nonce, secret, secret_info(version))
    return WrappedSecret(version, wrapped, hpke_seal(emergency_public_key, secret_info(version), secret))


def open_secrets(root_key: bytes, seal: SealFile) -> dict[int, bytes]:
    """Return all storage secrets by version.

    Raises:
        SealedError: If the file was changed, or the root wrapping key is another seal's.
    """
    if not hmac.compare_digest(seal.mac, _mac(root_key, seal)):
        raise SealedError("the seal file was changed, or the root wrapping key is another one")
    try:
        opened = {
            secret.version: AESGCM(root_key).decrypt(
                secret.wrapped[:NONCE_BYTES], secret.wrapped[NONCE_BYTES:], secret_info(secret.version)
            )
            for secret in seal.secrets
        }
    except (InvalidTag, ValueError) as error:
        raise SealedError("the root wrapping key does not open the seal") from error
    if list(opened) != list(range(len(seal.secrets))) or len(opened) < 2:
        raise SealedError("the seal file lacks a storage key")
    return opened


def secret_info(version: int) -> bytes:
    """Return what a wrapped storage secret is bound to."""
    return encode_fields("sealwright storage secret", 1, version.to_bytes(4, "big"))


def _mac(root_key: bytes, seal: SealFile) -> bytes:
    key = HKDF(hashes.SHA256(), 32, None, encode_fields("sealwright seal file key", 1)).derive(root_key)
    content = msgspec.json.encode(msgspec.structs.replace(seal, mac=b""))
    return hmac.digest(key, encode_fields("sealwright seal file", 1, sha256(content)), "sha256")

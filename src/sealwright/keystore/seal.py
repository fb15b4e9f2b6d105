"""The seal: storage secrets in a file, wrapped twice - under a root wrapping key, and to an emergency key.

    root wrapping key (key file, 0600, on a path that backups leave out) ──────┐
    emergency key (HPKE; its 32-octet seed is Shamir-shared, M of N people) ───┤ each opens
      └── storage secrets: version 0 (what the keystore vouches and derives with), versions 1, 2 ... (records)
            └── storage key of an organization and version = HKDF-SHA256(secret, organization, version)

The file carries a MAC under the root wrapping key, so that nobody without it can put another emergency key in.
The key file is the embedded default and is less than an HSM: whoever reads it and the data folder has every key.
"""

import hmac
import secrets
import threading
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from sealwright.errors import ConfigurationError, ConflictError, SealedError, VerificationError
from sealwright.files import create_private_file, file_stamp, locked, replace_file
from sealwright.keystore import shamir
from sealwright.keystore.shares import EmergencyShare, decode_share, encode_share
from sealwright.wire.encoding import encode_fields, sha256
from sealwright.wire.hpke import expand_hpke_seed, hpke_open, hpke_seal

ROOT_KEY_BYTES = 32
SECRET_BYTES = 32
NONCE_BYTES = 12
VOUCHING_VERSION = 0
"""The storage secret that MACs and derived secrets come from; it seals no record and never changes."""
MAX_VERSIONS = 1000
"""A rotation a month for 80 years; keeps whoever may rotate from growing the file without end."""
MAX_DERIVED = 4096
"""Storage keys of organizations kept ready."""


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


class SealFile(Struct, frozen=True, forbid_unknown_fields=True):
    """What lies in the seal file, as JSON.

    Attributes:
        format: 1.
        set_id: 4 octets that the emergency shares of this seal carry.
        threshold: How many of them it takes.
        emergency_public_key: 1,216 octets.
        secrets: Ascending versions from 0, without a gap.
        mac: HMAC-SHA256 under the root wrapping key over all of the above.
    """

    format: int
    set_id: bytes
    threshold: int
    emergency_public_key: bytes
    secrets: tuple[WrappedSecret, ...]
    mac: bytes = b""


class Seal:
    """An open seal; safe from any thread.

    Args:
        seal_key_file: The root wrapping key, mode 0600.
        seal_file: What `create_seal` made.

    Raises:
        SealedError: If either cannot be read, or they do not belong together.
    """

    def __init__(self, seal_key_file: Path, seal_file: Path) -> None:
        self._root_key = read_root_key(seal_key_file)
        self._path = seal_file
        self._lock = threading.Lock()
        self._stamp = file_stamp(seal_file)
        self._secrets = _open_secrets(self._root_key, _read(seal_file))
        self._derived: dict[tuple[str, int], bytes] = {}

    @property
    def current_version(self) -> int:
        """The storage key version that new records are sealed with."""
        return max(self._fresh())

    def storage_key(self, organization_id: str, version: int) -> bytes:
        """Return an organization's storage key, 32 octets.

        Raises:
            VerificationError: If there is no such version.
        """
        known = self._fresh()
        if version == VOUCHING_VERSION or version not in known:
            raise VerificationError("a sealed record names a storage key that does not exist")
        name = (organization_id, version)
        if name not in self._derived:
            if len(self._derived) >= MAX_DERIVED:
                self._derived.clear()
            self._derived[name] = derive_storage_key(known[version], organization_id, version)
        return self._derived[name]

    def derive(self, *labels: str) -> bytes:
        """Derive 32 octets that stay the same at every start and node."""
        info = encode_fields("sealwright derived secret", 1, *(label.encode("utf-8") for label in labels))
        return HKDF(hashes.SHA256(), 32, None, info).derive(self._secrets[VOUCHING_VERSION])

    def _fresh(self) -> dict[int, bytes]:
        """Return all secrets, read again if another process rotated."""
        with self._lock:
            stamp = file_stamp(self._path)
            if stamp is not None and stamp != self._stamp:
                self._secrets = _open_secrets(self._root_key, _read(self._path))
                self._stamp = stamp
            return self._secrets


def derive_storage_key(secret: bytes, organization_id: str, version: int) -> bytes:
    """Derive an organization's storage key from a storage secret."""
    info = encode_fields("sealwright storage key", 1, organization_id.encode("utf-8"), version.to_bytes(4, "big"))
    return HKDF(hashes.SHA256(), 32, None, info).derive(secret)


def create_root_key(path: Path) -> None:
    """Make a root wrapping key in a new file of mode 0600, durably.

    Raises:
        ConflictError: If the file exists: it is never overwritten, what it sealed would be lost.
    """
    create_private_file(path, secrets.token_bytes(ROOT_KEY_BYTES))


def read_root_key(path: Path) -> bytes:
    """Read a root wrapping key.

    Raises:
        SealedError: If the file cannot be read, is open to others, or is no such key.
    """
    try:
        mode, root_key = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise SealedError(f"the root wrapping key cannot be read: {error.strerror}") from error
    if mode & 0o077:
        raise SealedError("the root wrapping key file is open to others: set its mode to 0600")
    if len(root_key) != ROOT_KEY_BYTES:
        raise SealedError("the root wrapping key file does not hold a root wrapping key")
    return root_key


def create_seal(seal_key_file: Path, seal_file: Path, shares: int, threshold: int) -> list[str]:
    """Make a root wrapping key, a seal with storage key version 1, and the emergency shares.

    Args:
        seal_key_file: New file; lies where backups do not reach.
        seal_file: New file.
        shares: N, at most 255.
        threshold: M, how many shares open the seal without the key file.

    Returns:
        N printable shares: each for another person, on paper, never stored by the server.

    Raises:
        ConflictError: If a file exists.
        ConfigurationError: If M and N do not fit.
    """
    seed, set_id = secrets.token_bytes(SECRET_BYTES), secrets.token_bytes(4)
    try:
        points = shamir.split(seed, shares, threshold)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    if seal_file.exists():
        raise ConflictError(f"{seal_file} exists and is never overwritten")
    create_root_key(seal_key_file)
    root_key, emergency = read_root_key(seal_key_file), expand_hpke_seed(seed).public_key
    made = (VOUCHING_VERSION, 1)
    wrapped = tuple(_wrap(root_key, emergency, version, secrets.token_bytes(SECRET_BYTES)) for version in made)
    seal = SealFile(1, set_id, threshold, emergency, wrapped)
    create_private_file(seal_file, _encode(root_key, seal))
    return [encode_share(EmergencyShare(set_id, threshold, x, values)) for x, values in points]


def rotate_storage_key(seal_key_file: Path, seal_file: Path) -> int:
    """Add a storage key version; new records use it, old ones keep theirs. The emergency shares stay good.

    Returns:
        The new version.

    Raises:
        SealedError: If the seal does not open.
        ConflictError: If it has `MAX_VERSIONS`.
    """
    root_key = read_root_key(seal_key_file)
    with locked(seal_file):
        seal = _read(seal_file)
        version = max(_open_secrets(root_key, seal)) + 1
        if version > MAX_VERSIONS:
            raise ConflictError(f"a seal has at most {MAX_VERSIONS} storage keys")
        added = _wrap(root_key, seal.emergency_public_key, version, secrets.token_bytes(SECRET_BYTES))
        replace_file(seal_file, _encode(root_key, msgspec.structs.replace(seal, secrets=(*seal.secrets, added))))
    return version


def recover_storage_keys(shares: list[str], seal_file: Path) -> dict[int, bytes]:
    """Open all storage secrets with emergency shares, without the root wrapping key.

    Returns:
        Version -> 32 octets; version 0 is `VOUCHING_VERSION`.

    Raises:
        DecodingError: If a share was not copied right.
        VerificationError: If the shares are too few, or of another seal.
    """
    seal = _read(seal_file)
    points = {share.x: share.values for share in map(decode_share, shares) if share.set_id == seal.set_id}
    if len(points) < seal.threshold:
        raise VerificationError(
            f"this seal opens with {seal.threshold} different shares; {len(points)} of it were given"
        )
    pair = expand_hpke_seed(shamir.combine(list(points.items())[: seal.threshold]))
    if pair.public_key != seal.emergency_public_key:
        raise VerificationError("the shares do not give the emergency key of this seal")
    return {
        secret.version: hpke_open(pair.private_key, _info(secret.version), secret.emergency) for secret in seal.secrets
    }


def restore_seal(shares: list[str], seal_file: Path, seal_key_file: Path) -> None:
    """Make a new root wrapping key for a seal whose key was lost.

    Args:
        shares: At least M emergency shares.
        seal_file: The old seal; wrapped anew.
        seal_key_file: New file.

    Raises:
        ConflictError: If the key file exists.
        DecodingError: If a share was not copied right.
        VerificationError: If the shares do not open the seal.
    """
    recovered, seal = recover_storage_keys(shares, seal_file), _read(seal_file)
    create_root_key(seal_key_file)
    root_key = read_root_key(seal_key_file)
    wrapped = tuple(_wrap(root_key, seal.emergency_public_key, *item) for item in sorted(recovered.items()))
    replace_file(seal_file, _encode(root_key, msgspec.structs.replace(seal, secrets=wrapped)))


def _wrap(root_key: bytes, emergency_public_key: bytes, version: int, secret: bytes) -> WrappedSecret:
    nonce = secrets.token_bytes(NONCE_BYTES)
    wrapped = nonce + AESGCM(root_key).encrypt(nonce, secret, _info(version))
    return WrappedSecret(version, wrapped, hpke_seal(emergency_public_key, _info(version), secret))


def _open_secrets(root_key: bytes, seal: SealFile) -> dict[int, bytes]:
    if not hmac.compare_digest(seal.mac, _mac(root_key, seal)):
        raise SealedError("the seal file was changed, or the root wrapping key is another one")
    try:
        opened = {
            secret.version: AESGCM(root_key).decrypt(
                secret.wrapped[:NONCE_BYTES], secret.wrapped[NONCE_BYTES:], _info(secret.version)
            )
            for secret in seal.secrets
        }
    except (InvalidTag, ValueError) as error:
        raise SealedError("the root wrapping key does not open the seal") from error
    if list(opened) != list(range(len(seal.secrets))) or len(opened) < 2:
        raise SealedError("the seal file lacks a storage key")
    return opened


def _read(seal_file: Path) -> SealFile:
    try:
        seal = msgspec.json.decode(seal_file.read_bytes(), type=SealFile)
    except OSError as error:
        raise SealedError(f"the seal cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise SealedError("the seal file is damaged") from error
    if seal.format != 1:
        raise SealedError("the seal file is of another version")
    return seal


def _encode(root_key: bytes, seal: SealFile) -> bytes:
    signed = msgspec.structs.replace(seal, mac=_mac(root_key, seal))
    return msgspec.json.format(msgspec.json.encode(signed), indent=1) + b"\n"


def _mac(root_key: bytes, seal: SealFile) -> bytes:
    key = HKDF(hashes.SHA256(), 32, None, encode_fields("sealwright seal file key", 1)).derive(root_key)
    content = msgspec.json.encode(msgspec.structs.replace(seal, mac=b""))
    return hmac.digest(key, encode_fields("sealwright seal file", 1, sha256(content)), "sha256")


def _info(version: int) -> bytes:
    return encode_fields("sealwright storage secret", 1, version.to_bytes(4, "big"))

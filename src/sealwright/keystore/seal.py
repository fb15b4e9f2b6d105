"""The seal: storage secrets in a file, wrapped twice - under a root wrapping key, and to an emergency key.

root wrapping key: a key file, or shared among people, or wrapped in an HSM ──┐
emergency key (HPKE; its 32-octet seed is Shamir-shared, M of N people) ──────┤ each opens
└── storage secrets: version 0 (what the keystore vouches and derives with), versions 1, 2 ... (records)
└── storage key of an organization and version = HKDF-SHA256(secret, organization, version)
"""

import contextlib
import secrets
import threading
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sealwright.errors import ConflictError, SealedError, VerificationError
from sealwright.files import create_private_file, file_stamp, locked, replace_file
from sealwright.keystore.key_file import create_root_key, next_key_file, read_root_key
from sealwright.keystore.seal_file import (
    SECRET_BYTES,
    VOUCHING_VERSION,
    EmergencyKey,
    KeyFileRoot,
    Root,
    SealFile,
    WrappedSecret,
    combine_shares,
    encode_seal_file,
    open_secrets,
    read_seal_file,
    secret_info,
    split_secret,
    wrap_secret,
)
from sealwright.keystore.shares import Share, decode_share
from sealwright.wire.encoding import encode_fields
from sealwright.wire.hpke import expand_hpke_seed, hpke_open

MAX_VERSIONS = 1000
"""A rotation a month for 80 years; keeps whoever may rotate from growing the file without end."""
MAX_DERIVED = 4096
"""Storage keys of organizations kept ready."""


class Seal:
    """An open seal; safe from any thread.

    Args:
        root_key: The root wrapping key, 32 octets.
        path: The seal file.

    Raises:
        SealedError: If the file cannot be read, or they do not belong together.
    """

    def __init__(self, root_key: bytes, path: Path) -> None:
        self._root_key = root_key
        self.path = path
        self._lock = threading.Lock()
        self._stamp = file_stamp(path)
        self._secrets = open_secrets(root_key, read_seal_file(path))
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

    def rotate(self) -> int:
        """Add a storage key version; new records use it, old ones keep theirs. The emergency shares stay good.

        Returns:
            The new version.

        Raises:
            SealedError: If the seal does not open any more.
            ConflictError: If it has `MAX_VERSIONS`.
            OSError: If it cannot be written.
        """
        with locked(self.path):
            seal = read_seal_file(self.path)
            version = max(open_secrets(self._root_key, seal)) + 1
            if version > MAX_VERSIONS:
                raise ConflictError(f"a seal has at most {MAX_VERSIONS} storage keys")
            added = wrap_secret(self._root_key, seal.emergency.public_key, version, secrets.token_bytes(SECRET_BYTES))
            changed = msgspec.structs.replace(seal, secrets=(*seal.secrets, added))
            replace_file(self.path, encode_seal_file(self._root_key, changed))
        return version

    def change(
        self,
        *,
        proposal_id: str,
        root: Root | None = None,
        root_key: bytes | None = None,
        emergency: EmergencyKey | None = None,
    ) -> "Seal":
        """Wrap all storage secrets anew, in one write; they stay as they are, and so does everything sealed under them.

        Args:
            proposal_id: That permitted it, or empty.
            root: How the new root wrapping key is kept; None to keep the old one.
            root_key: The new root wrapping key.
            emergency: The new emergency key; None to keep the old one.

        Returns:
            The seal under its new root wrapping key; this one does not open the file any more.

        Raises:
            SealedError: If the seal does not open any more.
            OSError: If it cannot be written; then nothing was changed.
        """
        new_key = root_key or self._root_key
        with locked(self.path):
            seal = read_seal_file(self.path)
            opened = open_secrets(self._root_key, seal)
            new_emergency = emergency or seal.emergency
            changed = msgspec.structs.replace(
                seal,
                number=seal.number + 1,
                proposal_id=proposal_id,
                root=root or seal.root,
                emergency=new_emergency,
                secrets=_wrap_all(new_key, new_emergency, opened),
            )
            replace_file(self.path, encode_seal_file(new_key, changed))
        return Seal(new_key, self.path)

    def _fresh(self) -> dict[int, bytes]:
        """Return all secrets, read again if another process rotated."""
        with self._lock:
            stamp = file_stamp(self.path)
            if stamp is not None and stamp != self._stamp:
                self._secrets = open_secrets(self._root_key, read_seal_file(self.path))
                self._stamp = stamp
            return self._secrets


def open_with_key_file(key_file: Path, path: Path) -> Seal:
    """Open a seal with the root wrapping key of a file, and end a change of that file that was cut off.

    Nothing is removed: another command may look while a server changes its seal.

    Raises:
        SealedError: If the key file cannot be read, or is another seal's.
    """
    following = next_key_file(key_file)
    if not following.exists():
        return Seal(read_root_key(key_file), path)
    try:
        opened = Seal(read_root_key(following), path)
    except SealedError:
        return Seal(read_root_key(key_file), path)
    with contextlib.suppress(OSError):  # the folder may be closed to us; the next start looks again
        following.replace(key_file)
    return opened


def derive_storage_key(secret: bytes, organization_id: str, version: int) -> bytes:
    """Derive an organization's storage key from a storage secret."""
    info = encode_fields("sealwright storage key", 1, organization_id.encode("utf-8"), version.to_bytes(4, "big"))
    return HKDF(hashes.SHA256(), 32, None, info).derive(secret)


def create_seal(path: Path, root_key: bytes, root: Root, emergency: EmergencyKey) -> None:
    """Make a seal with storage key version 1.

    Args:
        path: New file.
        root_key: The root wrapping key.
        root: How it is kept.
        emergency: What opens the seal without it.

    Raises:
        ConflictError: If the file exists.
    """
    fresh = {version: secrets.token_bytes(SECRET_BYTES) for version in (VOUCHING_VERSION, 1)}
    seal = SealFile(1, 0, "", root, emergency, _wrap_all(root_key, emergency, fresh))
    create_private_file(path, encode_seal_file(root_key, seal))


def new_emergency_key(shares: int, threshold: int) -> tuple[EmergencyKey, list[Share]]:
    """Make an emergency key and the shares of its seed: each for another person, on paper, never stored by the server.

    Raises:
        ConfigurationError: If shares and threshold do not fit.
    """
    seed = secrets.token_bytes(SECRET_BYTES)
    share_set, made = split_secret("emergency", seed, shares, threshold)
    return EmergencyKey(expand_hpke_seed(seed).public_key, share_set), made


def recover_storage_keys(shares: list[str], path: Path) -> dict[int, bytes]:
    """Open all storage secrets with emergency shares, without the root wrapping key.

    Returns:
        Version -> 32 octets; version 0 is `VOUCHING_VERSION`.

    Raises:
        DecodingError: If a share was not copied right.
        VerificationError: If the shares are too few, or of another seal.
    """
    seal = read_seal_file(path)
    pair = expand_hpke_seed(combine_shares(seal.emergency.shares, map(decode_share, shares)))
    if pair.public_key != seal.emergency.public_key:
        raise VerificationError("the shares do not give the emergency key of this seal")
    return {
        secret.version: hpke_open(pair.private_key, secret_info(secret.version), secret.emergency)
        for secret in seal.secrets
    }


def restore_seal(shares: list[str], path: Path, key_file: Path) -> None:
    """Make a new root wrapping key, in a file, for a seal whose own was lost.

    Args:
        shares: At least M emergency shares.
        path: The old seal; wrapped anew.
        key_file: New file.

    Raises:
        ConflictError: If the key file exists.
        DecodingError: If a share was not copied right.
        VerificationError: If the shares do not open the seal.
    """
    recovered, seal = recover_storage_keys(shares, path), read_seal_file(path)
    root_key = create_root_key(key_file)
    restored = msgspec.structs.replace(
        seal,
        number=seal.number + 1,
        proposal_id="",
        root=KeyFileRoot(),
        secrets=_wrap_all(root_key, seal.emergency, recovered),
    )
    replace_file(path, encode_seal_file(root_key, restored))


def _wrap_all(root_key: bytes, emergency: EmergencyKey, opened: dict[int, bytes]) -> tuple[WrappedSecret, ...]:
    return tuple(wrap_secret(root_key, emergency.public_key, *item) for item in sorted(opened.items()))

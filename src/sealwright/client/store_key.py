"""Where the key that seals a client store comes from: the OS keyring, a key file, or a passphrase."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from sealwright.errors import ConfigurationError
from sealwright.files import replace_file
from sealwright.wire.encoding import b64u_decode, b64u_encode

KEY_BYTES = 32
KEY_FILE_VARIABLE = "SEALWRIGHT_KEY_FILE"
_SERVICE = "sealwright"
_SCRYPT_COST = 2**16
_MIN_PASSPHRASE_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """What the user chose besides the default.

    Attributes:
        passphrase_file: File whose first line is the passphrase.
        key_file: Key file elsewhere; `SEALWRIGHT_KEY_FILE` says the same.
    """

    passphrase_file: Path | None = None
    key_file: Path | None = None


def chosen_kind(choice: KeyChoice) -> str:
    """Return where the key of a new store shall be: "passphrase", "file" or "keyring"."""
    if choice.passphrase_file is not None:
        return "passphrase"
    if _chosen_key_file(choice) is not None:
        return "file"
    return "keyring" if _keyring_works() else "file"


def load_store_key(kind: str, folder: Path, address: str, salt: bytes, choice: KeyChoice, *, create: bool) -> bytes:
    """Return the 32 octets that seal a store.

    Args:
        kind: "passphrase", "file" or "keyring".
        folder: The store's folder; the default key file is beside it.
        address: Names the entry in the keyring.
        salt: For the passphrase.
        choice: What the user chose.
        create: Whether to make a key where there is none.

    Raises:
        ConfigurationError: If there is no such key, or it cannot be read or kept.
    """
    if kind == "passphrase":
        return _derive(choice.passphrase_file, salt)
    if kind == "keyring":
        return _from_keyring(f"{address} {b64u_encode(salt)}", create=create)
    if kind == "file":
        default = folder.parent / f"{folder.name}.store-key"
        return _from_file(_chosen_key_file(choice) or default, create=create)
    raise ConfigurationError(f"this store is sealed in a way this version does not know: {kind}")


def _chosen_key_file(choice: KeyChoice) -> Path | None:
    if choice.key_file is not None:
        return choice.key_file
    named = os.environ.get(KEY_FILE_VARIABLE)
    return Path(named) if named else None


def _derive(passphrase_file: Path | None, salt: bytes) -> bytes:
    if passphrase_file is None:
        raise ConfigurationError("this store is sealed with a passphrase; give --passphrase-file")
    try:
        lines = passphrase_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the passphrase file {passphrase_file} cannot be read") from error
    passphrase = lines[0] if lines else ""
    if len(passphrase) < _MIN_PASSPHRASE_CHARACTERS:
        raise ConfigurationError(f"the passphrase needs at least {_MIN_PASSPHRASE_CHARACTERS} characters")
    return Scrypt(salt=salt, length=KEY_BYTES, n=_SCRYPT_COST, r=8, p=1).derive(passphrase.encode("utf-8"))


def _from_file(path: Path, *, create: bool) -> bytes:
    try:
        if create and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, secrets.token_bytes(KEY_BYTES))
        key = path.read_bytes()
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise ConfigurationError(f"the key file {path} can be read by others; set its mode to 0600")
    except OSError as error:
        raise ConfigurationError(f"the key file {path} cannot be read or written") from error
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"the key file {path} has not {KEY_BYTES} octets")
    return key


def _from_keyring(entry: str, *, create: bool) -> bytes:
    import keyring  # noqa: PLC0415 - takes long to load, and is needed for this kind only
    from keyring.errors import KeyringError  # noqa: PLC0415

    try:
        text = keyring.get_password(_SERVICE, entry)
        if text is None and create:
            text = b64u_encode(secrets.token_bytes(KEY_BYTES))
            keyring.set_password(_SERVICE, entry, text)
    except (KeyringError, RuntimeError, OSError) as error:
        raise ConfigurationError("the keyring of this system cannot be used; is it locked?") from error
    if text is None:
        raise ConfigurationError("the keyring of this system does not hold the key of this store")
    return b64u_decode(text)


def _keyring_works() -> bool:
    import keyring  # noqa: PLC0415 - takes long to load
    from keyring.errors import KeyringError  # noqa: PLC0415

    probe = f"probe {secrets.token_hex(8)}"
    try:
        if keyring.get_keyring().priority < 1:
            return False
        keyring.set_password(_SERVICE, probe, probe)
        is_kept = keyring.get_password(_SERVICE, probe) == probe
        keyring.delete_password(_SERVICE, probe)
    except (KeyringError, RuntimeError, OSError):
        return False
    return is_kept

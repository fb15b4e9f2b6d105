"""The sealed store of one mailbox on this device, and the folder of held mail beside it.

    <home>/<address>/store.sealed      header line (JSON), nonce, AES-256-GCM ciphertext; the header is authenticated
    <home>/<address>/held/<id>.sealed  mail that was kept back

Each change is written atomically, so set-up goes on after a kill wherever it was.
"""

import os
import secrets
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from sealwright.client.state import ClientState, HeldMail, Notice
from sealwright.client.store_key import KeyChoice, chosen_kind, load_store_key
from sealwright.errors import ConfigurationError, ConflictError, DecodingError, InputError, NotFoundError
from sealwright.files import replace_file
from sealwright.pkix.names import canonical_address
from sealwright.wire.encoding import decode_json, encode_fields
from sealwright.wire.log_break import LogBreak

HOME_VARIABLE = "SEALWRIGHT_HOME"
LOCK_SECONDS = 60.0
_PERHAPS_SENT = "-perhaps-sent"
_STORE_NAME = "store.sealed"
_NONCE_BYTES = 12


class _Header(Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    key: str
    salt: bytes


def client_home() -> Path:
    """Return the folder of all stores: `SEALWRIGHT_HOME`, or the system's place for data of this user."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Path(named)
    import platformdirs  # noqa: PLC0415 - only without the variable

    return platformdirs.user_data_path("sealwright")


def list_stores(home: Path) -> list[str]:
    """Return the addresses that have a store in `home`."""
    return sorted(path.parent.name for path in home.glob(f"*/{_STORE_NAME}"))


class ClientStore:
    """An open store; holds a lock against other processes until it is closed."""

    def __init__(self, folder: Path, header: bytes, key: bytes, state: ClientState, lock: BinaryIO) -> None:
        self._folder = folder
        self._header = header
        self._key = key
        self._lock = lock
        self.state = state

    @classmethod
    def create(cls, home: Path, state: ClientState, choice: KeyChoice | None = None) -> "ClientStore":
        """Make the store of a mailbox.

        Raises:
            ConflictError: If there is one already.
            ConfigurationError: If its key cannot be kept.
        """
        choice = choice or KeyChoice()
        folder = _folder(home, state.address)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _lock(folder)
        if (folder / _STORE_NAME).exists():
            lock.close()
            raise ConflictError(f"this device has a store for {state.address} already")
        header = _Header(1, chosen_kind(choice), secrets.token_bytes(16))
        key = load_store_key(header.key, folder, state.address, header.salt, choice, create=True)
        store = cls(folder, msgspec.json.encode(header), key, state, lock)
        store.update({})
        return store

    @classmethod
    def open(cls, home: Path, address: str, choice: KeyChoice | None = None) -> "ClientStore":
        """Open the store of a mailbox.

        Raises:
            NotFoundError: If there is none: the device is not set up for this address.
            ConfigurationError: If its key is missing or wrong.
            ConflictError: If another process keeps it open for more than a minute.
            DecodingError: If the file is not a store.
        """
        folder = _folder(home, address)
        path = folder / _STORE_NAME
        if not path.exists():
            raise NotFoundError(f"this device is not set up for {address}; run `sealwright setup {address}`")
        lock = _lock(folder)
        try:
            header_line, _newline, sealed = path.read_bytes().partition(b"\n")
            header = decode_json(header_line, _Header)
            key = load_store_key(header.key, folder, folder.name, header.salt, choice or KeyChoice(), create=False)
            state = decode_json(_open(key, header_line, sealed), ClientState)
        except DecodingError as error:
            lock.close()
            raise DecodingError(f"{path} is not a store") from error
        except BaseException:
            lock.close()
            raise
        return cls(folder, header_line, key, state, lock)

    @property
    def key_kind(self) -> str:
        """Where the store's key is: "keyring", "file" or "passphrase"."""
        return msgspec.json.decode(self._header, type=_Header).key

    def break_log(self, checkpoint: str, taken: LogBreak) -> None:
        """Go on with a log that its officers say is the true one: every chain is checked anew, and the user is told.

        Raises:
            OSError: If the file cannot be written; nothing has changed then.
        """
        notice = Notice(kind="log-break", time=taken.time, subject=taken.reason, thumbprint=b"")
        shared = (msgspec.structs.replace(each, chain_number=0, chain_head=b"") for each in self.state.shared)
        self.update(
            {
                "checkpoint": checkpoint,
                "log_break": taken.number,
                "chain_number": 0,
                "chain_head": b"",
                "shared": tuple(shared),
                "notices": (*self.state.notices, notice),
            }
        )

    def update(self, changes: Mapping[str, Any]) -> ClientState:
        """Replace fields of the state and write it.

        Args:
            changes: Names of `ClientState`'s fields and their new values.

        Raises:
            OSError: If the file cannot be written; nothing has changed then.
        """
        state = msgspec.structs.replace(self.state, **changes)
        sealed = _seal(self._key, self._header, msgspec.json.encode(state))
        replace_file(self._folder / _STORE_NAME, self._header + b"\n" + sealed)
        self.state = state
        return state

    def hold_mail(self, mail: HeldMail, *, perhaps_sent: bool = False, replaces: str = "") -> str:
        """Keep a message back, sealed; returns its id, which says whether it may have gone out (`is_perhaps_sent`).

        Args:
            mail: What is kept.
            perhaps_sent: It may have gone out.
            replaces: Id of what it takes the place of; what may have gone out once stays so.
        """
        name = replaces.removesuffix(_PERHAPS_SENT) or secrets.token_hex(8)
        held_id = name + (_PERHAPS_SENT if perhaps_sent or is_perhaps_sent(replaces) else "")
        folder = self._folder / "held"
        folder.mkdir(exist_ok=True, mode=0o700)
        replace_file(folder / f"{held_id}.sealed", _seal(self._key, _held_context(held_id), msgspec.json.encode(mail)))
        if replaces and replaces != held_id:
            self.drop_held(replaces)
        return held_id

    def held_mails(self) -> list[str]:
        """Return the ids of all messages that are kept back."""
        return sorted(path.name.removesuffix(".sealed") for path in (self._folder / "held").glob("*.sealed"))

    def read_held(self, held_id: str) -> HeldMail:
        """Return a message that was kept back.

        Raises:
            NotFoundError: If there is none of this id.
            DecodingError: If the file holds no mail.
        """
        if held_id not in self.held_mails():
            raise NotFoundError(f"no mail is held under {held_id}")
        sealed = (self._folder / "held" / f"{held_id}.sealed").read_bytes()
        try:
            return decode_json(_open(self._key, _held_context(held_id), sealed), HeldMail)
        except DecodingError as error:
            raise DecodingError(f"no mail is kept under {held_id}") from error

    def drop_held(self, held_id: str) -> None:
        """Forget a message that was kept back; one that is gone already is fine."""
        if held_id in self.held_mails():
            (self._folder / "held" / f"{held_id}.sealed").unlink(missing_ok=True)

    def close(self) -> None:
        """Let other processes open the store."""
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def is_perhaps_sent(held_id: str) -> bool:
    """Tell whether a mail that is held may have gone out already."""
    return held_id.endswith(_PERHAPS_SENT)


def _folder(home: Path, address: str) -> Path:
    name = canonical_address(address)
    if any(character in name for character in "/\\:\0") or name.startswith("."):
        raise InputError(f"{address} cannot be used as the name of a folder")
    return home / name


def _held_context(held_id: str) -> bytes:
    return encode_fields("sealwright held mail", 1, held_id.encode("ascii"))


def _seal(key: bytes, context: bytes, plaintext: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, context)


def _open(key: bytes, context: bytes, sealed: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError) as error:
        raise ConfigurationError("the store cannot be opened: its key is wrong, or the file was changed") from error


def _lock(folder: Path) -> BinaryIO:
    file = (folder / "lock").open("ab")
    if sys.platform == "win32":
        return file
    import fcntl  # noqa: PLC0415 - POSIX only

    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                file.close()
                raise ConflictError("another sealwright command is using this mailbox") from None
            time.sleep(0.1)
        else:
            return file

"""Decrypting a whole mailbox for good: a Maildir, an mbox file, or a folder of the mail server.

Each message is written, read back and compared before the encrypted one goes. What cannot be opened stays as it is. A run that
was broken off goes on where it was: what is decrypted already is no longer encrypted.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from mailbox import mbox
from pathlib import Path
from typing import BinaryIO

import msgspec

from sealwright.cms.decryptors import FindKeys
from sealwright.errors import ConflictError, DecodingError, InputError, SealwrightError, VerificationError
from sealwright.files import replace_file
from sealwright.net.imap import Mailbox
from sealwright.smime.decrypted import check_decrypted, decrypted_message, is_encrypted
from sealwright.smime.trust import Trust
from sealwright.smime.verdict import judge_message

Progress = Callable[[int, int], None]
"""Told after each message: how many are done, of how many."""
_SIZES = re.compile(r",[SW]=[0-9]+")
"""Dovecot's notes in a file's name of how long it is: they would be wrong."""
_MBOX_FROM = re.compile(rb"(?m)^(>*From )")
_MBOX_QUOTED = re.compile(rb"(?m)^>(>*From )")


@dataclass(slots=True)
class Decryption:
    """What came of it.

    Attributes:
        decrypted: How many are in clear now that were encrypted.
        clear: How many were not encrypted.
        kept: What is still encrypted, and why.
    """

    decrypted: int = 0
    clear: int = 0
    kept: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Opener:
    """What opens messages.

    Attributes:
        find_keys: All keys.
        trust: Signatures are only compared, so anchors and revocation do not matter.
    """

    find_keys: FindKeys
    trust: Trust

    def without_encryption(self, message: bytes) -> bytes | None:
        """Return a message without its encryption, compared with what it was; None if it has none.

        Raises:
            DecodingError: If it is no message.
            VerificationError: If no key opens it, or the result would not say the same.
        """
        before = judge_message(message, self.find_keys, self.trust)
        if not is_encrypted(before):
            return None
        if before.decrypted is None:
            raise VerificationError("no key opens it")
        written = decrypted_message(message, before)
        check_decrypted(written, before, judge_message(written, lambda _: (), self.trust))
        return written


def decrypt_maildir(folder: Path, opener: Opener, progress: Progress) -> Decryption:
    """Decrypt the messages of a Maildir in place; a message keeps its flags and time.

    Raises:
        InputError: If it is no Maildir.
        OSError: If something cannot be read or written.
    """
    if not all((folder / name).is_dir() for name in ("cur", "new", "tmp")):
        raise InputError(f"{folder} is no Maildir: it has no folders cur, new and tmp")
    files = sorted(path for name in ("cur", "new") for path in (folder / name).iterdir() if path.is_file())
    result = Decryption()
    for number, path in enumerate(files, 1):
        written = _attempt(result, path.name, path.read_bytes(), opener)
        if written is not None:
            _replace_file(folder, path, written)
        progress(number, len(files))
    return result


def decrypt_imap_folder(mailbox: Mailbox, folder: str, opener: Opener, progress: Progress) -> Decryption:
    """Decrypt the messages of a folder on the mail server; a message keeps its flags and time, and gets another UID.

    Raises:
        UnavailableError: If the server does not answer; the same command goes on later.
    """
    result, uids = Decryption(), mailbox.newest(folder, 10**9)
    for number, uid in enumerate(reversed(uids), 1):
        message = mailbox.fetch(folder, uid)
        if message is not None:
            written = _attempt(result, f"UID {uid}", message, opener)
            if written is not None:
                mailbox.replace(folder, uid, written)
        progress(number, len(uids))
    return result


class _Journal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far an mbox file is: octets read and written, and what has been counted."""

    source: tuple[int, int]
    read: int
    written: int
    decrypted: int
    clear: int
    kept: list[tuple[str, str]]


def decrypt_mbox(file: Path, opener: Opener, progress: Progress) -> Decryption:
    """Decrypt the messages of an mbox file (RFC 4155, mboxrd quoting): a new file beside it takes its place at the end.

    Raises:
        InputError: If it is no mbox file.
        ConflictError: If it was changed meanwhile, or is locked; it is left as it is.
        OSError: If something cannot be read or written.
    """
    part, journal_file = file.with_name(file.name + ".decrypting"), file.with_name(file.name + ".progress")
    with _mbox_lock(file):
        stamp = _stamp(file)
        state = _read_journal(journal_file, part, stamp)
        result = Decryption(state.decrypted, state.clear, list(state.kept))
        with file.open("rb") as source, part.open("r+b" if state.written else "wb") as target:
            source.seek(state.read)
            target.truncate(state.written)
            target.seek(state.written)
            for line, message in _messages(_until(source, stamp[0])):
                written = _attempt(result, f"octet {state.read}", _MBOX_QUOTED.sub(rb"\1", message), opener)
                content = message if written is None else _MBOX_FROM.sub(rb">\1", written).rstrip(b"\n") + b"\n\n"
                target.write(line + content)
                target.flush()
                os.fsync(target.fileno())
                read, place = state.read + len(line) + len(message), target.tell()
                state = _Journal(stamp, read, place, result.decrypted, result.clear, result.kept)
                replace_file(journal_file, msgspec.json.encode(state))
                progress(read, stamp[0])
        if _stamp(file) != stamp:
            raise ConflictError(f"{file} was changed meanwhile; run it again when no mail is delivered")
        part.chmod(file.stat().st_mode)
        part.replace(file)
        journal_file.unlink(missing_ok=True)
    return result


def _attempt(result: Decryption, name: str, message: bytes, opener: Opener) -> bytes | None:
    """Return what a message becomes, and count it; None if it stays as it is."""
    try:
        written = opener.without_encryption(message)
    except SealwrightError as error:
        result.kept.append((name, error.message))
        return None
    if written is None:
        result.clear += 1
        return None
    result.decrypted += 1
    return written


def _replace_file(folder: Path, path: Path, content: bytes) -> None:
    """Put a message into the place of a file; at each moment one of them is there, whole."""
    status, target = path.stat(), path.with_name(_SIZES.sub("", path.name))
    temporary = folder / "tmp" / f"sealwright-{target.name.partition(':')[0]}"
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if temporary.read_bytes() != content:
        raise OSError(f"{temporary} is not as it was written")
    temporary.chmod(status.st_mode)
    os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    temporary.replace(target)
    if target != path:
        path.unlink()
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _until(source: BinaryIO, end: int) -> Iterator[bytes]:
    """Return the lines of a file up to an offset: what is appended meanwhile is not read."""
    left = end - source.tell()
    while left > 0:
        line = source.readline(left)
        if not line:
            return
        left -= len(line)
        yield line


def _messages(source: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Return each "From " line of an mbox file with the message after it, empty line at its end included."""
    line, lines, is_after_empty = b"", list[bytes](), True
    for each in source:
        if is_after_empty and each.startswith(b"From "):
            if line:
                yield line, b"".join(lines)
            line, lines = each, []
        elif not line:
            raise InputError("this is no mbox file: it does not begin with a From line")
        else:
            lines.append(each)
        is_after_empty = not each.strip(b"\r\n")
    if line:
        yield line, b"".join(lines)


def _read_journal(journal_file: Path, part: Path, stamp: tuple[int, int]) -> _Journal:
    begin = _Journal(stamp, 0, 0, 0, 0, [])
    try:
        found = msgspec.json.decode(journal_file.read_bytes(), type=_Journal)
    except (FileNotFoundError, msgspec.MsgspecError):
        return begin
    is_usable = found.source == stamp and part.exists() and part.stat().st_size >= found.written
    return found if is_usable else begin


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


@contextmanager
def _mbox_lock(file: Path) -> Iterator[None]:
    if not file.is_file():
        raise InputError(f"{file} is no file")
    opened = mbox(file, create=False)
    try:
        opened.lock()
    except OSError as error:
        raise ConflictError(f"{file} is locked by another program") from error
    try:
        yield
    finally:
        opened.unlock()
        opened.close()


def local_kind(path: Path) -> str:
    """Return "maildir" or "mbox".

    Raises:
        InputError: If it is neither.
        DecodingError: If it cannot be read.
    """
    if path.is_dir():
        return "maildir"
    try:
        with path.open("rb") as file:
            if file.read(5) == b"From ":
                return "mbox"
    except OSError as error:
        raise DecodingError(f"{path} cannot be read: {error.strerror}") from error
    raise InputError(f"{path} is neither a Maildir nor an mbox file")

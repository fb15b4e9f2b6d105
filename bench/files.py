"""Files of any size: the command beside `openssl cms` in time and in memory, and CMS in pieces beside its bare cipher.

In memory, too, more is better: how large the file is beside the most that a process took.
"""

import io
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.conversation import text_of
from bench.measure import MIB, Effort, Row, Timing, compare, row_of
from bench.people import User, make_user, p256_key
from sealwright.asn1.pull_reader import PIECE_BYTES
from sealwright.cms.cipher_streams import MARGIN_BYTES
from sealwright.cms.content_ciphers import WrittenCipher
from sealwright.cms.decryptors import PrivateKeyDecryptor
from sealwright.cms.encrypted_stream import decrypt_stream, encrypt_stream

_TIMES_LARGE = 40
"""A file is so many times as large as a large mail: 1,000 MiB."""


def measure(effort: Effort) -> list[Row]:
    """Encrypt and decrypt, as processes and in this one."""
    user = make_user("bob", p256_key())
    with tempfile.TemporaryDirectory() as folder:
        rows = _processes(user, Path(folder), effort.large_bytes * _TIMES_LARGE)
    ciphers: tuple[WrittenCipher, ...] = ("aes-256-gcm", "aes-256-cbc")
    return rows + [row for cipher in ciphers for row in _in_pieces(user, cipher, effort)]


@dataclass(frozen=True, slots=True)
class _Process:
    """What one process took."""

    seconds: float
    peak_bytes: int


def _processes(user: User, folder: Path, size: int) -> list[Row]:
    """Measure each process once: they take long enough."""
    (folder / "cert.pem").write_bytes(user.certificate.public_bytes(Encoding.PEM))
    key = user.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(key)
    with (folder / "plain").open("wb") as file:
        for _ in range(size // MIB):
            file.write(secrets.token_bytes(MIB))
    ours = [sys.executable, "-m", "sealwright.cli.main"]
    theirs = ["openssl", "cms", "-binary"]
    cms = ["-outform", "DER", "-aes-256-gcm", "-stream"]
    commands = {
        "encrypt": (
            [*ours, "encrypt", "plain", "-o", "ours", "--recipient-certificate", "cert.pem"],
            [*theirs, "-encrypt", *cms, "-in", "plain", "-out", "theirs", "cert.pem"],
        ),
        "decrypt": (
            [*ours, "decrypt", "ours", "-o", "opened", "--key", "key.pem", "--cert", "cert.pem"],
            [*theirs, "-decrypt", "-inform", "DER", "-in", "theirs", "-inkey", "key.pem", "-out", "opened"],
        ),
    }
    found = {what: [_run(command, folder) for command in pair] for what, pair in commands.items()}
    both = [
        _Process(sum(each.seconds for each in pair), max(each.peak_bytes for each in pair))
        for pair in zip(*found.values(), strict=True)
    ]
    name, mebibytes = f"{size // MIB:,} MiB file", size / MIB
    reference = "openssl cms"

    def row(what: str, pair: Sequence[_Process], goal: float | None = None) -> Row:
        timings = [[Timing(1 / each.seconds, (each.seconds,))] for each in pair]
        return row_of(f"{name}: {what}", timings[0], reference, timings[1], goal=goal, work=mebibytes, unit="MiB/s")

    def memory(what: str, pair: Sequence[_Process]) -> Row:
        mine, other = (size / each.peak_bytes for each in pair)
        return Row(f"{name}: {what}, in memory", mine, pair[0].seconds, reference, other, unit="x")

    return [
        *(row(what, pair) for what, pair in found.items()),
        row("encrypt and decrypt", both, goal=2.0),
        *(memory(what, pair) for what, pair in found.items()),
    ]


_RUSAGE = """
import os, sys, time
started = time.perf_counter()
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, usage = os.wait4(process, 0)
print(time.perf_counter() - started, usage.ru_maxrss * 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Starts a command and measures it. Linux counts the memory of what starts a process as the process's, so this is small."""


def _run(command: Sequence[str], folder: Path) -> _Process:
    arguments = [sys.executable, "-I", "-S", "-c", _RUSAGE, *command]
    done = subprocess.run(arguments, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    seconds, peak_bytes = done.stdout.split()
    return _Process(float(seconds), int(peak_bytes))


class _Nowhere:
    """A file that keeps nothing."""

    def write(self, _data: bytes | memoryview, /) -> None:
        """Take octets."""

    def seek(self, _offset: int, _whence: int = 0, /) -> int:
        """Begin again."""
        return 0

    def truncate(self, _size: int | None = None, /) -> int:
        """Cut off."""
        return 0


def _in_pieces(user: User, cipher: WrittenCipher, effort: Effort) -> list[Row]:
    """Compare with the same cipher over the same pieces."""
    plaintext, message, nowhere = text_of(effort.large_bytes), io.BytesIO(), _Nowhere()
    recipients, size = [user.certificate], effort.large_bytes
    encrypt_stream(io.BytesIO(plaintext), message, recipients, size=size, cipher=cipher)
    keys, ciphertext = [PrivateKeyDecryptor(user.key)], message.getvalue()[-size:]
    mode = modes.GCM if cipher.endswith("gcm") else modes.CBC

    def bare(octets: bytes, start: Callable[[Cipher[modes.CBC | modes.GCM]], CipherContext]) -> None:
        context = start(Cipher(AES256(bytes(32)), mode(bytes(16))))
        source, buffer = io.BytesIO(octets), bytearray(PIECE_BYTES + MARGIN_BYTES)
        piece = memoryview(bytearray(PIECE_BYTES))
        while count := source.readinto(piece):
            context.update_into(piece[:count], buffer)

    def encrypt() -> None:
        encrypt_stream(io.BytesIO(plaintext), nowhere, recipients, size=size, cipher=cipher)

    def decrypt() -> None:
        decrypt_stream(message, nowhere, lambda _: keys)

    work, reference = size / MIB, "the bare cipher"
    return [
        compare(
            f"{cipher}, in pieces: encrypt",
            encrypt,
            reference,
            lambda: bare(plaintext, lambda made: made.encryptor()),
            effort,
            goal=0.8,
            work=work,
            unit="MiB/s",
        ),
        compare(
            f"{cipher}, in pieces: decrypt",
            decrypt,
            reference,
            lambda: bare(ciphertext, lambda made: made.decryptor()),
            effort,
            goal=0.8,
            work=work,
            unit="MiB/s",
        ),
    ]

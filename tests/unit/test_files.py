"""A file takes its place whole or not at all; what a killed process left goes with the next run."""

import os
import signal
import subprocess
import sys
import time

import pytest
from support.certificates import rsa_key, self_signed
from support.decryption import keys_of

from sealwright.client.documents import decrypt_document, encrypt_document
from sealwright.errors import ConflictError, DecryptionError
from sealwright.files import create_private_file, replace_file, spooled

WRITER = """
import sys, time
from pathlib import Path
from sealwright.files import spooled
with spooled(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("written", flush=True)
    time.sleep(60)
"""


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def test_nothing_is_at_its_place_before_the_end(tmp_path):
    path = tmp_path / "out"
    with spooled(path) as file:
        file.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["out"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "out"
    replace_file(path, b"old")
    with pytest.raises(ZeroDivisionError), spooled(path) as file:
        file.write(b"new")
        _ = 1 // 0
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["out"])


def test_what_a_killed_process_left_goes_with_the_next_run(tmp_path):
    path = tmp_path / "out"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"written\n"
    replace_file(path, b"by another one")
    assert len(names(tmp_path)) == 2, "a file that is still being written was removed"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    (tmp_path / ".out.notes.part").write_text("somebody else's")
    deadline = time.monotonic() + 10
    while len(names(tmp_path)) != 2:
        assert time.monotonic() < deadline
        replace_file(path, b"again")
    assert names(tmp_path) == [".out.notes.part", "out"]


def test_a_changed_document_leaves_no_plaintext(tmp_path):
    key = rsa_key()
    certificate = self_signed(key, "bob")
    plain, closed, opened = (tmp_path / name for name in ("plain", "closed", "opened"))
    plain.write_bytes(b"secret" * 100_000)
    encrypt_document(plain, closed, [certificate])
    message = bytearray(closed.read_bytes())
    message[-1] ^= 1
    closed.write_bytes(message)
    with pytest.raises(DecryptionError):
        decrypt_document(closed, opened, keys_of((certificate, key)))
    assert names(tmp_path) == ["closed", "plain"]


def test_a_new_file_is_never_there_without_its_content(tmp_path, monkeypatch):
    path = tmp_path / "new"
    seen = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(path.exists()))
    create_private_file(path, b"content")
    assert seen[0] is False
    assert (path.read_bytes(), path.stat().st_mode & 0o777, names(tmp_path)) == (b"content", 0o600, ["new"])
    with pytest.raises(ConflictError):
        create_private_file(path, b"other")
    assert (path.read_bytes(), names(tmp_path)) == (b"content", ["new"])

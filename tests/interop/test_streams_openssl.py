"""Files of any size both ways with `openssl cms`, in its definite and its streamed form, at constant memory."""

import secrets
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.certificates import NOW, rsa_key
from support.decryption import keys_of
from support.mail_people import MailRoot

from sealwright.cms.encrypted_stream import decrypt_stream, encrypt_stream
from sealwright.cms.signed_stream import examine_detached_stream, examine_stream, sign_stream
from sealwright.cms.signers import PrivateKeySigner

ROOT = MailRoot()
BOB = ROOT.person("bob", key=rsa_key())
KEY, CERTIFICATE = BOB.key, BOB.certificate
SIGNER = PrivateKeySigner(CERTIFICATE, KEY)
MIB = 1024 * 1024


def openssl(folder, command, *more):
    subprocess.run(
        ["openssl", *command.split(), *more], cwd=folder, check=True, capture_output=True, stdin=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("streams")
    (made / "bob.pem").write_bytes(CERTIFICATE.public_bytes(Encoding.PEM))
    (made / "root.pem").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    (made / "bob.key").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (made / "plain").write_bytes(bytes(range(256)) * 4096 * 5 + b"end")  # 5 MiB and a little
    return made


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("cipher", ["aes-256-cbc", "aes-128-gcm", "aes-256-gcm"])
def test_openssl_decrypts_our_file(folder, cipher, known):
    with (folder / "plain").open("rb") as source, (folder / "e").open("wb") as sink:
        size = (folder / "plain").stat().st_size
        encrypt_stream(source, sink, [CERTIFICATE], size=size if known else None, cipher=cipher)
    openssl(folder, "cms -decrypt -binary -inform DER -in e -inkey bob.key -recip bob.pem -out d")
    assert (folder / "d").read_bytes() == (folder / "plain").read_bytes()


@pytest.mark.parametrize("stream", [[], ["-stream"]])
@pytest.mark.parametrize("cipher", ["-aes-256-cbc", "-aes-192-cbc", "-aes-256-gcm"])
def test_we_decrypt_openssls_file(folder, cipher, stream):
    openssl(folder, "cms -encrypt -binary -outform DER -in plain -out e", cipher, *stream, "bob.pem")
    with (folder / "e").open("rb") as source, (folder / "d").open("wb") as sink:
        found = decrypt_stream(source, sink, keys_of((CERTIFICATE, KEY)))
    assert found.content_cipher == cipher[1:]
    assert (folder / "d").read_bytes() == (folder / "plain").read_bytes()


@pytest.mark.parametrize("detached", [True, False])
def test_openssl_verifies_our_signature(folder, detached):
    with (folder / "plain").open("rb") as source, (folder / "s").open("wb") as sink:
        sign_stream(source, sink, [SIGNER], detached=detached, signing_time=NOW)
    beside = ["-content", "plain"] if detached else []
    openssl(
        folder,
        "cms -verify -binary -inform DER -in s -CAfile root.pem -purpose any -out d",
        *beside,
    )
    assert (folder / "d").read_bytes() == (folder / "plain").read_bytes()


@pytest.mark.parametrize("options", [[], ["-nodetach"], ["-nodetach", "-stream"]])
def test_we_verify_openssls_signature(folder, options):
    openssl(
        folder,
        "cms -sign -binary -outform DER -in plain -out s -signer bob.pem -inkey bob.key",
        *options,
    )
    if not options:
        with (folder / "plain").open("rb") as content:
            found = examine_detached_stream((folder / "s").read_bytes(), content)
    else:
        with (folder / "s").open("rb") as source, (folder / "d").open("wb") as sink:
            found = examine_stream(source, sink)
        assert (folder / "d").read_bytes() == (folder / "plain").read_bytes()
    assert [each.is_intact for each in found.signers] == [True]


@pytest.mark.parametrize(("cipher", "known"), [("aes-256-gcm", False), ("aes-256-cbc", True)])
def test_64_mib_both_ways(tmp_path, folder, cipher, known):
    content = secrets.token_bytes(MIB) * 64 + b"end"
    (tmp_path / "plain").write_bytes(content)
    with (tmp_path / "plain").open("rb") as source, (tmp_path / "ours").open("wb") as sink:
        encrypt_stream(source, sink, [CERTIFICATE], size=len(content) if known else None, cipher=cipher)
    key = ["-inkey", str(folder / "bob.key"), "-recip", str(folder / "bob.pem")]
    openssl(tmp_path, "cms -decrypt -binary -inform DER -in ours -out d", *key)
    assert (tmp_path / "d").read_bytes() == content
    openssl(tmp_path, f"cms -encrypt -{cipher} -stream -binary -outform DER -in plain -out e", str(folder / "bob.pem"))
    with (tmp_path / "e").open("rb") as source, (tmp_path / "d").open("wb") as sink:
        decrypt_stream(source, sink, keys_of((CERTIFICATE, KEY)))
    assert (tmp_path / "d").read_bytes() == content


PEAK = """
import re, sys
from pathlib import Path
from sealwright.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as stop:
    assert not stop.code, stop.code
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""
"""Runs a command and prints how many MiB it took at most."""


def test_a_large_file_takes_constant_memory(folder, tmp_path):
    size = 256 * MIB
    with (tmp_path / "large").open("wb") as file:
        file.truncate(size)
    keys = ["--key", str(folder / "bob.key"), "--cert", str(folder / "bob.pem")]
    peaks = {}
    for command, arguments in {
        "encrypt": ["large", "-o", "e", "--recipient-certificate", str(folder / "bob.pem")],
        "decrypt": ["e", "-o", "d", *keys],
        "sign": ["large", "-o", "s", *keys],
        "verify": ["s", "-o", "v", "--trust-anchor", str(folder / "root.pem")],
    }.items():
        program = [sys.executable, "-c", PEAK, command, *arguments]
        done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=True)
        peaks[command] = int(done.stdout.split()[-1])
    assert (tmp_path / "d").stat().st_size == (tmp_path / "v").stat().st_size == size
    assert all(peak < 64 for peak in peaks.values()), peaks

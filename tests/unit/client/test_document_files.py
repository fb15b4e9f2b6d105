"""Documents out of pipes and into standard output and devices: nothing comes out before it was checked."""

import base64
import io
import os
import stat
import threading

import pytest
from support.certificates import NOW
from support.decryption import keys_of
from support.mail_people import MailRoot

from sealwright.client.documents import decrypt_document, encrypt_document, sign_document, verify_document
from sealwright.cms.encrypted_stream import encrypt_stream
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import DecodingError, DecryptionError, InputError, InvalidSignatureError

ROOT = MailRoot()
BOB = ROOT.person("bob")
SIGNERS, TRUST = [PrivateKeySigner(BOB.certificate, BOB.key)], ROOT.trust()
CONTENT = bytes(range(256)) * 3000  # more than a pipe and a piece hold


@pytest.fixture
def piped():
    """Return a function that gives octets as a pipe, which passes by once."""
    opened, writers = [], []

    def feed(descriptor, octets):
        with os.fdopen(descriptor, "wb") as file:
            try:
                file.write(octets)
            except BrokenPipeError:
                file.detach()

    def piped(octets):
        source, target = os.pipe()
        writers.append(threading.Thread(target=feed, args=(target, octets)))
        writers[-1].start()
        opened.append(os.fdopen(source, "rb"))
        return opened[-1]

    yield piped
    for file in opened:
        file.close()
    for writer in writers:
        writer.join()


def changed(message):
    return (
        message.replace(CONTENT[256:512], CONTENT[512:768][::-1], 1) if CONTENT[:9] in message else message[:-1] + b"!"
    )


def test_pipes_are_encrypted_and_decrypted(piped):
    closed, opened = io.BytesIO(), io.BytesIO()
    encrypt_document(piped(CONTENT), closed, [BOB.certificate])
    assert closed.getvalue()[:2] == b"\x30\x80"  # the size was not known
    decrypt_document(piped(closed.getvalue()), opened, keys_of((BOB.certificate, BOB.key)))
    assert opened.getvalue() == CONTENT


@pytest.mark.parametrize("detached", [True, False])
def test_pipes_are_signed_and_verified(piped, detached):
    signature, content = io.BytesIO(), io.BytesIO()
    sign_document(piped(CONTENT), signature, SIGNERS, detached=detached, signing_time=NOW)
    covered = piped(CONTENT) if detached else None
    verify_document(piped(signature.getvalue()), covered, content, TRUST)
    assert content.getvalue() == CONTENT


def test_nothing_that_was_changed_comes_out(piped):
    closed, signed, out = io.BytesIO(), io.BytesIO(), io.BytesIO()
    encrypt_document(piped(CONTENT), closed, [BOB.certificate])
    sign_document(piped(CONTENT), signed, SIGNERS, detached=False, signing_time=NOW)
    message, signature = changed(closed.getvalue()), changed(signed.getvalue())
    assert (message, signature) != (closed.getvalue(), signed.getvalue())
    with pytest.raises((DecryptionError, DecodingError)):
        decrypt_document(piped(message), out, keys_of((BOB.certificate, BOB.key)))
    with pytest.raises(InvalidSignatureError):
        verify_document(piped(signature), None, out, TRUST)
    with pytest.raises((DecryptionError, DecodingError)):
        decrypt_document(piped(closed.getvalue()[:-5]), out, keys_of((BOB.certificate, BOB.key)))
    assert out.getvalue() == b""


def test_no_file_takes_the_place_of_a_pipe(tmp_path, piped):
    fifo, found = tmp_path / "fifo", []
    os.mkfifo(fifo)
    for given, write in (
        (CONTENT, lambda source: encrypt_document(source, fifo, [BOB.certificate])),
        (None, lambda source: decrypt_document(source, fifo, keys_of((BOB.certificate, BOB.key)))),
    ):
        reader = threading.Thread(target=lambda: found.append(fifo.read_bytes()))
        reader.start()
        write(piped(found[-1] if given is None else given))
        reader.join()
    assert found[-1] == CONTENT
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert [each.name for each in tmp_path.iterdir()] == ["fifo"]


def test_a_message_in_pem_is_read_up_to_a_limit(tmp_path, monkeypatch):
    signature = io.BytesIO()
    sign_document(io.BytesIO(CONTENT), signature, SIGNERS, detached=False, signing_time=NOW)
    text = b"-----BEGIN CMS-----\n" + base64.encodebytes(signature.getvalue()) + b"-----END CMS-----\n"
    content = io.BytesIO()
    verify_document(io.BytesIO(text), None, content, TRUST)
    assert content.getvalue() == CONTENT
    monkeypatch.setattr("sealwright.client.documents.MAX_MESSAGE_BYTES", len(text) - 1)
    with pytest.raises(InputError, match="PEM"):
        verify_document(io.BytesIO(text), None, content, TRUST)
    with pytest.raises(DecodingError):
        verify_document(io.BytesIO(b"-----BEGIN CMS-----\n"), None, content, TRUST)


@pytest.mark.parametrize("cipher", ["aes-256-cbc", "aes-256-gcm"])
@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_is_cut_off_leaves_nothing(tmp_path, cipher, known):
    closed, message = tmp_path / "closed", io.BytesIO()
    size = len(CONTENT) if known else None
    encrypt_stream(io.BytesIO(CONTENT), message, [BOB.certificate], size=size, cipher=cipher)
    octets = message.getvalue()
    for end in (0, 1, 100, len(octets) // 2, len(octets) - 20, len(octets) - 1):
        closed.write_bytes(octets[:end])
        with pytest.raises((DecryptionError, DecodingError)):
            decrypt_document(closed, tmp_path / "opened", keys_of((BOB.certificate, BOB.key)))
        assert [each.name for each in tmp_path.iterdir()] == ["closed"]
    closed.write_bytes(octets)
    decrypt_document(closed, tmp_path / "opened", keys_of((BOB.certificate, BOB.key)))
    assert (tmp_path / "opened").read_bytes() == CONTENT

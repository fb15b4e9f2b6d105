"""A SignedData that is read: of the size that it says, the same in any pieces, and encrypted as it comes."""

import io

import pytest
from support.certificates import NOW, rsa_key, self_signed
from support.decryption import any_key

from sealwright.cms import enveloped, signed
from sealwright.cms.encrypted_stream import encrypt_stream
from sealwright.cms.signed_source import SignedSource
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import InputError

RSA = rsa_key()
CERTIFICATE = self_signed(RSA, "bob")
SIGNER = PrivateKeySigner(CERTIFICATE, RSA)
CONTENT = b"for Bob alone " * 100


def read(source, size):
    buffer, found = memoryview(bytearray(size)), b""
    while count := source.readinto(buffer):
        found += buffer[:count]
    return found


@pytest.mark.parametrize("piece", [1, 7, 5000])
@pytest.mark.parametrize("detached", [False, True])
def test_any_pieces_are_what_is_written_in_memory(piece, detached):
    source = SignedSource(io.BytesIO(CONTENT), [SIGNER], detached=detached, signing_time=NOW)
    found = read(source, piece)
    assert found == signed.sign(CONTENT, [SIGNER], detached=detached, signing_time=NOW)
    assert len(found) == source.size
    assert read(source, piece) == b""


def test_it_is_encrypted_as_it_comes_and_written_as_der():
    source, written = SignedSource(io.BytesIO(CONTENT), [SIGNER], signing_time=NOW), io.BytesIO()
    encrypt_stream(source, written, [CERTIFICATE], size=source.size)
    assert b"\x30\x80" not in written.getvalue()[:4]
    opened = enveloped.decrypt(written.getvalue(), any_key(RSA))
    assert signed.verify(opened.content, None).content == CONTENT


class Changing(io.BytesIO):
    """Another file from the second reading on."""

    def __init__(self, first, second):
        super().__init__(first)
        self.second, self.starts = second, 0

    def seek(self, offset, whence=0):
        self.starts += (offset, whence) == (0, 0)
        if self.starts == 2:
            self.starts += 1
            super().seek(0)
            self.truncate()
            self.write(self.second)
        return super().seek(offset, whence)


@pytest.mark.parametrize("second", [b"X" + CONTENT[1:], CONTENT[:-1], b""])
def test_a_file_that_changes_meanwhile_is_never_finished(second):
    source = SignedSource(Changing(CONTENT, second), [SIGNER], signing_time=NOW)
    with pytest.raises(InputError, match="changed"):
        read(source, 64)


def test_somebody_signs():
    with pytest.raises(InputError, match="nobody"):
        SignedSource(io.BytesIO(CONTENT), [], signing_time=NOW)

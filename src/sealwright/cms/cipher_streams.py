"""Contents encrypted and decrypted in pieces, one class for each construction; `cms.content_ciphers` chooses between them."""

from typing import Protocol

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import (
    AEADDecryptionContext,
    AEADEncryptionContext,
    Cipher,
    CipherContext,
    modes,
)
from cryptography.hazmat.primitives.ciphers import algorithms as ciphers
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.poly1305 import Poly1305

from sealwright.errors import DecodingError, DecryptionError

MIN_TAG_BYTES, MAX_TAG_BYTES = 12, 16
"""RFC 5084 section 3.2 for GCM. CCM would allow 4; a forgery every 2**32 tries is no protection."""
MARGIN_BYTES = 32
"""A buffer for a piece is so much longer than the piece: a block that was kept back, and one that a cipher may want."""
MAX_CCM_BYTES = 64 * 1024 * 1024
"""CCM starts with the length of the content, so all of it is kept until its end is known."""
_AES_BLOCK_BYTES = 16


class ContentEncryptor(Protocol):
    """Encrypts one content in pieces."""

    def update(self, plaintext: bytes | memoryview) -> bytes:
        """Return the next octets of the ciphertext."""
        ...

    def update_into(self, plaintext: memoryview, buffer: memoryview) -> int:
        """Write the next octets of the ciphertext into a buffer, `MARGIN_BYTES` longer than the piece; returns how many."""
        ...

    def finalize(self) -> tuple[bytes, bytes]:
        """Return the last octets of the ciphertext, and the tag; empty where the cipher has none."""
        ...


class ContentDecryptor(Protocol):
    """Decrypts one content in pieces; nothing may be shown or used before `finalize` has returned."""

    def update(self, ciphertext: bytes | memoryview) -> bytes:
        """Return the next octets of the plaintext.

        Raises:
            DecodingError: If the content is longer than a cipher without a stream can hold.
        """
        ...

    def update_into(self, ciphertext: memoryview, buffer: memoryview) -> int:
        """Write the next octets of the plaintext into a buffer, `MARGIN_BYTES` longer than the piece; returns how many.

        Raises:
            DecodingError: As `update`.
        """
        ...

    def finalize(self, tag: bytes) -> bytes:
        """Return the last octets of the plaintext.

        Args:
            tag: The `mac` of AuthEnvelopedData; empty for EnvelopedData.

        Raises:
            DecryptionError: If padding or tag are wrong.
        """
        ...


class CbcEncryptor:
    """AES-CBC with PKCS #7 padding (RFC 5652 section 6.3)."""

    def __init__(self, encryptor: CipherContext) -> None:
        self._encryptor, self._size = encryptor, 0

    def update(self, plaintext: bytes | memoryview) -> bytes:
        """See `ContentEncryptor.update`."""
        self._size += len(plaintext)
        return self._encryptor.update(plaintext)

    def update_into(self, plaintext: memoryview, buffer: memoryview) -> int:
        """See `ContentEncryptor.update_into`."""
        self._size += len(plaintext)
        return self._encryptor.update_into(plaintext, buffer)

    def finalize(self) -> tuple[bytes, bytes]:
        """See `ContentEncryptor.finalize`."""
        missing = _AES_BLOCK_BYTES - self._size % _AES_BLOCK_BYTES
        return self._encryptor.update(bytes((missing,)) * missing) + self._encryptor.finalize(), b""


class CbcContext(Protocol):
    """Decrypts whole blocks in CBC mode; `cryptography`'s contexts do."""

    def update(self, data: bytes | memoryview, /) -> bytes:
        """Return the plaintext of the whole blocks so far."""
        ...

    def update_into(self, data: memoryview, buffer: memoryview, /) -> int:
        """Write the plaintext of the whole blocks so far into a buffer; returns how many octets."""
        ...

    def finalize(self) -> bytes:
        """Return nothing.

        Raises:
            ValueError: If the ciphertext was not whole blocks.
        """
        ...


class CbcDecryptor:
    """A block cipher in CBC mode with PKCS #7 padding; the last block is kept back until the end is known."""

    def __init__(self, decryptor: CbcContext, block_bits: int) -> None:
        self._decryptor, self._block_bits = decryptor, block_bits
        self._block_bytes, self._kept = block_bits // 8, b""

    def update(self, ciphertext: bytes | memoryview) -> bytes:
        """See `ContentDecryptor.update`."""
        plaintext = self._kept + self._decryptor.update(ciphertext)
        self._kept = plaintext[-self._block_bytes :]
        return plaintext[: -self._block_bytes]

    def update_into(self, ciphertext: memoryview, buffer: memoryview) -> int:
        """See `ContentDecryptor.update_into`."""
        kept = len(self._kept)
        size = kept + self._decryptor.update_into(ciphertext, buffer[kept:])
        buffer[:kept] = self._kept
        given = max(size - self._block_bytes, 0)
        self._kept = bytes(buffer[given:size])
        return given

    def finalize(self, tag: bytes) -> bytes:
        """See `ContentDecryptor.finalize`."""
        if tag:
            raise DecryptionError
        unpadder = padding.PKCS7(self._block_bits).unpadder()
        try:
            self._decryptor.finalize()
            return unpadder.update(self._kept) + unpadder.finalize()
        except ValueError as error:
            raise DecryptionError from error


class GcmEncryptor:
    """AES-GCM."""

    def __init__(self, key: bytes, nonce: bytes, associated_data: bytes) -> None:
        self._encryptor: AEADEncryptionContext = Cipher(ciphers.AES(key), modes.GCM(nonce)).encryptor()
        if associated_data:
            self._encryptor.authenticate_additional_data(associated_data)

    def update(self, plaintext: bytes | memoryview) -> bytes:
        """See `ContentEncryptor.update`."""
        return self._encryptor.update(plaintext)

    def update_into(self, plaintext: memoryview, buffer: memoryview) -> int:
        """See `ContentEncryptor.update_into`."""
        return self._encryptor.update_into(plaintext, buffer)

    def finalize(self) -> tuple[bytes, bytes]:
        """See `ContentEncryptor.finalize`."""
        return self._encryptor.finalize(), self._encryptor.tag


class GcmDecryptor:
    """AES-GCM."""

    def __init__(self, key: bytes, nonce: bytes, tag_bytes: int, associated_data: bytes) -> None:
        mode = modes.GCM(nonce, min_tag_length=MIN_TAG_BYTES)
        self._decryptor: AEADDecryptionContext = Cipher(ciphers.AES(key), mode).decryptor()
        self._tag_bytes = tag_bytes
        if associated_data:
            self._decryptor.authenticate_additional_data(associated_data)

    def update(self, ciphertext: bytes | memoryview) -> bytes:
        """See `ContentDecryptor.update`."""
        return self._decryptor.update(ciphertext)

    def update_into(self, ciphertext: memoryview, buffer: memoryview) -> int:
        """See `ContentDecryptor.update_into`."""
        return self._decryptor.update_into(ciphertext, buffer)

    def finalize(self, tag: bytes) -> bytes:
        """See `ContentDecryptor.finalize`."""
        if len(tag) != self._tag_bytes:
            raise DecryptionError
        try:
            return self._decryptor.finalize_with_tag(tag)
        except InvalidTag as error:
            raise DecryptionError from error


class CcmDecryptor:
    """AES-CCM, which gives its plaintext at the end only."""

    def __init__(self, key: bytes, nonce: bytes, tag_bytes: int, associated_data: bytes) -> None:
        self._aead, self._nonce = AESCCM(key, tag_length=tag_bytes), nonce
        self._tag_bytes, self._associated_data = tag_bytes, associated_data
        self._pieces: list[bytes] = []
        self._size = 0

    def update(self, ciphertext: bytes | memoryview) -> bytes:
        """See `ContentDecryptor.update`."""
        self._size += len(ciphertext)
        if self._size > MAX_CCM_BYTES:
            raise DecodingError("the message is too large for its cipher")
        self._pieces.append(bytes(ciphertext))
        return b""

    def update_into(self, ciphertext: memoryview, _buffer: memoryview) -> int:
        """See `ContentDecryptor.update_into`; writes nothing."""
        return len(self.update(ciphertext))

    def finalize(self, tag: bytes) -> bytes:
        """See `ContentDecryptor.finalize`."""
        if len(tag) != self._tag_bytes:
            raise DecryptionError
        try:
            return self._aead.decrypt(self._nonce, b"".join((*self._pieces, tag)), self._associated_data)
        except (InvalidTag, ValueError) as error:
            raise DecryptionError from error


class ChaCha20Poly1305Encryptor:
    """RFC 8439 section 2.8 in pieces, which `cryptography` offers for whole messages only."""

    def __init__(self, key: bytes, nonce: bytes, associated_data: bytes) -> None:
        if len(nonce) != 12:
            raise ValueError("a nonce of RFC 8439 has 12 octets")
        block = Cipher(ciphers.ChaCha20(key, bytes(4) + nonce), None).encryptor().update(bytes(32))
        self._stream = Cipher(ciphers.ChaCha20(key, (1).to_bytes(4, "little") + nonce), None).encryptor()
        self._mac, self._sizes = Poly1305(block), [len(associated_data), 0]
        self._mac.update(_padded(associated_data))

    def update(self, data: bytes | memoryview) -> bytes:
        """See `ContentEncryptor.update`."""
        ciphertext = self._stream.update(data)
        self.authenticate(ciphertext)
        return ciphertext

    def update_into(self, data: memoryview, buffer: memoryview) -> int:
        """See `ContentEncryptor.update_into`."""
        size = self._stream.update_into(data, buffer)
        self.authenticate(buffer[:size])
        return size

    def apply(self, ciphertext: bytes | memoryview) -> bytes:
        """Authenticate a piece of ciphertext and return its plaintext."""
        self.authenticate(ciphertext)
        return self._stream.update(ciphertext)

    def apply_into(self, ciphertext: memoryview, buffer: memoryview) -> int:
        """Authenticate a piece of ciphertext and write its plaintext into a buffer."""
        self.authenticate(ciphertext)
        return self._stream.update_into(ciphertext, buffer)

    def authenticate(self, ciphertext: bytes | memoryview) -> None:
        """Take a piece of ciphertext into the tag."""
        self._sizes[1] += len(ciphertext)
        self._mac.update(ciphertext)

    def end(self) -> Poly1305:
        """Return the authenticator over everything."""
        self._mac.update(bytes(-self._sizes[1] % 16) + b"".join(size.to_bytes(8, "little") for size in self._sizes))
        return self._mac

    def finalize(self) -> tuple[bytes, bytes]:
        """See `ContentEncryptor.finalize`."""
        return b"", self.end().finalize()


class ChaCha20Poly1305Decryptor:
    """The reverse of `ChaCha20Poly1305Encryptor`."""

    def __init__(self, key: bytes, nonce: bytes, associated_data: bytes) -> None:
        self._cipher = ChaCha20Poly1305Encryptor(key, nonce, associated_data)

    def update(self, ciphertext: bytes | memoryview) -> bytes:
        """See `ContentDecryptor.update`."""
        return self._cipher.apply(ciphertext)

    def update_into(self, ciphertext: memoryview, buffer: memoryview) -> int:
        """See `ContentDecryptor.update_into`."""
        return self._cipher.apply_into(ciphertext, buffer)

    def finalize(self, tag: bytes) -> bytes:
        """See `ContentDecryptor.finalize`."""
        try:
            self._cipher.end().verify(tag)
        except InvalidSignature as error:
            raise DecryptionError from error
        return b""


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)

"""EnvelopedData and AuthEnvelopedData of any size at constant memory.

Written as DER where the size is known beforehand, else as BER of indefinite length. What is read goes out before the tag or
the padding was checked: the caller keeps it apart until `decrypt_stream` has returned, and throws it away if it raises.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography import x509

from sealwright.asn1.der import content_of, elements, object_identifier
from sealwright.asn1.pull_reader import PIECE_BYTES, Head, PullReader, SeekableSource
from sealwright.asn1.writer import header, tlv
from sealwright.cms import schema
from sealwright.cms.cipher_streams import MARGIN_BYTES
from sealwright.cms.content_ciphers import ContentCipher, WrittenCipher, new_cipher, read_cipher
from sealwright.cms.content_stream import Progress, Sink, Source, dotted, open_content_info, pieces_of
from sealwright.cms.decryptors import FindKeys, WrappedKey
from sealwright.cms.enveloped import Decryption, associated_data, check_authenticated_attributes
from sealwright.cms.key_transport import KeyTransport
from sealwright.cms.recipients import (
    VERSION_0,
    candidate_keys,
    encode_recipient_infos,
    enveloped_data_version,
    originators,
    parse_recipient_infos,
    wrap_for_all,
    wrapped_keys,
)
from sealwright.errors import DecodingError, DecryptionError, InputError

MAX_GCM_BYTES = (1 << 36) - 32
"""Under one key and nonce (NIST SP 800-38D section 5.2.1.1); ChaCha20's limit is higher."""
_SEQUENCE, _SET, _OCTETS = 0x30, 0x31, 0x04
_END = b"\0\0"


class RewindableSink(Sink, Protocol):
    """A binary file that is written, and begun again where another key has to be tried."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""
        ...

    def truncate(self, size: int | None = None, /) -> int:
        """Cut the file off."""
        ...


def encrypt_stream(
    source: Source,
    sink: Sink,
    recipients: Sequence[x509.Certificate],
    *,
    size: int | None,
    cipher: WrittenCipher = "aes-256-gcm",
    key_transport: KeyTransport = "rsa-pkcs1-v1.5",
    progress: Progress | None = None,
) -> None:
    """Encrypt a file to all recipients under a fresh key.

    Args:
        source: Plaintext.
        sink: Gets the ContentInfo.
        recipients: At least one; whether they are trusted is the caller's question.
        size: Octets of the plaintext; None if it is not known, which makes BER rather than DER.
        cipher: Those that authenticate give AuthEnvelopedData.
        key_transport: For RSA recipients.
        progress: Told of the plaintext.

    Raises:
        InputError: If there is no recipient or too many, the content is too large for the cipher, or has not the size that
            was said; what was written is of no use then.
        UnsupportedAlgorithmError: If a recipient's key cannot be encrypted to.
    """
    content_cipher = new_cipher(cipher)
    if content_cipher.is_authenticated and (size or 0) > MAX_GCM_BYTES:
        raise InputError("the file is too large to be encrypted under one key")
    key = secrets.token_bytes(content_cipher.key_bytes)
    infos = wrap_for_all(key, recipients, key_transport)
    version = VERSION_0 if content_cipher.is_authenticated else enveloped_data_version(infos)
    before = version + encode_recipient_infos(infos)
    described = object_identifier(schema.DATA) + content_cipher.algorithm_der()
    kind = schema.AUTH_ENVELOPED_DATA if content_cipher.is_authenticated else schema.ENVELOPED_DATA
    encryptor = content_cipher.encryptor(key)
    if size is None:
        oid = object_identifier(kind)
        sink.write(b"\x30\x80" + oid + b"\xa0\x80\x30\x80" + before + b"\x30\x80" + described + b"\xa0\x80")
    else:
        sink.write(_definite_head(kind, before, described, content_cipher, size))
    buffer = memoryview(bytearray(PIECE_BYTES + MARGIN_BYTES))
    done = 0
    for piece in pieces_of(source, progress):
        done += len(piece)
        if content_cipher.is_authenticated and done > MAX_GCM_BYTES:
            raise InputError("the file is too large to be encrypted under one key")
        _write_piece(sink, buffer[: encryptor.update_into(piece, buffer)], chunked=size is None)
    if size is not None and done != size:
        raise InputError("the file changed while it was read")
    rest, tag = encryptor.finalize()
    _write_piece(sink, rest, chunked=size is None)
    ends = (_END * 2, _END * 3) if size is None else (b"", b"")
    sink.write(ends[0] + (tlv(_OCTETS, tag) if tag else b"") + ends[1])


def _definite_head(kind: str, before: bytes, described: bytes, cipher: ContentCipher, size: int) -> bytes:
    """Return everything before the ciphertext, whose size follows from the plaintext's."""
    ciphertext_bytes = size if cipher.is_authenticated else size // 16 * 16 + 16  # RFC 5652 section 6.3: padded
    mac_bytes = cipher.tag_bytes + 2 if cipher.is_authenticated else 0
    content = header(0x80, ciphertext_bytes)
    described = header(_SEQUENCE, len(described) + len(content) + ciphertext_bytes) + described + content
    data = header(_SEQUENCE, len(before) + len(described) + ciphertext_bytes + mac_bytes) + before + described
    wrapped = header(0xA0, len(data) + ciphertext_bytes + mac_bytes) + data
    oid = object_identifier(kind)
    return header(_SEQUENCE, len(oid) + len(wrapped) + ciphertext_bytes + mac_bytes) + oid + wrapped


def _write_piece(sink: Sink, data: bytes | memoryview, *, chunked: bool) -> None:
    if data:
        if chunked:
            sink.write(header(_OCTETS, len(data)))
        sink.write(data)


@dataclass(frozen=True, slots=True)
class _Message:
    """What comes before the content, and where that begins.

    Attributes:
        content_type: Dotted OID of what is encrypted.
        cipher: Of the content.
        wrapped: Keys for the recipients.
        content: Head of the encryptedContent.
        position: Where its first octet stands in the file.
        parents: EncryptedContentInfo, and what lies around it, innermost first.
    """

    content_type: str
    cipher: ContentCipher
    wrapped: list[WrappedKey]
    content: Head
    position: int
    parents: tuple[Head, ...]


def decrypt_stream(
    source: SeekableSource,
    sink: RewindableSink,
    find_keys: FindKeys,
    *,
    allow_legacy: bool = False,
    progress: Progress | None = None,
) -> Decryption:
    """Decrypt a file, DER or BER, with whichever of the reader's keys fits.

    Several keys may fit, and authenticated attributes, which the tag covers, come after the content: then the file is read
    again and the sink begun anew.

    Args:
        source: The ContentInfo, from its start; nothing may follow it.
        sink: Gets the plaintext, which counts for nothing until this function has returned.
        find_keys: Gives every key that a recipient identifier may mean.
        allow_legacy: Also read triple DES and RC2.
        progress: Told of the ciphertext.

    Raises:
        DecodingError: If it is not an encrypted CMS message, or malformed.
        DecryptionError: If it cannot be decrypted; see `enveloped.decrypt`.
    """
    reader = PullReader(source)
    message = _read_head(reader, allow_legacy=allow_legacy)
    for candidate in candidate_keys(message.wrapped, find_keys, message.cipher):
        attributes = b""
        for _ in range(2):
            try:
                found = _decrypt_content(reader, sink, message, candidate.key, attributes, progress)
            except DecryptionError:
                break
            if found is None:
                return Decryption.of(message.content_type, message.cipher, candidate, message.wrapped)
            attributes = found
    raise DecryptionError


def _read_head(reader: PullReader, *, allow_legacy: bool) -> _Message:
    # 1 ContentInfo
    kind, (data, wrapper, outer) = open_content_info(reader)
    if kind not in (schema.ENVELOPED_DATA, schema.AUTH_ENVELOPED_DATA):
        raise DecodingError("the message is not encrypted")
    # 2 originatorInfo, recipientInfos
    originator_info = content_of(0xA0, reader.der()) if reader.next_tag(data) == 0xA0 else None
    if reader.next_tag(data) != _SET:
        raise DecodingError("the message has no recipients")
    wrapped = wrapped_keys(parse_recipient_infos(content_of(_SET, reader.der())), originators(originator_info, ()))
    # 3 EncryptedContentInfo up to its content
    info = reader.head(_SEQUENCE)
    content_type = dotted(reader.raw(limit=64))
    algorithm = schema.parse_algorithm(reader.der(limit=4096))
    cipher = read_cipher(algorithm, authenticated=kind == schema.AUTH_ENVELOPED_DATA, allow_legacy=allow_legacy)
    if reader.next_tag(info) not in (0x80, 0xA0):
        raise DecodingError("the message has lost its content")
    content = reader.head(0x80, 0xA0)
    return _Message(content_type, cipher, wrapped, content, reader.position, (info, data, wrapper, outer))


def _decrypt_content(
    reader: PullReader,
    sink: RewindableSink,
    message: _Message,
    key: bytes,
    attributes: bytes,
    progress: Progress | None,
) -> bytes | None:
    """Decrypt the content once.

    Returns:
        None if it is right; or, unchecked, the authenticated attributes as a DER SET, if others were given.

    Raises:
        DecryptionError: If tag or padding are wrong.
    """
    sink.seek(0)
    sink.truncate()
    reader.go_to(message.position)
    info, data, *_ = message.parents
    decryptor = message.cipher.decryptor(key, attributes)
    buffer = memoryview(bytearray(PIECE_BYTES + MARGIN_BYTES))
    done = 0
    for piece in reader.pieces(message.content):
        done += len(piece)
        if message.cipher.is_authenticated and done > MAX_GCM_BYTES:
            raise DecodingError("the file is too large for its cipher")
        sink.write(buffer[: decryptor.update_into(piece, buffer)])
        if progress is not None:
            progress(len(piece))
    reader.finish(info)
    tag = b""
    if message.cipher.is_authenticated:
        found = _authenticated_attributes(reader, data, message.content_type)
        if found != attributes:
            return found
        if reader.next_tag(data) != _OCTETS:
            raise DecodingError("the message has no tag")
        tag = content_of(_OCTETS, reader.der(limit=64))
    while reader.next_tag(data) is not None:  # attributes that nothing protects
        reader.raw()
    reader.finish(*message.parents[2:])
    reader.finish_file()
    sink.write(decryptor.finalize(tag))
    return None


def _authenticated_attributes(reader: PullReader, data: Head, content_type: str) -> bytes:
    """Read authAttrs and check them; returns what the tag covers (RFC 5083 section 2.2)."""
    attributes = None
    if reader.next_tag(data) == 0xA1:
        attributes = [schema.any_element(tlv(*each)) for each in elements(content_of(0xA1, reader.der()))]
    check_authenticated_attributes(attributes, content_type)
    return associated_data(attributes)

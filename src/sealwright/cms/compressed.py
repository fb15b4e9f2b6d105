"""CompressedData (RFC 3274): a content made smaller with zlib, in pieces or whole.

Compression protects nothing. What a few octets may grow into is bounded, in all and in proportion, and never held at once.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat import asn1

from sealwright.cms import schema
from sealwright.errors import DecodingError, InputError

ZLIB_COMPRESS = "1.2.840.113549.1.9.16.3.8"
MAX_CONTENT_BYTES = 64 * 1024 * 1024
"""As for every whole message."""
MAX_RATIO, FREE_BYTES = 200, 1024 * 1024
"""zlib reaches 1,032 to 1, and only on what says nothing; text and logs stay below 100. A small content may be anything."""
PIECE_BYTES = 64 * 1024
"""Of input and of output: so much is in memory at once."""


@dataclass(frozen=True, slots=True)
class Decompressed:
    """A content.

    Attributes:
        content: Octets.
        content_type: Dotted OID of what it is; id-data for mail.
    """

    content: bytes = field(repr=False)
    content_type: str


def compress(content: bytes, *, content_type: str = schema.DATA) -> bytes:
    """Compress a content.

    Args:
        content: Octets.
        content_type: Dotted OID of what it is.

    Returns:
        DER ContentInfo.

    Raises:
        InputError: If the content is too large.
    """
    if len(content) > MAX_CONTENT_BYTES:
        raise InputError("the content is too large to be compressed")
    compressed = schema.CompressedData(
        version=0,
        compression_algorithm=schema.algorithm(ZLIB_COMPRESS),  # RFC 3274 section 2: without parameters
        encap_content_info=schema.EncapsulatedContentInfo(
            e_content_type=x509.ObjectIdentifier(content_type), e_content=zlib.compress(content)
        ),
    )
    return schema.content_info(schema.COMPRESSED_DATA, asn1.encode_der(compressed))


def decompress(content_info: bytes) -> Decompressed:
    """Decompress a content.

    Args:
        content_info: DER or BER.

    Raises:
        DecodingError: If it is not CompressedData with zlib, is cut off, or grows beyond its limits.
    """
    if len(content_info) > MAX_CONTENT_BYTES:
        raise DecodingError("the compressed message is too large")
    message = schema.load_content(content_info)
    if not isinstance(message, schema.CompressedData):
        raise DecodingError("the message is not compressed")
    check_algorithm(message.compression_algorithm)
    if message.encap_content_info.e_content is None:
        raise DecodingError("the message has lost its content")
    decompressor = Decompressor()
    content = b"".join(decompressor.update(message.encap_content_info.e_content))
    decompressor.finalize()
    return Decompressed(content, message.encap_content_info.e_content_type.dotted_string)


def check_algorithm(compression_algorithm: schema.AlgorithmIdentifier) -> None:
    """Check that a compressionAlgorithm is zlib; its parameters say nothing.

    Raises:
        DecodingError: If it is another.
    """
    if schema.algorithm_oid(compression_algorithm) != ZLIB_COMPRESS:
        raise DecodingError("the message is compressed with an algorithm that is not read here")


class Decompressor:
    """Decompresses one content in pieces.

    Args:
        max_bytes: Of the content.
    """

    def __init__(self, max_bytes: int = MAX_CONTENT_BYTES) -> None:
        self._stream = zlib.decompressobj()
        self._max_bytes, self._taken, self._given = max_bytes, 0, 0

    def update(self, data: bytes) -> Iterator[bytes]:
        """Give the next pieces of the content, each of at most `PIECE_BYTES`.

        Raises:
            DecodingError: If the octets are not zlib's, go on after the end, or grow beyond the limits.
        """
        for start in range(0, len(data), PIECE_BYTES):
            rest = data[start : start + PIECE_BYTES]
            self._taken += len(rest)
            while rest:
                piece = self._next(rest)
                rest = self._stream.unconsumed_tail
                if self._stream.unused_data:
                    raise DecodingError("the compressed content goes on after its end")
                if piece:
                    yield piece

    def finalize(self) -> None:
        """Check that the content came to its end.

        Raises:
            DecodingError: If it was cut off.
        """
        if not self._stream.eof:
            raise DecodingError("the compressed content is cut off")

    def _next(self, data: bytes) -> bytes:
        try:
            piece = self._stream.decompress(data, PIECE_BYTES)
        except zlib.error as error:
            raise DecodingError("the compressed content is malformed") from error
        self._given += len(piece)
        if self._given > min(self._max_bytes, FREE_BYTES + MAX_RATIO * self._taken):
            raise DecodingError("the compressed content grows beyond its limits")
        return piece

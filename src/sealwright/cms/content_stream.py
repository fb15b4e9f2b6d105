"""What the streaming writers and readers share: files as they take them, and the start of a ContentInfo (RFC 5652 section 3)."""

from collections.abc import Callable, Iterator
from typing import Protocol

from cryptography import x509
from cryptography.hazmat import asn1

from sealwright.asn1.pull_reader import PIECE_BYTES, Head, PullReader
from sealwright.errors import DecodingError

Progress = Callable[[int], None]
"""Told how many further octets of the input were worked on."""
_SEQUENCE, _EXPLICIT, _INTEGER, _OID = 0x30, 0xA0, 0x02, 0x06


class Source(Protocol):
    """A binary file that is read once."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill a buffer as far as it goes; zero at the end."""
        ...


class Sink(Protocol):
    """A binary file that is written."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Write all of it."""
        ...


def pieces_of(source: Source, progress: Progress | None = None) -> Iterator[memoryview]:
    """Give a file in pieces, each valid until the next is asked for."""
    buffer = memoryview(bytearray(PIECE_BYTES))
    while count := source.readinto(buffer):
        yield buffer[:count]
        if progress is not None:
            progress(count)


def open_content_info(reader: PullReader) -> tuple[str, tuple[Head, Head, Head]]:
    """Read a ContentInfo up to and with the version of its content.

    Returns:
        The dotted content type, and the elements that are open: the content, its explicit tag, the ContentInfo.

    Raises:
        DecodingError: If it is none.
    """
    try:
        outer = reader.head(_SEQUENCE)
        content_type = dotted(reader.raw(limit=64, tag=_OID))
        wrapper = reader.head(_EXPLICIT)
        data = reader.head(_SEQUENCE)
        reader.raw(limit=64, tag=_INTEGER)
    except DecodingError as error:
        raise DecodingError("not a CMS message that can be read here") from error
    return content_type, (data, wrapper, outer)


def dotted(encoded: bytes) -> str:
    """Return a DER OBJECT IDENTIFIER with dots.

    Raises:
        DecodingError: If it is none.
    """
    try:
        oid: x509.ObjectIdentifier = asn1.decode_der(x509.ObjectIdentifier, encoded)
    except ValueError as error:
        raise DecodingError("not an OBJECT IDENTIFIER") from error
    return oid.dotted_string

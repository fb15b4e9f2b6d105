"""Reading BER from a file, element by element, at constant memory: for messages too large to be held.

Small elements are read whole; the OCTET STRING that holds a content comes in pieces, whatever its form. Work is linear in
what is read. Bad input raises `DecodingError` and nothing else.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sealwright.asn1.ber import MAX_DEPTH, element_to_der
from sealwright.errors import DecodingError

PIECE_BYTES = 256 * 1024
"""Fits a processor's second-level cache; larger pieces were not faster."""
MAX_ELEMENT_BYTES = 4 * 1024 * 1024
"""Of an element that is read whole: 1,000 recipients with ML-KEM keys need 2 MiB."""
_OCTETS, _CONSTRUCTED = 0x04, 0x20


class SeekableSource(Protocol):
    """A binary file that is read; one of `open(path, "rb")` or `io.BytesIO`."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill a buffer as far as it goes; zero at the end."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""
        ...


@dataclass(frozen=True, slots=True)
class Head:
    """The identifier and length octets of an element.

    Attributes:
        tag: Identifier octet.
        end: Where the element ends in the file; None if its length is indefinite.
    """

    tag: int
    end: int | None


class PullReader:
    """Reads elements in their order.

    Args:
        source: Read from its start.
    """

    def __init__(self, source: SeekableSource) -> None:
        self._source = source
        self._buffer = bytearray(PIECE_BYTES)
        self._view = memoryview(self._buffer)
        self._start = self._stop = 0
        self._read = source.seek(0)

    @property
    def position(self) -> int:
        """Octets consumed so far."""
        return self._read - (self._stop - self._start)

    def go_to(self, position: int) -> None:
        """Go on at a place that was read before."""
        self._read = self._source.seek(position)
        self._start = self._stop = 0

    def head(self, *tags: int) -> Head:
        """Read the start of an element.

        Args:
            tags: What may stand here.

        Raises:
            DecodingError: If something else does.
        """
        tag, size = self._take(2)
        if tag not in tags:
            raise DecodingError("another element was expected")
        if size == 0x80:
            if not tag & _CONSTRUCTED:
                raise DecodingError("a primitive element has no definite length")
            return Head(tag, None)
        if size & 0x80:
            octets = size & 0x7F
            if octets > 8:
                raise DecodingError("a length is not valid")
            size = int.from_bytes(self._take(octets), "big")
        return Head(tag, self.position + size)

    def next_tag(self, parent: Head) -> int | None:
        """Return the tag of the next element inside another; None, and the end is consumed, where there is none.

        Raises:
            DecodingError: If an element was longer than what holds it, or the file ends.
        """
        if parent.end is None:
            tag, size = self._peek(2)
            if tag or size:
                return tag
            self._start += 2
            return None
        if self.position > parent.end:
            raise DecodingError("an element is longer than what holds it")
        return None if self.position == parent.end else self._peek(1)[0]

    def finish(self, *parents: Head) -> None:
        """Check that elements end here, innermost first.

        Raises:
            DecodingError: If one does not.
        """
        for parent in parents:
            if self.next_tag(parent) is not None:
                raise DecodingError("an element holds more than it may")

    def finish_file(self) -> None:
        """Check that the file ends here.

        Raises:
            DecodingError: If it does not.
        """
        if self._start < self._stop or self._fill(1):
            raise DecodingError("something follows the message")

    def raw(self, limit: int = MAX_ELEMENT_BYTES, tag: int | None = None) -> bytes:
        """Read one whole element as it stands.

        Args:
            limit: Octets that it may have.
            tag: What may stand here; anything if it is None.

        Raises:
            DecodingError: If something else does, or it is longer than `limit`, nests too deep, or is cut off.
        """
        if tag is not None and self._peek(1)[0] != tag:
            raise DecodingError("another element was expected")
        out = bytearray()
        self._copy(out, limit, 0)
        return bytes(out)

    def der(self, limit: int = MAX_ELEMENT_BYTES) -> bytes:
        """Read one whole element and return it with definite, shortest lengths; SETs keep their order."""
        return element_to_der(self.raw(limit))

    def pieces(self, head: Head, depth: int = 0) -> Iterator[memoryview]:
        """Give the octets of an OCTET STRING, primitive or in chunks, whatever its tag.

        Each piece is valid until the next is asked for.

        Args:
            head: Of the string, just read.
            depth: For nested chunks.
        """
        if depth > MAX_DEPTH:
            raise DecodingError("an OCTET STRING nests too deep")
        if not head.tag & _CONSTRUCTED:
            assert head.end is not None
            yield from self._primitive(head.end - self.position)
            return
        while self.next_tag(head) is not None:
            yield from self.pieces(self.head(_OCTETS, _OCTETS | _CONSTRUCTED), depth + 1)

    def _primitive(self, left: int) -> Iterator[memoryview]:
        while left:
            if self._start == self._stop and not self._fill(1):
                raise DecodingError("the file is cut off")
            size = min(left, self._stop - self._start)
            piece = self._view[self._start : self._start + size]
            self._start += size
            left -= size
            yield piece

    def _copy(self, out: bytearray, limit: int, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise DecodingError("an element nests too deep")
        head_size = 2
        size = self._peek(2)[1]
        if size > 0x80:
            head_size += size & 0x7F
        octets = bytes(self._peek(head_size))
        head = self.head(octets[0])
        out += octets
        if head.end is not None:
            size = head.end - self.position
            if len(out) + size > limit:
                raise DecodingError("an element is too large")
            for piece in self._primitive(size):
                out += piece
            return
        while self.next_tag(head) is not None:
            self._copy(out, limit, depth + 1)
            if len(out) > limit:
                raise DecodingError("an element is too large")
        out += b"\0\0"

    def _peek(self, size: int) -> memoryview:
        if self._stop - self._start < size and not self._fill(size):
            raise DecodingError("the file is cut off")
        return self._view[self._start : self._start + size]

    def _take(self, size: int) -> bytes:
        octets = bytes(self._peek(size))
        self._start += size
        return octets

    def _fill(self, size: int) -> bool:
        """Have at least `size` octets in the buffer; False if the file ends before."""
        kept = self._stop - self._start
        self._view[:kept] = bytes(self._view[self._start : self._stop])
        self._start, self._stop = 0, kept
        while self._stop < size:
            count = self._source.readinto(self._view[self._stop :])
            if not count:
                return False
            self._stop += count
            self._read += count
        return True


def size_of(source: SeekableSource) -> int:
    """Return how many octets a file has, and go to its start."""
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    return size

"""A file as SignedData that is read in its turn: signed while it is written, or encrypted right away, at constant memory."""

from collections.abc import Sequence
from datetime import datetime

from sealwright.asn1.der import object_identifier
from sealwright.asn1.pull_reader import SeekableSource, size_of
from sealwright.asn1.writer import header
from sealwright.cms import schema
from sealwright.cms.content_stream import Progress, pieces_of
from sealwright.cms.digests import ContentDigests
from sealwright.cms.signers import Signer
from sealwright.cms.signing import after_content, before_content
from sealwright.errors import InputError

_SEQUENCE, _OCTETS, _EXPLICIT = 0x30, 0x04, 0xA0


class SignedSource:
    """The DER ContentInfo of a SignedData over a file, to be read once.

    The file is read twice: the signature stands behind it, and nobody knows the signature's size before.

    Args:
        source: The content, all of it.
        signers: At least one.
        detached: Leave the content out.
        signing_time: Aware.
        progress: Told of the content while it is digested.

    Attributes:
        size: Octets that will be read.

    Raises:
        InputError: If there is no signer, or the file changes while it is digested.
        UnavailableError: If a signer's key cannot be reached now.
    """

    def __init__(
        self,
        source: SeekableSource,
        signers: Sequence[Signer],
        *,
        detached: bool = False,
        signing_time: datetime,
        progress: Progress | None = None,
    ) -> None:
        if not signers:
            raise InputError("nobody signs the file")
        # 1 digest, and sign
        size = size_of(source)
        digests = ContentDigests({signer.algorithm.digest for signer in signers})
        digested = 0
        for piece in pieces_of(source, progress):
            digests.update(piece)
            digested += len(piece)
        if digested != size:
            raise InputError("the file changed while it was signed")
        after = b"".join(after_content(signers, digests, content_type=schema.DATA, signing_time=signing_time))
        # 2 what stands before the content, each element with its length before it
        before = b"".join(before_content(signers, schema.DATA))
        described = object_identifier(schema.DATA)
        content_bytes = 0
        if not detached:
            content_bytes, string = size, header(_OCTETS, size)
            described += header(_EXPLICIT, len(string) + size) + string
        info = header(_SEQUENCE, len(described) + content_bytes) + described
        data = header(_SEQUENCE, len(before) + len(info) + content_bytes + len(after)) + before + info
        wrapped = header(_EXPLICIT, len(data) + content_bytes + len(after)) + data
        oid = object_identifier(schema.SIGNED_DATA)
        head = header(_SEQUENCE, len(oid) + len(wrapped) + content_bytes + len(after)) + oid + wrapped
        # 3 go back to the start, for whoever reads
        source.seek(0)
        self.size = len(head) + content_bytes + len(after)
        self._source, self._head, self._after = source, memoryview(head), memoryview(after)
        self._left = content_bytes
        self._first = signers[0].algorithm.digest
        self._again, self._signed = ContentDigests({self._first}), digests.digest(self._first)
        self._is_detached = detached

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill a buffer as far as one read goes; zero at the end.

        Raises:
            InputError: If the file is not what was digested before; what was read is of no use then.
        """
        if self._head:
            self._head, count = _moved(self._head, buffer)
            return count
        if self._left:
            count = self._source.readinto(buffer[: self._left]) or 0
            self._again.update(buffer[:count])
            self._left -= count
            if count:
                return count
        if self._after:
            if not self._is_detached and (self._left or self._again.digest(self._first) != self._signed):
                raise InputError("the file changed while it was signed")
            self._after, count = _moved(self._after, buffer)
            return count
        return 0


def _moved(octets: memoryview, buffer: memoryview) -> tuple[memoryview, int]:
    """Move the first octets into a buffer; returns what is left, and how many were moved."""
    count = min(len(octets), len(buffer))
    buffer[:count] = octets[:count]
    return octets[count:], count

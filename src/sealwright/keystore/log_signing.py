"""What a log's key signs: checkpoints that continue the newest one it signed, which is remembered next to the seal.

So a web process that is taken cannot sign a second history, nor a database that was rolled back a shorter one.
"""

from collections.abc import Sequence

from sealwright.errors import DecodingError, LogVerificationError, PermissionDeniedError
from sealwright.keystore.versions import RowName, Versions
from sealwright.tlog.checkpoint import decode_checkpoint
from sealwright.tlog.tree import verify_consistency

CHECKPOINTS_NAME = "checkpoints"
"""Folder next to the seal. A backup copies it before the database, whose log must not be shorter."""
CHECKPOINT = "checkpoint"


class LogSigning:
    """The newest checkpoint of each log. Safe from any thread and between processes.

    Args:
        versions: Remembers them, in a folder of their own.
    """

    def __init__(self, versions: Versions) -> None:
        self._versions = versions

    def newest(self, organization_id: str) -> str:
        """Return the text of the newest checkpoint that was signed; empty if there is none.

        Raises:
            SealedError: If it cannot be read.
        """
        return self._versions.newest(_name(organization_id)).content.decode()

    def advance(self, organization_id: str, origin: str, text: str, old: str, proof: Sequence[bytes]) -> None:
        """Check that a checkpoint continues the newest one, and remember it before it is signed.

        Args:
            organization_id: 32 hex digits.
            origin: Of the organization's log.
            text: Of the checkpoint.
            old: Text of the one that was newest when the proof was made; empty for none.
            proof: From that to this (RFC 9162 section 2.1.4).

        Raises:
            PermissionDeniedError: If it is none of this log, or does not continue the newest.
            ConflictError: If another one was signed meanwhile.
            UnavailableError: If it cannot be written down.
        """
        newest = self._versions.newest(_name(organization_id))
        # 1 The same once more: whoever asked lost the answer.
        if newest.content == text.encode():
            return
        # 2 A checkpoint of this log, over more leaves than the old one has; the first is over none.
        try:
            point = decode_checkpoint(text)
            known = decode_checkpoint(old) if old else None
        except DecodingError as error:
            raise PermissionDeniedError("a log key signs checkpoints only") from error
        if point.origin != origin:
            raise PermissionDeniedError("a log key signs checkpoints of its log only")
        if (known is None and point.size) or (known is not None and point.size <= known.size):
            raise PermissionDeniedError("a log key signs only what continues its newest checkpoint")
        if known is not None:
            try:
                verify_consistency(known.size, point.size, proof, known.root, point.root)
            except LogVerificationError as error:
                raise PermissionDeniedError("a log key signs only what continues its newest checkpoint") from error
        # 3 The old one is the newest still.
        from_version = newest.version if newest.content == old.encode() else -1
        self._versions.advance(_name(organization_id), from_version, text.encode())


def _name(organization_id: str) -> RowName:
    return RowName(CHECKPOINT, organization_id, organization_id)

r"""A log break: two security officers' word that the log goes on from an older state, after a database was restored.

    <origin>\nsealwright-log-break/v1\n<seconds since 1970>\n<size>\n<base64 root>\n<reason>\n

is the text of a signed note (`tlog.note`) by the log's key, which the keystore signs against their approvals alone. It says that
the tree of that size and root is the true history, whatever a device has seen beyond it.
"""

import base64
import binascii
from datetime import UTC, datetime

from msgspec import Struct

from sealwright.errors import DecodingError, LogVerificationError
from sealwright.tlog.note import SignatureLine, key_id, split_note, verify_line
from sealwright.tlog.tree import HASH_BYTES

LOG_BREAK = "log.break"
"""Kind of proposal, and of the leaf."""
MAX_REASON = 500
MAX_NUMBER = 253402300800
"""The year 10000."""
_HEADER = "sealwright-log-break/v1"


class LogBreakRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content of a proposal of kind "log.break".

    Attributes:
        size: Of the log from which on it goes on.
        root: Over so many leaves, 32 octets.
        reason: For people; one line.
    """

    size: int
    root: bytes
    reason: str


class LogBreak(Struct, frozen=True, kw_only=True):
    """What a note of a break says.

    Attributes:
        origin: Of the log.
        number: When the keystore signed it, seconds since 1970: grows from break to break, also if the keystore's own memory
            was restored. A device takes each once.
        size: As `LogBreakRequest`.
        root: As `LogBreakRequest`.
        reason: For people.
    """

    origin: str
    number: int
    size: int
    root: bytes
    reason: str

    @property
    def time(self) -> datetime:
        """When it was signed, aware UTC."""
        return datetime.fromtimestamp(self.number, UTC)

    def encode(self) -> str:
        """Return the note's text, ending in a newline."""
        root = base64.b64encode(self.root).decode("ascii")
        lines = (self.origin, _HEADER, self.number, self.size, root, self.reason)
        return "".join(f"{line}\n" for line in lines)


def log_break_note(text: str, public_key: bytes, signature: bytes) -> str:
    """Return the signed note of a break's text."""
    origin = text.partition("\n")[0]
    return f"{text}\n{SignatureLine(origin, key_id(origin, public_key), signature).encode()}"


def open_log_break(note: str, origin: str, public_key: bytes) -> LogBreak:
    """Verify the note of a break.

    Raises:
        DecodingError: If it is none.
        LogVerificationError: If it is another log's, or not signed by the log's key.
    """
    text, lines = split_note(note)
    parts = text.split("\n")
    if len(parts) != 7 or parts[1] != _HEADER or parts[6]:
        raise DecodingError("not a log break")
    try:
        root = base64.b64decode(parts[4], validate=True)
        number, size = int(parts[2]), int(parts[3])
        found = LogBreak(origin=parts[0], number=number, size=size, root=root, reason=parts[5])
    except (ValueError, binascii.Error) as error:
        raise DecodingError("not a log break") from error
    if len(root) != HASH_BYTES or not 0 <= number < MAX_NUMBER or size < 0 or found.encode() != text:
        raise DecodingError("not a log break")
    wanted = (origin, key_id(origin, public_key))
    signature = next((line for line in lines if (line.name, line.key_id) == wanted), None)
    if found.origin != origin or signature is None:
        raise LogVerificationError("the log break is not this log's")
    verify_line(signature, text.encode(), public_key)
    return found

r"""C2SP tlog-witness: the body of `add-checkpoint`, by which a log asks a witness for its cosignature.

old <size of the checkpoint that the witness cosigned last>\n
<base64 hash of the consistency proof>\n ...
\n
<signed note>
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from sealwright.errors import DecodingError
from sealwright.tlog.note import MAX_NOTE_BYTES, split_note
from sealwright.tlog.tree import HASH_BYTES

ADD_CHECKPOINT = "add-checkpoint"
SIZE_MEDIA_TYPE = "text/x.tlog.size"
MAX_PROOF_LINES = 63
MAX_REQUEST_BYTES = MAX_NOTE_BYTES + 8 * 1024


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """What a log asks a witness.

    Attributes:
        old_size: Of the checkpoint that the witness cosigned last; 0 for none.
        proof: From that size to the note's (RFC 9162 section 2.1.4).
        note: The log's signed checkpoint.
    """

    old_size: int
    proof: Sequence[bytes]
    note: str

    def encode(self) -> bytes:
        """Return the request's body."""
        lines = [
            f"old {self.old_size}\n",
            *(f"{base64.b64encode(each).decode('ascii')}\n" for each in self.proof),
            "\n",
        ]
        return ("".join(lines) + self.note).encode()


def decode_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Decode a request's body; the note's signatures are not verified.

    Raises:
        DecodingError: If it is none.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise DecodingError("the request is too large")
    try:
        head, separator, note = body.decode().partition("\n\n")
    except UnicodeDecodeError as error:
        raise DecodingError("not a request for a cosignature") from error
    first, *rest = head.split("\n")
    if not separator or not first.startswith("old ") or len(rest) > MAX_PROOF_LINES:
        raise DecodingError("not a request for a cosignature")
    split_note(note)
    return AddCheckpoint(decode_size(first.removeprefix("old ")), tuple(_hash(line) for line in rest), note)


def decode_size(text: str) -> int:
    """Decode the size of a log, a decimal without leading zeroes.

    Raises:
        DecodingError: If it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and str(int(text)) == text):
        raise DecodingError("not the size of a log")
    return int(text)


def _hash(line: str) -> bytes:
    try:
        decoded = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodingError("not a consistency proof") from error
    if len(decoded) != HASH_BYTES:
        raise DecodingError("not a consistency proof")
    return decoded

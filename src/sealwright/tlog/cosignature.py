r"""C2SP tlog-cosignature, Ed25519 (cosignature/v1): a node's or a witness's word that it saw a log grow only at its end.

The signed message is "cosignature/v1\ntime <seconds since 1970>\n" and the checkpoint's text; the signature on the line is the
time, 8 octets big endian, and the 64 octets of Ed25519. One key cosigns under one name only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sealwright.errors import DecodingError, LogVerificationError
from sealwright.tlog.note import COSIGNATURE, SignatureLine, is_key_name, key_id, split_note, verify_line

_TIME_BYTES = 8
_SIGNATURE_BYTES = _TIME_BYTES + 64


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A cosignature that verified.

    Attributes:
        name: Of the cosigner's key, as the line says.
        public_key: Raw, 32 octets.
        time: Seconds since 1970, as the cosigner says.
    """

    name: str
    public_key: bytes
    time: int


def cosign(text: str, name: str, time: int, sign: Callable[[bytes], bytes], public_key: bytes) -> str:
    """Return the signature line of a cosignature, ending in a newline.

    Args:
        text: The checkpoint's, ending in a newline.
        name: The cosigner's key name: no space, no plus sign.
        time: Seconds since 1970.
        sign: Ed25519 over the message handed in, returns 64 octets.
        public_key: Raw, 32 octets.
    """
    if not is_key_name(name):
        raise ValueError("a cosigner's name has no space and no plus sign")
    signature = time.to_bytes(_TIME_BYTES, "big") + sign(_message(text, time))
    return SignatureLine(name, key_id(name, public_key, COSIGNATURE), signature).encode()


def verified_cosignatures(note: str, public_keys: Sequence[bytes]) -> tuple[Cosignature, ...]:
    """Return the cosignatures of known keys on a note, each key once; lines of strangers are passed over.

    Args:
        note: A signed note.
        public_keys: Raw Ed25519 keys.

    Raises:
        DecodingError: If it is no signed note.
        LogVerificationError: If a line carries a known key's id, and does not verify.
    """
    text, lines = split_note(note)
    found: dict[bytes, Cosignature] = {}
    for line in lines:
        for public_key in public_keys:
            if line.key_id == key_id(line.name, public_key, COSIGNATURE) and public_key not in found:
                found[public_key] = _verify(line, text, public_key)
    return tuple(found.values())


def add_line(note: str, line: str) -> str:
    """Return a note with one more signature line; the same note if it has that very line.

    Raises:
        DecodingError: If the result is no signed note.
    """
    joined = note if line in note.splitlines(keepends=True) else note + line
    split_note(joined)
    return joined


def _verify(line: SignatureLine, text: str, public_key: bytes) -> Cosignature:
    if len(line.signature) != _SIGNATURE_BYTES:
        raise LogVerificationError("the checkpoint's cosignature is malformed")
    time = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    if time >= 1 << 63:
        raise DecodingError("the checkpoint's cosignature has no time")
    verify_line(SignatureLine(line.name, line.key_id, line.signature[_TIME_BYTES:]), _message(text, time), public_key)
    return Cosignature(line.name, public_key, time)


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()

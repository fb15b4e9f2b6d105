r"""C2SP signed notes: a text, an empty line, and signature lines `— <key name> <base64(key id || signature)>`.

Type 0x01 is Ed25519 over the text; type 0x04 is an Ed25519 cosignature/v1 (`tlog.cosignature`).
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from sealwright.errors import DecodingError, LogVerificationError

MAX_NOTE_BYTES = 64 * 1024
MAX_SIGNATURES = 32
ED25519, COSIGNATURE = b"\x01", b"\x04"
PUBLIC_KEY_BYTES = 32
_KEY_ID_BYTES = 4


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature line.

    Attributes:
        name: The key's name.
        key_id: 4 octets.
        signature: What follows the key id.
    """

    name: str
    key_id: bytes
    signature: bytes

    def encode(self) -> str:
        """Return the line, ending in a newline."""
        return f"— {self.name} {base64.b64encode(self.key_id + self.signature).decode('ascii')}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key that signs notes, as people hand it on: "<name>+<key id, hex>+<base64(type || public key)>".

    Attributes:
        name: No space, no plus sign.
        public_key: Raw Ed25519, 32 octets.
        kind: `ED25519` or `COSIGNATURE`.
    """

    name: str
    public_key: bytes
    kind: bytes = ED25519

    def encode(self) -> str:
        """Return the text."""
        encoded = base64.b64encode(self.kind + self.public_key).decode("ascii")
        return f"{self.name}+{key_id(self.name, self.public_key, self.kind).hex()}+{encoded}"


def decode_verifier_key(text: str) -> VerifierKey:
    """Decode a verifier key.

    Raises:
        DecodingError: If it is not one of an Ed25519 key, or its parts do not belong together.
    """
    failure = DecodingError("not a verifier key: <name>+<key id>+<base64>")
    name, _, rest = text.partition("+")
    try:
        blob = base64.b64decode(rest.partition("+")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise failure from error
    key = VerifierKey(name, blob[1:], blob[:1])
    if key.kind not in (ED25519, COSIGNATURE) or len(key.public_key) != PUBLIC_KEY_BYTES or not is_key_name(name):
        raise failure
    if key.encode() != text:
        raise failure
    return key


def is_key_name(name: str) -> bool:
    """Tell whether a text can name a key."""
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)


def key_id(name: str, public_key: bytes, kind: bytes = ED25519) -> bytes:
    r"""Return a key id: the first 4 octets of SHA-256(name || \n || type || public key)."""
    return hashlib.sha256(name.encode() + b"\n" + kind + public_key).digest()[:_KEY_ID_BYTES]


def split_note(note: str) -> tuple[str, tuple[SignatureLine, ...]]:
    """Split a signed note into its text, ending in a newline, and its signature lines. Verifies nothing.

    Raises:
        DecodingError: If it is no signed note, larger than 64 KiB, or has more than 32 signatures.
    """
    text, separator, tail = note.rpartition("\n\n")
    if not separator or not text or len(note.encode("utf-8", "replace")) > MAX_NOTE_BYTES or not tail.endswith("\n"):
        raise DecodingError("not a signed note")
    lines = tail.removesuffix("\n").split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise DecodingError("the signed note has too many signatures")
    return text + "\n", tuple(_signature_line(line) for line in lines)


def verify_line(line: SignatureLine, message: bytes, public_key: bytes) -> None:
    """Verify the Ed25519 signature of a line over a message.

    Raises:
        LogVerificationError: If it does not verify.
    """
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public_key).verify(line.signature, message)
    except (ValueError, InvalidSignature) as error:
        raise LogVerificationError("the checkpoint's signature does not verify") from error


def _signature_line(line: str) -> SignatureLine:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.rpartition(" ")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodingError("not a signed note") from error
    if dash != "—" or not name or len(blob) <= _KEY_ID_BYTES:
        raise DecodingError("not a signed note")
    return SignatureLine(name, blob[:_KEY_ID_BYTES], blob[_KEY_ID_BYTES:])

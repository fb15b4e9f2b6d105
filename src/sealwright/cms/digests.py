"""Message digests of SignedData (RFC 5754, 8702, 8419, 9688): which are read, and a content digested with several at once.

An AlgorithmIdentifier is looked up by its whole encoding: parameters absent or NULL for the SHA families (RFC 5754 section 2:
both MUST be accepted), absent for SHAKE, and the length 512 for id-shake256-len (RFC 8419 section 2.3).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes

from sealwright.asn1.der import object_identifier
from sealwright.asn1.writer import tlv

NULL = b"\x05\x00"
_HEAD_BYTES = 16
"""Enough for the headers of a SET, of its first SEQUENCE, and the tag of an OBJECT IDENTIFIER inside."""


@dataclass(frozen=True, slots=True, eq=False)
class Digest:
    """A message digest algorithm.

    Attributes:
        name: Such as "sha256".
        identifier_der: AlgorithmIdentifier as it is written.
        algorithm: Of `cryptography`.
        collision_bits: Strength against collisions.
        micalg: As multipart/signed names it (RFC 8551 section 3.5.3.2, RFC 8702 section 5).
    """

    name: str
    identifier_der: bytes
    algorithm: hashes.HashAlgorithm
    collision_bits: int
    micalg: str

    def of(self, data: bytes) -> bytes:
        """Return the digest of octets."""
        digest = hashes.Hash(self.algorithm)
        digest.update(data)
        return digest.finalize()


def algorithm_identifier(oid: str, *parameters: bytes) -> bytes:
    """Return the DER of an AlgorithmIdentifier; no parameters means absent."""
    return tlv(0x30, object_identifier(oid), *parameters)


_NIST = "2.16.840.1.101.3.4.2."
SHA1 = Digest("sha1", algorithm_identifier("1.3.14.3.2.26"), hashes.SHA1(), 60, "sha-1")  # noqa: S303
SHA256 = Digest("sha256", algorithm_identifier(_NIST + "1"), hashes.SHA256(), 128, "sha-256")
SHA384 = Digest("sha384", algorithm_identifier(_NIST + "2"), hashes.SHA384(), 192, "sha-384")
SHA512 = Digest("sha512", algorithm_identifier(_NIST + "3"), hashes.SHA512(), 256, "sha-512")
SHA3_256 = Digest("sha3-256", algorithm_identifier(_NIST + "8"), hashes.SHA3_256(), 128, "sha3-256")
SHA3_384 = Digest("sha3-384", algorithm_identifier(_NIST + "9"), hashes.SHA3_384(), 192, "sha3-384")
SHA3_512 = Digest("sha3-512", algorithm_identifier(_NIST + "10"), hashes.SHA3_512(), 256, "sha3-512")
SHAKE128 = Digest("shake128", algorithm_identifier(_NIST + "11"), hashes.SHAKE128(32), 128, "shake128-256")
SHAKE256 = Digest("shake256", algorithm_identifier(_NIST + "12"), hashes.SHAKE256(64), 256, "shake256-512")
SHAKE256_LEN = Digest(
    "shake256-len", algorithm_identifier(_NIST + "18", b"\x02\x02\x02\x00"), hashes.SHAKE256(64), 256, "shake256-512"
)

_SHA = (SHA1, SHA256, SHA384, SHA512, SHA3_256, SHA3_384, SHA3_512)
_BY_IDENTIFIER = {digest.identifier_der: digest for digest in (*_SHA, SHAKE128, SHAKE256, SHAKE256_LEN)} | {
    tlv(0x30, digest.identifier_der[2:], NULL): digest for digest in _SHA
}


def digest_for(identifier_der: bytes) -> Digest | None:
    """Return the digest that an AlgorithmIdentifier means, or None if it is not read here (MD5 and older never are)."""
    return _BY_IDENTIFIER.get(identifier_der)


class ContentDigests:
    """Digests of a content that is read once, in pieces; the algorithms are known from SignedData.digestAlgorithms before.

    Args:
        digests: Algorithms to compute.
    """

    def __init__(self, digests: Iterable[Digest]) -> None:
        self._running = {digest.name: hashes.Hash(digest.algorithm) for digest in digests}
        self._finished: dict[str, bytes] = {}
        self._head = b""
        self._size = 0

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next piece of the content."""
        for running in self._running.values():
            running.update(piece)
        if len(self._head) < _HEAD_BYTES:
            self._head += piece[: _HEAD_BYTES - len(self._head)]
        self._size += len(piece)

    def digest(self, digest: Digest) -> bytes | None:
        """Return the content's digest, which ends the content; None if the algorithm was not among those announced."""
        if digest.name not in self._finished:
            if digest.name not in self._running:
                return None
            self._finished[digest.name] = self._running[digest.name].finalize()
        return self._finished[digest.name]

    @property
    def looks_like_attributes(self) -> bool:
        """Whether the whole content is one DER SET of attributes.

        A signature without signed attributes over such a content could have been made over another message's attributes
        (draft-ietf-lamps-cms-euf-cma-signeddata).
        """
        return looks_like_attributes(self._head, self._size)


def looks_like_attributes(head: bytes, size: int) -> bool:
    """Say whether a content of some size is one DER SET whose first element is a SEQUENCE that starts with an OID.

    Args:
        head: The first 16 octets of the content, or all of them.
        size: Octets of the content.
    """
    inside = _after_header(head, 0, 0x31, size)
    if inside is None:
        return False
    attribute = _after_header(head, inside, 0x30, None)
    return attribute is not None and head[attribute : attribute + 1] == b"\x06"


def _after_header(head: bytes, position: int, tag: int, end: int | None) -> int | None:
    """Return where an element's content starts; None if it has another tag, or does not end at `end`."""
    if len(head) < position + 2 or head[position] != tag:
        return None
    length, start = head[position + 1], position + 2
    if length & 0x80:
        octets = length & 0x7F
        length = int.from_bytes(head[start : start + octets], "big")
        start += octets
    return start if end is None or start + length == end else None

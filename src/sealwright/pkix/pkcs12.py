"""PKCS #12 (RFC 7292) as far as `cryptography` falls short: all private keys of a file, and the bound on password hashing.

`cryptography` gives the last key of a file and all certificates. A backup of a mail program holds every key its owner ever
had, and old mail needs the old ones.
"""

import re
from collections.abc import Iterator

from sealwright.asn1.der import content_of, elements, object_identifier
from sealwright.asn1.writer import tlv
from sealwright.errors import DecodingError, InputError
from sealwright.pkix.pbes2 import MAX_ITERATIONS

MAX_KEYS = 100
"""A mailbox's whole history, a key for each year, has fewer; each costs a password hash."""
_DATA = object_identifier("1.2.840.113549.1.7.1")
_KEY_BAGS = (object_identifier("1.2.840.113549.1.12.10.1.1"), object_identifier("1.2.840.113549.1.12.10.1.2"))
"""keyBag and pkcs8ShroudedKeyBag (RFC 7292 section 4.2)."""
_HASHING = re.compile(
    # PBKDF2 (RFC 8018) or a pkcs-12PbeId, its parameters: SEQUENCE { OCTET STRING salt, INTEGER iterations
    rb"(?:\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c|\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01.)"
    rb"\x30[\x00-\x7f]\x04([\x00-\x7f])",
    re.DOTALL,
)


def private_keys(pfx: bytes) -> tuple[bytes, ...]:
    """Return the private keys of a file, each EncryptedPrivateKeyInfo or PrivateKeyInfo in DER, in the order of the file.

    Args:
        pfx: DER. Keys inside encrypted contents, where no program puts them, are not found.

    Raises:
        DecodingError: If it is not DER of a PFX with a password-based MAC, or has too many keys.
    """
    fields = elements(content_of(0x30, pfx))
    if len(fields) < 2:
        raise DecodingError("not a PKCS #12 file")
    found = []
    for tag, content_info in elements(content_of(0x30, _data(fields[1][1]))):
        if tag != 0x30 or not content_info.startswith(_DATA):
            continue  # encryptedData: certificates
        for _, bag in elements(content_of(0x30, _data(content_info))):
            parts = elements(bag)
            if len(parts) >= 2 and tlv(0x06, parts[0][1]) in _KEY_BAGS:
                found.append(parts[1][1])
    if len(found) > MAX_KEYS:
        raise DecodingError("the PKCS #12 file has too many keys")
    return tuple(found)


def check_iterations(encoded: bytes) -> None:
    """Check that opening a PKCS #12 or PKCS #8 file takes seconds at most.

    Args:
        encoded: DER.

    Raises:
        InputError: If it asks for more rounds of password hashing.
    """
    if any(count > MAX_ITERATIONS for count in (*_rounds(encoded), _mac_rounds(encoded))):
        raise InputError("opening the file would take too long: it asks for too many rounds of password hashing")


def _data(content_info: bytes) -> bytes:
    """Return the octets of a ContentInfo of type data, given its fields."""
    fields = elements(content_info)
    if len(fields) != 2 or tlv(0x06, fields[0][1]) != _DATA or fields[1][0] != 0xA0:
        raise DecodingError("not a PKCS #12 file that is protected by a password")
    return content_of(0x04, fields[1][1])


def _rounds(encoded: bytes) -> Iterator[int]:
    for match in _HASHING.finditer(encoded):
        start = match.end() + match[1][0]
        tag_and_length = encoded[start : start + 2]
        if len(tag_and_length) == 2 and tag_and_length[0] == 0x02:
            yield int.from_bytes(encoded[start + 2 : start + 2 + tag_and_length[1]], "big")


def _mac_rounds(pfx: bytes) -> int:
    """Return the count of MacData: SEQUENCE { DigestInfo, salt, iterations DEFAULT 1 } (RFC 7292 section 4)."""
    try:
        fields = elements(content_of(0x30, pfx))
        mac_data = elements(fields[2][1]) if len(fields) > 2 and fields[2][0] == 0x30 else []
    except DecodingError:
        return 1  # BER, or no PKCS #12 at all
    return int.from_bytes(mac_data[2][1], "big") if len(mac_data) > 2 and mac_data[2][0] == 0x02 else 1

"""Mail addresses in certificates: canonical form, subjectAltName forms (RFC 5280, RFC 9598), and reading them back."""

import re

from cryptography import x509
from cryptography.x509.oid import NameOID

from sealwright.errors import DecodingError, InputError
from sealwright.pkix.extensions import UNDECODABLE

SMTP_UTF8_MAILBOX = x509.ObjectIdentifier("1.3.6.1.5.5.7.8.9")
"""id-on-SmtpUTF8Mailbox (RFC 9598): the otherName form for a local part outside ASCII."""
MAX_ADDRESS_OCTETS = 254
MAX_LOCAL_PART_OCTETS = 64
_UTF8_STRING = 0x0C
_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_LOCAL_PART = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def canonical_address(text: str) -> str:
    """Return an addr-spec as it is stored and compared: lower-case local part, domain as lower-case A-labels.

    Quoted local parts and domain literals are not used for certified mailboxes and are refused.

    Raises:
        InputError: If `text` is not an addr-spec.
    """
    local_part, at, domain = text.strip().rpartition("@")
    local_part = local_part.lower()
    if not at or not _LOCAL_PART.fullmatch(local_part) or not local_part.isprintable():
        raise InputError("not a mail address: write it as name@example.com")
    if any(character.isspace() for character in local_part):
        raise InputError("not a mail address: write it as name@example.com")
    address = f"{local_part}@{canonical_domain(domain)}"
    too_long = len(address.encode("utf-8")) > MAX_ADDRESS_OCTETS
    if too_long or len(local_part.encode("utf-8")) > MAX_LOCAL_PART_OCTETS:
        raise InputError("the mail address is too long")
    return address


def is_folded(address: str) -> bool:
    """Say whether the canonical form of an addr-spec differs in more than the case of its letters.

    KELVIN SIGN becomes "k", and nameprep turns fullwidth letters, ligatures and full stops into others (RFC 3491): such an
    address only looks like the one that it would be compared as, and its mailbox is another one (RFC 9598 section 5).
    """
    local_part, _, domain = address.rpartition("@")
    if address != address.strip():  # NO-BREAK SPACE may begin a local part (RFC 6531 section 3.3)
        return True
    if not local_part.isascii() and local_part.lower().isascii():
        return True
    labels = domain.split(".")
    try:
        return any(not each.isascii() and each.encode("idna").decode("idna") != each.lower() for each in labels)
    except UnicodeError:
        return True


def canonical_domain(text: str) -> str:
    """Return a domain as lower-case A-labels.

    Raises:
        InputError: If `text` is not a domain name.
    """
    try:
        domain = text.lower() if text.isascii() else text.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise InputError("not a domain name") from error
    if len(domain) > 253 or not all(_LABEL.fullmatch(label) for label in domain.split(".")):
        raise InputError("not a domain name")
    return domain


def address_general_name(address: str) -> x509.GeneralName:
    """Return the subjectAltName form of a canonical address: rfc822Name, or SmtpUTF8Mailbox outside ASCII."""
    if address.isascii():
        return x509.RFC822Name(address)
    encoded = address.encode("utf-8")
    length = bytes((len(encoded),)) if len(encoded) < 0x80 else bytes((0x81, len(encoded)))
    return x509.OtherName(SMTP_UTF8_MAILBOX, bytes((_UTF8_STRING,)) + length + encoded)


def certificate_addresses(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return all mail addresses a certificate speaks for: subjectAltName first, then the subject; canonical, no doubles.

    What is not an addr-spec, has space around it, or only looks like the address that it would be compared as, is left out:
    whoever proved to have that mailbox has not proved to have the other one.

    Raises:
        DecodingError: If the extensions or a SmtpUTF8Mailbox cannot be decoded.
    """
    found: dict[str, None] = {}
    for text in raw_addresses(certificate):
        if is_folded(text):
            continue
        try:
            found[canonical_address(text)] = None
        except InputError:
            continue
    return tuple(found)


def raw_addresses(certificate: x509.Certificate) -> list[str]:
    """Return the mail addresses of subjectAltName and subject as they are written.

    Raises:
        DecodingError: If the extensions or a SmtpUTF8Mailbox cannot be decoded.
    """
    texts: list[str] = []
    try:
        for name in alternative_names(certificate):
            if isinstance(name, x509.RFC822Name):
                texts.append(name.value)
            elif isinstance(name, x509.OtherName) and name.type_id == SMTP_UTF8_MAILBOX:
                texts.append(_decode_utf8_string(name.value))
        for attribute in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
            value = attribute.value
            texts.append(value if isinstance(value, str) else value.decode("utf-8", "replace"))
    except UNDECODABLE as error:
        raise DecodingError("the names of a certificate cannot be decoded") from error
    return texts


def alternative_names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    """Return the names of the subjectAltName extension; an empty list where there is none.

    Raises:
        DecodingError: If the extensions cannot be decoded.
    """
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []
    except UNDECODABLE as error:
        raise DecodingError("the extensions of a certificate cannot be decoded") from error


def _decode_utf8_string(encoded: bytes) -> str:
    head = 3 if encoded[1:2] == b"\x81" else 2
    if len(encoded) < head or encoded[0] != _UTF8_STRING or encoded[head - 1] != len(encoded) - head:
        raise DecodingError("a SmtpUTF8Mailbox is not a UTF8String")
    try:
        return encoded[head:].decode("utf-8")
    except UnicodeDecodeError as error:
        raise DecodingError("a SmtpUTF8Mailbox is not UTF-8") from error

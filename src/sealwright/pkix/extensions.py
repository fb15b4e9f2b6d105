"""Decoding certificates as far as it is done late: `cryptography` reads names, times and extensions when they are asked for."""

from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from sealwright.errors import DecodingError

UNDECODABLE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises where a certificate, a list or a response is not what it should be."""
ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)


def decode_extensions(certificate: x509.Certificate) -> x509.Extensions:
    """Return the extensions of a certificate; empty for one of version 1.

    Raises:
        DecodingError: If they or the version cannot be decoded.
    """
    try:
        extensions, _ = certificate.extensions, certificate.version
    except UNDECODABLE as error:
        raise DecodingError("the extensions of a certificate cannot be decoded") from error
    return extensions


def is_decodable(certificate: x509.Certificate) -> bool:
    """Tell whether everything that path validation reads of a certificate, besides its key, can be decoded."""
    try:
        _ = certificate.subject, certificate.issuer, certificate.serial_number, certificate.extensions
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc, certificate.version
    except UNDECODABLE:
        return False
    return True


def find_extension(extensions: x509.Extensions, kind: type[ExtensionT]) -> ExtensionT | None:
    """Return the value of the extension of a kind, or None."""
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def unknown_critical(extensions: x509.Extensions, known: frozenset[x509.ObjectIdentifier]) -> bool:
    """Tell whether a critical extension is none of those that are processed."""
    return any(extension.critical and extension.oid not in known for extension in extensions)

"""Reading the extensions of certificates, lists and responses."""

from typing import TypeVar

from cryptography import x509

from sealwright.errors import DecodingError

ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)


def decode_extensions(certificate: x509.Certificate) -> x509.Extensions:
    """Return the extensions of a certificate; empty for one of version 1.

    Raises:
        DecodingError: If they or the version cannot be decoded.
    """
    try:
        extensions, _ = certificate.extensions, certificate.version
    except (ValueError, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType) as error:
        raise DecodingError("the extensions of a certificate cannot be decoded") from error
    return extensions


def find_extension(extensions: x509.Extensions, kind: type[ExtensionT]) -> ExtensionT | None:
    """Return the value of the extension of a kind, or None."""
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def unknown_critical(extensions: x509.Extensions, known: frozenset[x509.ObjectIdentifier]) -> bool:
    """Tell whether a critical extension is none of those that are processed."""
    return any(extension.critical and extension.oid not in known for extension in extensions)

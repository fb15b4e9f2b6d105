"""Distinguished names as RFC 5280 section 7.1 compares them: by value, not by encoding."""

import unicodedata
from functools import lru_cache

from cryptography import x509

NormalizedName = tuple[frozenset[tuple[str, str | bytes]], ...]
"""One set of (attribute type, value) for each relative distinguished name, most significant first."""


@lru_cache(maxsize=4096)
def normalized_name(name: x509.Name) -> NormalizedName:
    """Return a form in which equal names are equal: no string type, no case, no insignificant space (RFC 4518)."""
    return tuple(frozenset((part.oid.dotted_string, _normalized(part.value)) for part in rdn) for rdn in name.rdns)


def is_within_subtree(name: NormalizedName, base: NormalizedName) -> bool:
    """Tell whether a name lies at or below a directoryName constraint (RFC 5280 section 4.2.1.10)."""
    return name[: len(base)] == base


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Tell whether subject and issuer are the same name (RFC 5280 section 6.1)."""
    return normalized_name(certificate.subject) == normalized_name(certificate.issuer)


def _normalized(value: str | bytes) -> str | bytes:
    if isinstance(value, bytes):  # a bit string: compared as it is
        return value
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())

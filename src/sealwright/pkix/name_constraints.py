"""Name constraints (RFC 5280 section 4.2.1.10, RFC 9598 section 6): what the CAs above permit and exclude.

Compared are mail addresses (rfc822Name, SmtpUTF8Mailbox, and emailAddress in the subject), dNSName, URI, iPAddress and
directoryName. A form that is constrained and cannot be compared, or a malformed constraint, refuses every name of its
form: nothing is guessed. Mail addresses are compared as this product compares them everywhere, without regard to case.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from cryptography import x509

from sealwright.errors import InputError, PathValidationError
from sealwright.pkix.distinguished_names import NormalizedName, is_within_subtree, normalized_name
from sealwright.pkix.names import (
    SMTP_UTF8_MAILBOX,
    alternative_names,
    canonical_address,
    canonical_domain,
    raw_addresses,
)

MAX_COMPARISONS = 100_000
"""Of one path. Ten CAs with a thousand constraints each over a leaf with a thousand names would be ten million."""
MAIL, DNS, URI, IP, DIRECTORY = "mail", "dns", "uri", "ip", "directory"
Value = str | NormalizedName | IPv4Address | IPv6Address | IPv4Network | IPv6Network
_MALFORMED: object = object()
"""A constraint that cannot be read; every name of its form is refused."""


@dataclass(slots=True)
class NameConstraintState:
    """What the certificates above have permitted and excluded so far.

    Attributes:
        permitted: Form and subtrees, one for each certificate that permits names of this form; a name is in each of them.
        excluded: By form, the subtrees that no name below may be in.
        comparisons_left: See `MAX_COMPARISONS`.
    """

    permitted: list[tuple[str, list[object]]] = field(default_factory=list)
    excluded: dict[str, list[object]] = field(default_factory=dict)
    comparisons_left: int = MAX_COMPARISONS

    def add(self, constraints: x509.NameConstraints) -> None:
        """Take up the constraints of a CA certificate (RFC 5280 section 6.1.4 (g))."""
        permitted: dict[str, list[object]] = {}
        for name in constraints.permitted_subtrees or ():
            form, subtree = _subtree(name)
            permitted.setdefault(form, []).append(subtree)
        self.permitted.extend(permitted.items())
        for name in constraints.excluded_subtrees or ():
            form, subtree = _subtree(name)
            self.excluded.setdefault(form, []).append(subtree)

    def check(self, certificate: x509.Certificate) -> None:
        """Check a certificate's names against all constraints above it (RFC 5280 section 6.1.3 (b) and (c)).

        Raises:
            PathValidationError: "name-constraints", if a name is excluded, not permitted, or cannot be compared.
            DecodingError: If the names cannot be decoded.
        """
        if not self.permitted and not self.excluded:
            return
        constrained = {form for form, _ in self.permitted} | self.excluded.keys()
        for form, text, value in _names(certificate, constrained):
            self._check_name(form, text, value)

    def _check_name(self, form: str, text: str, value: Value | None) -> None:
        groups = [subtrees for permitted, subtrees in self.permitted if permitted == form]
        excluded = self.excluded.get(form, [])
        self.comparisons_left -= len(excluded) + sum(map(len, groups))
        if self.comparisons_left < 0:
            raise PathValidationError("the path has too many names and name constraints", "too-many-steps")
        if value is None or any(_MALFORMED in subtrees for subtrees in (*groups, excluded)):
            raise PathValidationError(
                "a certificate has a name under a constraint that cannot be checked", "name-constraints"
            )
        is_excluded = any(_is_within(form, value, subtree) for subtree in excluded)
        if is_excluded or not all(any(_is_within(form, value, one) for one in group) for group in groups):
            raise PathValidationError(f"the CA may not issue for {text}", "name-constraints")


def is_within_mail_subtree(address: str, constraint: str) -> bool:
    """Tell whether a canonical address lies in an rfc822Name subtree: a mailbox, a host, or a ".domain"."""
    domain = address.rpartition("@")[2]
    return address == constraint if "@" in constraint else _is_within_host(domain, constraint)


def _is_within_host(host: str, constraint: str) -> bool:
    if constraint.startswith("."):
        return host.endswith(constraint)
    return constraint in ("", host)


def _is_within(form: str, value: Value, subtree: object) -> bool:
    if isinstance(value, str) and isinstance(subtree, str):
        if form == MAIL:
            return is_within_mail_subtree(value, subtree)
        if form == DNS:  # a host and all below it
            return subtree in ("", value) or value.endswith(f".{subtree}")
        return _is_within_host(value, subtree)
    if isinstance(value, tuple) and isinstance(subtree, tuple):
        return is_within_subtree(value, subtree)
    is_four = isinstance(value, IPv4Address) and isinstance(subtree, IPv4Network)
    is_six = isinstance(value, IPv6Address) and isinstance(subtree, IPv6Network)
    return (is_four or is_six) and value in subtree  # type: ignore[operator]  # the kinds were just compared


def _subtree(name: x509.GeneralName) -> tuple[str, object]:
    """Return form and subtree of a constraint; the form of an unsupported name is a word of its own."""
    form, subtree = _form(name), _MALFORMED
    try:
        if isinstance(name, x509.RFC822Name):
            subtree = canonical_address(name.value) if "@" in name.value else _host_subtree(name.value)
        elif isinstance(name, x509.UniformResourceIdentifier):
            subtree = _host_subtree(name.value)
        elif isinstance(name, x509.DNSName):
            subtree = canonical_domain(name.value) if name.value else ""
        elif isinstance(name, x509.IPAddress) and isinstance(name.value, IPv4Network | IPv6Network):
            subtree = name.value
        elif isinstance(name, x509.DirectoryName):
            subtree = normalized_name(name.value)
    except InputError:
        subtree = _MALFORMED
    return form, subtree


def _host_subtree(text: str) -> str:
    if text in ("", "."):
        return ""
    dot = "." if text.startswith(".") else ""
    return dot + canonical_domain(text.removeprefix("."))


def _form(name: x509.GeneralName) -> str:
    if isinstance(name, x509.OtherName):
        return MAIL if name.type_id == SMTP_UTF8_MAILBOX else f"other {name.type_id.dotted_string}"
    forms = {
        x509.RFC822Name: MAIL,
        x509.DNSName: DNS,
        x509.UniformResourceIdentifier: URI,
        x509.IPAddress: IP,
        x509.DirectoryName: DIRECTORY,
    }
    return forms.get(type(name), type(name).__name__)


def _names(certificate: x509.Certificate, constrained: set[str]) -> list[tuple[str, str, Value | None]]:
    """Return form, text for people and value of a certificate's names of constrained forms; None: cannot be compared."""
    found: list[tuple[str, str, Value | None]] = []
    if MAIL in constrained:
        found += [(MAIL, text, _address(text)) for text in raw_addresses(certificate)]
    if DIRECTORY in constrained and certificate.subject.rdns:
        found.append((DIRECTORY, certificate.subject.rfc4514_string(), normalized_name(certificate.subject)))
    for name in alternative_names(certificate):
        form = _form(name)
        if form in constrained and form != MAIL:
            found.append((form, str(name.value), _value(name)))
    return found


def _address(text: str) -> str | None:
    try:
        return canonical_address(text)
    except InputError:
        return None


def _value(name: x509.GeneralName) -> Value | None:
    if isinstance(name, x509.DirectoryName):
        return normalized_name(name.value)
    if isinstance(name, x509.IPAddress):
        return name.value if isinstance(name.value, IPv4Address | IPv6Address) else None
    try:
        if isinstance(name, x509.DNSName):
            return canonical_domain(name.value)
        if isinstance(name, x509.UniformResourceIdentifier):
            host = urlsplit(name.value).hostname or ""
            return None if _is_ip(host) else canonical_domain(host)
    except (InputError, ValueError):
        return None
    return None


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

"""Name constraints for mail addresses (RFC 5280 section 4.2.1.10, RFC 9598 section 6); other forms are refused, not guessed."""

from dataclasses import dataclass, field

from cryptography import x509

from sealwright.errors import InputError, PathValidationError
from sealwright.pkix.names import SMTP_UTF8_MAILBOX, alternative_names, canonical_address, raw_addresses


@dataclass(slots=True)
class NameConstraintState:
    """What the certificates above have permitted and excluded so far.

    Attributes:
        permitted: One list per certificate that permits mail names; an address matches one of each.
        excluded: Mail names no certificate below may hold.
        unsupported_forms: Name forms that are constrained but not compared here; none may occur below.
    """

    permitted: list[list[str]] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    unsupported_forms: set[type[x509.GeneralName]] = field(default_factory=set)

    def add(self, constraints: x509.NameConstraints) -> None:
        """Take up the constraints of a CA certificate."""
        permitted = [name for name in constraints.permitted_subtrees or [] if not self._is_unsupported(name)]
        if permitted:
            self.permitted.append([str(name.value).lower() for name in permitted])
        for name in constraints.excluded_subtrees or []:
            if not self._is_unsupported(name):
                self.excluded.append(str(name.value).lower())

    def check(self, certificate: x509.Certificate) -> None:
        """Check a certificate's names against all constraints above it.

        Raises:
            PathValidationError: If a name is excluded, not permitted, or of a form that cannot be compared.
            DecodingError: If the names cannot be decoded.
        """
        if self.permitted or self.excluded:
            for text in raw_addresses(certificate):
                self._check_address(text)
        if self.unsupported_forms:
            forms: set[type[x509.GeneralName]] = {
                type(name)
                for name in alternative_names(certificate)
                if not (isinstance(name, x509.OtherName) and name.type_id == SMTP_UTF8_MAILBOX)
            }
            if list(certificate.subject):
                forms.add(x509.DirectoryName)
            if forms & self.unsupported_forms:
                raise PathValidationError("a certificate has a name under a constraint that cannot be checked")

    def _is_unsupported(self, name: x509.GeneralName) -> bool:
        if isinstance(name, x509.RFC822Name):
            return False
        self.unsupported_forms.add(type(name))
        return True

    def _check_address(self, text: str) -> None:
        try:
            address = canonical_address(text)
        except InputError as error:
            raise PathValidationError("a constrained certificate has a malformed mail address") from error
        if any(is_within(address, constraint) for constraint in self.excluded):
            raise PathValidationError(f"the CA may not issue for {address}")
        if not all(any(is_within(address, constraint) for constraint in group) for group in self.permitted):
            raise PathValidationError(f"the CA may not issue for {address}")


def is_within(address: str, constraint: str) -> bool:
    """Tell whether a canonical address lies in an rfc822Name subtree: a mailbox, a host, or a ".domain"."""
    domain = address.rpartition("@")[2]
    if "@" in constraint:
        return address == constraint
    if constraint.startswith("."):
        return domain.endswith(constraint)
    return constraint in ("", domain)

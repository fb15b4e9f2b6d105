"""Building certification paths within bounds: depth first, trust anchors first, no key of a name twice (RFC 4158)."""

from collections.abc import Iterator, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealwright.pkix.distinguished_names import NormalizedName, normalized_name
from sealwright.pkix.extensions import UNDECODABLE, is_decodable
from sealwright.pkix.signatures import Signed, WorkBudget, is_signed_by

MAX_PATH_CERTIFICATES = 10
"""Nobody issues through more levels, and the search grows with each."""
MAX_CANDIDATES = 100
"""Certificates that path building looks at; what comes with a mail beyond this is an attack."""


class CertificatePool:
    """Certificates by subject, and the signatures that were verified with their keys: each only once.

    Args:
        anchors: Trusted root certificates.
        others: Any; what comes after the first 100 is left out.
        budget: What all paths together may cost.
    """

    def __init__(
        self, anchors: Sequence[x509.Certificate], others: Sequence[x509.Certificate], budget: WorkBudget
    ) -> None:
        self.anchors = list(dict.fromkeys(anchors))
        self.budget = budget
        self._by_subject: dict[NormalizedName, list[x509.Certificate]] = {}
        rest = [certificate for certificate in dict.fromkeys(others) if certificate not in self.anchors]
        for certificate in filter(is_decodable, self.anchors + rest[:MAX_CANDIDATES]):
            self._by_subject.setdefault(normalized_name(certificate.subject), []).append(certificate)
        self._verified: dict[tuple[x509.Certificate | int, x509.Certificate], bool] = {}
        self._keys: dict[x509.Certificate, bytes] = {}

    def named(self, name: x509.Name) -> list[x509.Certificate]:
        """Return the certificates of a subject, anchors first."""
        return self._by_subject.get(normalized_name(name), [])

    def is_signed_by(self, signed: Signed, signer: x509.Certificate) -> bool:
        """Tell whether a signature verifies with the key of a certificate.

        Raises:
            PathValidationError: If the budget is spent.
        """
        # the caller keeps its lists as long as this pool, so their identity is theirs alone
        key = (signed if isinstance(signed, x509.Certificate) else id(signed), signer)
        if key not in self._verified:
            self._verified[key] = is_signed_by(signed, signer, self.budget)
        return self._verified[key]

    def paths(self, leaf: x509.Certificate) -> Iterator[list[x509.Certificate]]:
        """Yield the paths from a certificate to an anchor, leaf first: names chain and signatures verify, no more.

        Raises:
            PathValidationError: If the budget is spent.
        """
        stack = [[leaf]]
        while stack:
            path = stack.pop()
            last = path[-1]
            for issuer in reversed(self.named(last.issuer)):  # the stack turns the order round: anchors come first
                self.budget.spend_step()
                if len(path) == MAX_PATH_CERTIFICATES or self._is_in(issuer, path):
                    continue
                if may_be_issuer(last, issuer) and self.is_signed_by(last, issuer):
                    stack.append([*path, issuer])
            if len(path) > 1 and last in self.anchors:
                yield path

    def _is_in(self, issuer: x509.Certificate, path: list[x509.Certificate]) -> bool:
        """Tell whether a path has this subject with this key already: going round adds nothing."""
        name, key = normalized_name(issuer.subject), self._key(issuer)
        return any(normalized_name(one.subject) == name and self._key(one) == key for one in path)

    def _key(self, certificate: x509.Certificate) -> bytes:
        if certificate not in self._keys:
            try:
                key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            except UNDECODABLE:
                key = b""
            self._keys[certificate] = key
        return self._keys[certificate]


def may_be_issuer(signed: Signed, issuer: x509.Certificate) -> bool:
    """Tell whether the key identifiers of a certificate or list and of its issuer do not contradict each other."""
    try:
        authority = signed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        subject = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return True
    except UNDECODABLE:
        return False
    return authority is None or authority == subject

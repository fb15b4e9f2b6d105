"""Fetching a missing intermediate certificate by authorityInfoAccess (RFC 5280 section 4.2.2.1), from known hosts only.

What is fetched is a candidate for path building and nothing more. Over plain HTTP, too: it carries its own signature.
"""

from collections.abc import Iterable, Sequence

from cryptography import x509

from sealwright.client.key_files import load_certificate_file
from sealwright.client.known_hosts import KnownHosts, issuer_urls
from sealwright.errors import SealwrightError
from sealwright.net.http import HttpClient
from sealwright.pkix.distinguished_names import is_self_issued, normalized_name
from sealwright.pkix.extensions import is_decodable
from sealwright.pkix.path_building import MAX_PATH_CERTIFICATES, may_be_issuer

MAX_ANSWER_BYTES = 256 * 1024
"""Twenty certificates with the largest keys that there are (ML-DSA-87: 7.5 kB), and some air."""
MAX_CANDIDATES = 20
"""Of one answer; cross certificates of one CA are few."""
MAX_FETCHES = 3
"""For one message: paths for mail have one or two intermediates; a certificate that names many places gains nothing."""


class IssuerSources:
    """Certificates by URL, each fetched at most once.

    Args:
        hosts: May be asked.
        tls_anchors: DER certificates trusted for https besides the system's own.
    """

    def __init__(self, hosts: KnownHosts, tls_anchors: Sequence[bytes] = ()) -> None:
        self._hosts = hosts
        self._http = HttpClient(tls_anchors, allow_plain=True)
        self._fetched: dict[str, tuple[x509.Certificate, ...]] = {}

    def is_fetched(self, url: str) -> bool:
        """Tell whether a URL was asked already."""
        return url in self._fetched

    def may_be_asked(self, url: str) -> bool:
        """Tell whether a URL is one that may be asked."""
        return self._hosts.is_known_origin(url)

    def fetch(self, url: str) -> tuple[x509.Certificate, ...]:
        """Return the certificates at a URL: one in DER, or certs-only CMS; none if they cannot be had."""
        if url not in self._fetched:
            self._fetched[url] = ()
            try:
                answer = self._http.request("GET", url, max_bytes=MAX_ANSWER_BYTES)
                if answer.status == 200:
                    self._fetched[url] = load_certificate_file(answer.body)[:MAX_CANDIDATES]
            except SealwrightError:
                self._fetched[url] = ()
        return self._fetched[url]


class MissingIssuers:
    """Looks for the issuers that are missing from the paths of one message's certificates.

    Args:
        sources: Shared by all messages of a command.
    """

    def __init__(self, sources: IssuerSources) -> None:
        self._sources = sources
        self._fetches_left = MAX_FETCHES

    def fetch_for(
        self, certificate: x509.Certificate, known: Sequence[x509.Certificate]
    ) -> tuple[x509.Certificate, ...]:
        """Return candidates for the issuers above a certificate of which none is known, for the caller to validate.

        Args:
            certificate: Without a path; nothing that it says is believed.
            known: Trust anchors and every intermediate that is at hand.
        """
        found: list[x509.Certificate] = []
        level = [certificate]
        for _ in range(MAX_PATH_CERTIFICATES):
            above = [issuer for each in level for issuer in _issuers(each, [*known, *found])]
            if not above:
                fresh = [one for each in level for url in issuer_urls(each) for one in self._fetch(url)]
                above = [issuer for each in level for issuer in _issuers(each, fresh) if issuer not in found]
                found += above
            level = [each for each in dict.fromkeys(above) if not is_self_issued(each)]
        return tuple(found)

    def _fetch(self, url: str) -> tuple[x509.Certificate, ...]:
        if not self._sources.may_be_asked(url):
            return ()
        if not self._sources.is_fetched(url):
            if not self._fetches_left:
                return ()
            self._fetches_left -= 1
        return self._sources.fetch(url)


def _issuers(certificate: x509.Certificate, candidates: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """Return what may have issued a certificate, by name and key identifier; itself does not count."""
    if not is_decodable(certificate):
        return []
    issuer = normalized_name(certificate.issuer)
    return [
        each
        for each in candidates
        if each != certificate
        and is_decodable(each)
        and normalized_name(each.subject) == issuer
        and may_be_issuer(certificate, each)
    ]

"""Fetching revocation lists over plain HTTP, from hosts of the organization only, and keeping them for one command."""

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from cryptography import x509

from sealwright.errors import SealwrightError, UnavailableError
from sealwright.net.http import HttpClient

MAX_CRL_BYTES = 16 * 1024 * 1024


class RevocationLists:
    """Lists by URL, each fetched at most once.

    Args:
        endpoints: Base URLs of the organization's nodes; their hosts may be asked.
        anchors: Hosts in their distribution points and authority information may be asked, too.
    """

    def __init__(self, endpoints: Iterable[str], anchors: Sequence[x509.Certificate]) -> None:
        self._hosts = {urlsplit(endpoint).hostname for endpoint in endpoints}
        self._hosts |= {urlsplit(url).hostname for anchor in anchors for url in crl_urls(anchor)}
        self._http = HttpClient(allow_plain=True)
        self._fetched: dict[str, x509.CertificateRevocationList | None] = {}

    def fetch_for(self, path: Sequence[x509.Certificate]) -> list[x509.CertificateRevocationList]:
        """Return the lists that the certificates of a valid path point to, as far as they can be had.

        Never for certificates whose path was not validated: what a stranger wrote into one would be asked for.

        Args:
            path: Leaf first. Hosts that its CAs' certificates name may be asked, too; the leaf adds none.
        """
        self._hosts |= {urlsplit(url).hostname for authority in path[1:] for url in crl_urls(authority)}
        urls = dict.fromkeys(url for certificate in path for url in crl_urls(certificate))
        return [found for url in urls if (found := self._fetch(url)) is not None]

    def _fetch(self, url: str) -> x509.CertificateRevocationList | None:
        if url not in self._fetched:
            self._fetched[url] = None
            parts = urlsplit(url)
            if parts.scheme == "http" and parts.hostname in self._hosts:
                try:
                    answer = self._http.request("GET", url, max_bytes=MAX_CRL_BYTES)
                    self._fetched[url] = _decode(answer.body) if answer.status == 200 else None
                except SealwrightError:
                    self._fetched[url] = None
        return self._fetched[url]


def status_warning(certificate: x509.Certificate) -> str:
    """Return what people are told where no list says whether a certificate is revoked."""
    urls = ", ".join(crl_urls(certificate))
    why = f"no current list could be read from {urls}" if urls else "it names no list"
    return f"whether a certificate is revoked is unknown: {why}"


def crl_urls(certificate: x509.Certificate) -> list[str]:
    """Return the URLs of a certificate's distribution points; none if the extension cannot be read."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return []
    names = [name for point in points for name in point.full_name or ()]
    return [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]


def _decode(der: bytes) -> x509.CertificateRevocationList:
    try:
        return x509.load_der_x509_crl(der)
    except ValueError as error:
        raise UnavailableError("not a revocation list") from error

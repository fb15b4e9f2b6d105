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

    def fetch_for(
        self, certificates: Iterable[x509.Certificate]
    ) -> tuple[list[x509.CertificateRevocationList], list[str]]:
        """Return the lists that certificates point to, and a warning for each that could not be had."""
        lists: list[x509.CertificateRevocationList] = []
        warnings: list[str] = []
        for url in dict.fromkeys(url for certificate in certificates for url in crl_urls(certificate)):
            found = self._fetch(url)
            if found is None:
                warnings.append(f"whether a certificate is revoked is unknown: {url} could not be read")
            else:
                lists.append(found)
        return lists, warnings

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

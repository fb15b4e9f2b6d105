"""Fetching revocation lists and OCSP responses, from hosts of the organization and its CAs only; kept for one command.

Over plain HTTP: they carry their own signatures.
"""

import secrets
from collections.abc import Iterable, Sequence
from itertools import pairwise
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from sealwright.errors import SealwrightError, UnavailableError
from sealwright.net.http import HttpClient
from sealwright.pkix import ocsp
from sealwright.pkix.extensions import UNDECODABLE
from sealwright.pkix.revocation import Evidence

MAX_CRL_BYTES = 16 * 1024 * 1024
"""About 400,000 entries; more are not worth the wait of somebody who reads a mail."""
_OCSP_HEADERS = {"Content-Type": "application/ocsp-request", "Accept": "application/ocsp-response"}


class RevocationSources:
    """Lists by URL and responses by certificate, each fetched at most once.

    A responder is asked only where no list could be had: it learns which certificate somebody is looking at.

    Args:
        endpoints: Base URLs of the organization's nodes; their hosts may be asked.
        anchors: Hosts in their distribution points and authority information may be asked, too.
    """

    def __init__(self, endpoints: Iterable[str], anchors: Sequence[x509.Certificate]) -> None:
        self._hosts = {urlsplit(endpoint).hostname for endpoint in endpoints}
        self._admit(anchors)
        self._http = HttpClient(allow_plain=True)
        self._lists: dict[str, x509.CertificateRevocationList | None] = {}
        self._responses: dict[x509.Certificate, bytes | None] = {}

    def fetch_for(self, path: Sequence[x509.Certificate]) -> Evidence:
        """Return what the certificates of a valid path point to, as far as it can be had.

        Never for certificates whose path was not validated: what a stranger wrote into one would be asked for.

        Args:
            path: Leaf first, anchor last. Hosts that its CAs' certificates name may be asked, too; the leaf adds none.
        """
        self._admit(path[1:])
        crls: dict[str, x509.CertificateRevocationList] = {}
        responses = []
        for certificate, issuer in pairwise(path):
            found = {url: crl for url in crl_urls(certificate) if (crl := self._list(url)) is not None}
            crls |= found
            response = self._response(certificate, issuer) if not found else None
            if response is not None:
                responses.append(response)
        return Evidence(tuple(crls.values()), tuple(responses))

    def _admit(self, authorities: Iterable[x509.Certificate]) -> None:
        for authority in authorities:
            self._hosts |= {urlsplit(url).hostname for url in (*crl_urls(authority), *ocsp_urls(authority))}

    def _may_be_asked(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname in self._hosts

    def _list(self, url: str) -> x509.CertificateRevocationList | None:
        if url not in self._lists:
            self._lists[url] = None
            if self._may_be_asked(url):
                try:
                    answer = self._http.request("GET", url, max_bytes=MAX_CRL_BYTES)
                    self._lists[url] = _decode(answer.body) if answer.status == 200 else None
                except SealwrightError:
                    self._lists[url] = None
        return self._lists[url]

    def _response(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bytes | None:
        if certificate not in self._responses:
            urls = [url for url in ocsp_urls(certificate) if self._may_be_asked(url)]
            self._responses[certificate] = self._ask(urls[0], certificate, issuer) if urls else None
        return self._responses[certificate]

    def _ask(self, url: str, certificate: x509.Certificate, issuer: x509.Certificate) -> bytes | None:
        nonce = secrets.token_bytes(ocsp.NONCE_OCTETS)
        request = ocsp.build_request(certificate, issuer, nonce)
        try:
            answer = self._http.request(
                "POST", url, headers=_OCSP_HEADERS, body=request, max_bytes=ocsp.MAX_RESPONSE_OCTETS
            )
            # RFC 9654 section 2.1: a responder may leave the nonce out (it answers from a cache), but not change it
            if answer.status != 200 or ocsp.nonce_of(answer.body) not in (None, nonce):
                return None
        except SealwrightError:
            return None
        return answer.body


def status_warning(certificate: x509.Certificate) -> str:
    """Return what people are told where nobody says whether a certificate is revoked."""
    urls = ", ".join([*crl_urls(certificate), *ocsp_urls(certificate)])
    why = f"no current list or answer could be had from {urls}" if urls else "it names no list"
    return f"whether a certificate is revoked is unknown: {why}"


def crl_urls(certificate: x509.Certificate) -> list[str]:
    """Return the URLs of a certificate's distribution points; none if the extension cannot be read.

    Those of delta lists (freshestCRL, RFC 5280 section 4.2.1.15) come last.
    """
    try:
        extensions = certificate.extensions
    except UNDECODABLE:
        return []
    values = [extension.value for extension in extensions]
    points = [
        point
        for kind in (x509.CRLDistributionPoints, x509.FreshestCRL)
        for value in values
        if isinstance(value, kind)
        for point in value
    ]
    names = [name for point in points for name in point.full_name or ()]
    return [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]


def ocsp_urls(certificate: x509.Certificate) -> list[str]:
    """Return the URLs of a certificate's OCSP responders; none if the extension cannot be read."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *UNDECODABLE):
        return []
    places = [one.access_location for one in access if one.access_method == AuthorityInformationAccessOID.OCSP]
    return [place.value for place in places if isinstance(place, x509.UniformResourceIdentifier)]


def _decode(der: bytes) -> x509.CertificateRevocationList:
    try:
        return x509.load_der_x509_crl(der)
    except UNDECODABLE as error:
        raise UnavailableError("not a revocation list") from error

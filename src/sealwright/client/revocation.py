"""Fetching revocation lists and OCSP responses, from hosts of the organization and its CAs only; kept for one command.

Over plain HTTP: they carry their own signatures.
"""

import secrets
from collections.abc import Sequence
from itertools import pairwise

from cryptography import x509

from sealwright.client.known_hosts import KnownHosts, crl_urls, ocsp_urls
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
        hosts: May be asked.
    """

    def __init__(self, hosts: KnownHosts) -> None:
        self._hosts = hosts
        self._http = HttpClient(allow_plain=True)
        self._lists: dict[str, x509.CertificateRevocationList | None] = {}
        self._responses: dict[x509.Certificate, bytes | None] = {}

    def fetch_for(self, path: Sequence[x509.Certificate]) -> Evidence:
        """Return what the certificates of a valid path point to, as far as it can be had.

        Never for certificates whose path was not validated: what a stranger wrote into one would be asked for.

        Args:
            path: Leaf first, anchor last. Hosts that its CAs' certificates name may be asked, too; the leaf adds none.
        """
        self._hosts.admit(path[1:])
        crls: dict[str, x509.CertificateRevocationList] = {}
        responses = []
        for certificate, issuer in pairwise(path):
            found = {url: crl for url in crl_urls(certificate) if (crl := self._list(url)) is not None}
            crls |= found
            response = self._response(certificate, issuer) if not found else None
            if response is not None:
                responses.append(response)
        return Evidence(tuple(crls.values()), tuple(responses))

    def _may_be_asked(self, url: str) -> bool:
        return url.startswith("http:") and self._hosts.is_known(url)

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


def _decode(der: bytes) -> x509.CertificateRevocationList:
    try:
        return x509.load_der_x509_crl(der)
    except UNDECODABLE as error:
        raise UnavailableError("not a revocation list") from error

"""Which hosts may be asked for what certificates point to: those of the organization, and those that trusted CAs name.

A host that only a stranger's certificate names is never asked: he would learn who reads his mail, and when.
"""

import re
from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from sealwright.pkix.extensions import UNDECODABLE

_URL = re.compile(r"(https?)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?P<port>:[0-9]{1,5})?(/[!-~]*)?", re.ASCII)
"""Nothing that two parsers could read in two ways: no user, no backslash, no white space."""


class KnownHosts:
    """Hosts that are known beforehand; more are admitted as more CAs turn out to be trusted.

    Args:
        endpoints: Base URLs of the organization's nodes.
        anchors: Trusted roots.
    """

    def __init__(self, endpoints: Iterable[str], anchors: Sequence[x509.Certificate]) -> None:
        self._hosts: set[str] = set()
        self._origins: set[str] = set()
        self._admit_urls(endpoints)
        self.admit(anchors)

    def admit(self, authorities: Iterable[x509.Certificate]) -> None:
        """Admit the hosts that certificates of trusted CAs name."""
        for authority in authorities:
            self._admit_urls((*crl_urls(authority), *ocsp_urls(authority), *issuer_urls(authority)))

    def _admit_urls(self, urls: Iterable[str]) -> None:
        for url in urls:
            if (found := _URL.fullmatch(url)) is not None:
                host = found["host"].lower()
                self._hosts.add(host)
                self._origins.add(host + (found["port"] or ""))

    def is_known(self, url: str) -> bool:
        """Tell whether a URL, http or https, is on a known host, whatever its port."""
        found = _URL.fullmatch(url)
        return found is not None and found["host"].lower() in self._hosts

    def is_known_origin(self, url: str) -> bool:
        """Tell whether a URL, http or https, is on a known host and on the usual port or one that is known, too.

        For what a certificate says that nobody has validated yet: it is not to knock at other ports of our hosts.
        """
        found = _URL.fullmatch(url)
        if found is None or found["host"].lower() not in self._hosts:
            return False
        return found["port"] is None or found["host"].lower() + found["port"] in self._origins


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
    return _access_urls(certificate, AuthorityInformationAccessOID.OCSP)


def issuer_urls(certificate: x509.Certificate) -> list[str]:
    """Return the URLs of a certificate's issuer's certificates (caIssuers); none if the extension cannot be read."""
    return _access_urls(certificate, AuthorityInformationAccessOID.CA_ISSUERS)


def _access_urls(certificate: x509.Certificate, method: x509.ObjectIdentifier) -> list[str]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, *UNDECODABLE):
        return []
    places = [one.access_location for one in access if one.access_method == method]
    return [place.value for place in places if isinstance(place, x509.UniformResourceIdentifier)]

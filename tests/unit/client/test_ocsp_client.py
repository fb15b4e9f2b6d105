"""Responders are asked only where no list could be had, only on hosts that a trusted CA names, and with a nonce."""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID
from support.foreign_ca import NOW, ocsp_response, root

from sealwright.client.known_hosts import KnownHosts
from sealwright.client.revocation import RevocationSources
from sealwright.errors import UnavailableError
from sealwright.net.http import HttpAnswer
from sealwright.pkix.path import validate_path


def responder(url):
    place = x509.UniformResourceIdentifier(url)
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)])


def lists(url):
    return x509.CRLDistributionPoints([x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)])


ROOT = root("Root", responder("http://status.ca.test/"))
LEAF = ROOT.leaf("Alice", responder("http://status.ca.test/ocsp"))


class Network:
    """A responder of the root; `nonce` is what it makes of the one in the request."""

    def __init__(self, leaf=LEAF, nonce=lambda sent: sent, crl=None):
        self.leaf, self.nonce, self.crl, self.asked = leaf, nonce, crl, []

    def request(self, method, url, *, headers=None, body=None, max_bytes=0):
        self.asked.append((method, url))
        if method == "GET":
            if self.crl is None:
                raise UnavailableError("down")
            return HttpAnswer(200, {}, self.crl)
        assert headers["Content-Type"] == "application/ocsp-request"
        request = ocsp.load_der_ocsp_request(body)
        nonce = self.nonce(request.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce)
        more = ((x509.OCSPNonce(nonce), False),) if nonce else ()
        return HttpAnswer(200, {}, ocsp_response(self.leaf, ROOT, ROOT, more=more))


def status(network, leaf=LEAF):
    sources = RevocationSources(KnownHosts([], [ROOT.certificate]))
    sources._http = network
    for _ in range(2):  # what was had once is not asked for again
        evidence = sources.fetch_for([leaf.certificate, ROOT.certificate])
    path = validate_path(
        leaf.certificate,
        [],
        [ROOT.certificate],
        now=NOW,
        purpose="sign",
        crls=evidence.crls,
        ocsp_responses=evidence.ocsp_responses,
    )
    return path.statuses[0].state


def test_the_responder_of_the_ca_is_asked_once():
    network = Network()
    assert status(network) == "good"
    assert network.asked == [("POST", "http://status.ca.test/ocsp")]


def test_a_nonce_may_be_left_out_but_not_changed():
    """RFC 9654 section 2.1: the client MUST reject a response whose nonce is not that of the request."""
    assert status(Network(nonce=lambda _sent: None)) == "good"
    assert status(Network(nonce=lambda sent: sent[::-1])) == "unknown"


def test_a_host_that_only_the_leaf_names_is_not_asked():
    leaf = ROOT.leaf("Alice", responder("http://tracker.test/ocsp"))
    network = Network(leaf)
    assert status(network, leaf) == "unknown"
    assert network.asked == []


def test_a_list_comes_before_the_responder():
    leaf = ROOT.leaf("Alice", responder("http://status.ca.test/ocsp"), lists("http://status.ca.test/ca.crl"))
    network = Network(leaf, crl=ROOT.crl().public_bytes(Encoding.DER))
    assert status(network, leaf) == "good"
    assert network.asked == [("GET", "http://status.ca.test/ca.crl")]
    network = Network(leaf)
    assert status(network, leaf) == "good"
    assert network.asked == [("GET", "http://status.ca.test/ca.crl"), ("POST", "http://status.ca.test/ocsp")]

"""A missing intermediate is fetched by authorityInfoAccess: from hosts known beforehand, within bounds, never trusted."""

import http.server
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import AuthorityInformationAccessOID
from hypothesis import given
from hypothesis import strategies as st
from support.foreign_ca import NOW, root

from sealwright.client.issuer_certificates import MAX_ANSWER_BYTES, MAX_FETCHES, IssuerSources, MissingIssuers
from sealwright.client.known_hosts import KnownHosts
from sealwright.errors import PathValidationError
from sealwright.smime.trust import Trust, find_trusted_path

DER = Encoding.DER


def issuers_at(*urls):
    method = AuthorityInformationAccessOID.CA_ISSUERS
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(method, x509.UniformResourceIdentifier(url)) for url in urls]
    )


@contextmanager
def serving(files):
    """Serve octets by path on loopback; yields the base URL and what is asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            content = files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


ROOT = root("Root")
OUTER = ROOT.sub_ca("Outer")


def trust(sources, anchors=(ROOT.certificate,)):
    return Trust(now=NOW, anchors=anchors, fetch_issuers=MissingIssuers(sources).fetch_for)


def sources_of(base):
    return IssuerSources(KnownHosts([base], [ROOT.certificate]))


def der(party):
    return party.certificate.public_bytes(DER)


def certs_only(*parties):
    return pkcs7.serialize_certificates([each.certificate for each in parties], DER)


@pytest.mark.parametrize("form", ["der", "certs-only"])
def test_two_missing_intermediates_are_fetched_once_per_command(form):
    """RFC 5280 section 4.2.2.1: where a file is named, it is DER or a certs-only CMS message."""
    files = {}
    with serving(files) as (base, asked):
        inner = OUTER.sub_ca("Inner", issuers_at(f"{base}/outer.cer"))
        leaf = inner.leaf("Alice", issuers_at(f"{base}/inner.cer"))
        files["/outer.cer"] = der(OUTER)
        files["/inner.cer"] = der(inner) if form == "der" else certs_only(root("Somebody"), inner)
        sources = sources_of(base)
        for _message in range(2):
            path = find_trusted_path(leaf.certificate, [], trust(sources)).path
            assert path == tuple(one.certificate for one in (leaf, inner, OUTER, ROOT))
        assert asked == ["/inner.cer", "/outer.cer"]


def test_nothing_is_fetched_where_the_path_is_whole_or_wrong_for_another_reason():
    with serving({}) as (base, asked):
        sources = sources_of(base)
        leaf = OUTER.leaf("Alice", issuers_at(f"{base}/outer.cer"))
        assert find_trusted_path(leaf.certificate, [OUTER.certificate], trust(sources)).path
        hour = timedelta(hours=1)
        old = OUTER.leaf("Old", issuers_at(f"{base}/outer.cer"), start=NOW - 2 * hour, end=NOW - hour)
        with pytest.raises(PathValidationError) as error:
            find_trusted_path(old.certificate, [OUTER.certificate], trust(sources))
        assert error.value.code == "expired"
        assert asked == []


def test_a_host_that_only_the_strangers_certificate_names_is_not_asked():
    with serving({"/outer.cer": der(OUTER)}) as (base, asked):
        leaf = OUTER.leaf("Alice", issuers_at(f"{base}/outer.cer"))
        with pytest.raises(PathValidationError, match="no path") as error:
            find_trusted_path(leaf.certificate, [], trust(sources_of("https://kms.example.test")))
        assert (error.value.code, asked) == ("no-path", [])


def test_a_known_host_is_not_asked_at_another_port():
    with serving({"/outer.cer": der(OUTER)}) as (base, asked):
        leaf = OUTER.leaf("Alice", issuers_at(f"{base}/outer.cer"))
        with pytest.raises(PathValidationError):
            find_trusted_path(leaf.certificate, [], trust(sources_of("http://127.0.0.1")))
        assert asked == []


def test_a_host_that_a_trusted_root_names_is_asked():
    with serving({"/outer.cer": der(OUTER)}) as (base, asked):
        anchor = root("Root", issuers_at(f"{base}/root.cer"), key=ROOT.key)
        leaf = OUTER.leaf("Alice", issuers_at(f"{base}/outer.cer"))
        sources = IssuerSources(KnownHosts([], [anchor.certificate]))
        assert find_trusted_path(leaf.certificate, [], trust(sources, [anchor.certificate])).path
        assert asked == ["/outer.cer"]


def test_what_is_fetched_is_not_trusted():
    with serving({}) as (base, asked):
        stranger = root("Stranger")
        leaf = stranger.leaf("Alice", issuers_at(f"{base}/stranger.cer"))
        sources = sources_of(base)
        sources._fetched[f"{base}/stranger.cer"] = (stranger.certificate,)
        with pytest.raises(PathValidationError) as error:
            find_trusted_path(leaf.certificate, [], trust(sources))
        assert (error.value.code, asked) == ("no-path", [])


def test_no_more_than_three_fetches_for_a_message():
    with serving({}) as (base, asked):
        leaf = OUTER.leaf("Alice", issuers_at(*(f"{base}/{number}" for number in range(20))))
        judged_by = trust(sources_of(base))
        for _signer in range(2):
            with pytest.raises(PathValidationError):
                find_trusted_path(leaf.certificate, [], judged_by)
        assert len(asked) == MAX_FETCHES


@pytest.mark.parametrize("content", [b"", b"not a certificate", der(OUTER) + bytes(MAX_ANSWER_BYTES), der(OUTER)[:-1]])
def test_an_answer_that_is_no_certificate_is_as_good_as_none(content):
    with serving({"/outer.cer": content}) as (base, asked):
        leaf = OUTER.leaf("Alice", issuers_at(f"{base}/outer.cer"))
        with pytest.raises(PathValidationError) as error:
            find_trusted_path(leaf.certificate, [], trust(sources_of(base)))
        assert (error.value.code, asked) == ("no-path", ["/outer.cer"])


@pytest.mark.parametrize(
    "url",
    [
        "http://kms.test@tracker.test/",
        "http://tracker.test\\@kms.test/",
        "http://kms.te\tst/",
        "http://kms.test.tracker.test/",
        "ftp://kms.test/",
        "ldap://kms.test/",
        "http://[kms.test/",
        "http://kms.test:99999999999/",
        "http://kms.test:22/",
        "http://kms.test#@tracker.test/",
    ],
)
def test_a_url_that_only_looks_like_a_known_host_is_not_asked(url):
    assert not KnownHosts(["https://kms.test"], []).is_known_origin(url)


@given(st.text(max_size=30).map(lambda text: f"http://{text}"))
def test_every_other_url_is_judged_without_an_exception(url):
    hosts = KnownHosts(["https://kms.test"], [])
    assert not hosts.is_known_origin(url) or url.lower().startswith("http://kms.test")

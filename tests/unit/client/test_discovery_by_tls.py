"""Discovery without an invitation: what the system's anchors vouch for under the right name, and nothing else."""

import http.server
import ssl
import threading
from datetime import UTC, datetime, timedelta

import dns.resolver
import dns.rrset
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from support.statement_signer import NOW, Signer

from sealwright.client.discovery import discover
from sealwright.errors import UnavailableError, VerificationError
from sealwright.net.dns import ServiceLocation, find_services
from sealwright.wire.encoding import sha256


def certificate(folder, name, file):
    """Write a self-signed TLS certificate for a name, which is its own anchor; the same one for the same file."""
    if (folder / file).exists():
        return b""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(Encoding.PEM)
    (folder / file).write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pem


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Serve a statement over TLS under a certificate for a name that the system trusts; return its location."""
    anchors = tmp_path / "anchors.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(anchors))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    anchors.write_bytes(certificate(tmp_path, "unrelated.test", "unrelated.pem"))
    running = []

    def start(signed, name="sealwright.example.test", *, trusted=True):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path == "/.well-known/sealwright?domain=example.test" else 404)
                self.end_headers()
                self.wfile.write(msgspec.json.encode(signed))

            def log_message(self, *arguments):
                pass

        file = f"{name}-{trusted}.pem"
        pem = certificate(tmp_path, name, file)
        if trusted:
            anchors.write_bytes(anchors.read_bytes() + pem)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / file)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return ServiceLocation("127.0.0.1", server.server_port)

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def at(*locations):
    return lambda service, domain: locations if (service, domain) == ("sealwright", "example.test") else ()


def test_the_statement_root_is_pinned_from_tls_that_the_system_trusts(serve):
    signer = Signer()
    found = discover("example.test", NOW, at(serve(signer.sign())))
    assert found.statement_root_sha256 == sha256(signer.root_key).hex()
    assert found.endpoints == ("https://127.0.0.1:8443",)
    assert found.organization_name == "Example GmbH"


def test_a_host_that_dns_names_must_have_the_certificate_of_the_domain(serve):
    for where in (
        serve(Signer().sign(), "sealwright.example.com"),  # MUST be for sealwright.<domain>
        serve(Signer().sign(), trusted=False),  # nobody vouches for it
        serve(Signer().sign(domain="example.com", delegated="example.com")),  # speaks for another domain
        serve(Signer().sign(days=91)),
    ):
        with pytest.raises(VerificationError):
            discover("example.test", NOW, at(where))


def test_the_next_location_is_asked_when_one_does_not_answer_well(serve):
    signer = Signer()
    bad, gone = serve(Signer().sign(days=91)), ServiceLocation("127.0.0.1", 9)
    found = discover("example.test", NOW, at(gone, bad, serve(signer.sign())))
    assert found.statement_root_sha256 == sha256(signer.root_key).hex()


def test_without_a_server_an_invitation_is_asked_for(serve):
    with pytest.raises(UnavailableError, match="invitation file"):
        discover("example.test", NOW, at())


def test_service_records_are_ordered_and_a_lone_dot_means_none(monkeypatch):
    def answer(*records):
        def resolve(name, kind, lifetime):
            assert (name, kind) == ("_sealwright._tcp.example.test", "SRV")
            if not records:
                raise dns.resolver.NXDOMAIN
            return dns.rrset.from_text(name + ".", 60, "IN", "SRV", *records)

        monkeypatch.setattr(dns.resolver, "resolve", resolve)
        return find_services("sealwright", "example.test")

    assert answer("20 0 443 b.test.", "10 1 8443 c.test.", "10 5 443 a.test.") == (
        ServiceLocation("a.test", 443),
        ServiceLocation("c.test", 8443),
        ServiceLocation("b.test", 443),
    )
    assert answer("0 0 0 .") == ()
    assert answer() == ()

"""Signing certificates: the whole way through HTTPS, authentication, lint, log and two durable commits."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from bench.load import CONNECTIONS
from bench.measure import Effort, Row, row_of, time_calls
from bench.people import p256_key
from bench.site import running_site
from sealwright.wire.api import CertificateRequest

_PEOPLE = 4


def measure(effort: Effort) -> list[Row]:
    """Ask for certificates for fresh keys."""
    issuer_key = p256_key()
    timings, references = [], []
    with running_site(_PEOPLE) as site:
        for _ in range(effort.slices):
            count = max(CONNECTIONS, effort.requests // 5)
            requests = site.signed_posts("/v1/certificates", [_request() for _ in range(count)])
            timings.append(site.load.send(requests))
            references.append(
                time_calls(lambda: issuer_key.sign(b"to-be-signed", ec.ECDSA(hashes.SHA256())), effort.slice_seconds)
            )
    return [row_of("signing certificate over HTTPS, committed", timings, "ECDSA P-256 signature alone", references)]


def _request() -> CertificateRequest:
    request = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(p256_key(), hashes.SHA256())
    return CertificateRequest(certification_request=request.public_bytes(Encoding.DER))

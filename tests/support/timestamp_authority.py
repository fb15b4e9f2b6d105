"""A timestamp authority: `openssl ts -reply` behind HTTP on loopback (RFC 3161 section 3.4)."""

import http.server
import subprocess
import threading
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from support.certificates import NOW, rsa_key

POLICY = "1.3.6.1.4.1.99999.3.1"
_CONFIGURATION = f"""
[tsa]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = {POLICY}
other_policies = {POLICY}.2
digests = sha256, sha512
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class TimestampAuthority:
    """Key, certificate and configuration in a folder.

    Args:
        folder: Of its own.
        issuer: Name and key of a CA; None for a certificate that it signs itself.

    Attributes:
        certificate: With the sole, critical purpose of timestamps.
    """

    def __init__(self, folder: Path, issuer: tuple[x509.Name, Any] | None = None) -> None:
        self.folder = folder
        key, name = rsa_key(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tsa")])
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        self.certificate = (
            x509.CertificateBuilder(issuer[0] if issuer else name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(NOW - timedelta(hours=1))
            .not_valid_after(NOW + timedelta(days=30))
            .add_extension(purpose, critical=True)
            .sign(issuer[1] if issuer else key, hashes.SHA256())
        )
        (folder / "tsa.pem").write_bytes(self.certificate.public_bytes(Encoding.PEM))
        (folder / "tsa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (folder / "tsa.cnf").write_text(_CONFIGURATION)
        (folder / "serial").write_text("01\n")

    def reply(self, request: bytes) -> bytes:
        """Return the TimeStampResp to a TimeStampReq."""
        (self.folder / "q").write_bytes(request)
        command = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-section", "tsa", "-queryfile", "q"]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True).stdout

    def verify(self, token: bytes, message: bytes) -> None:
        """Verify a token with OpenSSL."""
        (self.folder / "t").write_bytes(token)
        (self.folder / "d").write_bytes(message)
        command = ["openssl", "ts", "-verify", "-token_in", "-in", "t", "-data", "d", "-CAfile", "tsa.pem"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)


@contextmanager
def served(reply):
    """Serve a function from request to response; gives the URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.headers["Content-Type"] == "application/timestamp-query"
            body = reply(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200 if body else 503)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

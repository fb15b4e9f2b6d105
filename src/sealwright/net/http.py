"""Outgoing HTTP with bounds: no redirects, no hidden retries, a limit on the answer's size, verified TLS."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import urllib3
from urllib3.exceptions import HTTPError, SSLError

from sealwright.errors import InputError, UnavailableError, VerificationError
from sealwright.net.tls import client_context, why_not_valid

MAX_ANSWER_BYTES = 32 * 1024 * 1024
CONNECT_TIMEOUT_SECONDS = 10.0
READ_TIMEOUT_SECONDS = 60.0
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a server answered.

    Attributes:
        status: HTTP status code.
        headers: Names in lower case; repeated ones joined by a comma.
        body: The whole body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class HttpClient:
    """Sends requests; connections are kept and reused.

    Args:
        anchors: DER certificates trusted besides the system's own.
        allow_plain: Whether `http:` is allowed too (revocation lists only; they carry their own signature).
        server_name: The name that certificates must be for, where DNS gave another host; the URL's host without.
    """

    def __init__(
        self, anchors: Sequence[bytes] = (), *, allow_plain: bool = False, server_name: str | None = None
    ) -> None:
        self._allow_plain = allow_plain
        self._pool = urllib3.PoolManager(
            ssl_context=client_context(anchors),
            server_hostname=server_name,
            assert_hostname=server_name,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS),
            retries=False,
        )

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> HttpAnswer:
        """Send one request and read the answer; redirects are answers like any other.

        Args:
            method: Upper case.
            url: Absolute.
            headers: Besides the ones HTTP itself needs.
            body: Octets, or None.
            max_bytes: A longer answer is an error.

        Raises:
            InputError: If the URL is not one that may be asked.
            VerificationError: If the server's TLS certificate is not valid.
            UnavailableError: If there is no answer, or one beyond `max_bytes`.
        """
        if not url.startswith("https://") and not (self._allow_plain and url.startswith("http://")):
            raise InputError(f"{url} is not an https address")
        host = url.split("/")[2]
        try:
            answer = self._pool.request(
                method, url, body=body, headers=dict(headers or {}), redirect=False, preload_content=False
            )
            try:
                content = _read(answer, max_bytes, host)
            finally:
                answer.release_conn()
        except (SSLError, ssl.SSLError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error) or "doesn't match" in str(error):
                raise VerificationError(f"{why_not_valid(host, error)}; nothing was sent") from error
            raise UnavailableError(f"the TLS connection to {host} failed") from error
        except (HTTPError, OSError) as error:
            raise UnavailableError(f"{host} does not answer") from error
        joined = {name.lower(): value for name, value in answer.headers.items()}
        return HttpAnswer(answer.status, joined, content)


def _read(answer: urllib3.BaseHTTPResponse, max_bytes: int, host: str) -> bytes:
    parts = bytearray()
    for chunk in answer.stream(_CHUNK_BYTES):
        parts += chunk
        if len(parts) > max_bytes:
            answer.close()
            raise UnavailableError(f"the answer of {host} is longer than {max_bytes} octets")
    return bytes(parts)

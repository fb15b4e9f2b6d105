"""OpenID Connect Discovery 1.0: what an issuer says about itself, and its keys."""

from typing import Any

from sealwright.errors import DecodingError, UnavailableError, VerificationError
from sealwright.net.http import HttpClient
from sealwright.wire.encoding import decode_json

MAX_DOCUMENT_BYTES = 256 * 1024


def fetch_issuer(http: HttpClient, issuer: str) -> dict[str, Any]:
    """Fetch an issuer's configuration.

    Args:
        http: Verifies TLS.
        issuer: https URL.

    Raises:
        VerificationError: If the document is another issuer's (section 4.3), or TLS is not valid.
        UnavailableError: If it does not answer with a document.
    """
    document = fetch_json(http, issuer.rstrip("/") + "/.well-known/openid-configuration")
    if document.get("issuer") != issuer:
        raise VerificationError(f"{issuer} answers with the configuration of another issuer")
    return document


def fetch_issuer_keys(http: HttpClient, issuer: str) -> bytes:
    """Fetch an issuer's JWK set, JSON as it sent it; raises as `fetch_issuer`."""
    where = fetch_issuer(http, issuer).get("jwks_uri")
    if not isinstance(where, str):
        raise UnavailableError(f"{issuer} does not say where its keys are")
    answer = http.request("GET", where, max_bytes=MAX_DOCUMENT_BYTES)
    if answer.status != 200:
        raise UnavailableError(f"{issuer} does not give its keys")
    return answer.body


def fetch_json(http: HttpClient, url: str, form: bytes | None = None) -> dict[str, Any]:
    """Fetch a JSON object, or post a form for one; an OAuth error (RFC 6749 section 5.2) is an answer, too.

    Raises:
        UnavailableError: If there is none.
    """
    headers = {"Accept": "application/json"}
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    method = "GET" if form is None else "POST"
    answer = http.request(method, url, headers=headers, body=form, max_bytes=MAX_DOCUMENT_BYTES)
    try:
        return decode_json(answer.body, dict)
    except DecodingError as error:
        raise UnavailableError(f"{url} answers HTTP {answer.status} without JSON") from error

"""What every signed request has to show: it was made for this server, just now, by that key."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from sealwright.errors import AuthenticationError
from sealwright.identity.freshness import NonceIssuer
from sealwright.keystore.model import SignedRequestEvidence
from sealwright.wire.device import load_authentication_key
from sealwright.wire.encoding import b64u_decode
from sealwright.wire.signed_request import RequestSignature, verify_request

_KEY_ID = re.compile(r';keyid="([A-Za-z0-9_-]{43})"')


class RequestVerifier:
    """Checks signed requests.

    Args:
        nonces: Freshness.
        origins: `https://host[:port]` of this server, each under which devices reach it; a request signed for any other
            place is somebody else's, relayed.
    """

    def __init__(self, nonces: NonceIssuer, origins: Iterable[str]) -> None:
        self._nonces = nonces
        self._origins = frozenset(_origin(text) for text in origins)

    def check_target(self, target_uri: str) -> None:
        """Check that a request was made for this server.

        Raises:
            AuthenticationError: If it names another.
        """
        if _origin(target_uri) not in self._origins:
            raise AuthenticationError("the request was made for another server")

    def check_nonce(self, nonce: str | None) -> None:
        """Check that a request was made just now.

        Raises:
            NonceRequiredError: If its nonce is missing, too old, or not from here.
        """
        self._nonces.check(nonce)

    def nonce(self) -> str:
        """Return a fresh nonce for the DPoP-Nonce header."""
        return self._nonces.nonce()

    def verify(self, signed: SignedRequestEvidence, authentication_key_spki: bytes, method: str) -> RequestSignature:
        """Verify a request whose signature is all that authenticates it; its nonce is the server's.

        Raises:
            AuthenticationError: If the signature is not by this key over this request, or the place or method is wrong.
            NonceRequiredError: If its nonce is not fresh.
        """
        signature = self.verify_signature(signed, authentication_key_spki, method)
        self._nonces.check(signature.nonce)
        return signature

    def verify_signature(
        self, signed: SignedRequestEvidence, authentication_key_spki: bytes, method: str
    ) -> RequestSignature:
        """Verify the signature of a request whose freshness is shown by its DPoP proof.

        Raises:
            AuthenticationError: If the signature is not by this key over this request, or the place or method is wrong.
        """
        self.check_target(signed.target_uri)
        if signed.method != method:
            raise AuthenticationError("the request was signed for another method")
        key = load_authentication_key(authentication_key_spki)
        return verify_request(key, signed.method, signed.target_uri, signed.headers, signed.body)


def required_idempotency_key(signature: RequestSignature) -> str:
    """Return the idempotency key of a state-changing request.

    Raises:
        AuthenticationError: If it has none.
    """
    if not signature.idempotency_key:
        raise AuthenticationError("a request that changes something carries a signed Idempotency-Key")
    return signature.idempotency_key


def claimed_key_sha256(signed: SignedRequestEvidence) -> str:
    """Return the hash of the key that a request says it is signed with, in hex; nothing is verified.

    Raises:
        AuthenticationError: If it names none.
    """
    found = _KEY_ID.search(signed.headers.get("signature-input", ""))
    if found is None:
        raise AuthenticationError("the request is not signed")
    return b64u_decode(found[1]).hex()


def _origin(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise AuthenticationError("the request's address cannot be read") from error
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port or default}"

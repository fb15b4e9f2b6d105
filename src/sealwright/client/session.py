"""Talking to the organization's server as this device: DPoP-bound tokens, signed requests, nonces, fail-over."""

import secrets
from collections.abc import Callable
from typing import TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key

from sealwright.clock import Clock
from sealwright.errors import AuthenticationError, DecodingError, NonceRequiredError, SealwrightError, UnavailableError
from sealwright.net.http import HttpAnswer, HttpClient
from sealwright.wire.api import AccessToken, Answer, Request
from sealwright.wire.dpop import make_proof
from sealwright.wire.encoding import decode_json
from sealwright.wire.problems import error_from
from sealwright.wire.signed_request import sign_request

AnswerT = TypeVar("AnswerT", bound=Answer)
_NONCE_HEADER = "dpop-nonce"
_RENEW_SECONDS = 30.0


def load_p256_private_key(pkcs8: bytes) -> ec.EllipticCurvePrivateKey:
    """Load a P-256 key of this device from PKCS#8 DER.

    Raises:
        DecodingError: If it is not one.
    """
    try:
        key = load_der_private_key(pkcs8, None)
    except (ValueError, TypeError) as error:
        raise DecodingError("a key of this device is not PKCS#8") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise DecodingError("a key of this device is not a P-256 key")
    return key


class ServerSession:
    """One device's conversation with its server.

    Args:
        endpoints: Base URLs of all nodes, tried in order.
        http: Trusts the organization's TLS anchors.
        private_key: The device's authentication key.
        clock: The time.
        token: Newest token, None before enrolment.
        on_token: Called with each new token, to keep it.
    """

    def __init__(
        self,
        endpoints: tuple[str, ...],
        http: HttpClient,
        private_key: ec.EllipticCurvePrivateKey,
        clock: Clock,
        token: AccessToken | None = None,
        on_token: Callable[[AccessToken], None] = lambda _token: None,
    ) -> None:
        self._endpoints = list(endpoints)
        self._http = http
        self._private_key = private_key
        self._clock = clock
        self._token = token
        self._on_token = on_token
        self._nonces: dict[str, str] = {}

    def get(self, path: str, answer_type: type[AnswerT]) -> AnswerT:
        """Ask for something as the enrolled device.

        Raises:
            SealwrightError: What the server's problem says; `UnavailableError` if no node answers.
        """
        return _decode(self._with_token("GET", path, b"", None), answer_type)

    def post(
        self, path: str, request: Request | None, answer_type: type[AnswerT], *, idempotency_key: str | None = None
    ) -> AnswerT:
        """Change something as the enrolled device: the request is signed.

        Args:
            path: Starts with a slash.
            request: Sent as JSON; None for no body.
            answer_type: What comes back.
            idempotency_key: Of an earlier try; a fresh one is made without.

        Raises:
            SealwrightError: What the server's problem says; `UnavailableError` if no node answers.
        """
        key = idempotency_key or secrets.token_hex(16)
        body = msgspec.json.encode(request) if request is not None else b""
        return _decode(self._with_token("POST", path, body, key), answer_type)

    def post_empty(self, path: str, request: Request) -> None:
        """Change something as the enrolled device, where nothing comes back.

        Raises:
            SealwrightError: What the server's problem says; `UnavailableError` if no node answers.
        """
        self._with_token("POST", path, msgspec.json.encode(request), secrets.token_hex(16))

    def delete(self, path: str) -> None:
        """Remove something as the enrolled device: the request is signed.

        Raises:
            SealwrightError: What the server's problem says; `UnavailableError` if no node answers.
        """
        self._with_token("DELETE", path, b"", secrets.token_hex(16))

    def post_signed(
        self, path: str, request: Request | None, answer_type: type[AnswerT], *, idempotency_key: str | None = None
    ) -> AnswerT:
        """Send a request that only the device's signature vouches for: before enrolment, and to renew a token.

        Raises:
            SealwrightError: What the server's problem says; `UnavailableError` if no node answers.
        """
        body = msgspec.json.encode(request) if request is not None else b""
        key = idempotency_key or secrets.token_hex(16)
        return _decode(self._send("POST", path, body, idempotency_key=key, token=None), answer_type)

    def adopt_token(self, token: AccessToken) -> None:
        """Use a token that came with another answer, and keep it."""
        self._token = token
        self._on_token(token)

    def _with_token(self, method: str, path: str, body: bytes, idempotency_key: str | None) -> HttpAnswer:
        token = self._token
        if token is None or (token.expires - self._clock.now()).total_seconds() < _RENEW_SECONDS:
            token = self._renew()
        try:
            return self._send(method, path, body, idempotency_key=idempotency_key, token=token)
        except NonceRequiredError:
            raise
        except AuthenticationError:  # the server forgot the token, or our clock is wrong: once more with a new one
            return self._send(method, path, body, idempotency_key=idempotency_key, token=self._renew())

    def _renew(self) -> AccessToken:
        token = self.post_signed("/v1/token", None, AccessToken)
        self.adopt_token(token)
        return token

    def _send(
        self, method: str, path: str, body: bytes, *, idempotency_key: str | None, token: AccessToken | None
    ) -> HttpAnswer:
        problem: SealwrightError = UnavailableError("the server names no endpoint")
        for endpoint in list(self._endpoints):
            try:
                answer = self._send_to(endpoint, method, path, body, idempotency_key=idempotency_key, token=token)
            except UnavailableError as error:
                problem = error
                continue
            if self._endpoints[0] != endpoint:  # stay with the node that answers
                self._endpoints.remove(endpoint)
                self._endpoints.insert(0, endpoint)
            return answer
        raise problem

    def _send_to(
        self,
        endpoint: str,
        method: str,
        path: str,
        body: bytes,
        *,
        idempotency_key: str | None,
        token: AccessToken | None,
    ) -> HttpAnswer:
        if endpoint not in self._nonces:
            self._raise_for(endpoint, self._http.request("GET", f"{endpoint}/v1/nonce"))
        for last in (False, True):
            headers = self._headers(endpoint, method, path, body, idempotency_key=idempotency_key, token=token)
            answer = self._http.request(method, endpoint + path, headers=headers, body=body or None)
            try:
                self._raise_for(endpoint, answer)
            except NonceRequiredError:
                if last:
                    raise
            else:
                return answer
        raise AssertionError

    def _headers(
        self,
        endpoint: str,
        method: str,
        path: str,
        body: bytes,
        *,
        idempotency_key: str | None,
        token: AccessToken | None,
    ) -> dict[str, str]:
        now, uri, nonce = self._clock.now(), endpoint + path, self._nonces.get(endpoint, "")
        headers = {"Accept": "application/json"}
        if body:
            headers["Content-Type"] = "application/json"
        if idempotency_key is not None:
            headers |= sign_request(self._private_key, method, uri, body, now, nonce, idempotency_key)
        if token is not None:
            headers["Authorization"] = f"DPoP {token.access_token}"
            headers["DPoP"] = make_proof(self._private_key, method, uri, token.access_token, nonce or None, now)
        return headers

    def _raise_for(self, endpoint: str, answer: HttpAnswer) -> None:
        """Remember the nonce; raise what a problem document says."""
        nonce = answer.headers.get(_NONCE_HEADER)
        if nonce:
            self._nonces[endpoint] = nonce
        if 200 <= answer.status < 300:
            return
        try:
            problem = decode_json(answer.body, dict)
        except DecodingError:
            raise UnavailableError(f"{endpoint} answers HTTP {answer.status} without saying why") from None
        raise error_from(problem)


def _decode(answer: HttpAnswer, answer_type: type[AnswerT]) -> AnswerT:
    try:
        return decode_json(answer.body, answer_type)
    except DecodingError as error:
        raise DecodingError(f"the server's answer is not a {answer_type.__name__}") from error

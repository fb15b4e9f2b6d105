"""Signed requests: RFC 9421 over method, target URI and RFC 9530 body digest, with the device's authentication key.

One label, one order of components and parameters: what is not spelt exactly so is refused, because only our own clients
sign. Freshness of `created` and single use of `nonce` are the caller's to check.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sealwright.errors import AuthenticationError, InputError
from sealwright.wire.encoding import b64u_encode, sha256

_COVERED = '"@method" "@target-uri" "content-digest"'
_TEXT = r"[A-Za-z0-9_-]{1,128}"
_INPUT = re.compile(
    rf'sig1=(\({_COVERED}( "idempotency-key")?\)'
    rf';created=([1-9][0-9]{{0,9}});nonce="({_TEXT})";keyid="({_TEXT})"'
    r';alg="ecdsa-p256-sha256";tag="sealwright")'
)
_SIGNATURE = re.compile(r"sig1=:([A-Za-z0-9+/]{86}==):")
_METHOD = re.compile(r"[A-Z]{1,16}")
_URI = re.compile(r"[\x21-\x7e]{1,4096}")
_IDEMPOTENCY_KEY = re.compile(rf'"({_TEXT})"')
_COORDINATE_BYTES = 32


@dataclass(frozen=True, slots=True)
class RequestSignature:
    """What a right signature says.

    Attributes:
        created: The device's clock, aware UTC, whole seconds.
        nonce: Base64url characters, at most 128.
        idempotency_key: As signed, without its quotes; None if the request has none.
    """

    created: datetime
    nonce: str
    idempotency_key: str | None


def sign_request(
    private_key: ec.EllipticCurvePrivateKey,
    method: str,
    target_uri: str,
    body: bytes,
    created: datetime,
    nonce: str,
    idempotency_key: str | None,
) -> dict[str, str]:
    """Sign a request and return the headers to add.

    Args:
        private_key: The device's authentication key, P-256.
        method: Upper case.
        target_uri: Absolute, exactly as sent.
        body: Empty where there is none.
        created: Aware; fractions of a second are dropped.
        nonce: Base64url characters, at most 128; never used again.
        idempotency_key: Base64url characters, at most 128; the same for retries of one act. None for safe methods.

    Returns:
        Content-Digest, Signature-Input, Signature and, if there is a key, Idempotency-Key (an RFC 9651 string).

    Raises:
        InputError: If an argument is outside its alphabet.
    """
    digest = _content_digest(body)
    covered = _COVERED if idempotency_key is None else f'{_COVERED} "idempotency-key"'
    header = None if idempotency_key is None else f'"{idempotency_key}"'
    parameters = (
        f'({covered});created={int(created.timestamp())};nonce="{nonce}";keyid="{_key_id(private_key.public_key())}"'
        ';alg="ecdsa-p256-sha256";tag="sealwright"'
    )
    usable = _METHOD.fullmatch(method) and _URI.fullmatch(target_uri) and _INPUT.fullmatch(f"sig1={parameters}")
    if not usable or (header is not None and not _IDEMPOTENCY_KEY.fullmatch(header)):
        raise InputError("a part of the request cannot be signed: it has characters outside its alphabet")
    base = _signature_base(method, target_uri, digest, header, parameters)
    r, s = decode_dss_signature(private_key.sign(base, ec.ECDSA(SHA256())))
    signature = r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")
    headers = {
        "Content-Digest": digest,
        "Signature-Input": f"sig1={parameters}",
        "Signature": f"sig1=:{base64.b64encode(signature).decode('ascii')}:",
    }
    return headers if header is None else {**headers, "Idempotency-Key": header}


def verify_request(
    public_key: ec.EllipticCurvePublicKey, method: str, target_uri: str, headers: Mapping[str, str], body: bytes
) -> RequestSignature:
    """Verify a request's signature.

    Args:
        public_key: The device's authentication key, P-256.
        method: As received.
        target_uri: Absolute, as the client sent it.
        headers: Names in lower case.
        body: As received.

    Raises:
        AuthenticationError: If the request is not signed, not in the one form, changed, or by another key.
    """
    # 1 Method and URI cannot smuggle lines into the signature base.
    if not _METHOD.fullmatch(method) or not _URI.fullmatch(target_uri):
        raise AuthenticationError("the request's method or address has characters that cannot be signed")
    # 2 The body is the one that the digest is of.
    digest = headers.get("content-digest", "")
    if not hmac.compare_digest(digest.encode("utf-8", "replace"), _content_digest(body).encode("ascii")):
        raise AuthenticationError("the request's body is not the one that was signed")
    # 3 The signature covers everything, an idempotency key included, and names this key.
    parsed = _INPUT.fullmatch(headers.get("signature-input", ""))
    encoded = _SIGNATURE.fullmatch(headers.get("signature", ""))
    if parsed is None or encoded is None:
        raise AuthenticationError("the request is not signed as it must be")
    header = headers.get("idempotency-key")
    quoted = None if header is None else _IDEMPOTENCY_KEY.fullmatch(header)
    if (header is None) != (parsed[2] is None) or (header is not None and quoted is None):
        raise AuthenticationError("the request's idempotency key is not signed")
    if parsed[5] != _key_id(public_key):
        raise AuthenticationError("the request is signed by another key")
    # 4 It verifies.
    raw = base64.b64decode(encoded[1])
    r, s = int.from_bytes(raw[:_COORDINATE_BYTES], "big"), int.from_bytes(raw[_COORDINATE_BYTES:], "big")
    try:
        base = _signature_base(method, target_uri, digest, header, parsed[1])
        public_key.verify(encode_dss_signature(r, s), base, ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise AuthenticationError("the request's signature does not verify") from error
    created = datetime.fromtimestamp(int(parsed[3]), UTC)
    return RequestSignature(created, parsed[4], None if quoted is None else quoted[1])


def _signature_base(method: str, target_uri: str, digest: str, idempotency: str | None, parameters: str) -> bytes:
    lines = [f'"@method": {method}', f'"@target-uri": {target_uri}', f'"content-digest": {digest}']
    if idempotency is not None:
        lines.append(f'"idempotency-key": {idempotency}')
    lines.append(f'"@signature-params": {parameters}')
    return "\n".join(lines).encode("ascii")


def _content_digest(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(sha256(body)).decode('ascii')}:"


def _key_id(public_key: ec.EllipticCurvePublicKey) -> str:
    return b64u_encode(sha256(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)))

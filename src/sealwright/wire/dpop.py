"""DPoP proofs (RFC 9449): a JWT by the device's authentication key over method, URI, access token and server nonce.

Freshness comes from the server's nonce, not from the device's clock: only a proof without a nonce is judged by its time.
Whether a nonce is required and still good, and single use of `jti`, are the caller's to check.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from sealwright.errors import AuthenticationError, DecodingError
from sealwright.wire.encoding import b64u_decode, b64u_encode, sha256

MAX_PROOF_CHARACTERS = 8192
MAX_AGE_SECONDS = 300
_COORDINATE_BYTES = 32
_FAILURE = "the DPoP proof does not fit this request"


class _Jwk(Struct, frozen=True):
    kty: str
    crv: str
    x: str
    y: str
    d: str | None = None


class _Header(Struct, frozen=True):
    typ: str
    alg: str
    jwk: _Jwk
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Claims(Struct, frozen=True, omit_defaults=True):
    jti: str
    htm: str
    htu: str
    iat: int
    ath: str | None = None
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class DpopProof:
    """What a right proof says.

    Attributes:
        spki_sha256: SHA-256 of the proving key's DER SubjectPublicKeyInfo, 32 octets; compare with the token's device.
        nonce: The server nonce it was made with, or None.
        jti: Its identifier, 1 to 128 characters.
    """

    spki_sha256: bytes
    nonce: str | None
    jti: str


def make_proof(
    private_key: ec.EllipticCurvePrivateKey,
    method: str,
    uri: str,
    access_token: str | None,
    nonce: str | None,
    now: datetime,
) -> str:
    """Make a proof for one request; the value of the DPoP header.

    Args:
        private_key: The device's authentication key, P-256.
        method: As sent.
        uri: As sent; query and fragment are left out of the proof.
        access_token: The token that goes with it, or None.
        nonce: The last DPoP-Nonce of this server, or None.
        now: Aware.
    """
    public_numbers = private_key.public_key().public_numbers()
    x, y = (b64u_encode(n.to_bytes(_COORDINATE_BYTES, "big")) for n in (public_numbers.x, public_numbers.y))
    jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
    claims = _Claims(
        jti=secrets.token_urlsafe(16),
        htm=method,
        htu=_normalize(uri),
        iat=int(now.timestamp()),
        ath=None if access_token is None else b64u_encode(sha256(access_token.encode("utf-8"))),
        nonce=nonce,
    )
    header = msgspec.json.encode({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk})
    signed = f"{b64u_encode(header)}.{b64u_encode(msgspec.json.encode(claims))}"
    r, s = decode_dss_signature(private_key.sign(signed.encode("ascii"), ec.ECDSA(SHA256())))
    return f"{signed}.{b64u_encode(r.to_bytes(_COORDINATE_BYTES, 'big') + s.to_bytes(_COORDINATE_BYTES, 'big'))}"


def verify_proof(jwt: str, method: str, uri: str, access_token: str | None, now: datetime) -> DpopProof:
    """Verify a proof (RFC 9449 section 4.3, but for nonce and replay).

    Args:
        jwt: The only DPoP header of the request.
        method: Of the request.
        uri: Of the request, as the client sent it.
        access_token: As presented, or None.
        now: Aware; counts only for a proof without a nonce.

    Raises:
        AuthenticationError: If it is not a proof for this request.
    """
    # 1 Three parts of base64url; header and claims are what they must be.
    parts = jwt.split(".") if len(jwt) <= MAX_PROOF_CHARACTERS else []
    if len(parts) != 3:
        raise AuthenticationError(_FAILURE)
    try:
        header = msgspec.json.decode(b64u_decode(parts[0]), type=_Header)
        claims = msgspec.json.decode(b64u_decode(parts[1]), type=_Claims)
        signature, x, y = b64u_decode(parts[2]), b64u_decode(header.jwk.x), b64u_decode(header.jwk.y)
    except (DecodingError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise AuthenticationError(_FAILURE) from error
    # 2 One type, one algorithm, a public key, and no extension that must be understood.
    kinds = (header.typ, header.alg, header.jwk.kty, header.jwk.crv)
    if kinds != ("dpop+jwt", "ES256", "EC", "P-256") or header.jwk.d is not None or header.crit is not msgspec.UNSET:
        raise AuthenticationError(_FAILURE)
    if (len(x), len(y), len(signature)) != (_COORDINATE_BYTES, _COORDINATE_BYTES, 2 * _COORDINATE_BYTES):
        raise AuthenticationError(_FAILURE)
    # 3 The signature verifies under the key that the header carries.
    numbers = (
        int.from_bytes(signature[:_COORDINATE_BYTES], "big"),
        int.from_bytes(signature[_COORDINATE_BYTES:], "big"),
    )
    try:
        public_key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + x + y)
        public_key.verify(encode_dss_signature(*numbers), f"{parts[0]}.{parts[1]}".encode("ascii"), ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise AuthenticationError(_FAILURE) from error
    # 4 It is for this method, this address and this token.
    try:
        same_place = _normalize(claims.htu) == _normalize(uri)
    except ValueError as error:
        raise AuthenticationError(_FAILURE) from error
    if claims.htm != method or not same_place or not 1 <= len(claims.jti) <= 128:
        raise AuthenticationError(_FAILURE)
    expected = "" if access_token is None else b64u_encode(sha256(access_token.encode("utf-8", "surrogatepass")))
    if not hmac.compare_digest((claims.ath or "").encode("utf-8"), expected.encode("ascii")):
        raise AuthenticationError(_FAILURE)
    # 5 Without a nonce the time must be near.
    if claims.nonce is None and abs(now.timestamp() - claims.iat) > MAX_AGE_SECONDS:
        raise AuthenticationError("the DPoP proof is too old or from the future: check this device's clock")
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return DpopProof(sha256(spki), claims.nonce, claims.jti)


def _normalize(uri: str) -> str:
    """Return scheme, authority and path; default ports, query and fragment do not count."""
    parts = urlsplit(uri)
    scheme, authority = parts.scheme.lower(), parts.netloc.lower()
    authority = authority.removesuffix({"https": ":443", "http": ":80"}.get(scheme, ":"))
    return f"{scheme}://{authority}{parts.path or '/'}"

"""The organization's sign-on (OpenID Connect Core 1.0): whose ID tokens count, and the check of one.

The issuer, this program's client id there and the issuer's keys are a vouched row, so the web process cannot bring an issuer of
its own. An ID token is for one device: its nonce is a digest of the device's keys and enrolment.
"""

import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from sealwright.errors import AuthenticationError, DecodingError, InputError
from sealwright.wire.encoding import decode_fields, encode_fields

SIGN_ON = "sign-on"
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
"""Public-key signatures alone: with a shared secret whoever checks a token could make one."""
LEEWAY = timedelta(minutes=2)
FRESH = timedelta(minutes=15)
"""An older token is not of this sign-on."""
MAX_TOKEN_BYTES = 16 * 1024
MAX_KEYS_BYTES = 64 * 1024
_PURPOSE = "sealwright sign-on"
_REFUSED = "the sign-on is not right or too old; sign on again"


@dataclass(frozen=True, slots=True)
class SignOn:
    """Where people sign on.

    Attributes:
        issuer: https URL, exactly as ID tokens name it.
        client_id: Of this program there; a public client with PKCE.
        claim: That holds the address, such as "email".
        device_flow: Whether tokens of the device flow count, which providers may issue without a nonce.
        pinned: Whether the issuer's keys change only with two security officers.
        keys: The issuer's JWK set, JSON.
    """

    issuer: str
    client_id: str
    claim: str
    device_flow: bool
    pinned: bool
    keys: bytes

    def check(self) -> None:
        """Check that it can be used.

        Raises:
            InputError: If issuer, client id or keys cannot.
        """
        if not self.issuer.startswith("https://") or not self.issuer.isascii() or len(self.issuer) > 500:
            raise InputError("the issuer is an https URL")
        if not 0 < len(self.client_id) <= 200 or not self.client_id.isascii() or not self.claim.isidentifier():
            raise InputError("a client id is ASCII of at most 200 characters, a claim a name such as email")
        _key_set(self.keys)

    def encode(self) -> bytes:
        """Return the canonical encoding (`wire.encoding`)."""
        texts = (self.issuer, self.client_id, self.claim)
        flags = bytes((self.device_flow, self.pinned))
        return encode_fields(_PURPOSE, 1, *(text.encode("ascii") for text in texts), flags, self.keys)

    @classmethod
    def decode(cls, encoded: bytes) -> "SignOn":
        """Decode what `encode` made.

        Raises:
            DecodingError: If it is something else.
        """
        try:
            issuer, client_id, claim, (device_flow, pinned), keys = decode_fields(_PURPOSE, 1, encoded)
            made = cls(
                issuer=issuer.decode("ascii"),
                client_id=client_id.decode("ascii"),
                claim=claim.decode("ascii"),
                device_flow=bool(device_flow),
                pinned=bool(pinned),
                keys=keys,
            )
        except ValueError as error:
            raise DecodingError("not a sign-on") from error
        if made.encode() != encoded:
            raise DecodingError("not the one encoding of a sign-on")
        return made

    def is_weaker_than(self, old: "SignOn") -> bool:
        """Return whether anything but the keys of an issuer that is not pinned changes, or the device flow is let in."""
        same = (self.issuer, self.client_id, self.claim) == (old.issuer, old.client_id, old.claim)
        is_loosened = old.pinned and (not self.pinned or self.keys != old.keys)
        return not same or is_loosened or (self.device_flow and not old.device_flow)


def check_id_token(token: bytes, sign_on: SignOn, *, nonce: str, address: str, now: datetime) -> bool:
    """Check an ID token (OpenID Connect Core section 3.1.3.7).

    Args:
        token: Compact JWS, as the issuer gave it to the device.
        sign_on: Whose tokens count.
        nonce: Of this device.
        address: Whose mailbox it proved.
        now: By the keystore's own clock.

    Returns:
        Whether the nonce was in it; if not, it came by the device flow and counts once.

    Raises:
        AuthenticationError: If it is not by this issuer for this client, device, address and time.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise AuthenticationError(_REFUSED)
    # 1 Signed by one of the issuer's keys.
    try:
        claims: dict[str, Any] = jwt.decode(token, _key_set(sign_on.keys), algorithms=ALGORITHMS).claims
    except (JoseError, ValueError, TypeError, KeyError, InputError) as error:
        raise AuthenticationError(_REFUSED) from error
    # 2 By this issuer, for this client.
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    is_ours = claims.get("iss") == sign_on.issuer and sign_on.client_id in audiences
    if not is_ours or claims.get("azp", sign_on.client_id) != sign_on.client_id:
        raise AuthenticationError("the sign-on was made for another program or by another issuer")
    if len(audiences) > 1 and "azp" not in claims:
        raise AuthenticationError("the sign-on was made for several programs")
    # 3 Just now.
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int | float) or not isinstance(expires, int | float):
        raise AuthenticationError(_REFUSED)
    seconds = now.timestamp()
    is_fresh = seconds - FRESH.total_seconds() <= issued <= seconds + LEEWAY.total_seconds()
    if not is_fresh or expires < seconds - LEEWAY.total_seconds():
        raise AuthenticationError(_REFUSED)
    # 4 For this device; the device flow has no nonce of its own (RFC 8628).
    shown = claims.get("nonce")
    if shown is None and not sign_on.device_flow:
        raise AuthenticationError("the sign-on names no device, and the device flow is not permitted")
    if shown is not None and not hmac.compare_digest(str(shown).encode("utf-8"), nonce.encode("ascii")):
        raise AuthenticationError("the sign-on was made for another device")
    # 5 By whoever has the mailbox.
    named = claims.get(sign_on.claim)
    if not isinstance(named, str) or named.strip().lower() != address or not address:
        raise AuthenticationError("the sign-on is somebody else's: it names another address than the mailbox's")
    if sign_on.claim == "email" and claims.get("email_verified") is False:
        raise AuthenticationError("the issuer has not verified this address")
    return shown is not None


def _key_set(keys: bytes) -> KeySet:
    if len(keys) > MAX_KEYS_BYTES:
        raise InputError("the issuer's key set is too large")
    try:
        found = KeySet.import_key_set(json.loads(keys))
        is_secret = any(key.key_type == "oct" or key.is_private for key in found.keys)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError("the issuer's keys are no JWK set") from error
    if not found.keys or is_secret:
        raise InputError("the issuer's key set has no keys, or one that is secret")
    return found

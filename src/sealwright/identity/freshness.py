"""Freshness without trust in a device's clock: stateless server nonces, and a bounded memory of proofs seen."""

import hmac
import threading
from collections import OrderedDict
from datetime import datetime, timedelta

from sealwright.clock import Clock
from sealwright.errors import AuthenticationError, DecodingError, NonceRequiredError, RateLimitedError
from sealwright.keystore.protocol import Keystore
from sealwright.wire.encoding import b64u_decode, b64u_encode, encode_fields

NONCE_PURPOSE = "dpop-nonce"
BUCKET_SECONDS = 30
NONCE_SECONDS = 300
"""Nonces are good for this long, and for up to one bucket more."""
REPLAY_WINDOW = timedelta(seconds=NONCE_SECONDS + 2 * BUCKET_SECONDS)
MAX_PROOFS_PER_KEY = 5_000
MAX_KEYS = 50_000
_MAC_BYTES = 16
_TIME_BYTES = 8


class NonceIssuer:
    """Makes and checks DPoP nonces (RFC 9449 section 8): a time bucket and its HMAC, so that no node keeps any.

    Args:
        keystore: Derives the HMAC key; the same on every node.
        clock: The time.
        organization_id: Whose key makes this server's nonces; on a server of many, the built-in organization's.
    """

    def __init__(self, keystore: Keystore, clock: Clock, organization_id: str) -> None:
        self._keystore, self._clock, self._organization_id = keystore, clock, organization_id
        self._key = b""

    def nonce(self) -> str:
        """Return a nonce that is good for at least `NONCE_SECONDS`."""
        return self._make(self._bucket())

    def check(self, nonce: str | None) -> None:
        """Check a nonce that came back.

        Raises:
            NonceRequiredError: If it is missing, too old, or not from here.
        """
        try:
            number = int.from_bytes(b64u_decode(nonce or "")[:_TIME_BYTES], "big")
        except DecodingError as error:
            raise NonceRequiredError("the request needs a fresh nonce of this server") from error
        current = self._bucket()
        near = current - NONCE_SECONDS // BUCKET_SECONDS - 1 <= number <= current + 1
        if not near or not hmac.compare_digest(self._make(number).encode("ascii"), (nonce or "").encode("ascii")):
            raise NonceRequiredError("the request needs a fresh nonce of this server")

    def _bucket(self) -> int:
        return int(self._clock.now().timestamp()) // BUCKET_SECONDS

    def _make(self, bucket: int) -> str:
        if not self._key:
            self._key = self._keystore.derive_secret(self._organization_id, NONCE_PURPOSE)
        encoded = bucket.to_bytes(_TIME_BYTES, "big")
        mac = hmac.digest(self._key, encode_fields("sealwright dpop nonce", 1, encoded), "sha256")
        return b64u_encode(encoded + mac[:_MAC_BYTES])


class ReplayCache:
    """Remembers the `jti` of right proofs for as long as their nonces are good.

    Only proofs of enrolled devices get here, and each key has its own bound: nobody fills another device's share.

    Args:
        clock: The time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[bytes, OrderedDict[str, datetime]] = OrderedDict()

    def use(self, key_sha256: bytes, jti: str) -> None:
        """Use a proof, once.

        Raises:
            AuthenticationError: If it was used before.
            RateLimitedError: If the key made too many requests to remember.
        """
        now = self._clock.now()
        with self._lock:
            seen = self._seen.setdefault(key_sha256, OrderedDict())
            self._seen.move_to_end(key_sha256)
            while seen and now - next(iter(seen.values())) > REPLAY_WINDOW:
                seen.popitem(last=False)
            if jti in seen:
                raise AuthenticationError("the DPoP proof was used before")
            if len(seen) >= MAX_PROOFS_PER_KEY:
                raise RateLimitedError("this device makes too many requests", NONCE_SECONDS)
            if len(self._seen) > MAX_KEYS:
                self._forget_idle(now, key_sha256)
            seen[jti] = now

    def _forget_idle(self, now: datetime, current: bytes) -> None:
        """Make room from the key that was idle the longest; nothing that still counts is forgotten."""
        oldest = next(iter(self._seen))
        uses = self._seen[oldest]
        if uses and now - next(reversed(uses.values())) <= REPLAY_WINDOW:
            del self._seen[current]
            raise RateLimitedError("too many devices make requests", NONCE_SECONDS)
        del self._seen[oldest]

"""Access tokens: opaque, bound to the device's key (RFC 9449), an hour long; and who a request is from."""

import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from sealwright.clock import Clock
from sealwright.errors import AuthenticationError, PermissionDeniedError
from sealwright.identity.device_store import DeviceStore
from sealwright.identity.freshness import ReplayCache
from sealwright.identity.model import TOKEN_LIFE, AuthenticatedDevice, Device
from sealwright.identity.policy_store import VouchedRowStore
from sealwright.identity.requests import RequestVerifier, claimed_key_sha256, required_idempotency_key
from sealwright.identity.store import PeopleStore
from sealwright.keystore.approvals import ROLE
from sealwright.keystore.model import DeviceCredential, SignedRequestEvidence
from sealwright.storage.engine import Storage, Transaction
from sealwright.wire.api import AccessToken
from sealwright.wire.dpop import verify_proof
from sealwright.wire.encoding import b64u_encode, sha256
from sealwright.wire.roles import decode_roles

TOKEN_BYTES = 32
_REFUSED = "the access token is not valid here: renew it"


class TokenService:
    """Issues tokens and authenticates requests.

    Args:
        storage: The database.
        store: SQL of devices.
        people: SQL of mailboxes.
        requests: Checks signed requests.
        clock: The time.
    """

    def __init__(
        self, storage: Storage, store: DeviceStore, people: PeopleStore, requests: RequestVerifier, clock: Clock
    ) -> None:
        self._storage, self._store, self._people = storage, store, people
        self._requests, self._clock = requests, clock
        self._replays = ReplayCache(clock)

    def nonce(self) -> str:
        """Return a fresh nonce for the DPoP-Nonce header of any answer."""
        return self._requests.nonce()

    def issue(self, tx: Transaction, credential: DeviceCredential) -> AccessToken:
        """Issue a token to a device; expired ones of the device are deleted."""
        now = self._clock.now()
        token, expires = b64u_encode(secrets.token_bytes(TOKEN_BYTES)), now + TOKEN_LIFE
        self._store.delete_tokens(tx, credential, before=now)
        self._store.add_token(tx, credential, _token_hash(token), expires)
        return AccessToken(access_token=token, expires=expires)

    def renew(self, signed: SignedRequestEvidence) -> AccessToken:
        """Issue a token on the device's signature alone (POST /v1/token).

        Raises:
            AuthenticationError: If no device that is enrolled signed it.
            NonceRequiredError: If its nonce is not fresh.
        """
        claimed = claimed_key_sha256(signed)
        with self._storage.transaction(None) as tx:
            device = self._store.device_of_key(tx, claimed)
            if device is None:
                raise AuthenticationError("this device is not enrolled here")
            self._requests.verify(signed, device.credential.device.authentication_key_spki, "POST")
            return self.issue(tx, device.credential)

    def authenticate(
        self,
        headers: Mapping[str, str],
        method: str,
        uri: str,
        body: bytes,
        *,
        state_changing: bool,
        locked: bool = False,
    ) -> AuthenticatedDevice:
        """Find out which device sent a request.

        Args:
            headers: Names in lower case.
            method: As received.
            uri: Absolute, as the client sent it.
            body: As received.
            state_changing: Whether it must be signed, too, with an idempotency key.
            locked: Whether a locked device may send it, too.

        Raises:
            AuthenticationError: If token, proof or signature is not right.
            NonceRequiredError: If the proof's nonce is not fresh.
            PermissionDeniedError: If the device is locked.
            RateLimitedError: If the device makes too many requests.
        """
        # 1 The request is for this server, with a token and a proof of its key.
        self._requests.check_target(uri)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "dpop" or not token:
            raise AuthenticationError("the request needs a DPoP access token")
        now = self._clock.now()
        proof = verify_proof(headers.get("dpop", ""), method, uri, token, now)
        self._requests.check_nonce(proof.nonce)
        # 2 The token is known, and of the key that made the proof.
        with self._storage.read(None) as tx:
            device = self._store.device_of_token(tx, _token_hash(token), now)
            if device is None:
                raise AuthenticationError(_REFUSED)
            credential = device.credential
            mailbox = self._people.mailbox(tx, credential.organization_id, credential.mailbox_id)
        spki = credential.device.authentication_key_spki
        if not hmac.compare_digest(proof.spki_sha256, sha256(spki)) or mailbox.state != "active":
            raise AuthenticationError(_REFUSED)
        # 3 The signature, where something changes; then the proof is used up.
        key = ""
        if state_changing:
            signed = SignedRequestEvidence(method, uri, signature_headers(headers), body)
            key = required_idempotency_key(self._requests.verify_signature(signed, spki, method))
        self._replays.use(proof.spki_sha256, proof.jti)
        if credential.state != "active" and not locked:
            raise PermissionDeniedError("this device is locked: unlock it on another one, or ask your administrator")
        return _authenticated(device, mailbox.address, key)

    def roles(self, asking: AuthenticatedDevice) -> tuple[str, ...]:
        """Return the roles of a device's owner; the keystore checks the row again where keys are concerned."""
        with self._storage.read(asking.organization_id) as tx:
            row = VouchedRowStore().row(tx, asking.organization_id, ROLE, asking.owner_id)
        return () if row is None else decode_roles(row.content)


def signature_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return only what belongs to the request's signature; never the token."""
    names = ("content-digest", "signature-input", "signature", "idempotency-key")
    return {name: headers[name] for name in names if name in headers}


def _authenticated(device: Device, address: str, idempotency_key: str) -> AuthenticatedDevice:
    own: DeviceCredential = device.credential
    values: dict[str, Any] = {"credential": own, "address": address, "idempotency_key": idempotency_key}
    return AuthenticatedDevice(own.organization_id, own.mailbox_id, own.device_id, **values)


def _token_hash(token: str) -> str:
    return sha256(token.encode("utf-8", "replace")).hex()

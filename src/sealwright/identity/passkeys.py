"""Passkeys of administrators (WebAuthn level 3): registered within a session, then enough to sign in."""

import ipaddress
import json
import secrets
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from sealwright.clock import Clock
from sealwright.errors import AuthenticationError, ConflictError, InputError, NotFoundError, RateLimitedError
from sealwright.identity.administrator_store import AdministratorStore
from sealwright.identity.administrators import AdministratorService, check_name
from sealwright.identity.model import ConsoleSession, NewSession, Passkey
from sealwright.identity.throttle import Throttle
from sealwright.storage.engine import Storage
from sealwright.storage.schema import new_id

CHALLENGE_LIFE: Final = timedelta(minutes=5)
MAX_CHALLENGES: Final = 1000
CHALLENGES_OF_SOURCE: Final = 30
_REFUSED = "the passkey is not known here"


class PasskeyService:
    """Registers passkeys and signs in with them.

    Args:
        storage: The database.
        store: Its SQL.
        administrators: Whose they are.
        clock: The time.
        endpoints: Base URLs of this server; passkeys belong to the host of the first.
    """

    def __init__(
        self,
        storage: Storage,
        store: AdministratorStore,
        administrators: AdministratorService,
        clock: Clock,
        endpoints: tuple[str, ...],
    ) -> None:
        self._storage, self._store, self._administrators, self._clock = storage, store, administrators, clock
        self._rp_id = urlsplit(endpoints[0]).hostname or ""
        self._origins = [url.removesuffix(":443") for url in endpoints if urlsplit(url).hostname == self._rp_id]
        self._throttle = Throttle()

    @property
    def are_possible(self) -> bool:
        """Whether browsers make passkeys for this server: it needs a name, an IP address is none."""
        try:
            ipaddress.ip_address(self._rp_id)
        except ValueError:
            return bool(self._rp_id)
        return False

    def begin_registration(self, organization_id: str, session: ConsoleSession, name: str) -> tuple[str, str]:
        """Return a challenge's identifier and the options for `navigator.credentials.create`, JSON.

        Raises:
            InputError: If the name cannot be used.
        """
        known = session.administrator
        name = known.name if known else check_name(name)
        handle = bytes.fromhex(known.administrator_id) if known else secrets.token_bytes(16)
        existing = self._administrators.passkeys(organization_id, known) if known else []
        options = generate_registration_options(
            rp_id=self._rp_id,
            rp_name="Sealwright",
            user_name=name,
            user_id=handle,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=passkey.credential_id) for passkey in existing],
        )
        challenge_id = self._add_challenge(organization_id, session.session_id, options.challenge, handle)
        return challenge_id, options_to_json(options)

    def register(
        self, organization_id: str, session: ConsoleSession, name: str, challenge_id: str, credential: str
    ) -> NewSession:
        """Store a passkey: of the session's administrator, or of a new one of that name.

        Raises:
            InputError: If the name cannot be used.
            AuthenticationError: If the answer does not verify.
            PermissionDeniedError: If the administrator has passkeys and none of them opened the session.
            ConflictError: If name or passkey exist.
        """
        challenge, handle = self._take_challenge(organization_id, challenge_id, session.session_id)
        try:
            verified = verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise AuthenticationError("the passkey could not be checked") from error
        known = session.administrator
        with self._storage.transaction(organization_id) as tx:
            if known is None:
                identifier = self._administrators.create(
                    tx, organization_id, name, session.role, "passkey", identifier=handle.hex()
                )
            else:
                identifier = known.administrator_id
                self._administrators.check_passkeys_stay(tx, organization_id, session)
                fields = {"administrator": identifier, "name": known.name}
                self._administrators.log(tx, organization_id, "administrator.add-passkey", fields)
            self._store.add_passkey(
                tx,
                organization_id,
                Passkey(
                    new_id(),
                    identifier,
                    verified.credential_id,
                    verified.credential_public_key,
                    verified.sign_count,
                    self._clock.now(),
                ),
            )
            is_first = known is None  # whoever adds one to a password signs in with it once, first
            return self._administrators.continue_session(
                tx, organization_id, session, identifier, with_passkey=is_first
            )

    def begin_sign_in(self, organization_id: str, source: str) -> tuple[str, str]:
        """Return a challenge's identifier and the options for `navigator.credentials.get`, JSON.

        Raises:
            RateLimitedError: If too many were asked for.
        """
        self._throttle.count(source, CHALLENGES_OF_SOURCE, self._clock.now())
        options = generate_authentication_options(
            rp_id=self._rp_id, user_verification=UserVerificationRequirement.REQUIRED
        )
        return self._add_challenge(organization_id, None, options.challenge, b""), options_to_json(options)

    def sign_in(self, organization_id: str, challenge_id: str, credential: str) -> NewSession:
        """Sign in with a passkey.

        Raises:
            AuthenticationError: If the answer does not verify, or the passkey is not known.
        """
        challenge, _ = self._take_challenge(organization_id, challenge_id, None)
        try:
            credential_id = base64url_to_bytes(json.loads(credential)["rawId"])
            with self._storage.read(organization_id) as tx:
                passkey = self._store.passkey(tx, organization_id, credential_id)
            if passkey is None:
                raise AuthenticationError(_REFUSED)
            verified = verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise AuthenticationError(_REFUSED) from error
        with self._storage.transaction(organization_id) as tx:
            self._store.use_passkey(tx, organization_id, passkey, verified.new_sign_count)
            return self._administrators.begin_session(tx, organization_id, passkey.administrator_id, "passkey")

    def _add_challenge(self, organization_id: str, session_id: str | None, challenge: bytes, handle: bytes) -> str:
        now = self._clock.now()
        with self._storage.transaction(organization_id) as tx:
            if self._store.count_challenges(tx, organization_id, now) >= MAX_CHALLENGES:
                raise RateLimitedError("too many sign-ins are open: wait some minutes")
            return self._store.add_challenge(tx, organization_id, session_id, challenge, handle, now + CHALLENGE_LIFE)

    def _take_challenge(self, organization_id: str, challenge_id: str, session_id: str | None) -> tuple[bytes, bytes]:
        if len(challenge_id) > 32:
            raise InputError("there is no such challenge")
        try:
            with self._storage.transaction(organization_id) as tx:
                return self._store.take_challenge(tx, organization_id, challenge_id, session_id, self._clock.now())
        except (NotFoundError, ConflictError) as error:
            raise AuthenticationError("that took too long: try again") from error

"""Administrators of the console: set up by a one-time link, signed in by password or passkey, known by a session."""

import re
import secrets
import threading
from datetime import timedelta
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from sealwright.audit.log import Act, AuditLog
from sealwright.clock import Clock
from sealwright.errors import AuthenticationError, ConflictError, InputError, NotFoundError, PermissionDeniedError
from sealwright.identity.administrator_store import AdministratorStore
from sealwright.identity.model import Administrator, ConsoleSession, NewSession, Passkey, SessionToOpen
from sealwright.identity.ports import UseSignInLink
from sealwright.identity.throttle import Throttle
from sealwright.storage.engine import Storage, Transaction
from sealwright.storage.schema import new_id
from sealwright.tlog.leaf import ORGANIZATION_CHAIN
from sealwright.wire.encoding import b64u_decode, b64u_encode, sha256
from sealwright.wire.roles import ADMINISTRATOR

SESSION_LIFE: Final = timedelta(hours=12)
SET_UP_LIFE: Final = timedelta(hours=1)
TOKEN_BYTES: Final = 32
MIN_PASSWORD_CHARACTERS: Final = 12
MAX_PASSWORD_CHARACTERS: Final = 256
TRIES_OF_NAME: Final = 20
TRIES_OF_SOURCE: Final = 10
HASHES_AT_ONCE: Final = 2
"""Each takes 64 MiB."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
_REFUSED = "name and password do not fit"


class AdministratorService:
    """Sets administrators up and signs them in; each set-up, sign-in and change of a credential is a leaf.

    Args:
        storage: The database.
        store: Its SQL.
        audit: The owner-visible log.
        clock: The time.
        use_link: Uses a sign-in link up.
    """

    def __init__(
        self, storage: Storage, store: AdministratorStore, audit: AuditLog, clock: Clock, use_link: UseSignInLink
    ) -> None:
        self._storage, self._store, self._audit, self._clock = storage, store, audit, clock
        self._use_link, self._throttle = use_link, Throttle()
        self._hasher, self._hashing = PasswordHasher(), threading.BoundedSemaphore(HASHES_AT_ONCE)
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    def redeem_link(self, organization_id: str, token: str) -> NewSession:
        """Use a sign-in link up for a session of one hour that can do nothing but set an administrator up.

        Raises:
            AuthenticationError: If there is no such link, or it was used or has expired.
        """
        try:
            with self._storage.transaction(organization_id) as tx:
                role = self._use_link(tx, b64u_decode(token), self._clock.now())
                self.log(tx, organization_id, "sign-in-link.use", {"role": role})
                return self._open_session(tx, organization_id, None, role, SET_UP_LIFE, with_passkey=False)
        except (InputError, ConflictError) as error:
            raise AuthenticationError("This link was used or has expired.") from error

    def session(self, organization_id: str, token: str) -> ConsoleSession:
        """Return the session of a browser.

        Raises:
            AuthenticationError: If there is none or it has ended.
        """
        with self._storage.read(organization_id) as tx:
            found = self._store.session(tx, organization_id, _token_hash(token), self._clock.now())
        if found is None:
            raise AuthenticationError("Please sign in.")
        return found

    def set_password(self, organization_id: str, session: ConsoleSession, name: str, password: str) -> NewSession:
        """Set a password: of the session's administrator, whose other sessions end, or of a new one of that name.

        Raises:
            InputError: If name or password cannot be used.
            ConflictError: If the name is taken.
        """
        check_password(password)
        with self._hashing:
            encoded = self._hasher.hash(password)
        known = session.administrator
        with self._storage.transaction(organization_id) as tx:
            if known is None:
                identifier = self.create(tx, organization_id, name, session.role, "password", encoded)
            else:
                identifier = known.administrator_id
                self._store.set_password_hash(tx, organization_id, identifier, encoded)
                fields = {"administrator": identifier, "name": known.name}
                self.log(tx, organization_id, "administrator.set-password", fields)
            return self.continue_session(tx, organization_id, session, identifier)

    def create(
        self,
        tx: Transaction,
        organization_id: str,
        name: str,
        role: str,
        credential: str,
        password_hash: str | None = None,
        identifier: str = "",
    ) -> str:
        """Add an administrator within the caller's transaction; return the identifier.

        Raises:
            InputError: If the name cannot be used.
            ConflictError: If it is taken.
        """
        name = check_name(name)
        if self._store.administrator_named(tx, organization_id, name) is not None:
            raise ConflictError("Another administrator has this name already.")
        has_password, now = password_hash is not None, self._clock.now()
        added = Administrator(identifier or new_id(), name, role, has_password, now, password_hash)
        self._store.add_administrator(tx, organization_id, added)
        fields = {"administrator": added.administrator_id, "name": name, "role": role, "credential": credential}
        self.log(tx, organization_id, "administrator.create", fields)
        return added.administrator_id

    def continue_session(
        self,
        tx: Transaction,
        organization_id: str,
        session: ConsoleSession,
        administrator_id: str,
        *,
        with_passkey: bool = False,
    ) -> NewSession:
        """Put a session of an administrator, under a new token, in the place of all earlier ones.

        A session that a passkey opened stays one; `with_passkey` makes it one.
        """
        self._store.end_other_sessions(tx, organization_id, administrator_id, session.session_id)
        self._store.end_session(tx, organization_id, session.session_id)
        role = self._store.role_of(tx, organization_id, administrator_id)
        with_passkey = with_passkey or session.with_passkey
        return self._open_session(tx, organization_id, administrator_id, role, SESSION_LIFE, with_passkey=with_passkey)

    def sign_in(self, organization_id: str, name: str, password: str, source: str) -> NewSession:
        """Sign in with a password; every failure looks the same and takes the same time.

        Args:
            organization_id: 32 hex digits.
            name: Of the administrator.
            password: In clear.
            source: The network address that asks.

        Raises:
            AuthenticationError: If they do not fit.
            RateLimitedError: If there were too many tries.
        """
        now, name = self._clock.now(), name.strip().lower()[:MAX_PASSWORD_CHARACTERS]
        by_name, by_source = f"name {name}", f"source {source}"
        self._throttle.count(by_source, TRIES_OF_SOURCE, now)
        self._throttle.count(by_name, TRIES_OF_NAME, now)
        with self._storage.read(organization_id) as tx:
            found = self._store.administrator_named(tx, organization_id, name)
        encoded = found.password_hash if found else None
        fits = self._is_password(encoded or self._nobody, password[: MAX_PASSWORD_CHARACTERS + 1])
        if found is None or encoded is None or not fits:
            raise AuthenticationError(_REFUSED)
        self._throttle.clear(by_source)
        self._throttle.clear(by_name)
        with self._storage.transaction(organization_id) as tx:
            return self.begin_session(tx, organization_id, found.administrator_id, "password")

    def begin_session(self, tx: Transaction, organization_id: str, administrator_id: str, method: str) -> NewSession:
        """Open the session of a sign-in, with its leaf, within the caller's transaction."""
        fields = {"administrator": administrator_id, "method": method}
        self.log(tx, organization_id, "administrator.sign-in", fields)
        role = self._store.role_of(tx, organization_id, administrator_id)
        with_passkey = method == "passkey"
        return self._open_session(tx, organization_id, administrator_id, role, SESSION_LIFE, with_passkey=with_passkey)

    def sign_out(self, organization_id: str, session: ConsoleSession) -> None:
        """End a session; one that has ended already stays so."""
        try:
            with self._storage.transaction(organization_id) as tx:
                self._store.end_session(tx, organization_id, session.session_id)
        except ConflictError:
            return

    def passkeys(self, organization_id: str, administrator: Administrator) -> list[Passkey]:
        """Return an administrator's passkeys, oldest first."""
        with self._storage.read(organization_id) as tx:
            return self._store.passkeys(tx, organization_id, administrator.administrator_id)

    def everybody(self, organization_id: str) -> list[tuple[Administrator, int]]:
        """Return all administrators by name, each with the number of passkeys."""
        with self._storage.read(organization_id) as tx:
            return self._store.administrators(tx, organization_id)

    def remove(self, organization_id: str, by: Administrator, administrator_id: str) -> None:
        """Remove an administrator, whose sessions and credentials end at once; one's own account, too.

        Raises:
            NotFoundError: If there is none of this identifier.
            ConflictError: If it is the last one whose role is "administrator".
        """
        with self._storage.transaction(organization_id) as tx:
            # 1 The leaf first: it locks the organization's chain, so that two removals see each other.
            known = {each.administrator_id: each for each, _ in self._store.administrators(tx, organization_id)}
            if administrator_id not in known:
                raise NotFoundError("There is no such administrator.")
            fields = {"administrator": administrator_id, "name": known[administrator_id].name}
            self.log(tx, organization_id, "administrator.remove", {**fields, "by": by.administrator_id})
            # 2 Whoever is there now, seen with the lock.
            there = [each for each, _ in self._store.administrators(tx, organization_id) if each.role == ADMINISTRATOR]
            if [each.administrator_id for each in there] == [administrator_id]:
                raise ConflictError("The last administrator cannot be removed: set up another one first.")
            self._store.remove_administrator(tx, organization_id, administrator_id)

    def remove_passkey(self, organization_id: str, session: ConsoleSession, passkey_id: str) -> NewSession:
        """Remove a passkey of the session's administrator, whose other sessions end.

        Raises:
            AuthenticationError: If nobody is signed in.
            PermissionDeniedError: If no passkey opened the session.
            ConflictError: If it is the only way to sign in, or is gone.
        """
        if session.administrator is None:
            raise AuthenticationError("Please finish your set-up first.")
        known = session.administrator
        with self._storage.transaction(organization_id) as tx:
            self.check_passkeys_stay(tx, organization_id, session)
            fields = {"administrator": known.administrator_id, "name": known.name, "passkey": passkey_id}
            self.log(tx, organization_id, "administrator.remove-passkey", fields)
            left = self._store.passkeys(tx, organization_id, known.administrator_id)
            if not known.has_password and len(left) < 2:
                raise ConflictError("This is your only way to sign in: add another passkey or a password first.")
            self._store.remove_passkey(tx, organization_id, known.administrator_id, passkey_id)
            return self.continue_session(tx, organization_id, session, known.administrator_id)

    def check_passkeys_stay(self, tx: Transaction, organization_id: str, session: ConsoleSession) -> None:
        """Check that a session may change passkeys: where there is one, a password alone does not bring in another.

        Raises:
            PermissionDeniedError: If the session's administrator has passkeys and none of them opened it.
        """
        known = session.administrator
        if known and not session.with_passkey and self._store.passkeys(tx, organization_id, known.administrator_id):
            raise PermissionDeniedError("Sign in with your passkey first: passkeys are changed with a passkey.")

    def log(self, tx: Transaction, organization_id: str, kind: str, fields: dict[str, str]) -> None:
        """Write the leaf of an administrator's act."""
        self._audit.append(tx, Act(organization_id, ORGANIZATION_CHAIN, kind, fields))

    def _open_session(
        self,
        tx: Transaction,
        organization_id: str,
        administrator_id: str | None,
        role: str,
        life: timedelta,
        *,
        with_passkey: bool,
    ) -> NewSession:
        token, now = b64u_encode(secrets.token_bytes(TOKEN_BYTES)), self._clock.now()
        opened = SessionToOpen(administrator_id, role, with_passkey, now, now + life)
        self._store.add_session(tx, organization_id, _token_hash(token), opened)
        return NewSession(token, now + life)

    def _is_password(self, encoded: str, password: str) -> bool:
        with self._hashing:
            try:
                return self._hasher.verify(encoded, password)
            except (VerificationError, InvalidHashError):
                return False


def check_name(name: str) -> str:
    """Return an administrator's name in its one form.

    Raises:
        InputError: If it cannot be one.
    """
    name = name.strip().lower()
    if not _NAME.fullmatch(name):
        raise InputError("A name has up to 64 letters, digits or . _ @ - and begins with a letter or digit.")
    return name


def check_password(password: str) -> None:
    """Check a new password: long enough, and not one character repeated.

    Raises:
        InputError: If it cannot be used.
    """
    if not MIN_PASSWORD_CHARACTERS <= len(password) <= MAX_PASSWORD_CHARACTERS:
        raise InputError(f"A password has at least {MIN_PASSWORD_CHARACTERS} characters.")
    if len(set(password)) < 5:
        raise InputError("This password is too easy to guess.")


def _token_hash(token: str) -> str:
    return sha256(token.encode("utf-8", "replace")).hex()

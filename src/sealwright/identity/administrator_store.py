"""SQL of administrators, their passkeys, sessions and open challenges."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update

from sealwright.errors import NotFoundError
from sealwright.identity.model import Administrator, ConsoleSession, Passkey, SessionToOpen
from sealwright.identity.tables import administrator, administrator_passkey, administrator_session, passkey_challenge
from sealwright.storage.engine import Transaction
from sealwright.storage.schema import new_id
from sealwright.wire.encoding import sha256

MAX_ADMINISTRATORS = 500
"""Shown on one page."""
MAX_PASSKEYS = 50
"""Of one administrator."""


class AdministratorStore:
    """Reads and writes within the caller's transaction."""

    def add_administrator(self, tx: Transaction, organization_id: str, added: Administrator) -> None:
        """Add an administrator.

        Raises:
            ConflictError: If the name is taken.
        """
        tx.execute(
            insert(administrator).values(
                organization_id=organization_id,
                id=added.administrator_id,
                name=added.name,
                role=added.role,
                password_hash=added.password_hash,
                created=added.created,
            )
        )

    def administrator_named(self, tx: Transaction, organization_id: str, name: str) -> Administrator | None:
        """Return the administrator of a name."""
        own = (administrator.c.organization_id == organization_id) & (administrator.c.name == name)
        row = tx.fetch_one(select(administrator).where(own))
        return None if row is None else _administrator(row)

    def administrators(self, tx: Transaction, organization_id: str) -> list[tuple[Administrator, int]]:
        """Return all administrators by name, each with the number of passkeys."""
        columns, passkeys = administrator.c, administrator_passkey.c
        same = (passkeys.organization_id == columns.organization_id) & (passkeys.administrator_id == columns.id)
        count = select(func.count()).select_from(administrator_passkey).where(same).scalar_subquery()
        own = columns.organization_id == organization_id
        chosen = select(administrator, count.label("passkeys")).where(own).order_by(columns.name)
        return [(_administrator(row), row.passkeys) for row in tx.fetch_all(chosen.limit(MAX_ADMINISTRATORS))]

    def role_of(self, tx: Transaction, organization_id: str, administrator_id: str) -> str:
        """Return an administrator's role.

        Raises:
            NotFoundError: If there is none of this identifier.
        """
        own = (administrator.c.organization_id == organization_id) & (administrator.c.id == administrator_id)
        found: str | None = tx.fetch_value(select(administrator.c.role).where(own))
        if found is None:
            raise NotFoundError("there is no such administrator")
        return found

    def remove_administrator(self, tx: Transaction, organization_id: str, administrator_id: str) -> None:
        """Remove an administrator with sessions and passkeys.

        Raises:
            ConflictError: If there is no such administrator any more.
        """
        for table in (administrator_session, administrator_passkey):
            columns = table.c
            own = (columns.organization_id == organization_id) & (columns.administrator_id == administrator_id)
            tx.execute(delete(table).where(own))
        own = (administrator.c.organization_id == organization_id) & (administrator.c.id == administrator_id)
        tx.change_one(delete(administrator).where(own), "the administrator is gone")

    def set_password_hash(self, tx: Transaction, organization_id: str, administrator_id: str, encoded: str) -> None:
        """Replace the password.

        Raises:
            ConflictError: If there is no such administrator any more.
        """
        own = (administrator.c.organization_id == organization_id) & (administrator.c.id == administrator_id)
        tx.change_one(update(administrator).where(own).values(password_hash=encoded), "the administrator is gone")

    def add_passkey(self, tx: Transaction, organization_id: str, added: Passkey) -> None:
        """Add a passkey.

        Raises:
            ConflictError: If the credential is registered already.
        """
        tx.execute(
            insert(administrator_passkey).values(
                organization_id=organization_id,
                id=added.passkey_id,
                administrator_id=added.administrator_id,
                credential_id=added.credential_id,
                credential_sha256=sha256(added.credential_id).hex(),
                public_key=added.public_key,
                sign_count=added.sign_count,
                created=added.created,
            )
        )

    def passkeys(self, tx: Transaction, organization_id: str, administrator_id: str) -> list[Passkey]:
        """Return an administrator's passkeys, oldest first."""
        columns = administrator_passkey.c
        own = (columns.organization_id == organization_id) & (columns.administrator_id == administrator_id)
        ordered = select(administrator_passkey).where(own).order_by(columns.created, columns.id)
        return [_passkey(row) for row in tx.fetch_all(ordered.limit(MAX_PASSKEYS))]

    def remove_passkey(self, tx: Transaction, organization_id: str, administrator_id: str, passkey_id: str) -> None:
        """Remove a passkey.

        Raises:
            ConflictError: If the administrator has no such passkey any more.
        """
        columns = administrator_passkey.c
        own = (columns.organization_id == organization_id) & (columns.administrator_id == administrator_id)
        tx.change_one(delete(administrator_passkey).where(own, columns.id == passkey_id), "the passkey is gone")

    def passkey(self, tx: Transaction, organization_id: str, credential_id: bytes) -> Passkey | None:
        """Return the passkey of a credential."""
        columns = administrator_passkey.c
        own = columns.organization_id == organization_id
        row = tx.fetch_one(
            select(administrator_passkey).where(own, columns.credential_sha256 == sha256(credential_id).hex())
        )
        return None if row is None else _passkey(row)

    def use_passkey(self, tx: Transaction, organization_id: str, used: Passkey, sign_count: int) -> None:
        """Store the authenticator's counter.

        Raises:
            ConflictError: If it was used elsewhere meanwhile.
        """
        columns = administrator_passkey.c
        own = (columns.organization_id == organization_id) & (columns.id == used.passkey_id)
        tx.change_one(
            update(administrator_passkey)
            .where(own, columns.sign_count == used.sign_count)
            .values(sign_count=sign_count),
            "the passkey was used elsewhere meanwhile",
        )

    def add_session(self, tx: Transaction, organization_id: str, token_sha256: str, opened: SessionToOpen) -> str:
        """Add a session, purge those that ended, and return its identifier."""
        own = administrator_session.c.organization_id == organization_id
        tx.execute(delete(administrator_session).where(own, administrator_session.c.expires <= opened.created))
        session_id = new_id()
        tx.execute(
            insert(administrator_session).values(
                organization_id=organization_id,
                id=session_id,
                administrator_id=opened.administrator_id,
                role=opened.role,
                with_passkey=opened.with_passkey,
                token_sha256=token_sha256,
                created=opened.created,
                expires=opened.expires,
            )
        )
        return session_id

    def session(self, tx: Transaction, organization_id: str, token_sha256: str, now: datetime) -> ConsoleSession | None:
        """Return the session of a token, unless it has ended."""
        sessions, people = administrator_session.c, administrator.c
        same = (sessions.organization_id == people.organization_id) & (sessions.administrator_id == people.id)
        chosen = select(
            sessions.id.label("session_id"),
            sessions.role.label("session_role"),
            sessions.with_passkey,
            sessions.expires,
            people.id,
            people.name,
            people.role,
            people.password_hash,
            people.created,
        ).select_from(administrator_session.outerjoin(administrator, same))
        valid = (sessions.organization_id == organization_id) & (sessions.token_sha256 == token_sha256)
        row = tx.fetch_one(chosen.where(valid, sessions.expires > now))
        if row is None:
            return None
        known = None if row.id is None else _administrator(row)
        role = known.role if known else row.session_role
        return ConsoleSession(row.session_id, known, row.expires, role, row.with_passkey)

    def end_session(self, tx: Transaction, organization_id: str, session_id: str) -> None:
        """End a session.

        Raises:
            ConflictError: If it has ended.
        """
        columns = administrator_session.c
        own = (columns.organization_id == organization_id) & (columns.id == session_id)
        tx.change_one(delete(administrator_session).where(own), "the session has ended")

    def end_other_sessions(self, tx: Transaction, organization_id: str, administrator_id: str, kept: str) -> int:
        """End an administrator's sessions but one; return how many."""
        columns = administrator_session.c
        own = (columns.organization_id == organization_id) & (columns.administrator_id == administrator_id)
        return tx.execute(delete(administrator_session).where(own, columns.id != kept))

    def count_challenges(self, tx: Transaction, organization_id: str, now: datetime) -> int:
        """Purge challenges that ended and return how many are open."""
        columns = passkey_challenge.c
        own = columns.organization_id == organization_id
        tx.execute(delete(passkey_challenge).where(own, columns.expires <= now))
        return int(tx.fetch_value(select(func.count()).select_from(passkey_challenge).where(own)))

    def add_challenge(
        self,
        tx: Transaction,
        organization_id: str,
        session_id: str | None,
        challenge: bytes,
        user_handle: bytes,
        expires: datetime,
    ) -> str:
        """Add an open challenge and return its identifier."""
        challenge_id = new_id()
        tx.execute(
            insert(passkey_challenge).values(
                organization_id=organization_id,
                id=challenge_id,
                session_id=session_id,
                challenge=challenge,
                user_handle=user_handle,
                expires=expires,
            )
        )
        return challenge_id

    def take_challenge(
        self, tx: Transaction, organization_id: str, challenge_id: str, session_id: str | None, now: datetime
    ) -> tuple[bytes, bytes]:
        """Take an open challenge away; return it and its user handle.

        Raises:
            NotFoundError: If there is none of this session, or it has ended.
            ConflictError: If it was taken meanwhile.
        """
        own = _challenge(organization_id, challenge_id)
        row = tx.fetch_one(select(passkey_challenge).where(*own))
        if row is None or row.session_id != session_id or row.expires <= now:
            raise NotFoundError("the challenge has ended: try again")
        tx.change_one(delete(passkey_challenge).where(*own), "the challenge was answered meanwhile")
        return bytes(row.challenge), bytes(row.user_handle)


def _challenge(organization_id: str, challenge_id: str) -> tuple[ColumnElement[bool], ...]:
    return (passkey_challenge.c.organization_id == organization_id, passkey_challenge.c.id == challenge_id)


def _administrator(row: Row[Any]) -> Administrator:
    return Administrator(row.id, row.name, row.role, row.password_hash is not None, row.created, row.password_hash)


def _passkey(row: Row[Any]) -> Passkey:
    return Passkey(
        row.id, row.administrator_id, bytes(row.credential_id), bytes(row.public_key), row.sign_count, row.created
    )

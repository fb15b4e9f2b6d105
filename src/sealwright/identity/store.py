"""SQL of organizations, people and mailboxes; rows stop here, frozen dataclasses go up."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, func, insert, select, update

from sealwright.errors import ConflictError, NotFoundError
from sealwright.identity.model import Mailbox, Organization
from sealwright.identity.tables import address, device, mailbox, organization, person
from sealwright.storage.engine import Transaction
from sealwright.storage.schema import new_id

MAX_PEOPLE = 100_000
_MAILBOXES = (
    select(mailbox, person.c.given_name, person.c.surname, person.c.display_name)
    .select_from(
        mailbox.join(
            person, (person.c.organization_id == mailbox.c.organization_id) & (person.c.id == mailbox.c.person_id)
        )
    )
    .where(mailbox.c.organization_id == bindparam("organization_id"))
    .limit(MAX_PEOPLE)
)
_MAILBOX = _MAILBOXES.where(mailbox.c.id == bindparam("mailbox_id"))
_ADDRESSES = (
    select(address)
    .where(address.c.organization_id == bindparam("organization_id"))
    .order_by(address.c.is_primary.desc(), address.c.address)
)
_ADDRESSES_OF_ONE = _ADDRESSES.where(address.c.mailbox_id == bindparam("mailbox_id"))


class PeopleStore:
    """Reads and writes within the caller's transaction."""

    def add_organization(self, tx: Transaction, added: Organization, now: datetime) -> None:
        """Add an organization.

        Raises:
            ConflictError: If it or its domain exists.
        """
        tx.execute(
            insert(organization).values(
                organization_id=added.organization_id, name=added.name, domain=added.domain, created=now
            )
        )

    def organization(self, tx: Transaction, organization_id: str) -> Organization:
        """Return an organization.

        Raises:
            NotFoundError: If there is none.
        """
        return _organization(tx, organization.c.organization_id == organization_id)

    def organization_of_domain(self, tx: Transaction, domain: str) -> Organization:
        """Return the organization that owns a domain.

        Raises:
            NotFoundError: If there is none.
        """
        return _organization(tx, organization.c.domain == domain)

    def add_mailbox(self, tx: Transaction, added: Mailbox) -> None:
        """Add a person with a mailbox and its addresses.

        Raises:
            ConflictError: If an address is in use.
        """
        key = {"organization_id": added.organization_id}
        names = {"given_name": added.given_name, "surname": added.surname, "display_name": added.display_name}
        tx.execute(insert(person).values(**key, id=added.person_id, **names, state="active"))
        tx.execute(
            insert(mailbox).values(
                **key, id=added.mailbox_id, person_id=added.person_id, state=added.state, created=added.created
            )
        )
        for text in added.addresses:
            values = {**key, "id": new_id(), "mailbox_id": added.mailbox_id, "address": text}
            tx.execute(insert(address).values(**values, is_primary=text == added.address, valid_from=added.created))

    def mailbox(self, tx: Transaction, organization_id: str, mailbox_id: str) -> Mailbox:
        """Return a mailbox in any state.

        Raises:
            NotFoundError: If there is none.
        """
        found = self._mailboxes(tx, _MAILBOX, {"organization_id": organization_id, "mailbox_id": mailbox_id})
        if not found:
            raise NotFoundError("there is no such mailbox")
        return found[0]

    def mailbox_of_address(self, tx: Transaction, organization_id: str, text: str) -> Mailbox | None:
        """Return the active mailbox that an address belongs to now."""
        mailbox_id = tx.fetch_value(
            select(address.c.mailbox_id).where(
                address.c.organization_id == organization_id,
                address.c.address == text,
                address.c.valid_until.is_(None),
            )
        )
        if mailbox_id is None:
            return None
        found = self.mailbox(tx, organization_id, mailbox_id)
        return found if found.state == "active" else None

    def mailboxes_of_address(self, tx: Transaction, organization_id: str, text: str) -> list[Mailbox]:
        """Return every mailbox that has or had an address, the newest first."""
        own = (address.c.organization_id == organization_id) & (address.c.address == text)
        rows = tx.fetch_all(select(address.c.mailbox_id).where(own).limit(MAX_PEOPLE))
        found = [self.mailbox(tx, organization_id, mailbox_id) for mailbox_id in {row.mailbox_id for row in rows}]
        return sorted(found, key=lambda each: each.created, reverse=True)

    def mailboxes(self, tx: Transaction, organization_id: str) -> list[Mailbox]:
        """Return all mailboxes of an organization, by address."""
        return self._mailboxes(tx, _MAILBOXES, {"organization_id": organization_id})

    def addresses_in_use(self, tx: Transaction, organization_id: str) -> set[str]:
        """Return all addresses that belong to somebody now."""
        own = (address.c.organization_id == organization_id) & address.c.valid_until.is_(None)
        return {row.address for row in tx.fetch_all(select(address.c.address).where(own).limit(MAX_PEOPLE))}

    def hold_active_mailbox(self, tx: Transaction, organization_id: str, mailbox_id: str) -> None:
        """Lock a mailbox's row while it is active, so that nobody withdraws it within this transaction.

        Raises:
            ConflictError: If it is not active.
        """
        tx.change_one(
            update(mailbox).where(*_active(organization_id, mailbox_id)).values(state="active"),
            "the mailbox is not active any more",
        )

    def lock_mailbox(self, tx: Transaction, organization_id: str, mailbox_id: str) -> None:
        """Lock a mailbox's row, in any state, until the transaction ends.

        Raises:
            NotFoundError: If there is none.
        """
        own = (mailbox.c.organization_id == organization_id) & (mailbox.c.id == mailbox_id)
        if tx.execute(update(mailbox).where(own).values(state=mailbox.c.state)) != 1:
            raise NotFoundError("there is no such mailbox")

    def withdraw_mailbox(self, tx: Transaction, withdrawn: Mailbox, now: datetime) -> None:
        """End a tenure: the mailbox, its addresses and its holder.

        Raises:
            ConflictError: If it was ended already.
        """
        organization_id, mailbox_id = withdrawn.organization_id, withdrawn.mailbox_id
        tx.change_one(
            update(mailbox).where(*_active(organization_id, mailbox_id)).values(state="withdrawn", withdrawn=now),
            "the mailbox was removed meanwhile",
        )
        of_mailbox = (address.c.organization_id == organization_id) & (address.c.mailbox_id == mailbox_id)
        tx.execute(update(address).where(of_mailbox, address.c.valid_until.is_(None)).values(valid_until=now))
        holder = (person.c.organization_id == organization_id) & (person.c.id == withdrawn.person_id)
        tx.execute(update(person).where(holder).values(state="removed"))

    def active_devices(self, tx: Transaction, organization_id: str) -> dict[str, int]:
        """Return how many active devices each mailbox has, by mailbox id."""
        own = (device.c.organization_id == organization_id) & (device.c.state == "active")
        counted = select(device.c.mailbox_id, func.count().label("devices")).where(own).group_by(device.c.mailbox_id)
        return {row.mailbox_id: row.devices for row in tx.fetch_all(counted.limit(MAX_PEOPLE))}

    def _mailboxes(self, tx: Transaction, statement: Select[Any], values: dict[str, str]) -> list[Mailbox]:
        rows = tx.fetch_all(statement, values)
        addresses: dict[str, list[str]] = {}
        for row in tx.fetch_all(_ADDRESSES_OF_ONE if statement is _MAILBOX else _ADDRESSES, values):
            addresses.setdefault(row.mailbox_id, []).append(row.address)
        return sorted(_mailbox_values(rows, addresses), key=lambda found: found.address)


def _mailbox_values(rows: Iterable[Row[Any]], addresses: dict[str, list[str]]) -> Iterable[Mailbox]:
    for row in rows:
        own = tuple(addresses.get(row.id, ()))
        if not own:
            raise ConflictError("a mailbox has no address")
        yield Mailbox(
            organization_id=row.organization_id,
            mailbox_id=row.id,
            person_id=row.person_id,
            address=own[0],
            addresses=own,
            given_name=row.given_name,
            surname=row.surname,
            display_name=row.display_name,
            state=row.state,
            created=row.created,
        )


def _organization(tx: Transaction, condition: ColumnElement[bool]) -> Organization:
    row = tx.fetch_one(select(organization).where(condition))
    if row is None:
        raise NotFoundError("this server does not serve that organization")
    return Organization(row.organization_id, row.name, row.domain)


def _active(organization_id: str, mailbox_id: str) -> tuple[ColumnElement[bool], ...]:
    own = (mailbox.c.organization_id == organization_id, mailbox.c.id == mailbox_id)
    return (*own, mailbox.c.state == "active")

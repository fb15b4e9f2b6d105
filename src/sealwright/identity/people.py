"""People and their mailboxes: import, list, removal, and whose an address is."""

from collections.abc import Container, Sequence

from sealwright.audit.log import Act, AuditLog
from sealwright.clock import Clock
from sealwright.errors import ConflictError, InputError, NotFoundError
from sealwright.identity.devices import DeviceService
from sealwright.identity.model import Mailbox, Organization
from sealwright.identity.policy import PolicyService
from sealwright.identity.policy_store import VouchedRowStore
from sealwright.identity.ports import KeySummaryReader, MembershipEnder, PutOutbox
from sealwright.identity.store import PeopleStore
from sealwright.keystore.approvals import ROLE
from sealwright.pkix.names import canonical_address
from sealwright.storage.engine import Storage, Transaction
from sealwright.storage.schema import new_id
from sealwright.wire.api import DeviceView
from sealwright.wire.operator import PeopleImported, PeopleList, PersonRow, PersonView, RowRefused
from sealwright.wire.roles import SECURITY_OFFICER, decode_roles

PROVISION_TOPIC = "mailbox.provision"
WITHDRAW_TOPIC = "mailbox.withdraw"
MAX_ROWS = 10_000
MAX_NAME_CHARACTERS = 64
"""Upper bound of names in certificates (RFC 5280 appendix A.1)."""


class Mailboxes:
    """Who owns a mailbox, for other rooms.

    Args:
        storage: The database.
        store: Its SQL.
    """

    def __init__(self, storage: Storage, store: PeopleStore) -> None:
        self._storage, self._store = storage, store

    def mailbox(self, organization_id: str, mailbox_id: str) -> Mailbox:
        """Return an active mailbox.

        Raises:
            NotFoundError: If there is none, or it is withdrawn.
        """
        found = self.tenure(organization_id, mailbox_id)
        if found.state != "active":
            raise NotFoundError("the mailbox is withdrawn")
        return found

    def tenure(self, organization_id: str, mailbox_id: str) -> Mailbox:
        """Return a mailbox in any state.

        Raises:
            NotFoundError: If there is none.
        """
        with self._storage.read(organization_id) as tx:
            return self._store.mailbox(tx, organization_id, mailbox_id)

    def everybody(self, organization_id: str) -> list[Mailbox]:
        """Return all mailboxes in any state, by address."""
        with self._storage.read(organization_id) as tx:
            return self._store.mailboxes(tx, organization_id)

    def tenures(self, organization_id: str, address: str) -> list[Mailbox]:
        """Return every mailbox that has or had an address, the newest first.

        Raises:
            InputError: If it is not an address.
        """
        with self._storage.read(organization_id) as tx:
            return self._store.mailboxes_of_address(tx, organization_id, canonical_address(address))

    def hold(self, tx: Transaction, organization_id: str, mailbox_id: str) -> None:
        """Keep a mailbox active until the transaction ends.

        Raises:
            ConflictError: If it is not active.
        """
        self._store.hold_active_mailbox(tx, organization_id, mailbox_id)

    def lock(self, tx: Transaction, organization_id: str, mailbox_id: str) -> None:
        """Lock a mailbox, in any state, until the transaction ends.

        Raises:
            NotFoundError: If there is none.
        """
        self._store.lock_mailbox(tx, organization_id, mailbox_id)


class PeopleService:
    """Administers people.

    Args:
        storage: The database.
        store: Its SQL.
        audit: The owner-visible log.
        clock: The time.
        devices: Removes the devices of who leaves.
        keys: What key management knows, for lists.
        policies: Freezes the mailbox of who leaves.
        memberships: Ends those of who leaves.
        put_outbox: Queues "mailbox.provision" and "mailbox.withdraw", payload {mailbox_id}.
    """

    def __init__(
        self,
        storage: Storage,
        store: PeopleStore,
        audit: AuditLog,
        clock: Clock,
        *,
        devices: DeviceService,
        keys: KeySummaryReader,
        policies: PolicyService,
        memberships: MembershipEnder,
        put_outbox: PutOutbox,
    ) -> None:
        self._storage, self._store, self._audit, self._clock = storage, store, audit, clock
        self._memberships = memberships
        self._devices, self._keys, self._policies, self._put_outbox = devices, keys, policies, put_outbox

    def organization(self, organization_id: str) -> Organization:
        """Return an organization.

        Raises:
            NotFoundError: If there is none.
        """
        with self._storage.read(organization_id) as tx:
            return self._store.organization(tx, organization_id)

    def import_people(self, organization_id: str, rows: Sequence[PersonRow]) -> PeopleImported:
        """Import a staff list: all of it, or - if any row is refused - nothing.

        Raises:
            InputError: If there are more than `MAX_ROWS` rows.
            NotFoundError: If there is no such organization.
            ConflictError: If an address was taken by another import meanwhile.
        """
        if len(rows) > MAX_ROWS:
            raise InputError(f"import at most {MAX_ROWS} people at once")
        now = self._clock.now()
        with self._storage.transaction(organization_id) as tx:
            domain = self._store.organization(tx, organization_id).domain
            in_use = self._store.addresses_in_use(tx, organization_id)
            created: dict[str, PersonRow] = {}
            refused: list[RowRefused] = []
            for number, row in enumerate(rows, start=1):
                try:
                    address = _check_row(row, domain, created)
                except InputError as error:
                    refused.append(RowRefused(row=number, address=row.address, reason=error.message))
                    continue
                if address not in in_use:
                    created[address] = row
            if refused:
                return PeopleImported(created=0, existing=0, refused=tuple(refused))
            for address, row in created.items():
                self._add(
                    tx,
                    Mailbox(
                        organization_id=organization_id,
                        mailbox_id=new_id(),
                        person_id=new_id(),
                        address=address,
                        addresses=(address,),
                        given_name=row.given_name.strip(),
                        surname=row.surname.strip(),
                        display_name=row.display_name.strip() or f"{row.given_name} {row.surname}".strip(),
                        state="active",
                        created=now,
                    ),
                )
        return PeopleImported(created=len(created), existing=len(rows) - len(created), refused=())

    def list_people(self, organization_id: str) -> PeopleList:
        """Return everybody, by address."""
        summaries = self._keys.summaries(organization_id)
        with self._storage.read(organization_id) as tx:
            mailboxes = self._store.mailboxes(tx, organization_id)
            devices = self._store.active_devices(tx, organization_id)
        people = []
        for mailbox in mailboxes:
            summary = summaries.get(mailbox.mailbox_id)
            people.append(
                PersonView(
                    mailbox_id=mailbox.mailbox_id,
                    address=mailbox.address,
                    display_name=mailbox.display_name,
                    state="active" if mailbox.state == "active" else "removed",
                    generation=summary.generation if summary else 0,
                    certificate_not_after=summary.certificate_not_after if summary else None,
                    devices=devices.get(mailbox.mailbox_id, 0),
                )
            )
        pending = sum(view.state == "active" and view.certificate_not_after is None for view in people)
        return PeopleList(people=tuple(people), pending=pending)

    def list_devices(self, organization_id: str, mailbox_id: str) -> tuple[DeviceView, ...]:
        """Return the devices of a mailbox, for administrators."""
        return self._devices.of_mailbox(organization_id, mailbox_id)

    def remove_person(self, organization_id: str, address: str) -> None:
        """End somebody's tenure: devices, tokens and addresses at once; keys and certificates through the outbox.

        Raises:
            InputError: If it is not an address.
            NotFoundError: If nobody has it now.
            ConflictError: If it was removed meanwhile, or is a security officer: the others would be too few to decide.
        """
        with self._storage.transaction(organization_id) as tx:
            mailbox = self._store.mailbox_of_address(tx, organization_id, canonical_address(address))
            if mailbox is None:
                raise NotFoundError("nobody has this address")
            role = VouchedRowStore().row(tx, organization_id, ROLE, mailbox.mailbox_id)
            if role is not None and SECURITY_OFFICER in decode_roles(role.content):
                raise ConflictError(f"{mailbox.address} is a security officer: dismiss this officer first")
            self._store.withdraw_mailbox(tx, mailbox, self._clock.now())
            count = self._devices.remove_all(tx, organization_id, mailbox.mailbox_id)
            self._policies.freeze_in(tx, organization_id, mailbox.mailbox_id)
            self._memberships.leave_all_in(tx, organization_id, mailbox.mailbox_id)
            fields = {"person": mailbox.person_id, "devices": str(count)}
            self._audit.append(tx, Act(organization_id, mailbox.mailbox_id, "person.remove", fields))
            payload = {"mailbox_id": mailbox.mailbox_id}
            self._put_outbox(tx, organization_id, WITHDRAW_TOPIC, payload, mailbox.mailbox_id)

    def find_mailbox(self, organization_id: str, address: str) -> Mailbox | None:
        """Return the active mailbox of an address.

        Raises:
            InputError: If it is not an address.
        """
        with self._storage.read(organization_id) as tx:
            return self._store.mailbox_of_address(tx, organization_id, canonical_address(address))

    def _add(self, tx: Transaction, mailbox: Mailbox) -> None:
        self._store.add_mailbox(tx, mailbox)
        fields = {"person": mailbox.person_id, "address": mailbox.address}
        self._audit.append(tx, Act(mailbox.organization_id, mailbox.mailbox_id, "person.create", fields))
        payload = {"mailbox_id": mailbox.mailbox_id}
        self._put_outbox(tx, mailbox.organization_id, PROVISION_TOPIC, payload, mailbox.mailbox_id)


def check_address(text: str, domain: str) -> str:
    """Return an address in canonical form.

    Raises:
        InputError: If it is none, or not of the organization's domain.
    """
    address = canonical_address(text)
    if address.rpartition("@")[2] != domain:
        raise InputError(f"the address is not in {domain}")
    return address


def check_names(names: Sequence[str]) -> None:
    """Check that names can stand in certificates.

    Raises:
        InputError: If one cannot.
    """
    if any(not name.isprintable() or len(name) > MAX_NAME_CHARACTERS for name in names):
        raise InputError(f"a name is not printable or has more than {MAX_NAME_CHARACTERS} characters")


def _check_row(row: PersonRow, domain: str, seen: Container[str]) -> str:
    address = check_address(row.address, domain)
    if address in seen:
        raise InputError("the address is in the list twice")
    check_names((row.given_name, row.surname, row.display_name))
    return address

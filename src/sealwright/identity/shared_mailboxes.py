"""Shared mailboxes: members join and leave, each a leaf; keys go to the members' enrolled devices and to nobody else."""

from dataclasses import replace

from sealwright.audit.log import Act, AuditLog
from sealwright.clock import Clock
from sealwright.errors import ConflictError, InputError, NotFoundError
from sealwright.identity.devices import DeviceService
from sealwright.identity.model import AuthenticatedDevice, Mailbox
from sealwright.identity.people import PROVISION_TOPIC, check_address, check_names
from sealwright.identity.ports import PutOutbox
from sealwright.identity.shared_store import Member, SharedStore
from sealwright.identity.store import PeopleStore
from sealwright.keystore.memberships import JOINED, LEFT
from sealwright.keystore.protocol import Keystore
from sealwright.pkix.names import canonical_address
from sealwright.storage.engine import Storage, Transaction
from sealwright.storage.schema import new_id
from sealwright.wire.api import SharedMailboxes, SharedMailboxView
from sealwright.wire.operator import SharedMailboxRow, SharedMailboxRows

LEFT_TOPIC = "member.left"
ROTATE_TOPIC = "mailbox.rotate"


class SharedMailboxService:
    """Makes shared mailboxes, and knows whose devices may have their keys.

    Args:
        storage: The database.
        store: Its SQL.
        people: SQL of mailboxes.
        keystore: Vouches for members.
        audit: The owner-visible log.
        clock: The time.
        devices: Tells the members' devices.
        put_outbox: Queues "mailbox.provision", payload {mailbox_id}, "mailbox.rotate", payload {mailbox_id, left}, and
            "member.left", payload {mailbox_id, member_id}: what the member's devices sign with has to go.
    """

    def __init__(
        self,
        storage: Storage,
        store: SharedStore,
        people: PeopleStore,
        keystore: Keystore,
        audit: AuditLog,
        clock: Clock,
        *,
        devices: DeviceService,
        put_outbox: PutOutbox,
    ) -> None:
        self._storage, self._store, self._people, self._keystore = storage, store, people, keystore
        self._audit, self._clock, self._devices, self._put_outbox = audit, clock, devices, put_outbox

    def create(self, organization_id: str, address: str, display_name: str, *, rekey_on_leave: bool) -> Mailbox:
        """Make a shared mailbox without members.

        Args:
            organization_id: 32 hex digits.
            address: Of the organization's domain.
            display_name: Goes into its certificates.
            rekey_on_leave: Whether it gets a new key each time somebody leaves.

        Raises:
            InputError: If address or name cannot be used.
            ConflictError: If the address is in use.
        """
        check_names((display_name,))
        mailbox_id = self._keystore.new_shared_mailbox_id(organization_id)
        with self._storage.transaction(organization_id) as tx:
            canonical = check_address(address, self._people.organization(tx, organization_id).domain)
            made = Mailbox(
                organization_id=organization_id,
                mailbox_id=mailbox_id,
                person_id=new_id(),
                address=canonical,
                addresses=(canonical,),
                given_name="",
                surname="",
                display_name=display_name.strip(),
                state="active",
                created=self._clock.now(),
            )
            self._people.add_mailbox(tx, made)
            self._store.add(tx, organization_id, mailbox_id, rekey_on_leave=rekey_on_leave)
            fields = {"address": canonical, "rekey_on_leave": "yes" if rekey_on_leave else "no"}
            self._audit.append(tx, Act(organization_id, mailbox_id, "shared-mailbox.create", fields))
            self._put_outbox(tx, organization_id, PROVISION_TOPIC, {"mailbox_id": mailbox_id}, mailbox_id)
        return made

    def listed(self, organization_id: str) -> SharedMailboxRows:
        """Return all shared mailboxes in use with their members' addresses."""
        with self._storage.read(organization_id) as tx:
            rows = []
            for mailbox_id, rekeys in self._store.all_active(tx, organization_id).items():
                members = self._store.members(tx, organization_id, mailbox_id)
                addresses = (self._people.mailbox(tx, organization_id, each.member_id).address for each in members)
                mailbox = self._people.mailbox(tx, organization_id, mailbox_id)
                rows.append(
                    SharedMailboxRow(
                        address=mailbox.address,
                        display_name=mailbox.display_name,
                        rekey_on_leave=rekeys,
                        members=tuple(sorted(addresses)),
                    )
                )
        return SharedMailboxRows(mailboxes=tuple(sorted(rows, key=lambda row: row.address)))

    def join(self, organization_id: str, address: str, member: str) -> None:
        """Make somebody a member; who is one already stays so.

        Raises:
            InputError: If an address is none, or the member's is a shared mailbox's.
            NotFoundError: If one of the two has no mailbox, or the first is not shared.
            ConflictError: If it was changed meanwhile.
        """
        with self._storage.transaction(organization_id) as tx:
            mailbox, person = self._find(tx, organization_id, address), self._find(tx, organization_id, member)
            self._store.rekeys(tx, organization_id, mailbox.mailbox_id)
            self._people.hold_active_mailbox(tx, organization_id, person.mailbox_id)
            known = self._store.member(tx, organization_id, mailbox.mailbox_id, person.mailbox_id)
            if known is None or known.state != JOINED:
                self._change(tx, mailbox.mailbox_id, person.mailbox_id, organization_id, JOINED)

    def leave(self, organization_id: str, address: str, member: str) -> None:
        """End a membership: nothing is released any more, and the mailbox gets a new key where its policy says so.

        Raises:
            NotFoundError: If one of the two has no mailbox, or the person is no member.
            ConflictError: If it was changed meanwhile.
        """
        with self._storage.transaction(organization_id) as tx:
            mailbox, person = self._find(tx, organization_id, address), self._find(tx, organization_id, member)
            known = self._store.member(tx, organization_id, mailbox.mailbox_id, person.mailbox_id)
            if known is None or known.state != JOINED:
                raise NotFoundError(f"{person.address} is no member of {mailbox.address}")
            self._leave_in(tx, known)

    def leave_all_in(self, tx: Transaction, organization_id: str, member_id: str) -> None:
        """End all memberships of a person, within the act that ends the person's tenure."""
        for known in self._store.memberships(tx, organization_id, member_id):
            self._leave_in(tx, known)

    def of_device(self, device: AuthenticatedDevice) -> SharedMailboxes:
        """Return what the device's owner is a member of."""
        with self._storage.read(device.organization_id) as tx:
            found = [
                self._people.mailbox(tx, device.organization_id, each.mailbox_id)
                for each in self._store.memberships(tx, device.organization_id, device.mailbox_id)
            ]
        return SharedMailboxes(
            mailboxes=tuple(
                SharedMailboxView(mailbox_id=each.mailbox_id, address=each.address, display_name=each.display_name)
                for each in sorted(found, key=lambda mailbox: mailbox.address)
                if each.state == "active"
            )
        )

    def memberships(self, organization_id: str, member_id: str) -> list[str]:
        """Return the ids of the shared mailboxes that a person is a member of."""
        with self._storage.read(organization_id) as tx:
            return [each.mailbox_id for each in self._store.memberships(tx, organization_id, member_id)]

    def acting(self, device: AuthenticatedDevice, mailbox_id: str) -> AuthenticatedDevice:
        """Return a device as one of a shared mailbox; unchanged for its own mailbox, or where none is named.

        Raises:
            NotFoundError: If its owner is no member of such a mailbox.
        """
        if mailbox_id in {"", device.mailbox_id}:
            return device
        with self._storage.read(device.organization_id) as tx:
            known = self._store.member(tx, device.organization_id, mailbox_id, device.mailbox_id)
            if known is None or known.state != JOINED:
                raise NotFoundError("there is no such shared mailbox, or you are no member")
            mailbox = self._people.mailbox(tx, device.organization_id, mailbox_id)
        if mailbox.state != "active":
            raise NotFoundError("there is no such shared mailbox, or you are no member")
        return replace(device, mailbox_id=mailbox_id, address=mailbox.address, membership=known.row())

    def _find(self, tx: Transaction, organization_id: str, address: str) -> Mailbox:
        found = self._people.mailbox_of_address(tx, organization_id, canonical_address(address))
        if found is None:
            raise NotFoundError(f"nobody has the address {address}")
        return found

    def _leave_in(self, tx: Transaction, known: Member) -> None:
        organization_id, mailbox_id = known.organization_id, known.mailbox_id
        self._change(tx, mailbox_id, known.member_id, organization_id, LEFT)
        payload = {"mailbox_id": mailbox_id, "member_id": known.member_id}
        self._put_outbox(tx, organization_id, LEFT_TOPIC, payload, f"{mailbox_id}/{known.member_id}/{known.version}")
        if self._store.rekeys(tx, organization_id, mailbox_id):
            key = f"{mailbox_id}/{known.member_id}/{known.version}"
            wanted = {"mailbox_id": mailbox_id, "left": self._clock.now().isoformat()}
            self._put_outbox(tx, organization_id, ROTATE_TOPIC, wanted, key)

    def _change(self, tx: Transaction, mailbox_id: str, member_id: str, organization_id: str, state: str) -> None:
        known = self._store.member(tx, organization_id, mailbox_id, member_id)
        from_version = 0 if known is None else known.version
        if state == JOINED and self._store.is_shared(tx, organization_id, member_id):
            raise InputError("people join a shared mailbox; another shared mailbox cannot")
        row = self._keystore.vouch_membership(organization_id, mailbox_id, member_id, state, from_version)
        changed = Member(organization_id, mailbox_id, member_id, state, row.version, row.mac, self._clock.now())
        if row.content != changed.row().content:
            raise ConflictError("the keystore vouched for something else")
        self._store.put(tx, changed, from_version)
        act = "member.join" if state == JOINED else "member.leave"
        fields = {"member": member_id, "mailbox": mailbox_id, "version": str(row.version)}
        leaf = self._audit.append(tx, Act(organization_id, mailbox_id, act, fields))
        self._audit.append(tx, Act(organization_id, member_id, act, fields))
        self._devices.notify(tx, organization_id, member_id, self._devices.notice("shared-mailbox", state, leaf))

"""Gathers from the roles' services what a page shows."""

from typing import Final

from sealwright.audit.log import MAX_NUMBER, AuditLog, LoggedRecord
from sealwright.ca.service import CertificateAuthority
from sealwright.console.model import Leaf, LogPage, NamedCertificate, PeoplePage, PersonPage, ServerState
from sealwright.console.ports import StateReader
from sealwright.identity.people import Mailboxes, PeopleService
from sealwright.identity.shared_mailboxes import SharedMailboxService
from sealwright.kms.service import KeyService
from sealwright.tlog.leaf import ORGANIZATION_CHAIN, decode_leaf_record
from sealwright.wire.operator import PersonView, SharedMailboxRows

PEOPLE_PER_PAGE: Final = 50
LEAVES_PER_PAGE: Final = 50
LEAVES_OF_PERSON: Final = 20
MAX_QUERY_CHARACTERS: Final = 200
TITLES: Final = {
    "administrator.add-passkey": "Administrator added a passkey",
    "administrator.create": "Administrator set up",
    "administrator.remove": "Administrator removed",
    "administrator.remove-passkey": "Administrator removed a passkey",
    "administrator.set-password": "Administrator set a password",
    "administrator.sign-in": "Administrator signed in",
    "certificate.issue": "Certificate issued",
    "certificate.revoke": "Certificate revoked",
    "device.add": "Device added",
    "device.ask-approval": "Device asks for an approval",
    "device.lock": "Device locked",
    "device.qualify": "Device proved a factor",
    "device.remove": "Device removed",
    "device.unlock": "Device unlocked",
    "enrolment-secret.create": "Enrolment secret made",
    "hold.lift": "Legal hold lifted",
    "hold.set": "Legal hold set",
    "issuer.create": "Issuer made",
    "key.certify": "Certificate put to its key",
    "key.compromise": "Key reported as compromised",
    "key.create": "Key made",
    "key.deactivate": "Key given up",
    "key.destroy": "Key destroyed",
    "key.drill-failed": "Key failed in the fire drill",
    "key.exit": "Keys taken along by the organization",
    "key.export": "Key exported",
    "key.freeze": "Keys frozen",
    "key.import": "Key of another system imported",
    "key.recover": "Keys recovered by somebody else",
    "key.release": "Keys released to a device",
    "key.resume": "Suspended key in use again",
    "key.suspend": "Key suspended",
    "key.rotate": "Key replaced by the next generation",
    "key.use": "Keys used for a device",
    "member.join": "Member joined a shared mailbox",
    "member.leave": "Member left a shared mailbox",
    "password.set": "Protection password set",
    "person.create": "Person added",
    "person.remove": "Person removed",
    "policy.change": "Release policy set",
    "policy.sign-on": "Sign-on of the organization set",
    "policy.mailbox": "Release policy of a mailbox set",
    "proposal.approve": "Proposal approved",
    "proposal.create": "Proposal made",
    "proposal.done": "Proposal carried out",
    "proposal.expire": "Proposal expired",
    "proposal.veto": "Proposal vetoed",
    "recovery.announce": "Recovery announced",
    "recovery.rule": "Recovery rule set",
    "role.change": "Roles changed",
    "seal.change": "Seal changed",
    "seal.close": "Seal closed",
    "seal.open": "Seal opened",
    "shared-mailbox.create": "Shared mailbox made",
    "sign-in-link.use": "Sign-in link used",
    "storage-key.rewrap": "Everything sealed under the new storage key",
    "storage-key.rotate": "New storage key",
    "time.reset": "Clock's high-water mark set back",
}
"""Kind of a leaf -> words; a kind that is not here is shown as it is."""


class ConsoleService:
    """Reads for one organization.

    Args:
        organization_id: 32 hex digits.
        people: Staff.
        mailboxes: Tenures.
        shared: Shared mailboxes.
        keys: Key management.
        authority: The CA.
        audit: The owner-visible log.
        read_state: Knows the state of the server.
    """

    def __init__(
        self,
        organization_id: str,
        *,
        people: PeopleService,
        mailboxes: Mailboxes,
        shared: SharedMailboxService,
        keys: KeyService,
        authority: CertificateAuthority,
        audit: AuditLog,
        read_state: StateReader,
    ) -> None:
        self._organization_id, self._people, self._mailboxes = organization_id, people, mailboxes
        self._shared = shared
        self._keys, self._authority, self._audit, self._read_state = keys, authority, audit, read_state

    def state(self) -> ServerState:
        """Return the state of the server."""
        return self._read_state()

    def shared(self) -> SharedMailboxRows:
        """Return the shared mailboxes in use, by address, with their members."""
        return self._shared.listed(self._organization_id)

    def people(self, query: str, page: int) -> PeoplePage:
        """Return one page of the people whose name or address holds every word of a query; all for an empty one."""
        query = query.strip()[:MAX_QUERY_CHARACTERS]
        everybody = self._people.list_people(self._organization_id).people
        words = query.casefold().split()
        found = [person for person in everybody if _matches(person, words)]
        pages = max(1, -(-len(found) // PEOPLE_PER_PAGE))
        page = min(max(1, page), pages)
        shown = found[(page - 1) * PEOPLE_PER_PAGE : page * PEOPLE_PER_PAGE]
        return PeoplePage(tuple(shown), query, page, pages, len(found), len(everybody))

    def person(self, mailbox_id: str) -> PersonPage:
        """Return what there is of one person.

        Raises:
            NotFoundError: If there is no such mailbox.
        """
        organization_id = self._organization_id
        mailbox = self._mailboxes.tenure(organization_id, mailbox_id)
        names = self._authority.issuer_names(organization_id)
        records = self._authority.certificates(organization_id, mailbox_id)
        return PersonPage(
            mailbox=mailbox,
            devices=self._people.list_devices(organization_id, mailbox_id),
            keys=tuple(reversed(self._keys.history(organization_id, mailbox_id))),
            certificates=tuple(NamedCertificate(each, names.get(each.issuer_id, "")) for each in records),
            leaves=_leaves(self._audit.newest(organization_id, mailbox_id, limit=LEAVES_OF_PERSON)),
        )

    def log(self, before: int = 0) -> LogPage:
        """Return the organization's newest leaves before a number of its chain; 0 means the newest of all."""
        found = self._audit.newest(self._organization_id, ORGANIZATION_CHAIN, before or MAX_NUMBER, LEAVES_PER_PAGE)
        leaves = _leaves(found)
        last = leaves[-1].record.chain_number if leaves else 1
        older = last if last > 1 else 0
        return LogPage(leaves, older, before == 0, self._audit.checkpoint(self._organization_id))


def _matches(person: PersonView, words: list[str]) -> bool:
    text = f"{person.display_name} {person.address}".casefold()
    return all(word in text for word in words)


def _leaves(found: list[LoggedRecord]) -> tuple[Leaf, ...]:
    leaves = []
    for each in found:
        record = decode_leaf_record(each.record)
        leaves.append(Leaf(each.index, TITLES.get(record.kind, record.kind), record))
    return tuple(leaves)

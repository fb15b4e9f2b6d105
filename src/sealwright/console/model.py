"""What the console's pages show."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sealwright.ca.model import CertificateRecord
from sealwright.identity.model import Mailbox
from sealwright.keystore.release_rules import MailboxRules
from sealwright.kms.model import LegalHold, MailboxKey
from sealwright.kms.recovery_store import Recovery
from sealwright.tlog.leaf import LeafRecord
from sealwright.wire.api import DeviceView
from sealwright.wire.approvals import ProposalView
from sealwright.wire.factors import WaitingDevice
from sealwright.wire.operator import PersonView, ServerStatus
from sealwright.wire.recovery import RecoveryRequest, RecoveryRule
from sealwright.wire.seal import SealStatus


@dataclass(frozen=True, slots=True)
class Expiry:
    """Something that ends.

    Attributes:
        name: For people.
        not_after: Aware UTC.
    """

    name: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class ServerState:
    """The state of the server.

    Attributes:
        status: As the operator sees it.
        failures: What is not ready, by the name of the check.
        expiries: The server's own certificates, the first to end first.
    """

    status: ServerStatus
    failures: Mapping[str, str]
    expiries: tuple[Expiry, ...]


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Some of the people.

    Attributes:
        people: On this page.
        query: What was searched for.
        page: From 1.
        pages: At least 1.
        found: How many match.
        total: How many there are.
    """

    people: tuple[PersonView, ...]
    query: str
    page: int
    pages: int
    found: int
    total: int


@dataclass(frozen=True, slots=True)
class NamedCertificate:
    """A certificate with what it is for.

    Attributes:
        record: In the CA's books.
        usage: "signing", "encryption" or "tls".
    """

    record: CertificateRecord
    usage: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf of the log in words.

    Attributes:
        index: Position in the log.
        title: For people.
        record: What it says.
    """

    index: int
    title: str
    record: LeafRecord


@dataclass(frozen=True, slots=True)
class PersonPage:
    """One person.

    Attributes:
        mailbox: Tenure and addresses.
        devices: Oldest first.
        keys: By slot and generation.
        certificates: Newest first.
        leaves: Newest first.
    """

    mailbox: Mailbox
    devices: tuple[DeviceView, ...]
    keys: tuple[MailboxKey, ...]
    certificates: tuple[NamedCertificate, ...]
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class MailboxCustody:
    """Who may reach the keys of a mailbox, and what keeps them.

    Attributes:
        rules: Of release, all that hold together.
        group: Name, empty without one.
        waiting: Devices that ask for an approval.
        roles: Of the holder.
        holds: In force.
    """

    rules: MailboxRules
    group: str
    waiting: tuple[WaitingDevice, ...]
    roles: tuple[str, ...]
    holds: tuple[LegalHold, ...]


@dataclass(frozen=True, slots=True)
class CustodySummary:
    """The state of custody in numbers.

    Attributes:
        level: That the organization's release policy asks for.
        groups: With rules of their own.
        open_proposals: To be decided on.
        waiting: Devices that ask for an approval.
        cases: Recoveries that are open, or approved and not fetched.
        has_rule: Whether there is a recovery rule.
        holders: People with a role.
        officers: Security officers among them.
        holds: In force.
        failing_keys: That did not open, or did not fit.
        seal: Of the storage keys.
    """

    level: int
    groups: int
    open_proposals: int
    waiting: int
    cases: int
    has_rule: bool
    holders: int
    officers: int
    holds: int
    failing_keys: int
    seal: SealStatus


@dataclass(frozen=True, slots=True)
class ProposalPage:
    """One proposal.

    Attributes:
        view: As its approvers see it.
        title: For people.
        content: JSON in lines, as its approvers' devices show it.
        name: The group or address that a policy is for; empty for the organization.
        says: What a policy will say, by the rule's name; empty for another kind.
        in_force: What it says now.
    """

    view: ProposalView
    title: str
    content: str
    name: str
    says: dict[str, str]
    in_force: dict[str, str]


@dataclass(frozen=True, slots=True)
class RecoveryCase:
    """A recovery that was asked for.

    Attributes:
        view: The proposal.
        wanted: What is asked for.
        announced: Once enough officers approved.
    """

    view: ProposalView
    wanted: RecoveryRequest
    announced: Recovery | None


@dataclass(frozen=True, slots=True)
class RecoveryPage:
    """Recoveries.

    Attributes:
        rule: None while nothing can be recovered.
        officers: How many people may approve.
        cases: Newest first.
    """

    rule: RecoveryRule | None
    officers: int
    cases: tuple[RecoveryCase, ...]


@dataclass(frozen=True, slots=True)
class HeldMailbox:
    """A legal hold with its mailbox."""

    hold: LegalHold
    mailbox: Mailbox


@dataclass(frozen=True, slots=True)
class LogPage:
    """Part of the organization's chain.

    Attributes:
        leaves: Newest first.
        older: Number before which the next page begins; 0 if there is none.
        is_newest: Whether nothing is newer.
        checkpoint: Signed note.
    """

    leaves: tuple[Leaf, ...]
    older: int
    is_newest: bool
    checkpoint: str

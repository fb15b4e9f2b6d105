"""What identity speaks about: organizations, mailboxes, devices, enrolments."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from sealwright.keystore.model import DeviceCredential, SealedRecord, VouchedRow
from sealwright.wire.approvals import ApprovalStatement, Proposal
from sealwright.wire.device import DevicePublicKeys

ENROLMENT_LIFE: Final = timedelta(hours=24)
MAX_WRONG_PROOFS: Final = 5
MAX_ENROLMENTS_PER_ADDRESS: Final = 5
MAX_ENROLMENTS_PER_SOURCE: Final = 30
RATE_WINDOW: Final = timedelta(hours=1)
TOKEN_LIFE: Final = timedelta(hours=1)

EnrolmentState = Literal["OPEN", "USED"]
ProposalState = Literal["OPEN", "APPROVED", "DONE", "VETOED", "EXPIRED"]


@dataclass(frozen=True, slots=True)
class Organization:
    """An organization.

    Attributes:
        organization_id: 32 hex digits.
        name: Legal name.
        domain: A-label, lower case.
    """

    organization_id: str
    name: str
    domain: str


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One holder's tenure of a mailbox.

    Attributes:
        organization_id: 32 hex digits.
        mailbox_id: 32 hex digits.
        person_id: 32 hex digits.
        address: The primary address, canonical.
        addresses: All addresses, canonical, the primary one first.
        given_name: Or empty.
        surname: Or empty.
        display_name: Or empty.
        state: "active" or "withdrawn".
        created: Aware UTC.
    """

    organization_id: str
    mailbox_id: str
    person_id: str
    address: str
    addresses: tuple[str, ...]
    given_name: str
    surname: str
    display_name: str
    state: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Device:
    """A device as enrolled.

    Attributes:
        credential: What the keystore vouches for.
        name: For people.
        platform: For people.
        enrolled: Aware UTC.
    """

    credential: DeviceCredential
    name: str
    platform: str
    enrolled: datetime


@dataclass(frozen=True, slots=True)
class AuthenticatedDevice:
    """Who sent a request.

    Attributes:
        organization_id: 32 hex digits.
        mailbox_id: 32 hex digits.
        device_id: 32 hex digits.
        credential: What the keystore vouches for.
        address: The mailbox's primary address.
        idempotency_key: Of a state-changing request, as signed; empty for others.
        source: IP address that the request came from; empty where it came through no network.
        membership: Where the mailbox is a shared one, why the device's owner may act for it.
    """

    organization_id: str
    mailbox_id: str
    device_id: str
    credential: DeviceCredential
    address: str
    idempotency_key: str = ""
    source: str = ""
    membership: VouchedRow | None = None

    @property
    def owner_id(self) -> str:
        """The mailbox of whoever owns the device, also while it acts for a shared one."""
        return self.credential.mailbox_id


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A mailbox challenge in the books.

    Attributes:
        organization_id: 32 hex digits.
        enrolment_id: 32 hex digits.
        mailbox_id: 32 hex digits, or `keystore.model.UNKNOWN_MAILBOX`.
        address: Canonical.
        source: Network that asked: an IPv4 address or an IPv6 /64.
        device: The new device's keys.
        device_name: For people.
        platform: For people.
        state: OPEN -> USED.
        attempts: Answers tried so far.
        created: Aware UTC.
        expires: Aware UTC.
        proof: Sealed by the keystore.
        device_id: Of the device that it became; None while OPEN.
        idempotency_key: Of the request that used it; None while OPEN.
    """

    organization_id: str
    enrolment_id: str
    mailbox_id: str
    address: str
    source: str
    device: DevicePublicKeys
    device_name: str
    platform: str
    state: EnrolmentState
    attempts: int
    created: datetime
    expires: datetime
    proof: SealedRecord = field(repr=False)
    device_id: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Challenge:
    """What goes into a challenge mail.

    Attributes:
        enrolment_id: 32 hex digits.
        address: Where it goes.
        domain: The organization's.
        device_thumbprint: Hex.
        expires: Aware UTC.
        part1: 32 octets.
    """

    enrolment_id: str
    address: str
    domain: str
    device_thumbprint: str
    expires: datetime
    part1: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeySummary:
    """State of a mailbox's encryption key, for lists.

    Attributes:
        generation: The active one.
        certificate_not_after: End of its newest certificate, or None.
    """

    generation: int
    certificate_not_after: datetime | None


@dataclass(frozen=True, slots=True)
class Administrator:
    """Somebody who may use the console.

    Attributes:
        administrator_id: 32 hex digits.
        name: Of `[a-z0-9._@-]`, unique.
        role: One of `wire.roles`: what they may do there (`identity.permissions`).
        has_password: Whether a password signs in.
        created: Aware UTC.
        password_hash: Argon2id, encoded; None without a password.
    """

    administrator_id: str
    name: str
    role: str
    has_password: bool
    created: datetime
    password_hash: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Passkey:
    """A WebAuthn credential.

    Attributes:
        passkey_id: 32 hex digits.
        administrator_id: Whose.
        credential_id: As the authenticator named it.
        public_key: COSE.
        sign_count: As last seen.
        created: Aware UTC.
    """

    passkey_id: str
    administrator_id: str
    credential_id: bytes
    public_key: bytes = field(repr=False)
    sign_count: int
    created: datetime


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """A browser that is signed in.

    Attributes:
        session_id: 32 hex digits.
        administrator: None while it only sets an administrator up.
        expires: Aware UTC.
        role: Of the administrator, or of the one that it sets up.
        with_passkey: Whether a passkey opened it.
    """

    session_id: str
    administrator: Administrator | None
    expires: datetime
    role: str
    with_passkey: bool


@dataclass(frozen=True, slots=True)
class SessionToOpen:
    """What a new session is to be.

    Attributes:
        administrator_id: None while it only sets an administrator up.
        role: Of the administrator, or of the one that it sets up.
        with_passkey: Whether a passkey opened it.
        created: Aware UTC.
        expires: Aware UTC.
    """

    administrator_id: str | None
    role: str
    with_passkey: bool
    created: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class NewSession:
    """What the browser is given.

    Attributes:
        token: 43 characters of base64url.
        expires: Aware UTC.
    """

    token: str = field(repr=False)
    expires: datetime


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal in the books.

    Attributes:
        proposal: What was proposed.
        state: OPEN -> APPROVED -> DONE, or VETOED, or EXPIRED.
        needed: How many must approve.
        decided: When it left the state before; None while OPEN.
    """

    proposal: Proposal
    state: ProposalState
    needed: int
    decided: datetime | None


@dataclass(frozen=True, slots=True)
class StoredApproval:
    """A decision in the books.

    Attributes:
        statement: What the device signed.
        signature: ECDSA P-256, DER.
        device_id: 32 hex digits.
    """

    statement: ApprovalStatement
    signature: bytes
    device_id: str

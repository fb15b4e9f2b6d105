"""Request and answer types of the operator interface: HTTP on a Unix socket inside the data folder (`/local`).

Whoever may open the socket (mode 0600) is the operator; the command line's administrative commands speak it.
"""

from sealwright.wire.api import Answer, DeviceView, Request
from sealwright.wire.destruction import SignedDestruction
from sealwright.wire.encoding import AwareDatetime
from sealwright.wire.key_import import KeyToImport
from sealwright.wire.recovery import RecoveryRule
from sealwright.wire.statement import Invitation


class PersonRow(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of a staff list. Columns of the CSV have the same names; address is required."""

    address: str
    given_name: str = ""
    surname: str = ""
    display_name: str = ""


class PeopleImport(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/people: at most 10,000 rows; rows that exist already are left as they are."""

    people: tuple[PersonRow, ...]


class RowRefused(Answer, frozen=True, kw_only=True):
    """A row that was not imported, and why."""

    row: int
    address: str
    reason: str


class PeopleImported(Answer, frozen=True, kw_only=True):
    """Either all valid rows are imported, or - if any row was refused - none."""

    created: int
    existing: int
    refused: tuple[RowRefused, ...]


class PersonView(Answer, frozen=True, kw_only=True):
    """GET /local/people: one mailbox and its holder.

    Attributes:
        state: "active" or "removed".
        generation: Active generation of the encryption key, 0 while it is being made.
        certificate_not_after: End of the active encryption certificate, None while there is none.
        devices: Active devices.
    """

    mailbox_id: str
    address: str
    display_name: str
    state: str
    generation: int
    certificate_not_after: AwareDatetime | None
    devices: int


class PeopleList(Answer, frozen=True, kw_only=True):
    """All people of the organization; `pending` mailboxes still wait for key or certificate."""

    people: tuple[PersonView, ...]
    pending: int


class AddressRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/people/remove and /local/people/rotate."""

    address: str


class RoleHolder(Answer, frozen=True, kw_only=True):
    """Somebody with a role."""

    address: str
    roles: tuple[str, ...]


class RoleHolders(Answer, frozen=True, kw_only=True):
    """GET /local/roles: everybody who has a role."""

    holders: tuple[RoleHolder, ...]


class RoleRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/roles: give a person a role, or take it away."""

    address: str
    role: str
    holds: bool
    reason: str


class RoleChanged(Answer, frozen=True, kw_only=True):
    """200: done, or proposed under this id."""

    proposal_id: str = ""


class KeyDestroyed(Answer, frozen=True, kw_only=True):
    """200: destroyed, with the receipt; or proposed under this id."""

    receipt: SignedDestruction | None = None
    proposal_id: str = ""


class RecoveryRuleAnswer(Answer, frozen=True, kw_only=True):
    """GET /local/recovery-rule: 404 while the organization has none.

    Attributes:
        rule: In force.
        version: Of its row.
        officers: N: how many people have the role recovery-officer.
    """

    rule: RecoveryRule
    version: int
    officers: int


class RecoveryRuleRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/recovery-rule: set the rule, or propose it; answers `RoleChanged`."""

    rule: RecoveryRule
    reason: str


class MailboxKeysImport(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/people/keys: keys of another system for the history of one mailbox; answers `ImportAnswer`."""

    mailbox_id: str
    keys: tuple[KeyToImport, ...]


class PolicyRules(Answer, frozen=True, kw_only=True):
    """The release rules of the organization or of a group (`keystore.release_rules.ReleaseRules`)."""

    group: str
    level: int
    export_key: bool
    delivery: str
    networks: tuple[str, ...]
    max_devices: int
    hours: tuple[str, ...]


class PolicyAnswer(Answer, frozen=True, kw_only=True):
    """GET /local/policy: the organization's rules, whose group is empty, then what each group adds."""

    rules: tuple[PolicyRules, ...]


class PolicyChange(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/policy: PolicyChanged. What is None stays; an empty group is the organization.

    Attributes:
        reason: For the approvers of a weaker policy; without one it is refused.
    """

    group: str = ""
    reason: str = ""
    level: int | None = None
    export_key: bool | None = None
    delivery: str | None = None
    networks: tuple[str, ...] | None = None
    max_devices: int | None = None
    hours: tuple[str, ...] | None = None


class SignOnChange(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/policy/sign-on: PolicyChanged. The issuer's keys are fetched from it.

    Attributes:
        issuer: https URL of OpenID Connect Discovery, without `/.well-known`.
        client_id: Of a public client there.
        claim: That holds the address.
        device_flow: Whether sign-ons of the device flow count.
        pinned: Whether new keys of the issuer need security officers.
        reason: For the approvers of another issuer.
    """

    issuer: str
    client_id: str
    claim: str = "email"
    device_flow: bool = False
    pinned: bool = False
    reason: str = ""


class PolicyChanged(Answer, frozen=True, kw_only=True):
    """200: in force; or proposed to the security officers, if there is a proposal's id."""

    proposal_id: str = ""


class MailboxPolicy(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/policy/mailbox: PolicyChanged. A mailbox's group (empty: none), and whether it is frozen; None stays."""

    address: str
    reason: str = ""
    group: str | None = None
    frozen: bool | None = None


class EnrolmentSecretRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/enrolment-secrets: a secret that lets one device of a mailbox in; it replaces an earlier one."""

    address: str
    days: int


class EnrolmentSecret(Answer, frozen=True, kw_only=True):
    """To be handed over outside mail.

    Attributes:
        address: Whose.
        display_name: Or empty.
        organization_name: For people.
        secret: 20 characters.
        expires: At most 30 days away.
    """

    address: str
    display_name: str
    organization_name: str
    secret: str
    expires: AwareDatetime

    def __repr__(self) -> str:
        return f"EnrolmentSecret(address={self.address!r}, expires={self.expires!r})"


class MailboxDevices(Answer, frozen=True, kw_only=True):
    """POST /local/devices with an AddressRequest: the devices of a mailbox."""

    devices: tuple[DeviceView, ...]


class MailboxDeviceState(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/devices/state: 204. `state` is "locked" or "active"."""

    address: str
    device_id: str
    state: str


class InvitationAnswer(Answer, frozen=True, kw_only=True):
    """POST /local/invitations: the same file for every device of the organization."""

    invitation: Invitation


class SignInLinkRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/sign-in-links: for somebody with a role of `wire.roles`; an administrator without a body."""

    role: str = "administrator"


class SignInLink(Answer, frozen=True, kw_only=True):
    """POST /local/sign-in-links: a one-time link to the console, valid for 24 hours."""

    url: str
    expires: AwareDatetime

    def __repr__(self) -> str:
        return f"SignInLink(expires={self.expires!r})"


class SharedMailboxRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/shared-mailboxes: make a shared mailbox.

    Attributes:
        address: Of the organization's domain.
        display_name: For certificates and lists.
        rekey_on_leave: Whether it gets a new key each time a member leaves.
    """

    address: str
    display_name: str = ""
    rekey_on_leave: bool = True


class MemberRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/shared-mailboxes/members: somebody joins a shared mailbox, or leaves it."""

    address: str
    member: str
    joins: bool


class SharedMailboxRow(Answer, frozen=True, kw_only=True):
    """A shared mailbox with its members' addresses."""

    address: str
    display_name: str
    rekey_on_leave: bool
    members: tuple[str, ...]


class SharedMailboxRows(Answer, frozen=True, kw_only=True):
    """GET /local/shared-mailboxes: all in use, by address."""

    mailboxes: tuple[SharedMailboxRow, ...]


class KeyBatch(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/keys/drill and /local/keys/rotate-older: one batch of what was not examined, or not rotated, since a time."""

    before: AwareDatetime


class KeyBatchDone(Answer, frozen=True, kw_only=True):
    """200: ask again until `left` is 0.

    Attributes:
        done: In this batch.
        left: Still to do.
        failing: Ids of keys whose last examination failed.
    """

    done: int
    left: int
    failing: tuple[str, ...] = ()


class ServerStatus(Answer, frozen=True, kw_only=True):
    """GET /local/status. `failing_keys` did not open, or did not fit their certificates, in the last fire drill."""

    organization_name: str
    domain: str
    version: str
    state: str
    people: int
    pool_ready: int
    log_size: int
    outbox_pending: int
    failing_keys: int


class TlsCertificateRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/tls-certificates: a certificate for a server of the organization's own.

    Attributes:
        names: DNS names and IP addresses.
        certification_request: PKCS#10 DER; only the key and the proof of possession are taken from it.
    """

    names: tuple[str, ...]
    certification_request: bytes


class TlsCertificate(Answer, frozen=True, kw_only=True):
    """The server certificate and its intermediates, PEM."""

    chain: str


# --- custody of keys -----------------------------------------------------------------------------------------------------


class KeyView(Answer, frozen=True, kw_only=True):
    """One archived key, for administrators; nothing of it is secret.

    Attributes:
        key_id: 32 hex digits.
        slot: "classical" or "kem".
        generation: From 1; 0 for an imported key.
        state: Of NIST SP 800-57.
        frozen: Whether the tenure has ended, so that it is released to nobody.
        algorithm: Name such as "rsa-3072".
        created: When it became ACTIVE.
        spki_sha256: Hex.
    """

    key_id: str
    slot: str
    generation: int
    state: str
    frozen: bool
    algorithm: str
    created: AwareDatetime
    spki_sha256: str


class KeyList(Answer, frozen=True, kw_only=True):
    """POST /local/keys: the whole history of a mailbox, ordered by slot and generation."""

    mailbox_id: str
    keys: tuple[KeyView, ...]


class MailboxRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names a mailbox by an address in use, or by its id, as whoever has left has no address any more."""

    mailbox: str


class KeyStateChange(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/keys/suspend, /resume, /compromise and /destroy.

    Attributes:
        key_id: 32 hex digits.
        reason: One line; it stands in the log.
    """

    key_id: str
    reason: str


class KeyRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/keys/receipt."""

    key_id: str


class HoldRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/holds: put a hold on a mailbox; POST /local/holds/lift takes one away."""

    mailbox: str
    reason: str


class HoldLift(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/holds/lift."""

    hold_id: str
    reason: str


class HoldView(Answer, frozen=True, kw_only=True):
    """A legal hold; `lifted` is None while it is in force."""

    hold_id: str
    mailbox_id: str
    reason: str
    set_by: str
    created: AwareDatetime
    lifted: AwareDatetime | None


class HoldList(Answer, frozen=True, kw_only=True):
    """GET /local/holds: newest first."""

    holds: tuple[HoldView, ...]


class LogBreakReason(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /local/log/breaks: the log goes on from where it is; answered with `RoleChanged`."""

    reason: str


class LogDescription(Answer, frozen=True, kw_only=True):
    """GET /local/log.

    Attributes:
        path: Prefix of the tiled log below an endpoint.
        verifier_key: That signs its checkpoints, as `tlog.note.VerifierKey` writes it.
    """

    path: str
    verifier_key: str

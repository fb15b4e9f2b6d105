"""Roles and approvals, checked where the keys are: who may approve, that enough did, and that nobody said no.

The keystore remembers each veto and each use next to the seal, so that an approved proposal is used once and a vetoed one
never, whatever the database says of it.
"""

from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from sealwright.errors import ApprovalsMissingError, DecodingError, PermissionDeniedError, SealwrightError
from sealwright.keystore.access import DeviceAccess
from sealwright.keystore.model import (
    UNKNOWN_MAILBOX,
    ApprovalEvidence,
    DeviceCredential,
    SignedApproval,
    VouchedRow,
)
from sealwright.keystore.versions import RowName, Versions
from sealwright.keystore.vouching import Vouching
from sealwright.wire.approvals import Proposal, RoleChange
from sealwright.wire.encoding import decode_fields, decode_json, encode_fields, sha256
from sealwright.wire.recovery import REQUESTER_ROLES
from sealwright.wire.roles import SECURITY_OFFICER, decode_roles, encode_roles

ROLE = "role"
ROLE_CHANGE = "role.change"
OFFICERS_NEEDED = 2
"""Of security officers, for what is dangerous; as long as there are fewer, the operator at the server appoints them."""
MAX_APPROVAL_LIFE = timedelta(days=31)
CLOCK_SLACK = timedelta(minutes=5)
"""How far an approver's clock may be ahead."""
_OFFICERS = "security-officers"
_PROPOSAL = "proposal"
_VETOED = b"vetoed"
_NO_DETAIL = sha256(b"")
"""Last field of a use, which nothing tells from another use of the same proposal."""
T = TypeVar("T")


class Approvers:
    """Vouches for roles and checks approvals.

    Args:
        vouching: MACs of this keystore.
        versions: The newest version of each row, vetoes and uses.
        access: Checks devices.
    """

    def __init__(self, vouching: Vouching, versions: Versions, access: DeviceAccess) -> None:
        self._vouching, self._versions, self._access = vouching, versions, access

    def vouch_role(
        self,
        organization_id: str,
        mailbox_id: str,
        roles: tuple[str, ...],
        from_version: int,
        evidence: ApprovalEvidence | None,
        now: datetime,
    ) -> VouchedRow:
        """Vouch for what roles a person has.

        Args:
            organization_id: 32 hex digits.
            mailbox_id: Whose.
            roles: All of them.
            from_version: Of the row that this follows; 0 for the first.
            evidence: Approvals by two security officers; not needed while there are fewer of them.
            now: By the keystore's own clock.

        Raises:
            InputError: If a role is not known.
            ApprovalsMissingError: If it has to be approved and was not.
            PermissionDeniedError: If the approvals are for something else.
            ConflictError: If there is a newer row.
        """
        content = encode_roles(roles)
        # 1 Two security officers, as soon as there are two.
        if self.needs_officers(organization_id):
            approved = self.check_officers(evidence, kind=ROLE_CHANGE, what="a change of roles", now=now)
            wanted = RoleChange(
                mailbox_id=mailbox_id, address="", roles=decode_roles(content), from_version=from_version
            )
            _check_role_change(approved, organization_id, wanted)
        # 2 The row; then the officers, which a repetition after a crash makes good.
        name = RowName(ROLE, organization_id, mailbox_id)
        version = self._versions.advance(name, from_version, content)
        self._set_officer(organization_id, mailbox_id, is_officer=SECURITY_OFFICER in roles)
        return self._vouching.vouch_row(VouchedRow(ROLE, organization_id, mailbox_id, version, content, b""))

    def needs_officers(self, organization_id: str) -> bool:
        """Tell whether there are security officers enough to ask, so that nobody acts without them any more."""
        return len(self._officers(organization_id)) >= OFFICERS_NEEDED

    def roles_of(self, row: VouchedRow) -> tuple[str, ...]:
        """Return the roles that a row names.

        Raises:
            PermissionDeniedError: If it is not the newest that was vouched for.
        """
        self._vouching.check_row(row)
        if row.kind != ROLE:
            raise PermissionDeniedError("the row is no role")
        self._versions.check(RowName(ROLE, row.organization_id, row.row_id), row.version)
        return decode_roles(row.content)

    def check(self, evidence: ApprovalEvidence, *, kind: str, role: str, needed: int, now: datetime) -> None:
        """Check that a proposal is approved; what it says is the caller's to compare. The requester never approves.

        Args:
            evidence: Proposal and approvals.
            kind: What the proposal must be.
            role: That each approver must have.
            needed: How many different people.
            now: By the keystore's own clock.

        Raises:
            ApprovalsMissingError: If fewer approved, or approvals have expired.
            PermissionDeniedError: If one is not what it must be, or the proposal was vetoed.
        """
        proposal = evidence.proposal
        if proposal.kind != kind:
            raise PermissionDeniedError("the approvals are for something else")
        if self._versions.newest(_name(proposal.organization_id, proposal.proposal_id)).content == _VETOED:
            raise PermissionDeniedError("the proposal was vetoed")
        subject, approvers = proposal.digest(), set[str]()
        for approval in evidence.approvals:
            self._check_one(approval, evidence, subject, role)
            statement = approval.statement
            if statement.decision != "approve":
                raise PermissionDeniedError("the proposal was vetoed")
            if statement.approver == proposal.requester:
                raise PermissionDeniedError("nobody approves a proposal of the own")
            if statement.signed_at > now + CLOCK_SLACK or statement.signed_at > proposal.expires + CLOCK_SLACK:
                raise PermissionDeniedError("an approval is of another time")
            if min(statement.expires, statement.signed_at + MAX_APPROVAL_LIFE) > now:
                approvers.add(statement.approver)
        if len(approvers) < needed:
            raise ApprovalsMissingError(f"{needed} approvals of different people are needed; {len(approvers)} are good")

    def check_officers(
        self, evidence: ApprovalEvidence | None, *, kind: str, what: str, now: datetime
    ) -> ApprovalEvidence:
        """Check that two security officers approved a proposal; what it says is the caller's to compare.

        Args:
            evidence: Proposal and approvals, or None if there are none.
            kind: What the proposal must be.
            what: Needs them, in words.
            now: By the keystore's own clock.

        Raises:
            ApprovalsMissingError: If fewer approved, or approvals have expired.
            PermissionDeniedError: If one is not what it must be, or the proposal was vetoed.
        """
        if evidence is None:
            raise ApprovalsMissingError(f"{what} needs the approval of two security officers")
        self.check(evidence, kind=kind, role=SECURITY_OFFICER, needed=OFFICERS_NEEDED, now=now)
        return evidence

    def check_requester(
        self,
        proposal: Proposal,
        role: VouchedRow,
        device: DeviceCredential,
        wanted_device_id: str,
        wanted_thumbprint: bytes,
    ) -> None:
        """Check who gets what a proposal gives: a person with a role, on the active device that the approvals name.

        Args:
            proposal: That was approved.
            role: Vouched row of the requester's roles.
            device: That asks.
            wanted_device_id: That the approved content names.
            wanted_thumbprint: Of that device, 32 octets.

        Raises:
            PermissionDeniedError: If it is not so.
        """
        organization_id = proposal.organization_id
        # 1 The requester is a person who may ask.
        if (role.organization_id, role.row_id) != (organization_id, proposal.requester):
            raise PermissionDeniedError("the requester's role is another's")
        if not REQUESTER_ROLES & set(self.roles_of(role)):
            raise PermissionDeniedError("the requester may not ask for this")
        # 2 The device is active, the requester's, and the one that was approved.
        self._access.check_device(device)
        if device.state != "active":
            raise PermissionDeniedError("the requester's device is not active")
        theirs = (device.organization_id, device.mailbox_id, device.device_id)
        if theirs != (organization_id, proposal.requester, wanted_device_id):
            raise PermissionDeniedError("the device is not the requester's")
        if device.device.thumbprint() != wanted_thumbprint:
            raise PermissionDeniedError("the approvals name another device")

    def veto(self, approval: SignedApproval, evidence: ApprovalEvidence, role: str) -> None:
        """Remember a veto for ever.

        Raises:
            PermissionDeniedError: If it is not what it must be.
            ConflictError: If the proposal was used.
        """
        if approval.statement.decision != "veto":
            raise PermissionDeniedError("this is no veto")
        self._check_one(approval, evidence, evidence.proposal.digest(), role)
        proposal = evidence.proposal
        self._versions.advance(_name(proposal.organization_id, proposal.proposal_id), 0, _VETOED)

    def use(self, evidence: ApprovalEvidence) -> None:
        """Remember that a proposal was used, before it is; the same use may be repeated.

        Args:
            evidence: That was checked.

        Raises:
            ConflictError: If it was vetoed.
        """
        proposal = evidence.proposal
        used = encode_fields("sealwright proposal used", 1, proposal.digest(), _NO_DETAIL)
        self._versions.advance(_name(proposal.organization_id, proposal.proposal_id), 0, used)

    def _check_one(self, approval: SignedApproval, evidence: ApprovalEvidence, subject: bytes, role: str) -> None:
        statement, credential, proposal = approval.statement, approval.credential, evidence.proposal
        # 1 It is about this proposal, and of this organization.
        said = (statement.organization_id, statement.proposal_id, statement.kind, statement.subject_sha256)
        if said != (proposal.organization_id, proposal.proposal_id, proposal.kind, subject):
            raise PermissionDeniedError("an approval is for another proposal")
        # 2 The device is the approver's, enrolled and active.
        self._access.check_device(credential)
        if credential.state != "active" or credential.organization_id != proposal.organization_id:
            raise PermissionDeniedError("an approver's device is not active")
        is_theirs = credential.mailbox_id == statement.approver != UNKNOWN_MAILBOX
        if not is_theirs or credential.device.thumbprint() != statement.device_thumbprint:
            raise PermissionDeniedError("an approval is by another device")
        # 3 It signed.
        try:
            statement.verify(credential.device.load_authentication_key(), approval.signature)
        except SealwrightError as error:
            raise PermissionDeniedError("an approval is not signed by the approver's device") from error
        # 4 The approver has the role.
        if (approval.role.organization_id, approval.role.row_id) != (proposal.organization_id, statement.approver):
            raise PermissionDeniedError("an approver's role is somebody else's")
        if role not in self.roles_of(approval.role):
            raise PermissionDeniedError(f"an approver is no {role}")

    def _officers(self, organization_id: str) -> frozenset[str]:
        content = self._versions.newest(RowName(_OFFICERS, organization_id, organization_id)).content
        return (
            frozenset(each.decode("ascii") for each in decode_fields(_OFFICERS, 1, content)) if content else frozenset()
        )

    def _set_officer(self, organization_id: str, mailbox_id: str, *, is_officer: bool) -> None:
        name = RowName(_OFFICERS, organization_id, organization_id)
        newest = self._versions.newest(name)
        known = self._officers(organization_id)
        wanted = known | {mailbox_id} if is_officer else known - {mailbox_id}
        if wanted != known:
            content = encode_fields(_OFFICERS, 1, *(each.encode("ascii") for each in sorted(wanted)))
            self._versions.advance(name, newest.version, content)


def read_approved(proposal: Proposal, kind: type[T]) -> T:
    """Return what was approved.

    Raises:
        PermissionDeniedError: If it cannot be read.
    """
    try:
        return decode_json(proposal.content, kind)
    except DecodingError as error:
        raise PermissionDeniedError("what was approved cannot be read") from error


def _check_role_change(evidence: ApprovalEvidence, organization_id: str, wanted: RoleChange) -> None:
    try:
        said = msgspec.json.decode(evidence.proposal.content, type=RoleChange)
        roles = decode_roles(encode_roles(said.roles))
    except (msgspec.MsgspecError, UnicodeDecodeError, DecodingError) as error:
        raise PermissionDeniedError("the approved change of roles cannot be read") from error
    same = _for_comparison(said, roles) == wanted
    if not same or evidence.proposal.organization_id != organization_id:
        raise PermissionDeniedError("the approvals are for another change of roles")


def _for_comparison(said: RoleChange, roles: tuple[str, ...]) -> RoleChange:
    """Return a change without what is for people only."""
    return msgspec.structs.replace(said, address="", roles=roles)


def _name(organization_id: str, proposal_id: str) -> RowName:
    return RowName(_PROPOSAL, organization_id, proposal_id)

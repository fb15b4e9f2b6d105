"""Proposals and approvals: what one person asks for and others must agree to, every step of it a leaf.

The keystore checks the approvals again before it acts on them; here they are collected, and refused early where they cannot hold.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sealwright.audit.log import Act, AuditLog, PendingLeaf
from sealwright.clock import Clock
from sealwright.errors import ApprovalsMissingError, ConflictError, InputError, NotFoundError, PermissionDeniedError
from sealwright.identity.approval_store import ApprovalStore
from sealwright.identity.devices import DeviceService
from sealwright.identity.model import AuthenticatedDevice, ProposalRow, StoredApproval
from sealwright.identity.policy_store import VouchedRowStore
from sealwright.identity.ports import PutOutbox
from sealwright.identity.store import PeopleStore
from sealwright.keystore.approvals import OFFICERS_NEEDED, ROLE
from sealwright.keystore.model import ApprovalEvidence, SignedApproval
from sealwright.keystore.protocol import Keystore
from sealwright.storage.engine import Storage, Transaction
from sealwright.storage.schema import new_id
from sealwright.tlog.leaf import ORGANIZATION_CHAIN
from sealwright.wire.approvals import (
    MAX_CASE_CHARACTERS,
    MAX_CONTENT_BYTES,
    MAX_REASON_CHARACTERS,
    ApprovalView,
    DecisionRequest,
    Proposal,
    ProposalRequest,
    ProposalView,
)
from sealwright.wire.encoding import encode_fields, sha256
from sealwright.wire.roles import ADMINISTRATOR, SECURITY_OFFICER, decode_roles

APPLY_TOPIC = "proposal.apply"
THE_OPERATOR = "the operator"
MAX_OPEN = 100
"""Of one organization: nobody can still decide on more."""


@dataclass(frozen=True, slots=True)
class ProposalKind:
    """What can be proposed.

    Attributes:
        name: "role.change" ...
        approver_role: Who decides.
        needed: Organization id -> how many must approve, when it is proposed.
        check: Organization, requester's mailbox id and content -> nothing; raises `InputError` or `PermissionDeniedError`.
        apply: What is done with the evidence once enough approved; may run again after a crash. None: the requester fetches it.
        requester_roles: Who may propose; the operator always may, and everybody where it is empty.
        request_life: Until when it must be approved.
        approval_life: How long an approval is good.
        lives: Organization id -> both of them, where a rule of the organization says so.
        is_done_when_applied: Else it can still be vetoed until whoever registered it calls `finish`.
        is_hidden: Proposal and mailbox id -> whether this person must not know of it now, whatever the role.
    """

    name: str
    approver_role: str
    needed: Callable[[str], int]
    check: Callable[[str, str, bytes], None]
    apply: Callable[[ApprovalEvidence], None] | None
    requester_roles: frozenset[str] = frozenset()
    request_life: timedelta = timedelta(days=7)
    approval_life: timedelta = timedelta(days=7)
    lives: Callable[[str], tuple[timedelta, timedelta]] | None = None
    is_done_when_applied: bool = True
    is_hidden: Callable[[Transaction, Proposal, str], bool] = lambda _tx, _proposal, _mailbox_id: False

    @classmethod
    def of_officers(
        cls,
        name: str,
        check: Callable[[str, str, bytes], None],
        apply: Callable[[ApprovalEvidence], None] | None,
        requester_roles: frozenset[str] = frozenset((ADMINISTRATOR, SECURITY_OFFICER)),
    ) -> "ProposalKind":
        """Return a kind that two security officers decide on (`Approvers.check_officers`)."""
        return cls(name, SECURITY_OFFICER, lambda _: OFFICERS_NEEDED, check, apply, requester_roles)

    def lives_of(self, organization_id: str) -> tuple[timedelta, timedelta]:
        """Return the lives of requests and approvals."""
        return (self.request_life, self.approval_life) if self.lives is None else self.lives(organization_id)


class ApprovalService:
    """Collects approvals.

    Args:
        storage: The database.
        store: Its SQL.
        people: SQL of mailboxes.
        keystore: Remembers vetoes.
        audit: The owner-visible log.
        clock: The time.
        devices: Tells approvers, and knows their credentials.
        put_outbox: Queues "proposal.apply".
    """

    def __init__(
        self,
        storage: Storage,
        store: ApprovalStore,
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
        self._rows = VouchedRowStore()
        self._kinds: dict[str, ProposalKind] = {}

    def register(self, kind: ProposalKind) -> None:
        """Add a kind; the composition root does, before anything runs."""
        self._kinds[kind.name] = kind

    def roles_of(self, organization_id: str, mailbox_id: str) -> tuple[str, ...]:
        """Return a person's roles, as the database says; the keystore checks the row where it counts."""
        with self._storage.read(organization_id) as tx:
            row = self._rows.row(tx, organization_id, ROLE, mailbox_id)
        return () if row is None else decode_roles(row.content)

    def propose(
        self, organization_id: str, requester: str, wanted: ProposalRequest, idempotency_key: str = ""
    ) -> Proposal:
        """Propose something; with the same idempotency key again, it is the same proposal.

        Args:
            organization_id: 32 hex digits.
            requester: Mailbox id, or empty for the operator at the server.
            wanted: Of a registered kind.
            idempotency_key: Of the requester's signed request; the operator has none.

        Raises:
            InputError: If kind, content, reason or case number cannot be used.
            PermissionDeniedError: If the requester may not propose that.
            ConflictError: If too many proposals are open, or the idempotency key was used for another proposal.
        """
        # 1 It can be proposed, by this person.
        known = self._kind(wanted.kind)
        _check_texts(wanted)
        if (
            requester
            and known.requester_roles
            and not known.requester_roles & set(self.roles_of(organization_id, requester))
        ):
            raise PermissionDeniedError(f"only {' or '.join(sorted(known.requester_roles))} may propose this")
        known.check(organization_id, requester, wanted.content)
        # 2 One transaction: the row, its leaf, and a notice to everybody who can decide.
        now = self._clock.now().replace(microsecond=0)
        proposal = Proposal(
            organization_id=organization_id,
            proposal_id=_proposal_id(organization_id, requester, idempotency_key) if idempotency_key else new_id(),
            kind=wanted.kind,
            requester=requester,
            reason=wanted.reason,
            case_number=wanted.case_number,
            content=wanted.content,
            created=now,
            expires=now + known.lives_of(organization_id)[0],
        )
        with self._storage.transaction(organization_id) as tx:
            earlier = self._store.find_proposal(tx, organization_id, proposal.proposal_id)
            if earlier is not None:
                return _repeated(earlier.proposal, proposal)
            if sum(row.state == "OPEN" for row in self._store.proposals(tx, organization_id)) >= MAX_OPEN:
                raise ConflictError("too many proposals are open: decide on them first")
            self._store.add_proposal(tx, ProposalRow(proposal, "OPEN", known.needed(organization_id), None))
            leaf = self._log(tx, proposal, "proposal.create", requester or "operator")
            for row in self._rows.rows(tx, organization_id, ROLE):
                may_decide = known.approver_role in decode_roles(row.content) and row.row_id != requester
                if may_decide and not known.is_hidden(tx, proposal, row.row_id):
                    notice = self._devices.notice("approval-asked", f"{wanted.kind} {proposal.proposal_id}", leaf)
                    self._devices.notify(tx, organization_id, row.row_id, notice)
        return proposal

    def do_or_propose(
        self, organization_id: str, requester: str, wanted: ProposalRequest, at_once: Callable[[], object]
    ) -> Proposal | None:
        """Do what the operator wants where the keystore asks for no approvals, and else propose it.

        Args:
            organization_id: 32 hex digits.
            requester: Mailbox id; empty for the operator at the server. A person only proposes.
            wanted: Of a registered kind.
            at_once: Does it, and raises `ApprovalsMissingError` if the keystore asks for approvals.

        Returns:
            The proposal; None if it was done.

        Raises:
            SealwrightError: As `at_once` and `propose` do.
        """
        if not requester:
            try:
                at_once()
            except ApprovalsMissingError:
                pass
            else:
                return None
        return self.propose(organization_id, requester, wanted)

    def decide(self, device: AuthenticatedDevice, proposal_id: str, request: DecisionRequest) -> ProposalView:
        """Take a person's decision; the same signed one again changes nothing.

        Raises:
            NotFoundError: If there is no such proposal.
            PermissionDeniedError: If it is not this person's to decide, or not signed by the asking device.
            ConflictError: If it is not open, or this person has decided already.
        """
        organization_id, statement, now = device.organization_id, request.statement, self._clock.now()
        with self._storage.read(organization_id) as tx:
            row = self._store.proposal(tx, organization_id, proposal_id)
        proposal, kind = row.proposal, self._kind(row.proposal.kind)
        # 1 By the asking device, about this proposal.
        said = (statement.organization_id, statement.proposal_id, statement.kind, statement.subject_sha256)
        if said != (organization_id, proposal_id, proposal.kind, proposal.digest()):
            raise PermissionDeniedError("the decision is about another proposal")
        theirs = (statement.approver, statement.device_thumbprint)
        if theirs != (device.mailbox_id, device.credential.device.thumbprint()):
            raise PermissionDeniedError("the decision is another device's")
        statement.verify(device.credential.device.load_authentication_key(), request.signature)
        stored = StoredApproval(statement, request.signature, device.device_id)
        with self._storage.read(organization_id) as tx:
            if stored in self._store.approvals(tx, proposal):
                return self._view(tx, row)
        # 2 By somebody who may, in time.
        if statement.approver == proposal.requester and statement.decision == "approve":
            raise PermissionDeniedError("nobody approves a proposal of the own")
        if kind.approver_role not in self.roles_of(organization_id, device.mailbox_id):
            raise PermissionDeniedError(f"only a {kind.approver_role} decides on this")
        can_be_stopped = statement.decision == "veto" and row.state == "APPROVED" and not kind.is_done_when_applied
        longest = kind.lives_of(organization_id)[1]
        if (proposal.expires <= now and not can_be_stopped) or not (
            statement.signed_at < statement.expires <= statement.signed_at + longest
        ):
            raise ConflictError("the proposal, or the decision, is out of time")
        # 3 A veto reaches the keystore before the books.
        if statement.decision == "veto":
            self._veto(row, stored, kind)
        # 4 One transaction: decision, state, leaf, what follows.
        with self._storage.transaction(organization_id) as tx:
            held = self._store.lock(tx, proposal, ("OPEN", "APPROVED") if can_be_stopped else ("OPEN",))
            self._store.add_approval(tx, stored)
            self._log(tx, proposal, f"proposal.{statement.decision}", device.mailbox_id)
            if statement.decision == "veto":
                self._store.change_state(tx, proposal, held, "VETOED", now)
            elif len(self._store.approvals(tx, proposal)) >= row.needed:
                self._store.change_state(tx, proposal, "OPEN", "APPROVED", now)
                if kind.apply is not None:
                    self._put_outbox(tx, organization_id, APPLY_TOPIC, {"proposal_id": proposal_id}, proposal_id)
        return self.view(organization_id, proposal_id)

    def apply(self, organization_id: str, proposal_id: str) -> None:
        """Do what was approved (outbox "proposal.apply"); can be repeated."""
        with self._storage.read(organization_id) as tx:
            row = self._store.proposal(tx, organization_id, proposal_id)
        kind = self._kind(row.proposal.kind)
        if row.state != "APPROVED" or kind.apply is None:
            return
        kind.apply(self.evidence(organization_id, proposal_id))
        if kind.is_done_when_applied:
            self.finish(organization_id, proposal_id)

    def finish(self, organization_id: str, proposal_id: str) -> None:
        """Turn APPROVED into DONE; what is done already stays so."""
        with self._storage.transaction(organization_id) as tx:
            row = self._store.proposal(tx, organization_id, proposal_id)
            if row.state == "APPROVED":
                self._store.change_state(tx, row.proposal, "APPROVED", "DONE", self._clock.now())
                self._log(tx, row.proposal, "proposal.done", "server")

    def expire(self, organization_id: str) -> int:
        """End open proposals whose time is over (job); return how many."""
        now = self._clock.now()
        with self._storage.transaction(organization_id) as tx:
            ended = self._store.ended(tx, organization_id, now)
            for row in ended:
                self._store.change_state(tx, row.proposal, "OPEN", "EXPIRED", now)
                self._log(tx, row.proposal, "proposal.expire", "server")
        return len(ended)

    def lapse(self, organization_id: str, kind: str) -> int:
        """End approved proposals of a kind whose approvals have expired before they were used (job); return how many."""
        now, ended = self._clock.now(), 0
        with self._storage.transaction(organization_id) as tx:
            for row in self._store.approved(tx, organization_id, kind):
                good = [each for each in self._store.approvals(tx, row.proposal) if each.statement.expires > now]
                if len(good) < row.needed:
                    self._store.change_state(tx, row.proposal, "APPROVED", "EXPIRED", now)
                    self._log(tx, row.proposal, "proposal.expire", "server")
                    ended += 1
        return ended

    def evidence(self, organization_id: str, proposal_id: str) -> ApprovalEvidence:
        """Return proposal and decisions as the keystore wants them, with the approvers' rows as they are now."""
        with self._storage.read(organization_id) as tx:
            row = self._store.proposal(tx, organization_id, proposal_id)
            found = self._store.approvals(tx, row.proposal)
            approvals = []
            for each in found:
                role = self._rows.row(tx, organization_id, ROLE, each.statement.approver)
                if role is not None:
                    credential = self._devices.credential_in(tx, organization_id, each.device_id)
                    approvals.append(SignedApproval(each.statement, each.signature, role, credential))
        return ApprovalEvidence(row.proposal, tuple(approvals))

    def state(self, organization_id: str, proposal_id: str) -> ProposalRow:
        """Return a proposal with its state.

        Raises:
            NotFoundError: If there is none.
        """
        with self._storage.read(organization_id) as tx:
            return self._store.proposal(tx, organization_id, proposal_id)

    def view(self, organization_id: str, proposal_id: str) -> ProposalView:
        """Return a proposal for people.

        Raises:
            NotFoundError: If there is none.
        """
        with self._storage.read(organization_id) as tx:
            return self._view(tx, self._store.proposal(tx, organization_id, proposal_id))

    def views(self, organization_id: str, mailbox_id: str | None = None) -> tuple[ProposalView, ...]:
        """Return the newest proposals; for a person those that are visible, and without a role only the own ones."""
        own = mailbox_id is not None and not self.roles_of(organization_id, mailbox_id)
        with self._storage.read(organization_id) as tx:
            rows = self._store.proposals(tx, organization_id, mailbox_id if own else None)
            return tuple(
                self._view(tx, row)
                for row in rows
                if mailbox_id is None or not self._kind(row.proposal.kind).is_hidden(tx, row.proposal, mailbox_id)
            )

    def visible(self, organization_id: str, proposal_id: str, mailbox_id: str) -> ProposalView:
        """Return a proposal for a person: an own one, or with any role every one that is not hidden from this person.

        Raises:
            NotFoundError: If there is none that this person may see.
        """
        with self._storage.read(organization_id) as tx:
            row = self._store.proposal(tx, organization_id, proposal_id)
            is_hidden = self._kind(row.proposal.kind).is_hidden(tx, row.proposal, mailbox_id)
            view = self._view(tx, row)
        is_own = view.proposal.requester == mailbox_id
        if is_hidden or not (is_own or self.roles_of(organization_id, mailbox_id)):
            raise NotFoundError("there is no such proposal")
        return view

    def _view(self, tx: Transaction, row: ProposalRow) -> ProposalView:
        proposal, kind = row.proposal, self._kind(row.proposal.kind)
        return ProposalView(
            proposal=proposal,
            requester_address=self._address(tx, proposal.organization_id, proposal.requester),
            state=row.state.lower(),
            approver_role=kind.approver_role,
            needed=row.needed,
            approval_seconds=int(kind.lives_of(proposal.organization_id)[1].total_seconds()),
            approvals=tuple(
                ApprovalView(
                    approver=self._address(tx, proposal.organization_id, each.statement.approver),
                    decision=each.statement.decision,
                    signed_at=each.statement.signed_at,
                )
                for each in self._store.approvals(tx, proposal)
            ),
        )

    def _address(self, tx: Transaction, organization_id: str, mailbox_id: str) -> str:
        if not mailbox_id:
            return THE_OPERATOR
        return self._people.mailbox(tx, organization_id, mailbox_id).address

    def _veto(self, row: ProposalRow, stored: StoredApproval, kind: ProposalKind) -> None:
        organization_id = row.proposal.organization_id
        with self._storage.read(organization_id) as tx:
            role = self._rows.row(tx, organization_id, ROLE, stored.statement.approver)
            credential = self._devices.credential_in(tx, organization_id, stored.device_id)
        if role is None:
            raise NotFoundError("the approver has no role any more")
        approval = SignedApproval(stored.statement, stored.signature, role, credential)
        self._keystore.veto_proposal(approval, ApprovalEvidence(row.proposal, ()), kind.approver_role)

    def _kind(self, name: str) -> ProposalKind:
        if name not in self._kinds:
            raise InputError(f"nothing of kind {name!r} can be proposed")
        return self._kinds[name]

    def _log(self, tx: Transaction, proposal: Proposal, kind: str, by: str) -> PendingLeaf:
        fields = {"proposal": proposal.proposal_id, "kind": proposal.kind, "subject": proposal.digest().hex(), "by": by}
        return self._audit.append(tx, Act(proposal.organization_id, ORGANIZATION_CHAIN, kind, fields))


def _proposal_id(organization_id: str, requester: str, idempotency_key: str) -> str:
    """Return 32 hex digits that follow from the request: whoever repeats it finds what the first try made."""
    parts = (part.encode("utf-8") for part in (organization_id, requester, idempotency_key))
    return sha256(encode_fields("sealwright proposal id", 1, *parts)).hex()[:32]


def _repeated(earlier: Proposal, proposal: Proposal) -> Proposal:
    said = [(each.kind, each.content, each.reason, each.case_number) for each in (earlier, proposal)]
    if said[0] != said[1]:
        raise ConflictError("the idempotency key was used for another proposal")
    return earlier


def _check_texts(wanted: ProposalRequest) -> None:
    reason, case_number = wanted.reason, wanted.case_number
    if not reason.strip() or len(reason) > MAX_REASON_CHARACTERS or not reason.isprintable():
        raise InputError(f"a proposal has a reason of at most {MAX_REASON_CHARACTERS} printable characters")
    if len(case_number) > MAX_CASE_CHARACTERS or not case_number.isprintable():
        raise InputError(f"a case number has at most {MAX_CASE_CHARACTERS} printable characters")
    if len(wanted.content) > MAX_CONTENT_BYTES:
        raise InputError("the proposal is too large")

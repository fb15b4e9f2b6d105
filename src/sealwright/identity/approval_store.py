"""SQL of proposals and approvals."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from sealwright.errors import NotFoundError
from sealwright.identity.model import ProposalRow, ProposalState, StoredApproval
from sealwright.identity.tables import proposal, proposal_approval
from sealwright.storage.engine import Transaction
from sealwright.storage.schema import new_id
from sealwright.wire.approvals import ApprovalStatement, Proposal

MAX_LISTED = 200
MAX_DECISIONS = 1000
"""On one proposal: more people than ever have a role."""


class ApprovalStore:
    """Reads and writes within the caller's transaction."""

    def add_proposal(self, tx: Transaction, added: ProposalRow) -> None:
        """Add an open proposal."""
        said = added.proposal
        tx.execute(
            insert(proposal).values(
                organization_id=said.organization_id,
                id=said.proposal_id,
                kind=said.kind,
                requester=said.requester,
                reason=said.reason,
                case_number=said.case_number,
                content=said.content,
                needed=added.needed,
                created=said.created,
                expires=said.expires,
                state=added.state,
                decided=None,
            )
        )

    def proposal(self, tx: Transaction, organization_id: str, proposal_id: str) -> ProposalRow:
        """Return a proposal in any state.

        Raises:
            NotFoundError: If there is none.
        """
        found = self.find_proposal(tx, organization_id, proposal_id)
        if found is None:
            raise NotFoundError("there is no such proposal")
        return found

    def find_proposal(self, tx: Transaction, organization_id: str, proposal_id: str) -> ProposalRow | None:
        """Return a proposal in any state, or None."""
        own = (proposal.c.organization_id == organization_id) & (proposal.c.id == proposal_id)
        row = tx.fetch_one(select(proposal).where(own))
        return None if row is None else _proposal(row)

    def proposals(self, tx: Transaction, organization_id: str, requester: str | None = None) -> list[ProposalRow]:
        """Return the newest proposals, newest first; of one requester if named."""
        own = select(proposal).where(proposal.c.organization_id == organization_id)
        if requester is not None:
            own = own.where(proposal.c.requester == requester)
        rows = tx.fetch_all(own.order_by(proposal.c.created.desc(), proposal.c.id).limit(MAX_LISTED))
        return [_proposal(row) for row in rows]

    def ended(self, tx: Transaction, organization_id: str, now: datetime) -> list[ProposalRow]:
        """Return open proposals whose time is over."""
        own = (proposal.c.organization_id == organization_id) & (proposal.c.state == "OPEN")
        rows = tx.fetch_all(select(proposal).where(own, proposal.c.expires <= now).limit(MAX_LISTED))
        return [_proposal(row) for row in rows]

    def change_state(
        self, tx: Transaction, of: Proposal, old: ProposalState, new: ProposalState, now: datetime
    ) -> None:
        """Turn one state into another.

        Raises:
            ConflictError: If it is not in the old one any more.
        """
        own = (proposal.c.organization_id == of.organization_id) & (proposal.c.id == of.proposal_id)
        tx.change_one(
            update(proposal).where(own, proposal.c.state == old).values(state=new, decided=now),
            "the proposal was decided meanwhile",
        )

    def lock(self, tx: Transaction, of: Proposal, states: tuple[ProposalState, ...]) -> ProposalState:
        """Keep a proposal as it is until the transaction ends: two decisions come one after the other.

        Args:
            tx: The transaction.
            of: Which.
            states: It must be in one of them.

        Returns:
            In which.

        Raises:
            ConflictError: If it is in none of them any more.
        """
        own = (proposal.c.organization_id == of.organization_id) & (proposal.c.id == of.proposal_id)
        tx.change_one(
            update(proposal).where(own, proposal.c.state.in_(states)).values(state=proposal.c.state),
            "the proposal is not open any more",
        )
        state: ProposalState = tx.fetch_value(select(proposal.c.state).where(own))
        return state

    def approved(self, tx: Transaction, organization_id: str, kind: str) -> list[ProposalRow]:
        """Return the proposals of a kind that are approved and not used yet."""
        own = (proposal.c.organization_id == organization_id) & (proposal.c.kind == kind)
        rows = tx.fetch_all(select(proposal).where(own, proposal.c.state == "APPROVED").limit(MAX_LISTED))
        return [_proposal(row) for row in rows]

    def add_approval(self, tx: Transaction, added: StoredApproval) -> None:
        """Add a decision.

        Raises:
            ConflictError: If this person has decided already.
        """
        statement = added.statement
        tx.execute(
            insert(proposal_approval).values(
                organization_id=statement.organization_id,
                id=new_id(),
                proposal_id=statement.proposal_id,
                approver=statement.approver,
                device_id=added.device_id,
                decision=statement.decision,
                subject_sha256=statement.subject_sha256,
                device_thumbprint=statement.device_thumbprint,
                signed_at=statement.signed_at,
                expires=statement.expires,
                signature=added.signature,
            )
        )

    def approvals(self, tx: Transaction, of: Proposal) -> list[StoredApproval]:
        """Return the decisions on a proposal, oldest first."""
        columns = proposal_approval.c
        own = (columns.organization_id == of.organization_id) & (columns.proposal_id == of.proposal_id)
        rows = tx.fetch_all(
            select(proposal_approval).where(own).order_by(columns.signed_at, columns.id).limit(MAX_DECISIONS)
        )
        return [_approval(row, of.kind) for row in rows]


def _proposal(row: Row[Any]) -> ProposalRow:
    said = Proposal(
        organization_id=row.organization_id,
        proposal_id=row.id,
        kind=row.kind,
        requester=row.requester,
        reason=row.reason,
        case_number=row.case_number,
        content=bytes(row.content),
        created=row.created,
        expires=row.expires,
    )
    return ProposalRow(said, row.state, row.needed, row.decided)


def _approval(row: Row[Any], kind: str) -> StoredApproval:
    statement = ApprovalStatement(
        organization_id=row.organization_id,
        proposal_id=row.proposal_id,
        kind=kind,
        subject_sha256=bytes(row.subject_sha256),
        decision=row.decision,
        approver=row.approver,
        device_thumbprint=bytes(row.device_thumbprint),
        signed_at=row.signed_at,
        expires=row.expires,
    )
    return StoredApproval(statement, bytes(row.signature), row.device_id)

"""The recovery rule of an organization: set by the operator until there are two security officers, then by two of them."""

import msgspec

from sealwright.audit.log import Act, AuditLog
from sealwright.errors import NotFoundError
from sealwright.identity.approvals import ApprovalService, ProposalKind
from sealwright.identity.policy_store import VouchedRowStore
from sealwright.keystore.approvals import ROLE
from sealwright.keystore.model import ApprovalEvidence, VouchedRow
from sealwright.keystore.protocol import Keystore
from sealwright.storage.engine import Storage, Transaction
from sealwright.tlog.leaf import ORGANIZATION_CHAIN
from sealwright.wire.approvals import Proposal, ProposalRequest
from sealwright.wire.encoding import decode_json
from sealwright.wire.recovery import RULE, RULE_CHANGE, RecoveryRule, RecoveryRuleChange
from sealwright.wire.roles import RECOVERY_OFFICER, decode_roles


class RecoveryRules:
    """Shows and changes the rule; an organization without one has no recovery.

    Args:
        storage: The database.
        keystore: Vouches for rules.
        audit: The owner-visible log.
        approvals: Collects approvals; gets the kind "recovery.rule".
    """

    def __init__(self, storage: Storage, keystore: Keystore, audit: AuditLog, *, approvals: ApprovalService) -> None:
        self._storage, self._keystore, self._audit, self.rows = storage, keystore, audit, VouchedRowStore()
        self._approvals = approvals
        approvals.register(ProposalKind.of_officers(RULE_CHANGE, self._check, self._apply))

    def row(self, organization_id: str) -> VouchedRow | None:
        """Return the rule's row, None if there never was one."""
        with self._storage.read(organization_id) as tx:
            return self.row_in(tx, organization_id)

    def row_in(self, tx: Transaction, organization_id: str) -> VouchedRow | None:
        """Return the same within a transaction."""
        return self.rows.row(tx, organization_id, RULE, organization_id)

    def rule(self, organization_id: str) -> tuple[RecoveryRule, VouchedRow]:
        """Return the rule in force and its row.

        Raises:
            NotFoundError: If the organization has none.
        """
        row = self.row(organization_id)
        if row is None:
            raise NotFoundError("the organization has no recovery rule: nothing can be recovered")
        return RecoveryRule.decode(row.content), row

    def officers(self, organization_id: str) -> frozenset[str]:
        """Return the mailbox ids of all recovery officers."""
        with self._storage.read(organization_id) as tx:
            rows = self.rows.rows(tx, organization_id, ROLE)
        return frozenset(row.row_id for row in rows if RECOVERY_OFFICER in decode_roles(row.content))

    def role_row(self, tx: Transaction, organization_id: str, mailbox_id: str) -> VouchedRow | None:
        """Return a person's role."""
        return self.rows.row(tx, organization_id, ROLE, mailbox_id)

    def change(self, organization_id: str, rule: RecoveryRule, requester: str, reason: str) -> Proposal | None:
        """Set the rule, or propose it where two security officers have to agree.

        Args:
            organization_id: 32 hex digits.
            rule: From then on.
            requester: Mailbox id; empty for the operator at the server, who may act alone until there are two officers.
            reason: For the approvers.

        Returns:
            The proposal; None if it was done at once.

        Raises:
            InputError: If the rule cannot be kept.
            ConflictError: If the rule was changed meanwhile.
        """
        rule.check()
        row = self.row(organization_id)
        change = RecoveryRuleChange(rule=rule, from_version=row.version if row else 0)
        wanted = ProposalRequest(kind=RULE_CHANGE, reason=reason, content=msgspec.json.encode(change))
        return self._approvals.do_or_propose(
            organization_id, requester, wanted, lambda: self._do(organization_id, change, None)
        )

    def _check(self, _organization_id: str, _requester: str, content: bytes) -> None:
        decode_json(content, RecoveryRuleChange).rule.check()

    def _apply(self, evidence: ApprovalEvidence) -> None:
        change = decode_json(evidence.proposal.content, RecoveryRuleChange)
        self._do(evidence.proposal.organization_id, change, evidence)

    def _do(self, organization_id: str, change: RecoveryRuleChange, evidence: ApprovalEvidence | None) -> None:
        row = self._keystore.vouch_recovery_rule(organization_id, change.rule, change.from_version, evidence)
        with self._storage.transaction(organization_id) as tx:
            there = self.rows.row(tx, organization_id, RULE, organization_id)
            if there is not None and there.version >= row.version:
                return  # an earlier try came this far
            self.rows.put(tx, row, change.from_version)
            fields = {name: str(value) for name, value in msgspec.structs.asdict(change.rule).items()}
            fields |= {"version": str(row.version), "proposal": evidence.proposal.proposal_id if evidence else ""}
            self._audit.append(tx, Act(organization_id, ORGANIZATION_CHAIN, "recovery.rule", fields))

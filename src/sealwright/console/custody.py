"""Gathers what pages show of the custody of keys: who may reach them, and who decides on that."""

import json
from typing import Final

from sealwright.console.model import (
    CustodySummary,
    HeldMailbox,
    MailboxCustody,
    ProposalPage,
    RecoveryCase,
    RecoveryPage,
)
from sealwright.console.ports import SealReader
from sealwright.errors import NotFoundError
from sealwright.identity.access import AccessService
from sealwright.identity.approvals import ApprovalService
from sealwright.identity.people import Mailboxes
from sealwright.identity.policy import PolicyService
from sealwright.identity.roles import RoleService
from sealwright.kms.recovery import RecoveryService
from sealwright.kms.recovery_rules import RecoveryRules
from sealwright.kms.service import KeyService
from sealwright.kms.upkeep import KeyHealth
from sealwright.wire.approvals import ProposalView
from sealwright.wire.encoding import decode_json
from sealwright.wire.operator import PolicyRules, RoleHolder
from sealwright.wire.policy_step import POLICY_CHANGE, PolicyStep
from sealwright.wire.recovery import RECOVERY, RecoveryRequest
from sealwright.wire.roles import SECURITY_OFFICER
from sealwright.wire.seal import SealStatus

PROPOSAL_TITLES: Final = {
    "key.destroy": "Destroy a key",
    "key.exit": "Take all keys along",
    "key.recovery": "Recover keys",
    "log.break": "Let the log go on after a restore",
    "policy.change": "Weaken the release policy",
    "recovery.rule": "Change the recovery rule",
    "role.change": "Change roles",
    "seal.change": "Change the seal",
}
"""Kind -> words; a kind that is not here is shown as it is."""
LEVELS: Final = {
    1: "the mailbox proof",
    2: "the mailbox proof and the protection password",
    3: "the mailbox proof and an approval",
    4: "the mailbox proof and the organization's sign-on",
}
"""What a device shows before it gets keys."""
UNDECIDED: Final = ("open", "approved")


class CustodyService:
    """Reads for one organization.

    Args:
        organization_id: 32 hex digits.
        access: Devices that wait.
        approvals: Proposals, and who has which role.
        policies: Release policies.
        keys: Key management.
        mailboxes: Tenures.
        roles: Who holds them.
        recoveries: Recoveries that were announced.
        recovery_rules: The rule.
        read_seal: Knows how the seal is.
    """

    def __init__(
        self,
        organization_id: str,
        *,
        access: AccessService,
        approvals: ApprovalService,
        policies: PolicyService,
        keys: KeyService,
        mailboxes: Mailboxes,
        roles: RoleService,
        recoveries: RecoveryService,
        recovery_rules: RecoveryRules,
        read_seal: SealReader,
    ) -> None:
        self._organization_id = organization_id
        self._access, self._approvals, self._policies, self._keys = access, approvals, policies, keys
        self._mailboxes, self._roles, self._recoveries = mailboxes, roles, recoveries
        self._recovery_rules, self._read_seal = recovery_rules, read_seal

    def summary(self, *, recoveries: bool) -> CustodySummary:
        """Return the state in numbers; `recoveries` tells whether the visitor may know of them."""
        organization_id = self._organization_id
        rules, holders = self.policy(), self.holders()
        proposals = self.proposals(recoveries=recoveries)
        return CustodySummary(
            level=rules[0].level,
            groups=len(rules) - 1,
            open_proposals=sum(view.state == "open" for view in proposals),
            waiting=len(self._access.waiting_of(organization_id)),
            cases=sum(view.proposal.kind == RECOVERY and view.state in UNDECIDED for view in proposals),
            has_rule=self._recovery_rules.row(organization_id) is not None,
            holders=len(holders),
            officers=sum(SECURITY_OFFICER in holder.roles for holder in holders),
            holds=sum(hold.lifted is None for hold in self._keys.holds.holds(organization_id)),
            failing_keys=len(self._keys.upkeep.failing(organization_id)),
            seal=self.seal(),
        )

    def of_mailbox(self, mailbox_id: str) -> MailboxCustody:
        """Return who may reach the keys of one mailbox, and what keeps them."""
        organization_id = self._organization_id
        holds = self._keys.holds.holds(organization_id)
        return MailboxCustody(
            rules=self._policies.mailbox_rules(organization_id, mailbox_id),
            group=self._policies.group_of(organization_id, mailbox_id),
            waiting=self._access.waiting_of(organization_id, mailbox_id),
            roles=self._approvals.roles_of(organization_id, mailbox_id),
            holds=tuple(hold for hold in holds if hold.mailbox_id == mailbox_id and hold.lifted is None),
        )

    def policy(self) -> tuple[PolicyRules, ...]:
        """Return the organization's release rules, then what each group adds."""
        return self._policies.listed(self._organization_id)

    def proposals(self, *, recoveries: bool) -> tuple[ProposalView, ...]:
        """Return the newest proposals; recoveries only for whoever may know of them."""
        found = self._approvals.views(self._organization_id)
        return tuple(view for view in found if recoveries or view.proposal.kind != RECOVERY)

    def proposal(self, proposal_id: str, *, recoveries: bool) -> ProposalPage:
        """Return one proposal.

        Raises:
            NotFoundError: If there is none, or it is a recovery and the visitor may not know of it.
        """
        view = self._approvals.view(self._organization_id, proposal_id)
        proposal = view.proposal
        if proposal.kind == RECOVERY and not recoveries:
            raise NotFoundError("there is no such proposal")
        title = PROPOSAL_TITLES.get(proposal.kind, proposal.kind)
        content = json.dumps(json.loads(proposal.content), indent=2, ensure_ascii=True)
        if proposal.kind != POLICY_CHANGE:
            return ProposalPage(view, title, content, "", {}, {})
        step = decode_json(proposal.content, PolicyStep)
        in_force = self._policies.in_force(self._organization_id, step)
        return ProposalPage(view, title, content, step.name, step.says, in_force)

    def recoveries(self) -> RecoveryPage:
        """Return the recovery rule and the newest recoveries."""
        organization_id = self._organization_id
        announced = self._recoveries.announced(organization_id)
        row = self._recovery_rules.row(organization_id)
        cases = (
            RecoveryCase(
                view, decode_json(view.proposal.content, RecoveryRequest), announced.get(view.proposal.proposal_id)
            )
            for view in self.proposals(recoveries=True)
            if view.proposal.kind == RECOVERY
        )
        return RecoveryPage(
            rule=None if row is None else self._recovery_rules.rule(organization_id)[0],
            officers=len(self._recovery_rules.officers(organization_id)),
            cases=tuple(cases),
        )

    def holders(self) -> tuple[RoleHolder, ...]:
        """Return everybody who has a role."""
        return self._roles.holders(self._organization_id)

    def holds(self) -> tuple[HeldMailbox, ...]:
        """Return all legal holds, newest first."""
        found = self._keys.holds.holds(self._organization_id)
        return tuple(
            HeldMailbox(hold, self._mailboxes.tenure(self._organization_id, hold.mailbox_id)) for hold in found
        )

    def keys(self) -> KeyHealth:
        """Return how the archived keys are."""
        return self._keys.upkeep.health(self._organization_id)

    def seal(self) -> SealStatus:
        """Return how the seal is."""
        return self._read_seal()

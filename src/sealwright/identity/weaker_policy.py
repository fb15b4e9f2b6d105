"""A weaker release policy is proposed to the security officers, and holds a day after the second one approved it."""

from collections.abc import Callable
from dataclasses import replace

import msgspec

from sealwright.errors import ApprovalsMissingError, ConflictError, InputError, PermissionDeniedError
from sealwright.identity.approvals import ApprovalService, ProposalKind
from sealwright.identity.policy import PolicyService
from sealwright.keystore.access import MAILBOX, POLICY
from sealwright.keystore.sign_on import SIGN_ON, SignOn
from sealwright.wire.approvals import ProposalRequest
from sealwright.wire.encoding import decode_json
from sealwright.wire.operator import MailboxPolicy, PolicyChange, PolicyChanged
from sealwright.wire.policy_step import POLICY_CHANGE, PolicyStep


class WeakerPolicies:
    """Changes release policies, with approvals where they are needed.

    Args:
        policies: Release policies.
        approvals: Collects approvals; gets the kind "policy.change".
    """

    def __init__(self, policies: PolicyService, approvals: ApprovalService) -> None:
        self._policies, self._approvals = policies, approvals
        # not at once: `apply_due` does it when the delay is over
        approvals.register(ProposalKind.of_officers(POLICY_CHANGE, self._check, None))

    def change(self, organization_id: str, wanted: PolicyChange) -> PolicyChanged:
        """Change rules at once, or propose it if they are weaker and a reason is given.

        Raises:
            InputError: If the rules are none.
            ApprovalsMissingError: If they are weaker and there is no reason.
            ConflictError: If they were changed meanwhile.
        """
        return self._change(
            organization_id,
            wanted.reason,
            lambda: self._policies.change(organization_id, wanted),
            lambda: self._policies.step(organization_id, wanted),
        )

    def change_mailbox(self, organization_id: str, mailbox_id: str, wanted: MailboxPolicy) -> PolicyChanged:
        """Do the same for one mailbox."""
        return self._change(
            organization_id,
            wanted.reason,
            lambda: self._policies.change_mailbox(organization_id, mailbox_id, wanted),
            lambda: self._policies.mailbox_step(organization_id, mailbox_id, wanted),
        )

    def set_sign_on(self, organization_id: str, wanted: SignOn, reason: str) -> PolicyChanged:
        """Do the same for the organization's sign-on."""
        return self._change(
            organization_id,
            reason,
            lambda: self._policies.set_sign_on(organization_id, wanted),
            lambda: self._policies.sign_on_step(organization_id, wanted),
        )

    def refresh_sign_on(self, organization_id: str, fetch_keys: Callable[[str], bytes]) -> bool:
        """Take over the issuer's new keys, unless they are pinned (job); return whether there are any."""
        known = self._policies.sign_on(organization_id)
        if known is None or known.pinned:
            return False
        wanted = replace(known, keys=fetch_keys(known.issuer))
        self._policies.set_sign_on(organization_id, wanted)
        return wanted != known

    def apply_due(self, organization_id: str) -> int:
        """Put approved policies in force whose delay is over (job); return how many."""
        applied = 0
        for view in self._approvals.views(organization_id):
            if view.proposal.kind != POLICY_CHANGE or view.state != "approved":
                continue
            evidence = self._approvals.evidence(organization_id, view.proposal.proposal_id)
            try:
                self._policies.put_approved(decode_json(view.proposal.content, PolicyStep), evidence)
            except (ApprovalsMissingError, PermissionDeniedError, ConflictError):
                continue  # not yet, or never: the proposal shows what was approved, the policy what is in force
            self._approvals.finish(organization_id, view.proposal.proposal_id)
            applied += 1
        return applied

    def _change(
        self, organization_id: str, reason: str, at_once: Callable[[], object], step: Callable[[], PolicyStep]
    ) -> PolicyChanged:
        try:
            at_once()
        except ApprovalsMissingError as error:
            if not reason:
                raise ApprovalsMissingError(f"{error.message}: propose it with --reason") from error
            wanted = ProposalRequest(kind=POLICY_CHANGE, reason=reason, content=msgspec.json.encode(step()))
            proposal = self._approvals.propose(organization_id, "", wanted)
            return PolicyChanged(proposal_id=proposal.proposal_id)
        return PolicyChanged()

    def _check(self, organization_id: str, requester: str, content: bytes) -> None:  # noqa: ARG002 - a kind's signature
        step = decode_json(content, PolicyStep)
        if step.row_kind not in (POLICY, MAILBOX, SIGN_ON):
            raise InputError("this is no release policy")

"""Gathers what pages show of the custody of keys: who may reach them, and who decides on that."""

from sealwright.console.model import MailboxCustody
from sealwright.identity.access import AccessService
from sealwright.identity.approvals import ApprovalService
from sealwright.identity.policy import PolicyService
from sealwright.kms.service import KeyService


class CustodyService:
    """Reads for one organization.

    Args:
        organization_id: 32 hex digits.
        access: Devices that wait.
        approvals: Proposals, and who has which role.
        policies: Release policies.
        keys: Key management.
    """

    def __init__(
        self,
        organization_id: str,
        *,
        access: AccessService,
        approvals: ApprovalService,
        policies: PolicyService,
        keys: KeyService,
    ) -> None:
        self._organization_id = organization_id
        self._access, self._approvals, self._policies, self._keys = access, approvals, policies, keys

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

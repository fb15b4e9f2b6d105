"""Who has which role: appointed by the operator until there are two security officers, then by two of them."""

import msgspec

from sealwright.audit.log import Act, AuditLog
from sealwright.errors import InputError, NotFoundError
from sealwright.identity.approvals import ApprovalService, ProposalKind
from sealwright.identity.people import Mailboxes
from sealwright.identity.policy_store import VouchedRowStore
from sealwright.keystore.approvals import ROLE, ROLE_CHANGE
from sealwright.keystore.model import ApprovalEvidence, VouchedRow
from sealwright.keystore.protocol import Keystore
from sealwright.storage.engine import Storage
from sealwright.tlog.leaf import ORGANIZATION_CHAIN
from sealwright.wire.approvals import Proposal, ProposalRequest, RoleChange
from sealwright.wire.encoding import decode_json
from sealwright.wire.operator import RoleHolder
from sealwright.wire.roles import decode_roles, encode_roles


class RoleService:
    """Shows and changes roles.

    Args:
        storage: The database.
        keystore: Vouches for roles.
        audit: The owner-visible log.
        mailboxes: Who owns a mailbox.
        approvals: Collects approvals; gets the kind "role.change".
    """

    def __init__(
        self,
        storage: Storage,
        keystore: Keystore,
        audit: AuditLog,
        *,
        mailboxes: Mailboxes,
        approvals: ApprovalService,
    ) -> None:
        self._storage, self._keystore, self._audit, self._rows = storage, keystore, audit, VouchedRowStore()
        self._mailboxes, self._approvals = mailboxes, approvals
        approvals.register(ProposalKind.of_officers(ROLE_CHANGE, self._check, self._apply))

    def holders(self, organization_id: str) -> tuple[RoleHolder, ...]:
        """Return everybody who has a role."""
        with self._storage.read(organization_id) as tx:
            rows = self._rows.rows(tx, organization_id, ROLE)
        return tuple(
            RoleHolder(
                address=self._mailboxes.tenure(organization_id, row.row_id).address, roles=decode_roles(row.content)
            )
            for row in rows
            if decode_roles(row.content)
        )

    def role(self, organization_id: str, mailbox_id: str) -> VouchedRow:
        """Return a person's row as the keystore vouched for it.

        Raises:
            NotFoundError: If this person never had a role.
        """
        with self._storage.read(organization_id) as tx:
            row = self._rows.row(tx, organization_id, ROLE, mailbox_id)
        if row is None:
            raise NotFoundError("this person has no role")
        return row

    def change(
        self, organization_id: str, mailbox_id: str, roles: tuple[str, ...], requester: str, reason: str
    ) -> Proposal | None:
        """Give a person exactly these roles, or propose it where two security officers have to agree.

        Args:
            organization_id: 32 hex digits.
            mailbox_id: Whose.
            roles: All roles from then on.
            requester: Mailbox id; empty for the operator at the server, who may act alone until there are two officers.
            reason: For the approvers.

        Returns:
            The proposal; None if it was done at once.

        Raises:
            InputError: If a role is not known.
            NotFoundError: If there is no such mailbox.
            ConflictError: If the roles were changed meanwhile.
        """
        wanted = decode_roles(encode_roles(roles))
        mailbox = self._mailboxes.mailbox(organization_id, mailbox_id)
        with self._storage.read(organization_id) as tx:
            row = self._rows.row(tx, organization_id, ROLE, mailbox_id)
        change = RoleChange(
            mailbox_id=mailbox_id, address=mailbox.address, roles=wanted, from_version=row.version if row else 0
        )
        asked = ProposalRequest(kind=ROLE_CHANGE, reason=reason, content=msgspec.json.encode(change))
        return self._approvals.do_or_propose(
            organization_id, requester, asked, lambda: self._do(organization_id, change, None)
        )

    def _check(self, organization_id: str, requester: str, content: bytes) -> None:
        change = decode_json(content, RoleChange)
        encode_roles(change.roles)
        if self._mailboxes.mailbox(organization_id, change.mailbox_id).address != change.address:
            raise InputError("the address is not the mailbox's")
        if (
            requester
            and requester == change.mailbox_id
            and not set(change.roles) <= set(self._approvals.roles_of(organization_id, requester))
        ):
            raise InputError("nobody proposes more roles for the own person")

    def _apply(self, evidence: ApprovalEvidence) -> None:
        try:
            self._do(evidence.proposal.organization_id, decode_json(evidence.proposal.content, RoleChange), evidence)
        except NotFoundError:
            return  # the person has left meanwhile; there is nobody to appoint

    def _do(self, organization_id: str, change: RoleChange, evidence: ApprovalEvidence | None) -> None:
        self._mailboxes.mailbox(organization_id, change.mailbox_id)
        row = self._keystore.vouch_role(organization_id, change.mailbox_id, change.roles, change.from_version, evidence)
        with self._storage.transaction(organization_id) as tx:
            there = self._rows.row(tx, organization_id, ROLE, change.mailbox_id)
            if there is not None and there.version >= row.version:
                return  # an earlier try came this far
            self._rows.put(tx, row, change.from_version)
            fields = {
                "mailbox": change.mailbox_id,
                "roles": ",".join(change.roles),
                "version": str(row.version),
                "proposal": evidence.proposal.proposal_id if evidence else "",
            }
            self._audit.append(tx, Act(organization_id, ORGANIZATION_CHAIN, "role.change", fields))

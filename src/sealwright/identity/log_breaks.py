"""Log breaks: after a restored database, two security officers say that the log goes on from where it is now."""

import msgspec

from sealwright.audit.log import Act, AuditLog
from sealwright.errors import InputError
from sealwright.identity.approvals import ApprovalService, ProposalKind
from sealwright.keystore.model import ApprovalEvidence
from sealwright.keystore.protocol import Keystore
from sealwright.storage.engine import Storage
from sealwright.tlog.checkpoint import decode_checkpoint
from sealwright.tlog.leaf import ORGANIZATION_CHAIN
from sealwright.tlog.note import split_note
from sealwright.wire.approvals import Proposal, ProposalRequest
from sealwright.wire.encoding import decode_json
from sealwright.wire.log_break import LOG_BREAK, LogBreakRequest


class LogBreakService:
    """Proposes, signs and keeps breaks.

    Args:
        storage: The database.
        keystore: Checks the approvals and signs.
        audit: The log.
        approvals: Collects approvals; gets the kind "log.break".
    """

    def __init__(self, storage: Storage, keystore: Keystore, audit: AuditLog, *, approvals: ApprovalService) -> None:
        self._storage, self._keystore, self._audit, self._approvals = storage, keystore, audit, approvals
        approvals.register(ProposalKind.of_officers(LOG_BREAK, self._check, self._apply))

    def break_log(self, organization_id: str, reason: str) -> Proposal | None:
        """Have it signed that the log goes on from its newest checkpoint, or propose it.

        Returns:
            The proposal; None if it was done at once.

        Raises:
            InputError: If the reason cannot be used.
        """
        point = decode_checkpoint(split_note(self._audit.checkpoint(organization_id))[0])
        wanted = LogBreakRequest(size=point.size, root=point.root, reason=reason)
        asked = ProposalRequest(kind=LOG_BREAK, reason=reason, content=msgspec.json.encode(wanted))
        return self._approvals.do_or_propose(
            organization_id, "", asked, lambda: self._do(organization_id, wanted, None)
        )

    def _check(self, organization_id: str, _requester: str, content: bytes) -> None:
        wanted = decode_json(content, LogBreakRequest)
        point = decode_checkpoint(split_note(self._audit.checkpoint(organization_id))[0])
        if not 0 < wanted.size <= point.size or len(wanted.root) != len(point.root):
            raise InputError("the log never was of that size")

    def _apply(self, evidence: ApprovalEvidence) -> None:
        wanted = decode_json(evidence.proposal.content, LogBreakRequest)
        self._do(evidence.proposal.organization_id, wanted, evidence)

    def _do(self, organization_id: str, wanted: LogBreakRequest, evidence: ApprovalEvidence | None) -> None:
        newest = decode_checkpoint(self._keystore.signed_checkpoint(organization_id))
        is_older = 0 < wanted.size < newest.size
        proof = self._audit.consistency(organization_id, wanted.size, newest.size) if is_older else ()
        number, note = self._keystore.sign_log_break(organization_id, wanted, proof, evidence)
        with self._storage.transaction(organization_id) as tx:
            if not self._audit.add_break(tx, organization_id, number, note):
                return  # an earlier try came this far
            fields = {
                "number": str(number),
                "size": str(wanted.size),
                "root": wanted.root.hex(),
                "proposal": evidence.proposal.proposal_id if evidence else "",
            }
            self._audit.append(tx, Act(organization_id, ORGANIZATION_CHAIN, LOG_BREAK, fields))

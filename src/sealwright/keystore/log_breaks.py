"""Log breaks, signed against the approvals of two security officers; which were signed is remembered next to the seal."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from sealwright.errors import InputError, LogVerificationError, PermissionDeniedError
from sealwright.keystore.approvals import Approvers, read_approved
from sealwright.keystore.log_signing import LogSigning
from sealwright.keystore.model import ApprovalEvidence
from sealwright.keystore.versions import RowName, Versions
from sealwright.tlog.checkpoint import decode_checkpoint
from sealwright.tlog.tree import verify_consistency
from sealwright.wire.encoding import encode_fields, sha256
from sealwright.wire.log_break import LOG_BREAK, MAX_REASON, LogBreak, LogBreakRequest

_NUMBER_BYTES = 8


class LogBreaks:
    """Decides what may be signed. Safe from any thread and between processes.

    Args:
        versions: Remembers breaks.
        signing: Knows the newest checkpoint.
        approvers: Check approvals.
    """

    def __init__(self, versions: Versions, signing: LogSigning, approvers: Approvers) -> None:
        self._versions, self._signing, self._approvers = versions, signing, approvers

    def approved(
        self,
        organization_id: str,
        wanted: LogBreakRequest,
        proof: Sequence[bytes],
        evidence: ApprovalEvidence | None,
        now: datetime,
    ) -> LogBreak:
        """Check that a break may be signed, number it, and return it; the same one again has the same number.

        Args:
            organization_id: 32 hex digits.
            wanted: What is to be signed.
            proof: From its size to the newest checkpoint that was signed (RFC 9162 section 2.1.4).
            evidence: Approvals by two security officers; not needed while there are fewer of them.
            now: By the keystore's own clock.

        Raises:
            InputError: If the reason is none.
            ApprovalsMissingError: If it has to be approved and was not.
            PermissionDeniedError: If the approvals are for something else, or the break is not of the log that is signed now.
        """
        if not wanted.reason.strip() or len(wanted.reason) > MAX_REASON or not wanted.reason.isprintable():
            raise InputError(f"a log break has a reason of at most {MAX_REASON} printable characters")
        # 1 Two security officers, as soon as there are two.
        if evidence is not None or self._approvers.needs_officers(organization_id):
            proposal = self._approvers.check_officers(evidence, kind=LOG_BREAK, what="a log break", now=now).proposal
            if (proposal.organization_id, read_approved(proposal, LogBreakRequest)) != (organization_id, wanted):
                raise PermissionDeniedError("the approvals are for another log break")
        # 2 The history that is signed now goes through it.
        newest = decode_checkpoint(self._signing.newest(organization_id))
        try:
            verify_consistency(wanted.size, newest.size, proof, wanted.root, newest.root)
        except LogVerificationError as error:
            raise PermissionDeniedError("the log that is signed now does not go through that state") from error
        # 3 Its number, before it is signed; approvals serve once.
        if evidence is not None:
            self._approvers.use(evidence)
        number = self._number(organization_id, wanted, evidence, now)
        return LogBreak(origin=newest.origin, number=number, size=wanted.size, root=wanted.root, reason=wanted.reason)

    def _number(
        self, organization_id: str, wanted: LogBreakRequest, evidence: ApprovalEvidence | None, now: datetime
    ) -> int:
        name = RowName(LOG_BREAK, organization_id, organization_id)
        known = self._versions.newest(name)
        proposal_id = evidence.proposal.proposal_id if evidence is not None else ""
        subject = sha256(encode_fields(LOG_BREAK, 1, msgspec.json.encode(wanted), proposal_id.encode("utf-8")))
        last = int.from_bytes(known.content[:_NUMBER_BYTES], "big")
        if known.content[_NUMBER_BYTES:] == subject:
            return last
        number = max(int(now.timestamp()), last + 1)
        self._versions.advance(name, known.version, number.to_bytes(_NUMBER_BYTES, "big") + subject)
        return number

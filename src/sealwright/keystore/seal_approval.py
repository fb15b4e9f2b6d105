"""Who permits a change of the seal: two security officers, as soon as there are two."""

from datetime import datetime

from sealwright.errors import PermissionDeniedError
from sealwright.keystore.access import DeviceAccess
from sealwright.keystore.approvals import Approvers, read_approved
from sealwright.keystore.model import ApprovalEvidence
from sealwright.keystore.seal import Seal
from sealwright.keystore.versions import VERSIONS_NAME, Versions
from sealwright.keystore.vouching import VOUCHING_LABELS, Vouching
from sealwright.wire.seal import SEAL_CHANGE, SealTarget


def check_seal_change(
    seal: Seal, organization_id: str, target: SealTarget, evidence: ApprovalEvidence | None, now: datetime
) -> None:
    """Check that the seal may be changed to what `target` says, and write down that the approvals are used.

    Raises:
        ApprovalsMissingError: If it has to be approved and was not.
        PermissionDeniedError: If the approvals are for something else.
        ConflictError: If they were used for something else, or vetoed.
    """
    vouching, versions = Vouching(seal.derive(*VOUCHING_LABELS)), Versions(seal.path.with_name(VERSIONS_NAME))
    approvers = Approvers(vouching, versions, DeviceAccess(vouching, versions))
    if not approvers.needs_officers(organization_id):
        return
    approved = approvers.check_officers(evidence, kind=SEAL_CHANGE, what="a change of the seal", now=now)
    proposal = approved.proposal
    if proposal.organization_id != organization_id or read_approved(proposal, SealTarget) != target:
        raise PermissionDeniedError("the approvals are for another change of the seal")
    approvers.use(approved)

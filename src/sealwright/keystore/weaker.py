"""A weaker release policy: two security officers, a delay in which anybody can notice, and the very row that they approved."""

from datetime import datetime, timedelta

from sealwright.errors import ApprovalsMissingError, DecodingError, PermissionDeniedError
from sealwright.keystore.access import POLICY
from sealwright.keystore.approvals import Approvers
from sealwright.keystore.model import ApprovalEvidence, VouchedRow
from sealwright.keystore.release_rules import MailboxRelease, ReleaseRules
from sealwright.keystore.sign_on import SIGN_ON, SignOn
from sealwright.wire.encoding import decode_json, sha256
from sealwright.wire.policy_step import POLICY_CHANGE, PolicyStep

DELAY = timedelta(hours=24)
"""From the newest approval until it holds: a day in which the leaf of the approval is there to be seen."""


def check_weaker(approvers: Approvers, evidence: ApprovalEvidence, row: VouchedRow, now: datetime) -> None:
    """Check that a row was approved as it is, long enough ago.

    Args:
        approvers: Of this keystore.
        evidence: Proposal and approvals.
        row: What is to be vouched for; its version is that of the row before.
        now: By the keystore's own clock.

    Raises:
        ApprovalsMissingError: If fewer than two security officers approved, or the delay is not over.
        PermissionDeniedError: If they approved something else, or it was vetoed.
    """
    # 1 Two security officers.
    approvers.check_officers(evidence, kind=POLICY_CHANGE, what="a weaker release policy", now=now)
    # 2 Exactly this row, and what was shown to them is what it says.
    try:
        step = decode_json(evidence.proposal.content, PolicyStep)
        says = describe(row)
    except DecodingError as error:
        raise PermissionDeniedError("the approved policy cannot be read") from error
    approved = (
        evidence.proposal.organization_id,
        step.row_kind,
        step.row_id,
        step.from_version,
        step.content,
        step.says,
    )
    if approved != (row.organization_id, row.kind, row.row_id, row.version, row.content, says):
        raise PermissionDeniedError("the approvals are for another release policy")
    # 3 The delay.
    if now < (holds := max(each.statement.signed_at for each in evidence.approvals) + DELAY):
        raise ApprovalsMissingError(f"the weaker release policy holds from {holds:%Y-%m-%d %H:%M} UTC")


def describe(row: VouchedRow) -> dict[str, str]:
    """Say what a row of a release policy says, for people.

    Raises:
        DecodingError: If it is none.
    """
    if row.kind == POLICY:
        rules = ReleaseRules.decode(row.content)
        return {
            "level": str(rules.level),
            "export_key": "yes" if rules.export_key else "no",
            "delivery": rules.delivery,
            "networks": ",".join(rules.networks),
            "max_devices": str(rules.max_devices),
            "hours": ",".join(rules.hours),
        }
    if row.kind == SIGN_ON:
        sign_on = SignOn.decode(row.content)
        return {
            "issuer": sign_on.issuer,
            "client_id": sign_on.client_id,
            "claim": sign_on.claim,
            "device_flow": "yes" if sign_on.device_flow else "no",
            "pinned": "yes" if sign_on.pinned else "no",
            "keys": sha256(sign_on.keys).hex(),
        }
    said = MailboxRelease.decode(row.content)
    return {"group": said.group_id, "frozen": "yes" if said.frozen else "no"}

"""Exit under a quorum, checked where the keys are: every reason for which an organization's keys are not given out."""

from datetime import datetime

from sealwright.keystore.approvals import Approvers, read_approved
from sealwright.keystore.device_request import read_device_request
from sealwright.keystore.evidence import check_log, check_records, require
from sealwright.keystore.model import ExitEvidence, SealedRecord
from sealwright.keystore.versions import RowName, Versions
from sealwright.wire.api import REQUEST_NONCE_BYTES
from sealwright.wire.exits import EXIT, ExitKeysRequest, ExitRequest, officers_needed
from sealwright.wire.recovery import RULE
from sealwright.wire.roles import RECOVERY_OFFICER


class Exits:
    """Checks the evidence of an exit.

    Args:
        versions: The newest recovery rule.
        approvers: Checks approvals.
    """

    def __init__(self, versions: Versions, approvers: Approvers) -> None:
        self._versions, self._approvers = versions, approvers

    def check(
        self, records: tuple[SealedRecord, ...], evidence: ExitEvidence, now: datetime, log_origin: str, log_key: bytes
    ) -> None:
        """Check all of the evidence, and write down that the approvals are used for an exit.

        Args:
            records: The manifest's released keys in its order.
            evidence: As handed in.
            now: By the keystore's own clock.
            log_origin: Of the organization's log, from the registry.
            log_key: Raw Ed25519 public key of that log, 32 octets.

        Raises:
            ApprovalsMissingError: If too few recovery officers approved, or their approvals have expired.
            PermissionDeniedError: If any other part does not hold.
        """
        proposal, manifest, requester = evidence.approval.proposal, evidence.manifest, evidence.requester
        organization_id = proposal.organization_id
        # 1 As many recovery officers as a recovery needs approved exactly this.
        rule = self._versions.newest(RowName(RULE, organization_id, organization_id)).content
        self._approvers.check(
            evidence.approval, kind=EXIT, role=RECOVERY_OFFICER, needed=officers_needed(rule), now=now
        )
        wanted = read_approved(proposal, ExitRequest)
        # 2 For somebody who may ask, on the device that the approvals name.
        self._approvers.check_requester(
            proposal, evidence.requester_role, requester, wanted.device_id, wanted.device_thumbprint
        )
        # 3 The device itself asks for this mailbox, under this proposal.
        _check_request(evidence)
        # 4 The records are exactly the mailbox's keys that the manifest lists, and the owner's chain shows it.
        said = (manifest.organization_id, manifest.device_thumbprint, manifest.delivery)
        require(said == (organization_id, wanted.device_thumbprint, "sealed"), "the manifest is for somebody else")
        check_records(records, manifest)
        record = check_log(evidence.log, manifest, log_origin, log_key, EXIT)
        require(record.fields.get("proposal") == proposal.proposal_id, "the leaf names another proposal")
        # 5 The approvals are used for this; a veto comes too late from here on.
        self._approvers.use(evidence.approval)


def _check_request(evidence: ExitEvidence) -> None:
    manifest = evidence.manifest
    asked = read_device_request(
        evidence.request,
        evidence.requester.device,
        f"/v1/exits/{evidence.approval.proposal.proposal_id}/keys",
        ExitKeysRequest,
        "the keys were not asked for by the device",
    )
    require(len(asked.request_nonce) == REQUEST_NONCE_BYTES, "a request's nonce has 32 octets")
    said = (asked.mailbox_id, asked.request_nonce)
    require(said == (manifest.mailbox_id, manifest.request_nonce), "the manifest answers another request")

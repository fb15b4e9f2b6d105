"""Exit under a quorum, checked where the keys are: every reason for which an organization's keys are not given out."""

from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from sealwright.errors import PermissionDeniedError, SealwrightError
from sealwright.keystore.access import DeviceAccess
from sealwright.keystore.approvals import Approvers
from sealwright.keystore.evidence import NONCE_BYTES, check_log, check_records, require
from sealwright.keystore.model import ExitEvidence, SealedRecord
from sealwright.keystore.versions import RowName, Versions
from sealwright.wire.exits import EXIT, RECOVERY_RULE, REQUESTER_ROLES, ExitKeysRequest, ExitRequest, officers_needed
from sealwright.wire.roles import RECOVERY_OFFICER
from sealwright.wire.signed_request import verify_request


class Exits:
    """Checks the evidence of an exit.

    Args:
        versions: The newest recovery rule.
        access: Checks devices.
        approvers: Checks approvals.
    """

    def __init__(self, versions: Versions, access: DeviceAccess, approvers: Approvers) -> None:
        self._versions, self._access, self._approvers = versions, access, approvers

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
        rule = self._versions.newest(RowName(RECOVERY_RULE, organization_id, organization_id)).content
        self._approvers.check(
            evidence.approval, kind=EXIT, role=RECOVERY_OFFICER, needed=officers_needed(rule), now=now
        )
        wanted = _content(proposal.content)
        # 2 For somebody who may ask, on the device that the approvals name.
        role = evidence.requester_role
        require((role.organization_id, role.row_id) == (organization_id, proposal.requester), "the role is another's")
        require(bool(REQUESTER_ROLES & set(self._approvers.roles_of(role))), "the requester may not ask for an exit")
        self._access.check_device(requester)
        require(requester.state == "active", "the requester's device is not active")
        theirs = (requester.organization_id, requester.mailbox_id, requester.device_id)
        require(theirs == (organization_id, proposal.requester, wanted.device_id), "the device is not the requester's")
        thumbprint = requester.device.thumbprint()
        require(thumbprint == wanted.device_thumbprint, "the approvals name another device")
        # 3 The device itself asks for this mailbox, under this proposal.
        _check_request(evidence)
        # 4 The records are exactly the mailbox's keys that the manifest lists, and the owner's chain shows it.
        said = (manifest.organization_id, manifest.device_thumbprint, manifest.delivery)
        require(said == (organization_id, thumbprint, "sealed"), "the manifest is for somebody else")
        check_records(records, manifest)
        record = check_log(evidence.log, manifest, log_origin, log_key, EXIT)
        require(record.fields.get("proposal") == proposal.proposal_id, "the leaf names another proposal")
        # 5 The approvals are used for this; a veto comes too late from here on.
        self._approvers.use(evidence.approval)


def _check_request(evidence: ExitEvidence) -> None:
    request, manifest = evidence.request, evidence.manifest
    try:
        key = evidence.requester.device.load_authentication_key()
        headers = {name.lower(): value for name, value in request.headers.items()}
        verify_request(key, request.method, request.target_uri, headers, request.body)
        path = urlsplit(request.target_uri).path
        asked = msgspec.json.decode(request.body, type=ExitKeysRequest)
    except (SealwrightError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise PermissionDeniedError("the keys were not asked for by the device") from error
    wanted = f"/v1/exits/{evidence.approval.proposal.proposal_id}/keys"
    require(request.method == "POST" and path.endswith(wanted), "the device asked for something else")
    require(len(asked.request_nonce) == NONCE_BYTES, "a request's nonce has 32 octets")
    said = (asked.mailbox_id, asked.request_nonce)
    require(said == (manifest.mailbox_id, manifest.request_nonce), "the manifest answers another request")


def _content(encoded: bytes) -> ExitRequest:
    try:
        return msgspec.json.decode(encoded, type=ExitRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PermissionDeniedError("what was approved cannot be read") from error

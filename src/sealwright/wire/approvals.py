"""Proposals that need more than one person, and what each approver's device signs.

A proposal's content is JSON, and the approver's device signs the digest of exactly the bytes that it shows. The keystore checks
the same signatures; whoever carries them in between can change nothing.
"""

from datetime import datetime
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Struct

from sealwright.errors import InvalidSignatureError
from sealwright.wire.api import Answer, Request
from sealwright.wire.encoding import AwareDatetime, encode_fields, sha256

Decision = Literal["approve", "veto"]
MAX_CONTENT_BYTES = 256 * 1024
"""A recovery of a thousand messages names each by two digests and stays below."""
MAX_REASON_CHARACTERS = 1000
MAX_CASE_CHARACTERS = 100


class Proposal(Struct, frozen=True, kw_only=True):
    """What is to be approved.

    Attributes:
        organization_id: 32 hex digits.
        proposal_id: 32 hex digits.
        kind: "role.change", "policy.change", "key.recovery" ...
        requester: Mailbox id of whoever asks, who then cannot approve; empty for the operator at the server.
        reason: Why, for the approvers and the log.
        case_number: Of the requester's own files, or empty.
        content: JSON, whatever the kind says.
        created: When it was proposed.
        expires: When it ends unless enough have approved.
    """

    organization_id: str
    proposal_id: str
    kind: str
    requester: str
    reason: str
    case_number: str
    content: bytes
    created: AwareDatetime
    expires: AwareDatetime

    def digest(self) -> bytes:
        """Return SHA-256 over every field, 32 octets: what approvals commit to."""
        texts = (self.organization_id, self.proposal_id, self.kind, self.requester, self.reason, self.case_number)
        times = (_seconds(self.created), _seconds(self.expires))
        return sha256(
            encode_fields("sealwright proposal", 1, *(each.encode("utf-8") for each in texts), *times, self.content)
        )


class ApprovalStatement(Struct, frozen=True, kw_only=True):
    """What an approver's device signs.

    Attributes:
        organization_id: 32 hex digits.
        proposal_id: 32 hex digits.
        kind: Of the proposal.
        subject_sha256: The proposal's digest, 32 octets.
        decision: "approve" or "veto".
        approver: Mailbox id.
        device_thumbprint: 32 octets.
        signed_at: By the device's clock.
        expires: When the approval is worth nothing any more; not the proposal's own end.
    """

    organization_id: str
    proposal_id: str
    kind: str
    subject_sha256: bytes
    decision: Decision
    approver: str
    device_thumbprint: bytes
    signed_at: AwareDatetime
    expires: AwareDatetime

    def encode(self) -> bytes:
        """Encode as the bytes that are signed."""
        texts = (self.organization_id, self.proposal_id, self.kind, self.decision, self.approver)
        return encode_fields(
            "sealwright approval",
            1,
            *(each.encode("utf-8") for each in texts),
            self.subject_sha256,
            self.device_thumbprint,
            _seconds(self.signed_at),
            _seconds(self.expires),
        )

    def sign(self, private_key: ec.EllipticCurvePrivateKey) -> bytes:
        """Sign with the device's authentication key (ECDSA P-256, SHA-256, DER)."""
        return private_key.sign(self.encode(), ec.ECDSA(SHA256()))

    def verify(self, public_key: ec.EllipticCurvePublicKey, signature: bytes) -> None:
        """Verify the device's signature.

        Raises:
            InvalidSignatureError: If it does not verify.
        """
        try:
            public_key.verify(signature, self.encode(), ec.ECDSA(SHA256()))
        except InvalidSignature as error:
            raise InvalidSignatureError("the approval is not signed by the approver's device") from error


class ApprovalView(Answer, frozen=True, kw_only=True):
    """Who decided what.

    Attributes:
        approver: Address.
    """

    approver: str
    decision: str
    signed_at: AwareDatetime


class ProposalView(Answer, frozen=True, kw_only=True):
    """A proposal as its approvers see it.

    Attributes:
        proposal: What is signed, as a whole.
        requester_address: Or "the operator".
        state: "open", "approved", "done", "vetoed" or "expired".
        approver_role: Who may decide.
        needed: How many must approve.
        approval_seconds: How long an approval is good.
        approvals: In their order.
    """

    proposal: Proposal
    requester_address: str
    state: str
    approver_role: str
    needed: int
    approval_seconds: int
    approvals: tuple[ApprovalView, ...]


class ProposalList(Answer, frozen=True, kw_only=True):
    """GET /v1/proposals: the newest first; for people with a role, and for requesters their own."""

    proposals: tuple[ProposalView, ...]


class ProposalRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/proposals: propose something as the asking device's person."""

    kind: str
    reason: str
    content: bytes
    case_number: str = ""


class DecisionRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/proposals/{id}/decisions: approve or veto."""

    statement: ApprovalStatement
    signature: bytes


class RoleChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content of a proposal of kind "role.change".

    Attributes:
        mailbox_id: Whose roles.
        address: For people to read.
        roles: All roles from then on.
        from_version: Of the row that this follows; 0 for none.
    """

    mailbox_id: str
    address: str
    roles: tuple[str, ...]
    from_version: int


def _seconds(time: datetime) -> bytes:
    return int(time.timestamp()).to_bytes(8, "big")

"""People with roles and devices that approve, over the world of `people_world`."""

from dataclasses import dataclass
from datetime import timedelta

from support.people_world import ORGANIZATION

from sealwright.identity.model import AuthenticatedDevice
from sealwright.identity.roles import RoleService
from sealwright.wire.approvals import ApprovalStatement, DecisionRequest, ProposalRequest
from sealwright.wire.operator import PersonRow


@dataclass
class Approver:
    """Somebody with a device."""

    mailbox_id: str
    device: object
    enrolled: object
    address: str


def asked(kind, content, reason="because", case_number=""):
    """Return what somebody proposes."""
    return ProposalRequest(kind=kind, reason=reason, content=content, case_number=case_number)


class Approvals:
    """The services over a world, and its people."""

    def __init__(self, world):
        self.world = world
        self.service = world.approvals
        self.roles = RoleService(
            world.storage, world.keystore, world.audit, mailboxes=world.mailboxes, approvals=self.service
        )

    def person(self, name, *roles):
        """Return a new person with a device; roles by the operator, which works until there are two officers."""
        address = f"{name}@example.test"
        if self.world.people.find_mailbox(ORGANIZATION, address) is None:
            self.world.people.import_people(ORGANIZATION, (PersonRow(address=address),))
        mailbox = self.world.people.find_mailbox(ORGANIZATION, address)
        device, enrolled = self.world.enrol(address=address)
        if roles:
            assert self.roles.change(ORGANIZATION, mailbox.mailbox_id, roles, "", "at the beginning") is None
        return Approver(mailbox.mailbox_id, device, enrolled, address)

    def statement(self, approver, proposal, decision="approve", /, **changes):
        """Return what an approver's device signs, with changes."""
        now = self.world.clock.now()
        fields = {
            "organization_id": ORGANIZATION,
            "proposal_id": proposal.proposal_id,
            "kind": proposal.kind,
            "subject_sha256": proposal.digest(),
            "decision": decision,
            "approver": approver.mailbox_id,
            "device_thumbprint": approver.device.public.thumbprint(),
            "signed_at": now,
            "expires": now + timedelta(days=1),
            **changes,
        }
        return ApprovalStatement(**fields)

    def decide(self, approver, proposal, decision="approve", /, signer=None, **changes):
        """Send a decision as the approver's device does."""
        statement = self.statement(approver, proposal, decision, **changes)
        request = DecisionRequest(statement=statement, signature=statement.sign((signer or approver).device.key))
        return self.service.decide(self.asking(approver), proposal.proposal_id, request)

    def asking(self, approver):
        """Return an approver's device as one that was authenticated."""
        credential = self.world.devices.credential(ORGANIZATION, approver.enrolled.device_id)
        return AuthenticatedDevice(
            ORGANIZATION, approver.mailbox_id, credential.device_id, credential, approver.address
        )

    def run_outbox(self):
        """Apply what was approved."""
        for topic, payload in list(self.world.outbox):
            if topic == "proposal.apply":
                self.service.apply(ORGANIZATION, payload["proposal_id"])

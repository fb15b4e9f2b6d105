"""What the outbox's items do."""

from datetime import datetime

from cryptography import x509

from sealwright.errors import NotFoundError
from sealwright.identity.challenge_mail import challenge_message
from sealwright.identity.enrolment import EnrolmentService
from sealwright.outbox.worker import OutboxItem
from sealwright.pkix.names import certificate_addresses
from sealwright.server.mail import Mailer
from sealwright.server.trunk import Trunk


class Handlers:
    """The outbox's handlers; each may run again after a crash and then changes nothing."""

    def __init__(self, trunk: Trunk, enrolments: EnrolmentService, mailer: Mailer) -> None:
        self._trunk, self._enrolments, self._mailer = trunk, enrolments, mailer

    def provision(self, item: OutboxItem) -> None:
        """Give a mailbox its encryption key and certificate."""
        self._trunk.keys.provision(item.organization_id, item.payload["mailbox_id"])

    def withdraw(self, item: OutboxItem) -> None:
        """Freeze the keys of a mailbox and revoke its certificates; each revocation unpublishes."""
        self._trunk.keys.withdraw(item.organization_id, item.payload["mailbox_id"])
        self._trunk.authority.revoke_all(item.organization_id, item.payload["mailbox_id"], "affiliationChanged")

    def rotate(self, item: OutboxItem) -> None:
        """Give a shared mailbox a new key, because somebody left; one that was made since serves."""
        left = datetime.fromisoformat(item.payload["left"])
        try:
            self._trunk.keys.rotate(item.organization_id, item.payload["mailbox_id"], made_until=left)
        except NotFoundError:  # it is gone, or has no key yet that anybody could have
            return

    def part_member(self, item: OutboxItem) -> None:
        """Revoke what the devices of somebody who left sign with for the shared mailbox."""
        for device in self._trunk.devices.of_mailbox(item.organization_id, item.payload["member_id"]):
            self._trunk.authority.revoke_all(
                item.organization_id, item.payload["mailbox_id"], "affiliationChanged", device.device_id
            )

    def revoke_key(self, item: OutboxItem) -> None:
        """Revoke the certificates of a key that was compromised or destroyed."""
        payload = item.payload
        self._trunk.authority.revoke_key(item.organization_id, payload["spki_sha256"], payload["reason"])

    def remove_device(self, item: OutboxItem) -> None:
        """Revoke what a removed device signs with, for its own mailbox and those that its owner shares."""
        own = item.payload["mailbox_id"]
        for mailbox_id in (own, *self._trunk.shared.memberships(item.organization_id, own)):
            self._trunk.authority.revoke_all(
                item.organization_id, mailbox_id, "cessationOfOperation", item.payload["device_id"]
            )

    def apply_proposal(self, item: OutboxItem) -> None:
        """Do what was approved."""
        self._trunk.approvals.apply(item.organization_id, item.payload["proposal_id"])

    def mail_challenge(self, item: OutboxItem) -> None:
        """Mail part 1 of a challenge."""
        challenge = self._enrolments.challenge(item.organization_id, item.payload)
        if challenge is None:
            return
        message = challenge_message(challenge, self._mailer.sender, self._trunk.clock.now())
        self._mailer.send(challenge.address, message)

    def settle(self, item: OutboxItem) -> None:
        """Do nothing: key management publishes, in the transaction that makes sure that the key is still active."""

    def unpublish(self, item: OutboxItem) -> None:
        """Withdraw a revoked certificate."""
        serial_number = int(item.payload["serial_number"], 16)
        issued = self._trunk.authority.certificate(item.organization_id, serial_number)
        with self._trunk.storage.transaction(item.organization_id) as tx:
            for address in _addresses(issued.certificate):
                self._trunk.directory.unpublish(tx, item.organization_id, address, issued.certificate)


def _addresses(certificate: bytes) -> tuple[str, ...]:
    return certificate_addresses(x509.load_der_x509_certificate(certificate))

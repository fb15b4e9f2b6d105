"""The operator's interface to the custody of keys (`/local/keys`, `/local/holds`)."""

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import RawBody

from sealwright.errors import NotFoundError
from sealwright.identity.http import decode_request
from sealwright.kms.model import LegalHold, MailboxKey
from sealwright.server.wiring import Services
from sealwright.wire.approvals import Proposal
from sealwright.wire.destruction import SignedDestruction
from sealwright.wire.operator import (
    HoldLift,
    HoldList,
    HoldRequest,
    HoldView,
    KeyBatch,
    KeyBatchDone,
    KeyDestroyed,
    KeyList,
    KeyRequest,
    KeyStateChange,
    KeyView,
    MailboxRequest,
)

OPERATOR = "operator"
"""Who acts in the log: whoever may open the socket."""


class CustodyController(Controller):
    """Routes under `/local`."""

    path = "/local"

    @post("/keys", sync_to_thread=True, status_code=200)
    def keys(self, body: RawBody, services: NamedDependency[Services]) -> KeyList:
        """List the history of a mailbox."""
        mailbox_id = _mailbox_id(services, decode_request(body, MailboxRequest).mailbox)
        history = services.keys.history(services.organization_id, mailbox_id)
        return KeyList(mailbox_id=mailbox_id, keys=tuple(_key_view(key) for key in history))

    @post("/keys/suspend", sync_to_thread=True, status_code=204)
    def suspend(self, body: RawBody, services: NamedDependency[Services]) -> None:
        """Suspend a key."""
        change = decode_request(body, KeyStateChange)
        services.keys.lifecycle.suspend(services.organization_id, change.key_id, change.reason, OPERATOR)

    @post("/keys/resume", sync_to_thread=True, status_code=204)
    def resume(self, body: RawBody, services: NamedDependency[Services]) -> None:
        """Put a suspended key to use again."""
        change = decode_request(body, KeyStateChange)
        services.keys.lifecycle.resume(services.organization_id, change.key_id, change.reason, OPERATOR)

    @post("/keys/compromise", sync_to_thread=True, status_code=204)
    def compromise(self, body: RawBody, services: NamedDependency[Services]) -> None:
        """Report a key as compromised."""
        change = decode_request(body, KeyStateChange)
        services.keys.lifecycle.compromise(services.organization_id, change.key_id, change.reason, OPERATOR)

    @post("/keys/destroy", sync_to_thread=True, status_code=200)
    def destroy(self, body: RawBody, services: NamedDependency[Services]) -> KeyDestroyed:
        """Destroy a key for ever, or propose it to the security officers."""
        change = decode_request(body, KeyStateChange)
        done = services.keys.lifecycle.destroy(services.organization_id, change.key_id, change.reason, OPERATOR)
        return KeyDestroyed(proposal_id=done.proposal_id) if isinstance(done, Proposal) else KeyDestroyed(receipt=done)

    @post("/keys/receipt", sync_to_thread=True, status_code=200)
    def receipt(self, body: RawBody, services: NamedDependency[Services]) -> SignedDestruction:
        """Return the receipt of a destroyed key once more."""
        return services.keys.lifecycle.receipt(services.organization_id, decode_request(body, KeyRequest).key_id)

    @post("/keys/drill", sync_to_thread=True, status_code=200)
    def drill(self, body: RawBody, services: NamedDependency[Services]) -> KeyBatchDone:
        """Examine a batch of keys."""
        done = services.keys.upkeep.drill(services.organization_id, decode_request(body, KeyBatch).before)
        return KeyBatchDone(done=done.examined, left=done.left, failing=done.failing)

    @post("/keys/rotate-older", sync_to_thread=True, status_code=200)
    def rotate_older(self, body: RawBody, services: NamedDependency[Services]) -> KeyBatchDone:
        """Rotate a batch of keys."""
        before = decode_request(body, KeyBatch).before
        done, left = services.keys.upkeep.rotate_older(services.organization_id, before)
        return KeyBatchDone(done=done, left=left)

    @get("/holds", sync_to_thread=True)
    def holds(self, services: NamedDependency[Services]) -> HoldList:
        """List legal holds."""
        found = services.keys.holds.holds(services.organization_id)
        return HoldList(holds=tuple(_hold_view(hold) for hold in found))

    @post("/holds", sync_to_thread=True, status_code=200)
    def set_hold(self, body: RawBody, services: NamedDependency[Services]) -> HoldView:
        """Put a hold on a mailbox."""
        wanted = decode_request(body, HoldRequest)
        mailbox_id = _mailbox_id(services, wanted.mailbox)
        return _hold_view(services.keys.holds.set_hold(services.organization_id, mailbox_id, wanted.reason, OPERATOR))

    @post("/holds/lift", sync_to_thread=True, status_code=204)
    def lift_hold(self, body: RawBody, services: NamedDependency[Services]) -> None:
        """Take a hold away."""
        wanted = decode_request(body, HoldLift)
        services.keys.holds.lift_hold(services.organization_id, wanted.hold_id, wanted.reason, OPERATOR)


def _mailbox_id(services: Services, named: str) -> str:
    if "@" not in named:
        return services.mailboxes.tenure(services.organization_id, named).mailbox_id
    mailbox = services.people.find_mailbox(services.organization_id, named)
    if mailbox is None:
        raise NotFoundError(f"nobody has the address {named}")
    return mailbox.mailbox_id


def _key_view(key: MailboxKey) -> KeyView:
    return KeyView(
        key_id=key.key_id,
        slot=key.slot,
        generation=key.generation,
        state=key.state,
        frozen=key.frozen,
        algorithm=key.record.algorithm,
        created=key.created,
        spki_sha256=key.spki_sha256.hex(),
    )


def _hold_view(hold: LegalHold) -> HoldView:
    return HoldView(
        hold_id=hold.hold_id,
        mailbox_id=hold.mailbox_id,
        reason=hold.reason,
        set_by=hold.set_by,
        created=hold.created,
        lifted=hold.lifted,
    )

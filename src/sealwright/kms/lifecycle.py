"""What people decide about a key: suspend, resume, report as compromised, destroy. Provisioning does the rest by itself."""

import msgspec

from sealwright.audit.log import AuditLog
from sealwright.clock import Clock
from sealwright.errors import ConflictError, InputError, NotFoundError
from sealwright.identity.approvals import ApprovalService, ProposalKind
from sealwright.identity.people import PROVISION_TOPIC
from sealwright.identity.ports import PutOutbox
from sealwright.keystore.key_states import TRANSITIONS, check_transition
from sealwright.keystore.model import ApprovalEvidence
from sealwright.keystore.protocol import Keystore
from sealwright.kms.acts import KeyActs
from sealwright.kms.model import Destruction, MailboxKey
from sealwright.kms.ports import MailboxReader
from sealwright.kms.store import KeyStore
from sealwright.storage.engine import Storage, Transaction
from sealwright.wire.approvals import Proposal, ProposalRequest
from sealwright.wire.destruction import (
    DESTROY_LEAF,
    DESTRUCTION,
    DestructionReceipt,
    KeyDestruction,
    SignedDestruction,
)
from sealwright.wire.encoding import decode_json
from sealwright.wire.manifest import KeyState

REVOKE_TOPIC = "key.revoke"
"""Outbox: revoke whatever certificates a key has; payload {spki_sha256, reason}."""
MAX_REASON_CHARACTERS = 500


class KeyLifecycle:
    """Changes the state of keys.

    Args:
        storage: The database.
        store: Its SQL.
        keystore: Signs destruction receipts and forgets destroyed keys.
        audit: The owner-visible log.
        acts: Leaf, directory and notice of each act.
        clock: The time.
        mailboxes: Who owns a mailbox.
        approvals: Collects approvals; gets the kind "key.destroy".
        put_outbox: Queues "mailbox.provision" and "key.revoke".
    """

    def __init__(
        self,
        storage: Storage,
        store: KeyStore,
        keystore: Keystore,
        audit: AuditLog,
        acts: KeyActs,
        clock: Clock,
        *,
        mailboxes: MailboxReader,
        approvals: ApprovalService,
        put_outbox: PutOutbox,
    ) -> None:
        self._storage, self._store, self._keystore, self._audit = storage, store, keystore, audit
        self._acts, self._clock, self._mailboxes, self._put_outbox = acts, clock, mailboxes, put_outbox
        self._approvals = approvals
        approvals.register(ProposalKind.of_officers(DESTRUCTION, self._check, self._apply))

    def suspend(self, organization_id: str, key_id: str, reason: str, by: str) -> None:
        """Stop the use of an ACTIVE key for a while: it is not released, and nobody finds its certificate.

        The certificate is not revoked, because a revocation is for ever.

        Raises:
            NotFoundError: If there is no such key.
            ConflictError: If it is not ACTIVE.
            InputError: If the reason is empty or too long.
        """
        check_reason(reason)
        with self._storage.transaction(organization_id) as tx:
            key = self._changed(tx, organization_id, key_id, "SUSPENDED")
            self._acts.unpublish(tx, self._mailboxes.tenure(organization_id, key.mailbox_id), key)
            leaf = self._acts.log(tx, key, "key.suspend", reason=reason, by=by)
            self._acts.tell(tx, key, "key-suspended", leaf)

    def resume(self, organization_id: str, key_id: str, reason: str, by: str) -> None:
        """Put a SUSPENDED key to use again.

        Raises:
            NotFoundError: If there is no such key.
            ConflictError: If it is not SUSPENDED, another key is ACTIVE, or the mailbox is withdrawn.
            InputError: If the reason is empty or too long.
        """
        check_reason(reason)
        with self._storage.transaction(organization_id) as tx:
            key = self._locked(tx, organization_id, key_id)
            self._mailboxes.hold(tx, organization_id, key.mailbox_id)
            others = self._store.keys(tx, organization_id, key.mailbox_id)
            if any((each.slot, each.state) == (key.slot, "ACTIVE") for each in others):
                raise ConflictError("another key of the mailbox is ACTIVE")
            self._acts.change_state(tx, key, "ACTIVE", self._clock.now())
            self._acts.republish(tx, self._mailboxes.tenure(organization_id, key.mailbox_id), key)
            leaf = self._acts.log(tx, key, "key.resume", reason=reason, by=by)
            self._acts.tell(tx, key, "key-resumed", leaf)
            self._provision(tx, key)

    def compromise(self, organization_id: str, key_id: str, reason: str, by: str) -> None:
        """Report a key as compromised: certificates are revoked, and a new generation takes the place of the active one.

        It is still released, marked as compromised: what was encrypted for it must stay readable.

        Raises:
            NotFoundError: If there is no such key.
            ConflictError: If it is compromised or destroyed already.
            InputError: If the reason is empty or too long.
        """
        check_reason(reason)
        with self._storage.transaction(organization_id) as tx:
            key = self._changed(tx, organization_id, key_id, "COMPROMISED")
            self._acts.unpublish(tx, self._mailboxes.tenure(organization_id, key.mailbox_id), key)
            leaf = self._acts.log(tx, key, "key.compromise", reason=reason, by=by)
            self._acts.tell(tx, key, "key-compromised", leaf)
            self._revoke(tx, key, "keyCompromise")
            self._provision(tx, key)

    def destroy(self, organization_id: str, key_id: str, reason: str, by: str) -> SignedDestruction | Proposal:
        """Erase a key for ever, or propose it where two security officers have to agree. Mail that only it opens is lost.

        Returns:
            The receipt, or the proposal.

        Raises:
            NotFoundError: If there is no such key.
            ConflictError: If it is ACTIVE or destroyed already.
            PermissionDeniedError: If a legal hold is on the mailbox.
            InputError: If the reason is empty or too long.
            UnavailableError: If the leaf is not signed in time; the key is destroyed, ask for the receipt again.
        """
        check_reason(reason)
        content = msgspec.json.encode(self._wanted(organization_id, key_id))
        proposal = self._approvals.do_or_propose(
            organization_id,
            "",
            ProposalRequest(kind=DESTRUCTION, reason=reason, content=content),
            lambda: self._destroy(organization_id, key_id, reason, by, None),
        )
        return proposal or self.receipt(organization_id, key_id)

    def _wanted(self, organization_id: str, key_id: str) -> KeyDestruction:
        """Return what is proposed, if it may be done.

        Raises:
            NotFoundError: If there is no such key.
            ConflictError: If it is ACTIVE or destroyed already.
            PermissionDeniedError: If a legal hold is on the mailbox.
        """
        with self._storage.read(organization_id) as tx:
            key = self._find(tx, organization_id, key_id)
            check_transition(key.state, "DESTROYED")
            self._store.check_no_hold(tx, organization_id, key.mailbox_id)
        return KeyDestruction(
            key_id=key_id,
            mailbox_id=key.mailbox_id,
            address=self._mailboxes.tenure(organization_id, key.mailbox_id).address,
            slot=key.slot,
            generation=key.generation,
            state=key.state,
        )

    def _check(self, organization_id: str, _requester: str, content: bytes) -> None:
        wanted = decode_json(content, KeyDestruction)
        if wanted != self._wanted(organization_id, wanted.key_id):
            raise InputError("the key is not as the proposal describes it")

    def _apply(self, evidence: ApprovalEvidence) -> None:
        proposal = evidence.proposal
        wanted = decode_json(proposal.content, KeyDestruction)
        by = f"proposal {proposal.proposal_id}"
        try:
            self._destroy(proposal.organization_id, wanted.key_id, proposal.reason, by, evidence)
        except ConflictError:
            with self._storage.read(proposal.organization_id) as tx:
                if "DESTROYED" in TRANSITIONS[self._find(tx, proposal.organization_id, wanted.key_id).state]:
                    raise  # somebody else was at it at the same moment: once more
            # it is destroyed already, or was put to use again: then nothing is destroyed

    def _destroy(
        self, organization_id: str, key_id: str, reason: str, by: str, evidence: ApprovalEvidence | None
    ) -> None:
        with self._storage.transaction(organization_id) as tx:
            now = self._clock.now()
            # whoever sets a hold locks the same row, so one of the two sees what the other did
            key = self._locked(tx, organization_id, key_id)
            self._store.check_no_hold(tx, organization_id, key.mailbox_id)
            self._acts.change_state(tx, key, "DESTROYED", now, evidence)
            self._acts.unpublish(tx, self._mailboxes.tenure(organization_id, key.mailbox_id), key)
            leaf = self._acts.log(tx, key, DESTROY_LEAF, reason=reason, by=by)
            self._store.add_destruction(tx, organization_id, Destruction(key_id, reason, now, leaf.leaf_id))
            self._acts.tell(tx, key, "key-destroyed", leaf)
            self._revoke(tx, key, "cessationOfOperation")

    def receipt(self, organization_id: str, key_id: str) -> SignedDestruction:
        """Return the signed receipt of a destroyed key; can be repeated.

        Raises:
            NotFoundError: If there is no such key, or it is not destroyed.
            UnavailableError: If the leaf is not signed in time.
        """
        with self._storage.read(organization_id) as tx:
            key = self._find(tx, organization_id, key_id)
            destruction = self._store.destruction(tx, organization_id, key_id)
        if destruction is None:
            raise NotFoundError("the key is not destroyed")
        included = self._audit.wait_included(organization_id, destruction.leaf_id)
        receipt = DestructionReceipt(
            organization_id=organization_id,
            mailbox_id=key.mailbox_id,
            key_id=key_id,
            slot=key.slot,
            generation=key.generation,
            algorithm=key.record.algorithm,
            spki_sha256=key.spki_sha256,
            destroyed=destruction.destroyed,
            reason=destruction.reason,
            leaf_hash=included.leaf_hash,
        )
        signature = self._keystore.sign_destruction(receipt)
        return SignedDestruction(
            receipt=receipt, signature=signature, leaf=included.opening(), checkpoint=included.checkpoint
        )

    def _find(self, tx: Transaction, organization_id: str, key_id: str) -> MailboxKey:
        key = self._store.key(tx, organization_id, key_id)
        if key is None:
            raise NotFoundError("there is no such key")
        return key

    def _locked(self, tx: Transaction, organization_id: str, key_id: str) -> MailboxKey:
        """Return a key as it is while nobody else changes the mailbox's."""
        key = self._find(tx, organization_id, key_id)
        self._mailboxes.lock(tx, organization_id, key.mailbox_id)
        return self._find(tx, organization_id, key_id)

    def _changed(self, tx: Transaction, organization_id: str, key_id: str, state: KeyState) -> MailboxKey:
        key = self._locked(tx, organization_id, key_id)
        self._acts.change_state(tx, key, state, self._clock.now())
        return key

    def _revoke(self, tx: Transaction, key: MailboxKey, reason: str) -> None:
        payload = {"spki_sha256": key.spki_sha256.hex(), "reason": reason}
        self._put_outbox(tx, key.record.identity.organization_id, REVOKE_TOPIC, payload, f"{key.key_id}/{reason}")

    def _provision(self, tx: Transaction, key: MailboxKey) -> None:
        payload = {"mailbox_id": key.mailbox_id}
        self._put_outbox(tx, key.record.identity.organization_id, PROVISION_TOPIC, payload, key.mailbox_id)


def check_reason(reason: str) -> None:
    """Check a reason, which goes into the log.

    Raises:
        InputError: If it is empty, too long or not printable.
    """
    if not reason.strip() or len(reason) > MAX_REASON_CHARACTERS or not reason.isprintable():
        raise InputError(f"a reason is one line of at most {MAX_REASON_CHARACTERS} characters")

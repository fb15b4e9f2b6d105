"""Recovery: announced when enough officers approved, given to the requester's device alone, and told to the owner."""

from datetime import timedelta

from sealwright.audit.log import Act, AuditLog, IncludedLeaf, PendingLeaf
from sealwright.clock import Clock
from sealwright.errors import (
    ApprovalsMissingError,
    ConflictError,
    InputError,
    NotFoundError,
    PermissionDeniedError,
)
from sealwright.identity.approvals import ApprovalService, ProposalKind
from sealwright.identity.devices import DeviceService
from sealwright.identity.model import AuthenticatedDevice
from sealwright.keystore.model import AnnouncementEvidence, ApprovalEvidence, RecoveryEvidence, SignedRequestEvidence
from sealwright.keystore.protocol import Keystore
from sealwright.keystore.recovery import ANNOUNCEMENT, Announcement
from sealwright.kms.model import MailboxKey, state_rows
from sealwright.kms.ports import TenureReader
from sealwright.kms.recovery_rules import RecoveryRules
from sealwright.kms.recovery_store import Recovery, RecoveryStore
from sealwright.kms.store import KeyStore
from sealwright.storage.engine import Storage, Transaction
from sealwright.tlog.leaf import decode_leaf_record
from sealwright.wire.api import KeyCertificate
from sealwright.wire.approvals import Proposal
from sealwright.wire.content_keys import MAX_ITEMS
from sealwright.wire.encoding import decode_json
from sealwright.wire.manifest import RELEASED_STATES, ManifestKey
from sealwright.wire.recovery import (
    ANNOUNCE_LEAF,
    RECOVER_LEAF,
    RECOVERY,
    REQUESTER_ROLES,
    RecoveryAnswer,
    RecoveryFetch,
    RecoveryManifest,
    RecoveryRequest,
    RecoveryRule,
    RecoveryTarget,
    RecoveryTenure,
    deferred_chain,
    items_digest,
)
from sealwright.wire.roles import RECOVERY_OFFICER

MAX_CHAIN_PAGES = 100
"""Of a deferred chain: 100,000 recoveries of one mailbox."""


class RecoveryService:
    """One service for all organizations of this server.

    Args:
        storage: The database.
        keystore: Checks the evidence and opens.
        audit: The owner-visible log.
        clock: The time; delays are the keystore's to judge.
        rules: Under which conditions.
        approvals: Collects approvals; gets the kind "key.recovery".
        mailboxes: Whose keys.
        devices: Tells owner and requester.
    """

    def __init__(
        self,
        storage: Storage,
        keystore: Keystore,
        audit: AuditLog,
        clock: Clock,
        *,
        rules: RecoveryRules,
        approvals: ApprovalService,
        mailboxes: TenureReader,
        devices: DeviceService,
    ) -> None:
        self._storage, self._keystore, self._audit, self._clock = storage, keystore, audit, clock
        self._keys, self._store = KeyStore(), RecoveryStore()
        self._rules, self._approvals, self._mailboxes, self._devices = rules, approvals, mailboxes, devices
        approvals.register(
            ProposalKind(
                RECOVERY,
                RECOVERY_OFFICER,
                lambda organization_id: rules.rule(organization_id)[0].needed,
                self._check,
                self._announce,
                REQUESTER_ROLES,
                lives=self._lives,
                is_done_when_applied=False,
                is_hidden=self._is_hidden,
            )
        )

    def target(self, asking: AuthenticatedDevice, address: str) -> RecoveryTarget:
        """Return whose keys an address has, now and before, for people who may request a recovery.

        Raises:
            PermissionDeniedError: If the asking person may not.
            NotFoundError: If there is no rule, or nobody ever had the address.
            InputError: If it is no address.
        """
        organization_id = asking.organization_id
        if not REQUESTER_ROLES & set(self._approvals.roles_of(organization_id, asking.mailbox_id)):
            raise PermissionDeniedError(f"only {', '.join(sorted(REQUESTER_ROLES))} may ask for a recovery")
        rule, row = self._rules.rule(organization_id)
        found = self._mailboxes.tenures(organization_id, address)
        if not found:
            raise NotFoundError(f"nobody has or had the address {address}")
        with self._storage.read(organization_id) as tx:
            tenures = tuple(
                RecoveryTenure(
                    mailbox_id=each.mailbox_id,
                    address=each.address,
                    state=each.state,
                    created=each.created,
                    certificates=self._certificates(tx, organization_id, each.mailbox_id),
                )
                for each in found
            )
        officers = len(self._rules.officers(organization_id))
        return RecoveryTarget(rule=rule, rule_version=row.version, officers=officers, tenures=tenures)

    def fetch(
        self, device: AuthenticatedDevice, proposal_id: str, request: RecoveryFetch, signed: SignedRequestEvidence
    ) -> RecoveryAnswer:
        """Give an approved recovery to the device that it names; again, it is the same act.

        Raises:
            NotFoundError: If there is no such recovery of this person, or it is not approved yet.
            ApprovalsMissingError: If the delay is not over, or approvals have expired.
            PermissionDeniedError: If the evidence does not hold, as after a veto.
            InputError: If it asks for what a recovery of this kind does not give.
            UnavailableError: If a leaf is not signed in time.
        """
        organization_id = device.organization_id
        # 1 An announced recovery of the asking person; what the keystore will say is said early where it is known.
        with self._storage.read(organization_id) as tx:
            recovery = self._store.recovery(tx, organization_id, proposal_id)
        evidence = self._approvals.evidence(organization_id, proposal_id)
        proposal = evidence.proposal
        wanted = decode_json(proposal.content, RecoveryRequest)
        if proposal.requester != device.mailbox_id or wanted.device_id != device.device_id:
            raise NotFoundError("there is no such recovery for this device")
        state = self._approvals.state(organization_id, proposal_id).state
        if state not in ("APPROVED", "DONE"):
            raise PermissionDeniedError(f"the recovery is {state.lower()}")
        if self._clock.now() < recovery.release_at:
            raise ApprovalsMissingError(f"nothing is given out before {recovery.release_at:%Y-%m-%d %H:%M UTC}")
        if bool(request.items) != (wanted.what == "messages") or len(request.items) > MAX_ITEMS:
            raise InputError(f"a recovery of {wanted.what} asks for something else, or for too much at once")
        if not all(wanted.covers(item) for item in request.items):
            raise PermissionDeniedError("a RecipientInfo is not among those that were approved")
        # 2 The act and its leaf, once; both leaves in the log.
        recovery = self._record(recovery, proposal, wanted)
        leaf = self._audit.wait_included(organization_id, recovery.leaf_id)
        notice = self._audit.wait_included(organization_id, recovery.notice_leaf_id)
        # 3 The manifest over exactly what the leaf names.
        with self._storage.read(organization_id) as tx:
            history = self._keys.keys(tx, organization_id, recovery.mailbox_id)
            certificates = self._certificates(tx, organization_id, recovery.mailbox_id)
            terms = self._terms(tx, evidence)
            announcement = self._rules.rows.row(tx, organization_id, ANNOUNCEMENT, proposal_id)
        if announcement is None:
            raise NotFoundError("the recovery was not announced")
        by_id = {key.key_id: key for key in history}
        listed = [key for key in history if key.key_id in recovery.key_ids or key.state not in RELEASED_STATES]
        keys: tuple[ManifestKey, ...] = ()
        if wanted.what == "messages":
            records = [by_id[item.key_id].record for item in request.items if item.key_id in by_id]
        else:
            keys = tuple(key.manifest_key() for key in listed)
            records = [key.record for key in listed if key.state in RELEASED_STATES]
        manifest = RecoveryManifest(
            organization_id=organization_id,
            mailbox_id=recovery.mailbox_id,
            proposal_id=proposal_id,
            subject_sha256=proposal.digest(),
            device_thumbprint=wanted.device_thumbprint,
            leaf_hash=leaf.leaf_hash,
            keys=keys,
            items_sha256=items_digest(request.items) if request.items else b"",
        )
        # 4 The keystore gives it out, or not.
        sealed = self._keystore.recover(
            tuple(records),
            RecoveryEvidence(
                terms=terms,
                announcement=announcement,
                request=signed,
                notice=notice.opening(),
                notice_checkpoint=notice.checkpoint,
                leaf=leaf.opening(),
                checkpoint=leaf.checkpoint,
                manifest=manifest,
                state_rows=state_rows(history),
            ),
        )
        self._approvals.finish(organization_id, proposal_id)
        return RecoveryAnswer(
            manifest=manifest,
            signature=sealed.signature,
            sealed=sealed.sealed_keys,
            certificates=certificates if keys else (),
            leaf=leaf.opening(),
            checkpoint=leaf.checkpoint,
        )

    def announced(self, organization_id: str) -> dict[str, Recovery]:
        """Return the newest announced recoveries by proposal id, for those who oversee them."""
        with self._storage.read(organization_id) as tx:
            return {each.proposal_id: each for each in self._store.recoveries(tx, organization_id)}

    def tell_owners(self, organization_id: str) -> int:
        """Bring recoveries whose legal delay is over into their owners' chains, and tell them (job); return how many."""
        with self._storage.read(organization_id) as tx:
            due = self._store.untold(tx, organization_id, self._clock.now())
        for recovery in due:
            deferred = self._deferred_leaves(recovery)
            with self._storage.transaction(organization_id) as tx:
                self._store.set_told(tx, recovery, self._clock.now())
                for leaf in deferred:
                    record = decode_leaf_record(leaf.record)
                    fields = {
                        **record.fields,
                        "deferred_leaf": leaf.leaf_hash.hex(),
                        "deferred_time": f"{record.time:%Y-%m-%dT%H:%M:%SZ}",
                    }
                    joined = self._audit.append(tx, Act(organization_id, recovery.mailbox_id, record.kind, fields))
                    self._tell_owner(tx, recovery, record.kind, record.fields.get("by", ""), joined)
        return len(due)

    def lapse(self, organization_id: str) -> int:
        """End recoveries that nobody fetched before their approvals expired (job); return how many."""
        return self._approvals.lapse(organization_id, RECOVERY)

    def _lives(self, organization_id: str) -> tuple[timedelta, timedelta]:
        rule, _ = self._rules.rule(organization_id)
        return timedelta(seconds=rule.request_seconds), timedelta(seconds=rule.approval_seconds)

    def _check(self, organization_id: str, requester: str, content: bytes) -> None:
        """Refuse early what the keystore would refuse, or nobody could approve."""
        wanted = decode_json(content, RecoveryRequest)
        wanted.check()
        rule, row = self._rules.rule(organization_id)
        if wanted.rule_version != row.version:
            raise InputError("the recovery rule was changed meanwhile: ask again")
        unable = {requester, wanted.mailbox_id} if rule.owner_delay_seconds else {requester}
        if len(self._rules.officers(organization_id) - unable) < rule.needed:
            raise InputError(f"the rule needs {rule.needed} recovery officers besides the requester")
        # The device is the requester's: so the operator, who has none, cannot ask.
        credential = self._devices.credential(organization_id, wanted.device_id)
        is_theirs = credential.mailbox_id == requester and credential.state == "active"
        if not is_theirs or credential.device.thumbprint() != wanted.device_thumbprint:
            raise PermissionDeniedError("a recovery is requested for an active device of the requester's own")
        if credential.level < rule.level:
            raise PermissionDeniedError(f"the recovery rule asks for a device of level {rule.level}")
        if self._mailboxes.tenure(organization_id, wanted.mailbox_id).address != wanted.address:
            raise InputError("the address is not the mailbox's")
        with self._storage.read(organization_id) as tx:
            usable = {key.key_id for key in self._released(tx, organization_id, wanted.mailbox_id)}
        if not usable:
            raise NotFoundError("the mailbox has no key that could be recovered")
        if not all(item.key_id in usable for message in wanted.messages for item in message.items):
            raise InputError("a message is for a key that the mailbox does not have any more")

    def _is_hidden(self, tx: Transaction, proposal: Proposal, mailbox_id: str) -> bool:
        """Tell whether it is about this person, who hears of it when the legal delay ends, also as an officer."""
        wanted = decode_json(proposal.content, RecoveryRequest)
        if wanted.mailbox_id != mailbox_id or proposal.requester == mailbox_id:
            return False
        if self._store.is_announced(tx, proposal.organization_id, proposal.proposal_id):
            recovery = self._store.recovery(tx, proposal.organization_id, proposal.proposal_id)
            return self._clock.now() < recovery.owner_at
        row = self._rules.row_in(tx, proposal.organization_id)
        return row is not None and RecoveryRule.decode(row.content).owner_delay_seconds > 0

    def _announce(self, approval: ApprovalEvidence) -> None:
        """Announce a recovery (outbox "proposal.apply"); can be repeated."""
        proposal = approval.proposal
        organization_id = proposal.organization_id
        wanted = decode_json(proposal.content, RecoveryRequest)
        with self._storage.read(organization_id) as tx:
            if self._store.is_announced(tx, organization_id, proposal.proposal_id):
                return
            terms = self._terms(tx, approval)
        # 1 The keystore writes down when it was approved.
        row = self._keystore.announce_recovery(terms)
        said = Announcement.decode(row.content)
        # 2 One transaction: the books, the leaf, the notices.
        with self._storage.transaction(organization_id) as tx:
            self._rules.rows.put(tx, row, 0)
            chain_id = self._chain(wanted.mailbox_id, said)
            leaf = self._log(tx, ANNOUNCE_LEAF, chain_id, proposal, wanted, said)
            is_told = chain_id == wanted.mailbox_id
            recovery = Recovery(
                organization_id=organization_id,
                proposal_id=proposal.proposal_id,
                mailbox_id=wanted.mailbox_id,
                release_at=said.release_at,
                owner_at=said.owner_at,
                notice_leaf_id=leaf.leaf_id,
                told=self._clock.now() if is_told else None,
            )
            self._store.add(tx, recovery)
            if is_told:
                self._tell_owner(tx, recovery, ANNOUNCE_LEAF, self._address(proposal), leaf)
            ready = self._devices.notice("recovery-approved", proposal.proposal_id, leaf)
            self._devices.notify(tx, organization_id, proposal.requester, ready)

    def _record(self, recovery: Recovery, proposal: Proposal, wanted: RecoveryRequest) -> Recovery:
        """Find the "key.recover" leaf of an earlier try, or write it: where the owner sees it, unless a legal delay runs."""
        organization_id = recovery.organization_id
        said = Announcement(proposal.digest(), recovery.release_at, recovery.owner_at)
        chain_id = self._chain(recovery.mailbox_id, said)
        if recovery.leaf_id and recovery.leaf_chain == chain_id:
            return recovery
        with self._storage.transaction(organization_id) as tx:
            now = self._store.recovery(tx, organization_id, recovery.proposal_id)
            if now.leaf_id and now.leaf_chain == chain_id:
                return now
            keys = self._released(tx, organization_id, recovery.mailbox_id) if wanted.what == "history" else []
            leaf = self._log(tx, RECOVER_LEAF, chain_id, proposal, wanted, said, keys)
            self._store.set_leaf(tx, now, leaf.leaf_id, chain_id, tuple(key.key_id for key in keys))
            if chain_id == recovery.mailbox_id:
                self._tell_owner(tx, recovery, RECOVER_LEAF, self._address(proposal), leaf)
            return self._store.recovery(tx, organization_id, recovery.proposal_id)

    def _log(
        self,
        tx: Transaction,
        kind: str,
        chain_id: str,
        proposal: Proposal,
        wanted: RecoveryRequest,
        said: Announcement,
        keys: list[MailboxKey] | None = None,
    ) -> PendingLeaf:
        fields = wanted.leaf_fields(proposal.proposal_id, proposal.digest(), proposal.requester)
        fields["by"] = self._address(proposal)
        if keys:
            fields["keys"] = ",".join(key.spki_sha256.hex() for key in keys)
        if chain_id != wanted.mailbox_id:
            fields["opens"] = str(int(said.owner_at.timestamp()))
        return self._audit.append(tx, Act(proposal.organization_id, chain_id, kind, fields))

    def _chain(self, mailbox_id: str, said: Announcement) -> str:
        return deferred_chain(mailbox_id) if self._clock.now() < said.owner_at else mailbox_id

    def _tell_owner(self, tx: Transaction, recovery: Recovery, kind: str, by: str, leaf: PendingLeaf) -> None:
        notice_kind = "recovery-announced" if kind == ANNOUNCE_LEAF else "key-recovered"
        subject = f"{by}, proposal {recovery.proposal_id}"
        notice = self._devices.notice(notice_kind, subject, leaf)
        self._devices.notify(tx, recovery.organization_id, recovery.mailbox_id, notice)

    def _deferred_leaves(self, recovery: Recovery) -> list[IncludedLeaf]:
        found: list[IncludedLeaf] = []
        chain_id, after = deferred_chain(recovery.mailbox_id), 0
        for _ in range(MAX_CHAIN_PAGES):
            page = self._audit.chain(recovery.organization_id, chain_id, after)
            found.extend(
                leaf
                for leaf in page.leaves
                if decode_leaf_record(leaf.record).fields.get("proposal") == recovery.proposal_id
            )
            after += len(page.leaves)
            if not page.leaves or after >= page.head_number:
                return found
        raise ConflictError("the deferred chain of a mailbox is too long")

    def _terms(self, tx: Transaction, approval: ApprovalEvidence) -> AnnouncementEvidence:
        proposal = approval.proposal
        organization_id = proposal.organization_id
        rule = self._rules.row_in(tx, organization_id)
        role = self._rules.role_row(tx, organization_id, proposal.requester)
        if rule is None or role is None:
            raise PermissionDeniedError("there is no recovery rule any more, or the requester has no role any more")
        device_id = decode_json(proposal.content, RecoveryRequest).device_id
        return AnnouncementEvidence(approval, rule, role, self._devices.credential_in(tx, organization_id, device_id))

    def _released(self, tx: Transaction, organization_id: str, mailbox_id: str) -> list[MailboxKey]:
        """Return the keys that can be recovered; frozen ones too: recovery is what stays of who left."""
        return [key for key in self._keys.keys(tx, organization_id, mailbox_id) if key.state in RELEASED_STATES]

    def _certificates(self, tx: Transaction, organization_id: str, mailbox_id: str) -> tuple[KeyCertificate, ...]:
        rows = self._keys.all_certificates(tx, organization_id, mailbox_id)
        return tuple(row.as_answer() for row in rows)

    def _address(self, proposal: Proposal) -> str:
        return self._mailboxes.tenure(proposal.organization_id, proposal.requester).address

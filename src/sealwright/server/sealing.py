"""The seal of a server: its state, what people enter, its changes, and the leaves about them."""

from dataclasses import dataclass

import msgspec
import structlog

from sealwright.audit.log import Act, AuditLog
from sealwright.clock import Clock
from sealwright.errors import InputError, SealedError
from sealwright.identity.approvals import ApprovalService, ProposalKind
from sealwright.keystore.pool import PooledKeystore
from sealwright.server import store
from sealwright.server.rotation import StorageKeyRotation
from sealwright.storage.engine import Storage
from sealwright.tlog.leaf import ORGANIZATION_CHAIN
from sealwright.wire.approvals import ProposalRequest
from sealwright.wire.encoding import decode_json
from sealwright.wire.roles import SECURITY_OFFICER
from sealwright.wire.seal import SEAL_CHANGE, ChangeBegun, ChangeRequest, NewShares, SealStatus, SealTarget

LOG = structlog.get_logger("sealwright.seal")


@dataclass(frozen=True, slots=True)
class OpenServer:
    """What is there once the seal is open.

    Attributes:
        organization_id: 32 hex digits.
        storage: The database.
        audit: The owner-visible log.
        clock: The time.
        approvals: Collects approvals; gets the kind `SEAL_CHANGE`.
        rotation: Of the storage key.
    """

    organization_id: str
    storage: Storage
    audit: AuditLog
    clock: Clock
    approvals: ApprovalService
    rotation: StorageKeyRotation


class SealService:
    """The seal for those who run the server; safe from any thread.

    Args:
        keystore: Behind the seal.
        opened: None while the server is sealed.
    """

    def __init__(self, keystore: PooledKeystore, opened: OpenServer | None = None) -> None:
        self._keystore, self._opened = keystore, opened
        if opened is not None:
            requesters = frozenset((SECURITY_OFFICER,))
            opened.approvals.register(ProposalKind.of_officers(SEAL_CHANGE, _check_target, None, requesters))

    def public_status(self) -> SealStatus:
        """Return what strangers may know: what somebody needs who has a share to enter."""
        return _for_strangers(self._keystore.seal_status())

    def status(self) -> SealStatus:
        """Return everything."""
        status = self._keystore.seal_status()
        if self._opened is None:
            return status
        return msgspec.structs.replace(status, rotation=self._opened.rotation.status())

    def enter(self, sealed_entry: bytes, *, is_at_server: bool) -> SealStatus:
        """Take what somebody entered; only at the server it may be the PIN of the HSM.

        Raises:
            InputError: If it cannot be read.
            VerificationError: If it is not of this seal.
            ConflictError: If nothing asks for it.
            SealedError: If the HSM refuses.
        """
        status = self._keystore.enter(sealed_entry, is_at_server=is_at_server)
        LOG.info("seal.entry.done", state=status.state, entered=list(status.entered))
        self.note()
        return status if is_at_server else _for_strangers(status)

    def unseal(self) -> SealStatus:
        """Open the seal if nobody is needed for it.

        Raises:
            SealedError: If it does not open.
        """
        status = self._keystore.unseal()
        if status.state == "sealed":
            raise SealedError(status.problem or _what_is_needed(status))
        return status

    def close(self, by: str) -> SealStatus:
        """Close the seal: the server answers nothing more until it is opened again.

        Args:
            by: Who did it, for the log.
        """
        if self._opened is not None:
            opened = self._opened
            with opened.storage.transaction(opened.organization_id) as tx:
                opened.audit.append(tx, Act(opened.organization_id, ORGANIZATION_CHAIN, "seal.close", {"by": by}))
        self._keystore.seal()
        LOG.warning("seal.close.done", by=by)
        return self._keystore.seal_status()

    def rotate(self) -> SealStatus:
        """Begin to use a new storage key; what older ones sealed is re-sealed in the background.

        Raises:
            SealedError: If the seal is closed.
        """
        self._open().rotation.rotate()
        return self.status()

    def begin_change(self, request: ChangeRequest) -> ChangeBegun:
        """Begin a change of the seal, or propose it where two security officers have to agree.

        Raises:
            InputError: If it cannot be.
            ApprovalsMissingError: If the proposal is not approved.
            ConflictError: If a change is under way.
            SealedError: If the seal is closed, or the HSM refuses.
        """
        opened = self._open()
        organization_id, proposal = opened.organization_id, None
        if request.proposal_id:
            evidence = opened.approvals.evidence(organization_id, request.proposal_id)
            self._keystore.begin_change(organization_id, request, evidence)
        else:
            wanted = ProposalRequest(
                kind=SEAL_CHANGE, reason=request.reason, content=msgspec.json.encode(request.target)
            )
            proposal = opened.approvals.do_or_propose(
                organization_id, "", wanted, lambda: self._keystore.begin_change(organization_id, request, None)
            )
        if proposal is not None:
            return ChangeBegun(proposal_id=proposal.proposal_id)
        LOG.info("seal.change.begun", part=request.target.part, kind=request.target.kind)
        self.note()
        return ChangeBegun(status=self._keystore.seal_status())

    def take_new_shares(self) -> NewShares:
        """Return the new shares, once.

        Raises:
            ConflictError: If there are none.
        """
        return NewShares(sealed_shares=self._keystore.take_new_shares())

    def cancel_change(self) -> SealStatus:
        """Forget a change that is under way."""
        return self._keystore.cancel_change()

    def note(self) -> None:
        """Write leaves about changes of the seal that have none yet; a crash after a change is made good at the next start."""
        if self._opened is None:
            return
        opened, status = self._opened, self._keystore.seal_status()
        organization_id = opened.organization_id
        with opened.storage.read(organization_id) as tx:
            noted = store.newest_seal_change(tx, organization_id)
        if noted is not None and noted >= status.number:
            return
        fields = {"number": str(status.number), "kind": status.kind, "proposal": status.proposal_id}
        with opened.storage.transaction(organization_id) as tx:
            is_new = store.add_seal_change(tx, organization_id, status.number, status.kind, opened.clock.now())
            if is_new and status.number > 0:
                opened.audit.append(tx, Act(organization_id, ORGANIZATION_CHAIN, "seal.change", fields))

    def note_opening(self) -> None:
        """Write a leaf that people opened the seal, before the server serves."""
        opened, status = self._open(), self._keystore.seal_status()
        if status.entered or status.asks_pin:
            fields = {"kind": status.kind, "shares": ",".join(str(number) for number in status.entered)}
            with opened.storage.transaction(opened.organization_id) as tx:
                opened.audit.append(tx, Act(opened.organization_id, ORGANIZATION_CHAIN, "seal.open", fields))
        elif status.kind == "key-file":
            LOG.warning("seal.kind.key-file", warning="whoever has the key file and the data folder has every key")

    def _open(self) -> OpenServer:
        if self._opened is None:
            raise SealedError("the server is sealed")
        return self._opened


def _for_strangers(status: SealStatus) -> SealStatus:
    return msgspec.structs.replace(status, problem="", proposal_id="")


def _check_target(_: str, __: str, content: bytes) -> None:
    target = decode_json(content, SealTarget)
    if target.part == "root" and target.kind != "shamir" and (target.shares or target.threshold):
        raise InputError(f"a seal of kind {target.kind} has no operator shares")


def _what_is_needed(status: SealStatus) -> str:
    if status.asks_pin:
        return "the PIN of the HSM is needed: sealwright seal unseal"
    return f"{status.threshold} operator shares are needed; {len(status.entered)} were entered"

"""What the seal process does: it opens the seal - by itself, or with what people enter - and changes it.

    sealed ── key file, or HSM with its PIN, or enough operator shares ──> open ── the process ends ──> sealed

Entered shares and a change that is not committed are in this process's memory alone; the commit is one write of the seal
file, so that a crash leaves either the old seal or the new one.
"""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from sealwright.errors import (
    ConflictError,
    InputError,
    PermissionDeniedError,
    SealedError,
    SealwrightError,
    VerificationError,
)
from sealwright.keystore.hsm import ask_hsm, read_pin
from sealwright.keystore.model import ApprovalEvidence
from sealwright.keystore.seal import Seal, open_with_key_file
from sealwright.keystore.seal_change import PendingChange
from sealwright.keystore.seal_file import HsmRoot, KeyFileRoot, SealFile, SharedRoot, combine_shares, read_seal_file
from sealwright.keystore.seal_options import SealOptions
from sealwright.keystore.shares import Share, decode_share
from sealwright.wire.hpke import generate_hpke_key_pair, hpke_open
from sealwright.wire.seal import ENTRY_INFO, MAX_ENTRY_BYTES, ChangeRequest, SealEntry, SealStatus, SealTarget

ENTRY_SECONDS = 3600.0
"""How long entered shares, and a change that nobody ends, are kept."""
CheckChange = Callable[[Seal, str, SealTarget, ApprovalEvidence | None], None]


class SealKeeper:
    """The seal's state; used by one thread.

    Args:
        options: Where everything is.
        check_change: Seal, organization, target and evidence -> nothing; raises where security officers have to agree.
        clock: Seconds that only grow.

    Raises:
        SealedError: If there is no seal file.
    """

    def __init__(
        self, options: SealOptions, check_change: CheckChange, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._options, self._check_change, self._clock = options, check_change, clock
        self._path, self._key_file = Path(options.seal_file), Path(options.key_file)
        self._pair = generate_hpke_key_pair()
        self._seal: Seal | None = None
        self._entered: dict[int, Share] = {}
        self._entered_at = 0.0
        self._opened_by: tuple[int, ...] = ()
        self._change: PendingChange | None = None
        self._change_at = 0.0
        self._pin = ""
        self._problem = ""
        read_seal_file(self._path)

    @property
    def seal(self) -> Seal:
        """The open seal.

        Raises:
            SealedError: If it is closed.
        """
        if self._seal is None:
            raise SealedError("the server is sealed: people have to open it with 'sealwright seal unseal'")
        return self._seal

    def status(self) -> SealStatus:
        """Return how the seal is."""
        self._forget_old()
        seal = read_seal_file(self._path)
        return SealStatus(
            kind=seal.kind,
            state="sealed" if self._seal is None else "open",
            entry_key=self._pair.public_key,
            threshold=seal.root.shares.threshold if isinstance(seal.root, SharedRoot) else 0,
            entered=tuple(sorted(self._entered)) or self._opened_by,
            number=seal.number,
            proposal_id=seal.proposal_id,
            asks_pin=isinstance(seal.root, HsmRoot) and not self._options.pin_file,
            problem=self._problem,
            emergency_shares=len(seal.emergency.shares.digests),
            emergency_threshold=seal.emergency.shares.threshold,
            change=self._change.status() if self._change else None,
        )

    def open_by_itself(self) -> SealStatus:
        """Open the seal if nobody is needed for it; why it stays closed is in the status."""
        seal = read_seal_file(self._path)
        self._problem = ""
        try:
            if self._seal is None and isinstance(seal.root, KeyFileRoot):
                self._seal = open_with_key_file(self._key_file, self._path)
            elif self._seal is None and isinstance(seal.root, HsmRoot) and self._options.pin_file:
                self._open_hsm(seal, read_pin(Path(self._options.pin_file)))
        except SealwrightError as error:
            self._problem = error.message
        return self.status()

    def enter(self, sealed_entry: bytes, is_at_server: bool) -> SealStatus:
        """Take what somebody entered: a share or the HSM's PIN, to open the seal; or a share for its change.

        Args:
            sealed_entry: HPKE-sealed to `SealStatus.entry_key`.
            is_at_server: Whether it may be a PIN: strangers would use up the HSM's tries.

        Raises:
            DecodingError: If it cannot be read, or the share was not copied right.
            DecryptionError: If it was sealed to another key: the process has started anew meanwhile.
            VerificationError: If it is not of this seal.
            ConflictError: If nothing asks for it.
            SealedError: If the HSM refuses the PIN.
        """
        if len(sealed_entry) > MAX_ENTRY_BYTES:
            raise InputError("the entry is too large")
        entry = _read_entry(hpke_open(self._pair.private_key, ENTRY_INFO, sealed_entry))
        self._forget_old()
        seal = read_seal_file(self._path)
        if entry.pin and not is_at_server:
            raise PermissionDeniedError("the PIN is entered at the server: give --data")
        if entry.pin:
            self._enter_pin(seal, entry.pin)
        else:
            self._enter_share(seal, decode_share(entry.share))
        return self.status()

    def begin_change(
        self, organization_id: str, request: ChangeRequest, evidence: ApprovalEvidence | None
    ) -> SealStatus:
        """Begin a change of the seal; shares of a seal that has some, and officers, have to permit it.

        Raises:
            SealedError: If the seal is closed, or the HSM refuses.
            ConflictError: If one is under way.
            ApprovalsMissingError: If two security officers have to approve it first.
            InputError: If it cannot be.
        """
        seal = self.seal
        self._forget_old()
        if self._change is not None:
            raise ConflictError("a change of the seal is under way: end it or cancel it first")
        self._check_change(seal, organization_id, request.target, evidence)
        self._change = PendingChange(
            request.target,
            read_seal_file(self._path),
            self._options,
            self._pin or self._pin_of_file(),
            reply_key=request.reply_key,
            certificates=request.certificates,
            proposal_id=request.proposal_id,
        )
        self._change_at = self._clock()
        return self.status()

    def take_new_shares(self) -> bytes:
        """Return the new shares, sealed to whoever began the change, once.

        Raises:
            ConflictError: If there are none.
        """
        if self._change is None:
            raise ConflictError("no change of the seal is under way")
        return self._change.take_shares()

    def cancel_change(self) -> SealStatus:
        """Forget a change that is under way; the seal stays as it is."""
        change, self._change = self._change, None
        if change is not None:
            change.abandon()
        return self.status()

    def commit_change(self) -> SealStatus:
        """Carry a change out that is ready.

        Raises:
            ConflictError: If none is ready.
            SealedError: If it cannot be written; then nothing was changed.
        """
        if self._change is None:
            raise ConflictError("no change of the seal is under way")
        change = self._change
        self._seal = change.commit(self.seal)
        self._change, self._problem = None, ""
        try:
            change.destroy_old()
        except (SealwrightError, OSError) as error:
            self._problem = f"the seal is changed, but its old root wrapping key is still there: {error}"
        return self.status()

    def _open_hsm(self, seal: SealFile, pin: str) -> None:
        if not isinstance(seal.root, HsmRoot) or self._options.hsm is None:
            raise SealedError("[seal] pkcs11_module and pkcs11_token name no HSM")
        root_key = ask_hsm(self._options.hsm, pin, "unwrap", seal.root.key_id, seal.root.wrapped)
        self._seal, self._pin = Seal(root_key, self._path), pin

    def _enter_pin(self, seal: SealFile, pin: str) -> None:
        if self._seal is not None or not isinstance(seal.root, HsmRoot):
            raise ConflictError("nothing asks for a PIN")
        self._open_hsm(seal, pin)

    def _enter_share(self, seal: SealFile, share: Share) -> None:
        if self._change is not None and self._change.enter(share):
            self._change_at = self._clock()
            return
        if not isinstance(seal.root, SharedRoot) or not seal.root.shares.has(share):
            if seal.emergency.shares.has(share):
                raise VerificationError("this is an emergency share; the seal is opened with operator shares")
            raise VerificationError("this share is not of this seal")
        if self._seal is not None:
            raise ConflictError("the seal is open, and nothing asks for shares")
        self._entered[share.x] = share
        self._entered_at = self._clock()
        if len(self._entered) >= seal.root.shares.threshold:
            self._seal = Seal(combine_shares(seal.root.shares, self._entered.values()), self._path)
            self._opened_by, self._entered = tuple(sorted(self._entered)), {}

    def _pin_of_file(self) -> str:
        return read_pin(Path(self._options.pin_file)) if self._options.pin_file else ""

    def _forget_old(self) -> None:
        now = self._clock()
        if self._seal is None and now - self._entered_at > ENTRY_SECONDS:
            self._entered = {}
        if self._change is not None and now - self._change_at > ENTRY_SECONDS:
            self.cancel_change()


def _read_entry(content: bytes) -> SealEntry:
    try:
        return msgspec.json.decode(content, type=SealEntry)
    except msgspec.MsgspecError as error:
        raise InputError("the entry cannot be read") from error

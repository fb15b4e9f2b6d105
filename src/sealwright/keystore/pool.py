"""The keystore as the server uses it: every call goes to one of several processes, from any thread."""

import contextlib
import os
import queue
import socket
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from sealwright.errors import InputError, SealedError, SealwrightError, UnavailableError
from sealwright.keystore.frames import METHODS, decode_reply, encode_call, receive_frame, send_frame
from sealwright.keystore.model import (
    AnnouncementEvidence,
    ApprovalEvidence,
    BegunProof,
    DeviceCredential,
    DeviceReleaseEvidence,
    ExitEvidence,
    FactorEvidence,
    MadeSecret,
    ProofBinding,
    Qualified,
    RecoveryEvidence,
    RemoteDecryptEvidence,
    SealedRecord,
    SealedRelease,
    SignedApproval,
    SignedImportKey,
    VouchedRow,
)
from sealwright.keystore.release_rules import MailboxRelease, ReleaseRules
from sealwright.keystore.seal_handle import SealHandle
from sealwright.keystore.seal_options import SealOptions
from sealwright.keystore.sign_on import SignOn
from sealwright.wire.destruction import DestructionReceipt
from sealwright.wire.log_break import LogBreakRequest
from sealwright.wire.manifest import KeyState
from sealwright.wire.recovery import RecoveryRule
from sealwright.wire.seal import ChangeRequest, SealEntry, SealStatus, seal_entry

CALL_SECONDS = 120.0
"""RSA-4096 at low priority on a busy machine takes tens of seconds at worst."""
WAIT_SECONDS = 60.0
STOP_SECONDS = 5.0
GENERATOR_NICENESS = 19
"""Whatever else runs goes first; still no SCHED_IDLE, under which a machine that is never idle would make no key."""
T = TypeVar("T")


class _Worker:
    """One keystore process; used by one thread at a time."""

    def __init__(self, seal: SealHandle, niceness: int) -> None:
        self._seal, self._niceness = seal, niceness
        self._process: int | None = None
        self._connection: socket.socket | None = None

    def start(self) -> None:
        """Start the process and wait until it is ready.

        Raises:
            SealedError: If the seal is closed.
        """
        self._process, self._connection = self._seal.start_worker(self._niceness)
        self._receive(type(None))

    def call(self, method: str, arguments: tuple[object, ...]) -> Any:
        """Carry out one call, in a new process if the old one is gone.

        Raises:
            SealedError: If the process went away meanwhile.
        """
        frame = encode_call(method, arguments)
        if self._connection is None:
            self.start()
        try:
            self._send(frame)
        except OSError:  # it died before it read anything, so the call can be made again
            self.stop()
            self.start()
            try:
                self._send(frame)
            except OSError as error:
                self.stop()
                raise SealedError("the keystore process ended; try again") from error
        return self._receive(METHODS[method][1])

    def stop(self) -> None:
        """End the process."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            self._seal.end_worker(self._process)
            self._process = None

    @property
    def process_id(self) -> int | None:
        """The process's id, None while there is none."""
        return self._process

    def _send(self, frame: bytes) -> None:
        if self._connection is None:
            raise SealedError("the keystore process is gone")
        self._connection.settimeout(CALL_SECONDS)
        send_frame(self._connection, frame)

    def _receive(self, result_type: Any) -> Any:
        if self._connection is None:
            raise SealedError("the keystore process is gone")
        try:
            self._connection.settimeout(CALL_SECONDS)
            reply = receive_frame(self._connection)
            if reply is None:
                raise ConnectionError("the process ended")
            return decode_reply(reply, result_type)
        except (OSError, msgspec.MsgspecError) as error:
            self.stop()
            raise SealedError("the keystore process ended or does not answer; try again") from error


class _Group:
    """Processes of one kind; a caller takes one and gives it back."""

    def __init__(self, workers: list[_Worker]) -> None:
        self._workers = workers
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._closed = False
        for worker in workers:
            self._idle.put(worker)

    def start(self) -> None:
        """Start all processes.

        Raises:
            SealedError: If one does not start.
        """
        for worker in self._workers:
            worker.start()

    def call(self, method: str, arguments: tuple[object, ...]) -> Any:
        worker = self._take()
        try:
            if self._closed:
                raise SealedError("the keystore is closed")
            return worker.call(method, arguments)
        finally:
            self._idle.put(worker)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Wait until nothing is under way and end all processes; they start again when the block has ended.

        Raises:
            UnavailableError: If something takes too long; then nothing was stopped.
        """
        taken: list[_Worker] = []
        try:
            while len(taken) < len(self._workers):
                taken.append(self._take())
            for worker in taken:
                worker.stop()
            yield
        finally:
            for worker in taken:
                self._idle.put(worker)

    def close(self) -> None:
        self._closed = True
        for _ in self._workers:
            with contextlib.suppress(queue.Empty):
                self._idle.get(timeout=STOP_SECONDS)
        for worker in self._workers:
            worker.stop()
        for worker in self._workers:
            self._idle.put(worker)

    def process_ids(self) -> list[int]:
        return [worker.process_id for worker in self._workers if worker.process_id is not None]

    def _take(self) -> _Worker:
        try:
            return self._idle.get(timeout=WAIT_SECONDS)
        except queue.Empty as error:
            raise UnavailableError("all keystore processes are busy; try again") from error


class PooledKeystore:
    """Implements `keystore.protocol.Keystore` over processes; safe from any thread.

    A process that ends is started again at the next call; a call that it was busy with fails with `SealedError`, as every
    call does while the seal is closed.

    Args:
        options: Where the seal is.
        workers: Processes for everything but key generation, which has one for each core at low priority.

    Raises:
        SealedError: If there is no seal.
        InputError: If there are no workers.
    """

    def __init__(self, options: SealOptions, workers: int) -> None:
        if workers < 1:
            raise InputError("a keystore needs at least one process")
        self._seal = SealHandle(options)
        self._group = _Group([_Worker(self._seal, 0) for _ in range(workers)])
        self._generator = _Group([_Worker(self._seal, GENERATOR_NICENESS) for _ in range(os.cpu_count() or 1)])
        if self.is_open():
            self._start()

    def is_open(self) -> bool:
        """Tell whether the seal is open."""
        return self._seal.is_open()

    def seal_status(self) -> SealStatus:
        """Return how the seal is."""
        return self._seal.status()

    def enter(self, sealed_entry: bytes, *, is_at_server: bool = True) -> SealStatus:
        """Hand in what somebody entered; a change that is ready then is carried out.

        Args:
            sealed_entry: HPKE-sealed to `SealStatus.entry_key`.
            is_at_server: Whether it may be the PIN of the HSM.

        Raises:
            InputError: If it cannot be read.
            VerificationError: If it is not of this seal.
            ConflictError: If nothing asks for it.
            SealedError: If the HSM refuses.
        """
        return self._go_on(self._seal.enter(sealed_entry, is_at_server=is_at_server))

    def unseal(self) -> SealStatus:
        """Open the seal if nobody is needed for it; why not is in the answer."""
        return self._go_on(self._seal.open_by_itself())

    def seal(self) -> None:
        """Close the seal: every process that has a key ends, and what was under way fails."""
        self._seal.seal()

    def begin_change(
        self, organization_id: str, request: ChangeRequest, evidence: ApprovalEvidence | None
    ) -> SealStatus:
        """Begin a change of the seal; where nothing else is needed, carry it out.

        Raises:
            ApprovalsMissingError: If two security officers have to approve it first.
            ConflictError: If one is under way.
            SealedError: If the seal is closed.
            InputError: If it cannot be.
        """
        return self._go_on(self._seal.begin_change(organization_id, request, evidence))

    def take_new_shares(self) -> bytes:
        """Return new shares, sealed to whoever began the change, once.

        Raises:
            ConflictError: If there are none.
        """
        return self._seal.take_new_shares()

    def cancel_change(self) -> SealStatus:
        """Forget a change that is under way."""
        return self._seal.cancel_change()

    def process_ids(self) -> list[int]:
        """Return the ids of the processes that run now."""
        return self._group.process_ids() + self._generator.process_ids()

    def generate_service_key(self, organization_id: str, purpose: str, algorithm: str) -> SealedRecord:
        """Make a signing key of the service."""
        return self._call(SealedRecord, "generate_service_key", organization_id, purpose, algorithm)

    def sign(self, key: SealedRecord, algorithm: str, message: bytes) -> bytes:
        """Sign a whole message with a service key."""
        return self._call(bytes, "sign", key, algorithm, message)

    def signed_checkpoint(self, organization_id: str) -> str:
        """Return the text of the newest checkpoint that was signed."""
        return self._call(str, "signed_checkpoint", organization_id)

    def sign_checkpoint(self, key: SealedRecord, text: str, old: str, proof: tuple[bytes, ...]) -> bytes:
        """Sign a checkpoint that continues the newest one."""
        return self._call(bytes, "sign_checkpoint", key, text, old, proof)

    def seal_secret(self, organization_id: str, purpose: str, record_id: str, secret: bytes) -> SealedRecord:
        """Seal something that is no private key."""
        return self._call(SealedRecord, "seal_secret", organization_id, purpose, record_id, secret)

    def open_secret(self, sealed: SealedRecord) -> bytes:
        """Open what `seal_secret` made."""
        return self._call(bytes, "open_secret", sealed)

    def generate_encryption_key(self, organization_id: str, algorithm: str) -> SealedRecord:
        """Make an encryption key for the pool, in a process of low priority."""
        result = self._generator.call("generate_encryption_key", (organization_id, algorithm))
        assert isinstance(result, SealedRecord)
        return result

    def assign_encryption_key(self, pooled: SealedRecord, mailbox_id: str, generation: int) -> SealedRecord:
        """Re-seal a pooled key as a generation of a mailbox."""
        return self._call(SealedRecord, "assign_encryption_key", pooled, mailbox_id, generation)

    def examine(self, record: SealedRecord, certificate: bytes) -> bool:
        """Tell whether an encryption key is the one of its certificate."""
        return self._call(bool, "examine", record, certificate)

    def vouch_key_state(
        self,
        organization_id: str,
        key_id: str,
        old: KeyState,
        new: KeyState,
        from_version: int,
        evidence: ApprovalEvidence | None = None,
    ) -> VouchedRow | None:
        """Vouch for a key's next state."""
        arguments = (organization_id, key_id, old, new, from_version, evidence)
        row = self._group.call("vouch_key_state", arguments)
        assert row is None or isinstance(row, VouchedRow)
        return row

    def sign_destruction(self, receipt: DestructionReceipt) -> bytes:
        """Remember and sign that a key is destroyed."""
        return self._call(bytes, "sign_destruction", receipt)

    def import_public_key(self, organization_id: str) -> SignedImportKey:
        """Return what keys of another system are sealed to."""
        return self._call(SignedImportKey, "import_public_key", organization_id)

    def import_encryption_key(
        self, organization_id: str, mailbox_id: str, spki: bytes, sealed_key: bytes
    ) -> SealedRecord:
        """Seal a key of another system into a mailbox's history."""
        return self._call(SealedRecord, "import_encryption_key", organization_id, mailbox_id, spki, sealed_key)

    def derive_secret(self, organization_id: str, purpose: str) -> bytes:
        """Derive 32 octets for the web process."""
        return self._call(bytes, "derive_secret", organization_id, purpose)

    def begin_proof(self, binding: ProofBinding) -> BegunProof:
        """Make a mailbox challenge."""
        return self._call(BegunProof, "begin_proof", binding)

    def finish_proof(
        self, sealed_proof: SealedRecord, answer: bytes, device_id: str, now: datetime
    ) -> DeviceCredential:
        """Check the answer of a challenge and vouch for the device."""
        return self._call(DeviceCredential, "finish_proof", sealed_proof, answer, device_id, now)

    def change_device(self, credential: DeviceCredential, state: str) -> DeviceCredential:
        """Vouch for a device's next state."""
        return self._call(DeviceCredential, "change_device", credential, state)

    def qualify_device(self, credential: DeviceCredential, evidence: FactorEvidence) -> Qualified:
        """Check a factor and vouch for the device's level."""
        return self._call(Qualified, "qualify_device", credential, evidence)

    def make_enrolment_secret(self, organization_id: str, mailbox_id: str, expires: datetime) -> MadeSecret:
        """Make a secret that lets one device of a mailbox in."""
        return self._call(MadeSecret, "make_enrolment_secret", organization_id, mailbox_id, expires)

    def new_shared_mailbox_id(self, organization_id: str) -> str:
        """Make the identifier of a shared mailbox."""
        return self._call(str, "new_shared_mailbox_id", organization_id)

    def vouch_membership(
        self, organization_id: str, mailbox_id: str, member_id: str, state: str, from_version: int
    ) -> VouchedRow:
        """Vouch for a person who joined or left a shared mailbox."""
        return self._call(VouchedRow, "vouch_membership", organization_id, mailbox_id, member_id, state, from_version)

    def vouch_release_rules(
        self,
        organization_id: str,
        row_id: str,
        rules: ReleaseRules,
        from_version: int,
        evidence: ApprovalEvidence | None = None,
    ) -> VouchedRow:
        """Vouch for an organization's or a group's rules."""
        return self._call(VouchedRow, "vouch_release_rules", organization_id, row_id, rules, from_version, evidence)

    def vouch_mailbox_release(
        self,
        organization_id: str,
        mailbox_id: str,
        content: MailboxRelease,
        from_version: int,
        evidence: ApprovalEvidence | None = None,
    ) -> VouchedRow:
        """Vouch for a mailbox's group and whether it is frozen."""
        return self._call(
            VouchedRow, "vouch_mailbox_release", organization_id, mailbox_id, content, from_version, evidence
        )

    def vouch_sign_on(
        self, organization_id: str, sign_on: SignOn, from_version: int, evidence: ApprovalEvidence | None = None
    ) -> VouchedRow:
        """Vouch for the organization's sign-on."""
        return self._call(VouchedRow, "vouch_sign_on", organization_id, sign_on, from_version, evidence)

    def vouch_role(
        self,
        organization_id: str,
        mailbox_id: str,
        roles: tuple[str, ...],
        from_version: int,
        evidence: ApprovalEvidence | None,
    ) -> VouchedRow:
        """Vouch for what roles a person has."""
        return self._call(VouchedRow, "vouch_role", organization_id, mailbox_id, roles, from_version, evidence)

    def veto_proposal(self, approval: SignedApproval, evidence: ApprovalEvidence, role: str) -> None:
        """Remember a veto for ever."""
        self._group.call("veto_proposal", (approval, evidence, role))

    def open_for_exit(self, records: tuple[SealedRecord, ...], evidence: ExitEvidence) -> SealedRelease:
        """Open one mailbox's keys for an organization that leaves."""
        return self._call(SealedRelease, "open_for_exit", records, evidence)

    def vouch_recovery_rule(
        self, organization_id: str, rule: RecoveryRule, from_version: int, evidence: ApprovalEvidence | None
    ) -> VouchedRow:
        """Vouch for an organization's recovery rule."""
        return self._call(VouchedRow, "vouch_recovery_rule", organization_id, rule, from_version, evidence)

    def sign_log_break(
        self, organization_id: str, wanted: LogBreakRequest, proof: tuple[bytes, ...], evidence: ApprovalEvidence | None
    ) -> tuple[int, str]:
        """Sign that the log goes on from an older state."""
        number, note = self._group.call("sign_log_break", (organization_id, wanted, proof, evidence))
        return int(number), str(note)

    def announce_recovery(self, evidence: AnnouncementEvidence) -> VouchedRow:
        """Write down that a recovery is approved."""
        return self._call(VouchedRow, "announce_recovery", evidence)

    def recover(self, records: tuple[SealedRecord, ...], evidence: RecoveryEvidence) -> SealedRelease:
        """Open a mailbox's keys for another person, or unwrap content keys of named messages."""
        return self._call(SealedRelease, "recover", records, evidence)

    def open(self, records: tuple[SealedRecord, ...], evidence: DeviceReleaseEvidence) -> SealedRelease:
        """Open a mailbox's keys and seal them to the device of the evidence."""
        return self._call(SealedRelease, "open", records, evidence)

    def unwrap_content_keys(self, records: tuple[SealedRecord, ...], evidence: RemoteDecryptEvidence) -> SealedRelease:
        """Unwrap content keys with a mailbox's keys, which stay."""
        return self._call(SealedRelease, "unwrap_content_keys", records, evidence)

    def storage_key_version(self) -> int:
        """Return the storage key version that new records are sealed with."""
        return self._call(int, "storage_key_version")

    def rotate_storage_key(self) -> int:
        """Add a storage key version."""
        return self._call(int, "rotate_storage_key")

    def rewrap(self, records: tuple[SealedRecord, ...]) -> tuple[SealedRecord, ...]:
        """Re-seal records under the current storage key."""
        result: tuple[SealedRecord, ...] = self._call(tuple, "rewrap", records)
        return result

    def close(self) -> None:
        """End the processes; every later call raises `SealedError`."""
        self._group.close()
        self._generator.close()
        self._seal.close()

    def _go_on(self, status: SealStatus) -> SealStatus:
        if status.change is not None and status.change.state == "ready":
            try:
                with self._generator.stopped(), self._group.stopped():
                    status = self._seal.commit_change()
            except UnavailableError:
                self._seal.cancel_change()
                raise
        return status

    def _start(self) -> None:
        try:
            self._group.start()
            self._generator.start()
        except SealwrightError:
            self.close()
            raise

    def _call(self, kind: type[T], method: str, *arguments: object) -> T:
        result: T = self._group.call(method, arguments)
        assert isinstance(result, kind)
        return result


def open_keystore(options: SealOptions, workers: int = 2, shares: Sequence[str] = ()) -> PooledKeystore:
    """Start the keystore's processes, open.

    Args:
        options: Where the seal is.
        workers: Processes; one per core. As many as there are cores make keys at low priority.
        shares: Operator shares, for a seal of kind "shamir".

    Raises:
        SealedError: If the seal does not open, or people are needed to open it.
        DecodingError: If a share was not copied right.
        VerificationError: If a share is not of this seal.
    """
    keystore = PooledKeystore(options, workers)
    try:
        for share in shares:
            if not keystore.is_open():
                keystore.enter(seal_entry(keystore.seal_status().entry_key, SealEntry(share=share)))
        status = keystore.seal_status()
        if status.state == "sealed":
            raise SealedError(status.problem or "people are needed to open the seal")
    except SealwrightError:
        keystore.close()
        raise
    return keystore

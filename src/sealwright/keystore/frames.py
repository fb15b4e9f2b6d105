"""What goes over the socket between the server and a keystore process: frames of 4-byte length and MessagePack.

Each method of the protocol has its argument and result types here; both ends decode strictly against them.
"""

import socket
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from sealwright import errors
from sealwright.errors import InputError, SealwrightError
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
from sealwright.keystore.sign_on import SignOn
from sealwright.wire.destruction import DestructionReceipt
from sealwright.wire.log_break import LogBreakRequest
from sealwright.wire.manifest import KeyState
from sealwright.wire.recovery import RecoveryRule
from sealwright.wire.seal import ChangeRequest, SealStatus

LENGTH_BYTES = 4
MAX_FRAME_BYTES = 32 * 1024 * 1024

METHODS: dict[str, tuple[Any, Any]] = {
    "generate_service_key": (tuple[str, str, str], SealedRecord),
    "sign": (tuple[SealedRecord, str, bytes], bytes),
    "signed_checkpoint": (tuple[str], str),
    "sign_checkpoint": (tuple[SealedRecord, str, str, tuple[bytes, ...]], bytes),
    "seal_secret": (tuple[str, str, str, bytes], SealedRecord),
    "open_secret": (tuple[SealedRecord], bytes),
    "generate_encryption_key": (tuple[str, str], SealedRecord),
    "assign_encryption_key": (tuple[SealedRecord, str, int], SealedRecord),
    "examine": (tuple[SealedRecord, bytes], bool),
    "vouch_key_state": (tuple[str, str, KeyState, KeyState, int, ApprovalEvidence | None], VouchedRow | None),
    "sign_destruction": (tuple[DestructionReceipt], bytes),
    "import_public_key": (tuple[str], SignedImportKey),
    "import_encryption_key": (tuple[str, str, bytes, bytes], SealedRecord),
    "derive_secret": (tuple[str, str], bytes),
    "begin_proof": (tuple[ProofBinding], BegunProof),
    "finish_proof": (tuple[SealedRecord, bytes, str, datetime], DeviceCredential),
    "change_device": (tuple[DeviceCredential, str], DeviceCredential),
    "qualify_device": (tuple[DeviceCredential, FactorEvidence], Qualified),
    "make_enrolment_secret": (tuple[str, str, datetime], MadeSecret),
    "new_shared_mailbox_id": (tuple[str], str),
    "vouch_membership": (tuple[str, str, str, str, int], VouchedRow),
    "vouch_release_rules": (tuple[str, str, ReleaseRules, int, ApprovalEvidence | None], VouchedRow),
    "vouch_sign_on": (tuple[str, SignOn, int, ApprovalEvidence | None], VouchedRow),
    "vouch_mailbox_release": (tuple[str, str, MailboxRelease, int, ApprovalEvidence | None], VouchedRow),
    "vouch_role": (tuple[str, str, tuple[str, ...], int, ApprovalEvidence | None], VouchedRow),
    "veto_proposal": (tuple[SignedApproval, ApprovalEvidence, str], type(None)),
    "unwrap_content_keys": (tuple[tuple[SealedRecord, ...], RemoteDecryptEvidence], SealedRelease),
    "open_for_exit": (tuple[tuple[SealedRecord, ...], ExitEvidence], SealedRelease),
    "vouch_recovery_rule": (tuple[str, RecoveryRule, int, ApprovalEvidence | None], VouchedRow),
    "sign_log_break": (tuple[str, LogBreakRequest, tuple[bytes, ...], ApprovalEvidence | None], tuple[int, str]),
    "announce_recovery": (tuple[AnnouncementEvidence], VouchedRow),
    "recover": (tuple[tuple[SealedRecord, ...], RecoveryEvidence], SealedRelease),
    "open": (tuple[tuple[SealedRecord, ...], DeviceReleaseEvidence], SealedRelease),
    "storage_key_version": (tuple[()], int),
    "rotate_storage_key": (tuple[()], int),
    "rewrap": (tuple[tuple[SealedRecord, ...]], tuple[SealedRecord, ...]),
}
"""Name -> (types of the arguments, type of the result)."""

SEAL_METHODS: dict[str, tuple[Any, Any]] = {
    "status": (tuple[()], SealStatus),
    "open_by_itself": (tuple[()], SealStatus),
    "enter": (tuple[bytes, bool], SealStatus),
    "begin_change": (tuple[str, ChangeRequest, ApprovalEvidence | None], SealStatus),
    "take_new_shares": (tuple[()], bytes),
    "cancel_change": (tuple[()], SealStatus),
    "commit_change": (tuple[()], SealStatus),
    "start_worker": (tuple[int], int),
    "end_worker": (tuple[int], type(None)),
}
"""What the seal process is asked."""

_ERRORS = {
    kind.__name__: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, SealwrightError)
}


class Call(Struct, frozen=True, array_like=True):
    """A request: a method of `METHODS` and its arguments."""

    method: str
    arguments: msgspec.Raw


class Reply(Struct, frozen=True, array_like=True):
    """An answer: a result, or the name and message of an error. The first reply of a process says that it is ready."""

    result: msgspec.Raw
    error: str = ""
    message: str = ""


def encode_call(method: str, arguments: tuple[object, ...]) -> bytes:
    """Encode a request."""
    return msgspec.msgpack.encode(Call(method, msgspec.Raw(msgspec.msgpack.encode(arguments))))


def encode_result(result: object) -> bytes:
    """Encode an answer."""
    return msgspec.msgpack.encode(Reply(msgspec.Raw(msgspec.msgpack.encode(result))))


def encode_error(error: SealwrightError) -> bytes:
    """Encode an error as an answer."""
    return msgspec.msgpack.encode(Reply(msgspec.Raw(msgspec.msgpack.encode(None)), type(error).__name__, error.message))


def decode_reply(frame: bytes, result_type: Any) -> Any:
    """Return the result, or raise the error that the process raised.

    Raises:
        msgspec.MsgspecError: If the frame is no answer of that type.
    """
    reply = msgspec.msgpack.decode(frame, type=Reply)
    if reply.error:
        raise _ERRORS.get(reply.error, SealwrightError)(reply.message)
    return msgspec.msgpack.decode(reply.result, type=result_type)


def send_frame(connection: socket.socket, content: bytes) -> None:
    """Send one frame.

    Raises:
        InputError: If it is too large.
    """
    if len(content) > MAX_FRAME_BYTES:
        raise InputError("the request is too large for the keystore")
    connection.sendall(len(content).to_bytes(LENGTH_BYTES, "big") + content)


def receive_frame(connection: socket.socket) -> bytes | None:
    """Receive one frame; None if the other end closed between frames.

    Raises:
        ConnectionError: If it closed within a frame, or announces a frame that is too large.
    """
    head = _receive(connection, LENGTH_BYTES)
    if not head:
        return None
    length = int.from_bytes(head, "big")
    if len(head) < LENGTH_BYTES or length > MAX_FRAME_BYTES:
        raise ConnectionError("the frame is cut off or too large")
    content = _receive(connection, length)
    if len(content) < length:
        raise ConnectionError("the frame is cut off")
    return content


def _receive(connection: socket.socket, count: int) -> bytes:
    content = bytearray()
    while len(content) < count:
        part = connection.recv(min(count - len(content), 1 << 16))
        if not part:
            break
        content += part
    return bytes(content)

"""What a keystore process does: it serves one socket, one request after another, until the other end closes.

Not dumpable, not traceable by others, no core files. Anything unexpected ends the process: the seal process starts another
one, and the caller is told that it ended.
"""

import ctypes
import resource
import signal
import socket
import sys

import msgspec

from sealwright.errors import InputError, SealedError, SealwrightError
from sealwright.keystore.frames import METHODS, Call, encode_error, encode_result, receive_frame, send_frame
from sealwright.keystore.software import SoftwareKeystore

_PR_SET_DUMPABLE = 4


def harden() -> None:
    """Make this process not dumpable and without core files; an interrupt of the terminal is the parent's to handle.

    Raises:
        SealedError: If the system refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise SealedError("the keystore process cannot be made undumpable")
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def serve(connection: socket.socket, keystore: SoftwareKeystore) -> None:
    """Answer requests until the other end closes."""
    while (frame := receive_frame(connection)) is not None:
        send_frame(connection, answer(frame, keystore))


def answer(frame: bytes, keystore: SoftwareKeystore) -> bytes:
    """Carry out one request and return the answer's frame; an error of Sealwright's own is an answer too."""
    try:
        call = msgspec.msgpack.decode(frame, type=Call)
        if call.method not in METHODS:
            raise InputError("the keystore has no such method")
        arguments = msgspec.msgpack.decode(call.arguments, type=METHODS[call.method][0])
        return encode_result(getattr(keystore, call.method)(*arguments))
    except msgspec.MsgspecError as error:
        return encode_error(InputError(f"the keystore cannot read the request: {error}"))
    except SealwrightError as error:
        return encode_error(error)

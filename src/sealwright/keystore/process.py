"""A keystore process: `python -m sealwright.keystore.process <descriptor> <seal key file> <seal file> [niceness]`.

It serves one socket, one request after another, until the other end closes. Not dumpable, not traceable by others, no
core files. Anything unexpected ends the process: its parent starts another one and tells the caller that it is sealed.
"""

import ctypes
import os
import resource
import signal
import socket
import sys
from pathlib import Path

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


def main(arguments: list[str]) -> int:
    """Run the process; return its exit code."""
    descriptor, seal_key_file, seal_file = int(arguments[0]), Path(arguments[1]), Path(arguments[2])
    connection = socket.socket(fileno=descriptor)
    try:
        harden()
        os.nice(int(arguments[3]) if len(arguments) > 3 else 0)
        keystore = SoftwareKeystore(seal_key_file, seal_file)
    except SealwrightError as error:
        send_frame(connection, encode_error(error))
        return 1
    send_frame(connection, encode_result(None))
    try:
        serve(connection, keystore)
    except ConnectionError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

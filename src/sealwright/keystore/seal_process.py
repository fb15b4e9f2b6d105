"""The seal process: `python -m sealwright.keystore.seal_process <descriptor> <options> <start>`.

It alone has the root wrapping key. It answers its socket until the other end closes, and forks the keystore processes: each
gets the open seal by being a copy, and a socket whose other end goes to the web process. They end when this process ends.

    web process ──socket── seal process ──fork── keystore processes ──sockets── web process
"""

import ctypes
import os
import signal
import socket
import sys
from typing import Any

import msgspec

from sealwright.clock import SystemClock
from sealwright.errors import InputError, SealedError, SealwrightError
from sealwright.keystore.frames import (
    SEAL_METHODS,
    Call,
    encode_error,
    encode_result,
    receive_frame,
    send_frame,
)
from sealwright.keystore.keeper import SealKeeper
from sealwright.keystore.model import ApprovalEvidence
from sealwright.keystore.process import harden, serve
from sealwright.keystore.seal import Seal
from sealwright.keystore.seal_approval import check_seal_change
from sealwright.keystore.seal_options import SealOptions
from sealwright.keystore.software import SoftwareKeystore
from sealwright.wire.seal import SealTarget

START_WORKER = "start_worker"
_PR_SET_PDEATHSIG = 1


class SealProcess:
    """Serves the web process.

    Args:
        connection: To it.
        keeper: The seal.
    """

    def __init__(self, connection: socket.socket, keeper: SealKeeper) -> None:
        self._connection, self._keeper = connection, keeper
        self._workers: set[int] = set()

    def run(self) -> None:
        """Answer requests until the other end closes, then end all keystore processes."""
        try:
            while (frame := receive_frame(self._connection)) is not None:
                self._answer(frame)
        finally:
            for process in list(self._workers):
                self._end_worker(process)

    def _answer(self, frame: bytes) -> None:
        try:
            call = msgspec.msgpack.decode(frame, type=Call)
            if call.method not in SEAL_METHODS:
                raise InputError("the seal process has no such method")
            arguments = msgspec.msgpack.decode(call.arguments, type=SEAL_METHODS[call.method][0])
            if call.method == START_WORKER:
                self._start_worker(*arguments)
                return
            answer = encode_result(self._carry_out(call.method, arguments))
        except msgspec.MsgspecError as error:
            answer = encode_error(InputError(f"the seal process cannot read the request: {error}"))
        except SealwrightError as error:
            answer = encode_error(error)
        except OSError as error:
            answer = encode_error(SealedError(f"{error.filename or 'the seal'}: {error.strerror or error}"))
        send_frame(self._connection, answer)

    def _carry_out(self, method: str, arguments: tuple[Any, ...]) -> object:
        if method == "end_worker":
            self._end_worker(*arguments)
            return None
        return getattr(self._keeper, method)(*arguments)

    def _start_worker(self, niceness: int) -> None:
        """Fork a keystore process; answer its id, then hand over the other end of its socket."""
        seal = self._keeper.seal
        theirs, ours = socket.socketpair()
        parent = os.getpid()
        process = os.fork()
        if process == 0:
            theirs.close()
            self._connection.close()
            os._exit(_run_worker(ours, seal, niceness, parent))
        ours.close()
        self._workers.add(process)
        with theirs:
            send_frame(self._connection, encode_result(process))
            socket.send_fds(self._connection, [b"s"], [theirs.fileno()])

    def _end_worker(self, process: int) -> None:
        if process in self._workers:
            self._workers.discard(process)
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def _run_worker(connection: socket.socket, seal: Seal, niceness: int, parent: int) -> int:
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before it could be told to end us with it
            return 1
        os.nice(niceness)
        keystore = SoftwareKeystore(seal)
    except SealwrightError as error:
        send_frame(connection, encode_error(error))
        return 1
    try:
        send_frame(connection, encode_result(None))
        serve(connection, keystore)
    except OSError:
        return 1
    return 0


def _check_change(seal: Seal, organization_id: str, target: SealTarget, evidence: ApprovalEvidence | None) -> None:
    check_seal_change(seal, organization_id, target, evidence, SystemClock().now())


def main(arguments: list[str]) -> int:
    """Run the process; return its exit code."""
    connection = socket.socket(fileno=int(arguments[0]))
    options = msgspec.json.decode(arguments[1], type=SealOptions)
    try:
        harden()
        keeper = SealKeeper(options, _check_change)
        if arguments[2] != "sealed":
            keeper.open_by_itself()
        send_frame(connection, encode_result(keeper.status()))
    except SealwrightError as error:
        send_frame(connection, encode_error(error))
        return 1
    try:
        SealProcess(connection, keeper).run()
    except OSError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

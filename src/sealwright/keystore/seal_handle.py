"""The seal process as the web process sees it: started, asked, ended."""

import socket
import subprocess
import sys
import threading
from typing import Any

import msgspec

from sealwright.errors import SealedError
from sealwright.keystore.frames import SEAL_METHODS, decode_reply, encode_call, receive_frame, send_frame
from sealwright.keystore.hsm import process_environment
from sealwright.keystore.model import ApprovalEvidence
from sealwright.keystore.seal_options import SealOptions
from sealwright.wire.seal import ChangeRequest, SealStatus

ANSWER_SECONDS = 180.0
"""The HSM is asked three times at most within a call."""
STOP_SECONDS = 5.0


class SealHandle:
    """Starts the seal process and asks it; safe from any thread. If it ends, it is started again at the next call.

    Args:
        options: Where the seal is.

    Raises:
        SealedError: If there is no seal.
    """

    def __init__(self, options: SealOptions) -> None:
        self._options = options
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._is_open = self._is_closed = self._stays_sealed = False
        with self._lock:
            self._start()

    def is_open(self) -> bool:
        """Tell whether the seal is open, without asking the process unless it ended."""
        process = self._process
        if process is not None and process.poll() is not None and not self._is_closed:
            self.status()
        return self._is_open

    def status(self) -> SealStatus:
        """Return how the seal is."""
        return self._ask_status("status")

    def open_by_itself(self) -> SealStatus:
        """Open the seal if nobody is needed for it."""
        self._stays_sealed = False
        return self._ask_status("open_by_itself")

    def enter(self, sealed_entry: bytes, *, is_at_server: bool) -> SealStatus:
        """Hand in what somebody entered."""
        return self._ask_status("enter", sealed_entry, is_at_server)

    def begin_change(
        self, organization_id: str, request: ChangeRequest, evidence: ApprovalEvidence | None
    ) -> SealStatus:
        """Begin a change of the seal."""
        return self._ask_status("begin_change", organization_id, request, evidence)

    def take_new_shares(self) -> bytes:
        """Return new shares, sealed to whoever began the change."""
        with self._lock:
            shares: bytes = self._ask("take_new_shares")
        return shares

    def cancel_change(self) -> SealStatus:
        """Forget a change that is under way."""
        return self._ask_status("cancel_change")

    def commit_change(self) -> SealStatus:
        """Carry a change out that is ready."""
        return self._ask_status("commit_change")

    def start_worker(self, niceness: int) -> tuple[int, socket.socket]:
        """Start a keystore process; return its id and the socket to it.

        Raises:
            SealedError: If the seal is closed.
        """
        with self._lock:
            process = self._ask("start_worker", niceness)
            assert self._connection is not None
            try:
                _, descriptors, _, _ = socket.recv_fds(self._connection, 1, 1)
            except OSError:
                descriptors = []
            if not descriptors:
                self._stop()
                raise SealedError("the seal process ended; try again")
            return process, socket.socket(fileno=descriptors[0])

    def end_worker(self, process: int) -> None:
        """End a keystore process if it runs; one of an earlier seal process ended with it."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._ask("end_worker", process)

    def seal(self) -> None:
        """End the process and all keystore processes; the next one starts sealed."""
        with self._lock:
            self._stays_sealed = True
            self._stop()
            self._start()

    def close(self) -> None:
        """End the process for good."""
        with self._lock:
            self._is_closed = True
            self._stop()

    def _ask_status(self, method: str, *arguments: object) -> SealStatus:
        with self._lock:
            status: SealStatus = self._ask(method, *arguments)
            self._is_open = status.state == "open"
            return status

    def _ask(self, method: str, *arguments: object) -> Any:
        frame = encode_call(method, arguments)
        if self._is_closed:
            raise SealedError("the keystore is closed")
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._start()
        assert self._connection is not None
        try:
            self._connection.settimeout(ANSWER_SECONDS)
            send_frame(self._connection, frame)
        except OSError as error:
            self._stop()
            raise SealedError("the seal process ended; try again") from error
        return self._receive(SEAL_METHODS[method][1])

    def _start(self) -> None:
        start = "sealed" if self._stays_sealed else "open"
        ours, theirs = socket.socketpair()
        self._connection = ours
        with theirs:
            command = [sys.executable, "-P", "-m", "sealwright.keystore.seal_process", str(theirs.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [*command, msgspec.json.encode(self._options).decode("utf-8"), start],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=process_environment(),
            )
        ours.settimeout(ANSWER_SECONDS)
        self._is_open = self._receive(SealStatus).state == "open"

    def _receive(self, result_type: Any) -> Any:
        assert self._connection is not None
        try:
            reply = receive_frame(self._connection)
            if reply is None:
                raise ConnectionError("the process ended")
            return decode_reply(reply, result_type)
        except (OSError, msgspec.MsgspecError) as error:
            self._stop()
            raise SealedError("the seal process ended or does not answer; try again") from error

    def _stop(self) -> None:
        self._is_open = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

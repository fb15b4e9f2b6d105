"""HTTP over a Unix socket: how the command line talks to the server on the same machine."""

import http.client
import socket
from pathlib import Path

from sealwright.errors import PermissionDeniedError, UnavailableError
from sealwright.net.http import MAX_ANSWER_BYTES, HttpAnswer

TIMEOUT_SECONDS = 120.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, socket_path: Path, timeout_seconds: float) -> None:
        super().__init__("localhost", timeout=timeout_seconds)
        self._socket_path = socket_path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._socket_path))


def unix_request(
    socket_path: Path, method: str, path: str, body: bytes | None = None, *, timeout_seconds: float = TIMEOUT_SECONDS
) -> HttpAnswer:
    """Send one request with a JSON body to the server behind a Unix socket.

    Args:
        socket_path: The operator socket.
        method: Upper case.
        path: Starts with a slash.
        body: JSON, or None.
        timeout_seconds: For each wait on the socket.

    Raises:
        PermissionDeniedError: If the socket may not be opened by this user.
        UnavailableError: If no server listens there, or the answer is broken or too long.
    """
    connection = _UnixConnection(socket_path, timeout_seconds)
    try:
        connection.request(method, path, body=body, headers={"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        content = answer.read(MAX_ANSWER_BYTES + 1)
    except PermissionError as error:
        raise PermissionDeniedError(f"{socket_path} may be opened by the server's own user only") from error
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(f"no server answers at {socket_path}; is `sealwright serve` running?") from error
    finally:
        connection.close()
    if len(content) > MAX_ANSWER_BYTES:
        raise UnavailableError("the server's answer is too long")
    return HttpAnswer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)

"""Where a whole log is read from: a server, its operator's socket, or a folder that `log export` wrote."""

from collections.abc import Callable
from pathlib import Path

from sealwright.errors import NotFoundError, UnavailableError
from sealwright.net.http import HttpClient
from sealwright.net.unix_http import unix_request

MAX_RESOURCE_BYTES = 256 * 65537
"""No bundle can be longer."""

LogSource = Callable[[str], bytes]
"""Path below the log's prefix -> its content; NotFoundError if there is none, UnavailableError if nobody answers."""


def folder_source(folder: Path) -> LogSource:
    """Read from a folder."""

    def read(path: str) -> bytes:
        try:
            return (folder / path).read_bytes()
        except FileNotFoundError as error:
            raise NotFoundError(f"{folder / path} is missing") from error

    return read


def http_source(url: str, http: HttpClient) -> LogSource:
    """Read from a tiled log's URL prefix."""
    prefix = url.rstrip("/")

    def read(path: str) -> bytes:
        answer = http.request("GET", f"{prefix}/{path}", max_bytes=MAX_RESOURCE_BYTES)
        return _content(answer.status, answer.body, f"{prefix}/{path}")

    return read


def socket_source(socket_path: Path, prefix: str) -> LogSource:
    """Read from a server's operator socket, below a prefix."""

    def read(path: str) -> bytes:
        answer = unix_request(socket_path, "GET", f"{prefix}/{path}")
        return _content(answer.status, answer.body, path)

    return read


def _content(status: int, body: bytes, name: str) -> bytes:
    if status == 404:
        raise NotFoundError(f"{name} is missing")
    if status != 200:
        raise UnavailableError(f"{name} was answered with status {status}")
    return body

"""What every command of a server's operator has: the data folder, JSON output, and the request to the Unix socket."""

from pathlib import Path
from typing import TypeVar

import click
import msgspec

from sealwright.errors import DecodingError
from sealwright.net.unix_http import unix_request
from sealwright.wire.encoding import decode_json
from sealwright.wire.problems import error_from

T = TypeVar("T")

DATA = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SEALWRIGHT_DATA",
    required=True,
    help="Data folder of the running server; or SEALWRIGHT_DATA.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def ask(data: Path, method: str, path: str, request: msgspec.Struct | None, answer_type: type[T]) -> T:
    """Ask the running server as its operator.

    Args:
        data: The server's data folder.
        method: HTTP.
        path: Below `/local`.
        request: Sent as JSON, or None.
        answer_type: What comes back; `type(None)` for nothing.

    Raises:
        SealwrightError: What the server's problem says; `UnavailableError` if it does not run.
    """
    body = None if request is None else msgspec.json.encode(request)
    answer = unix_request(data / "run" / "operator.sock", method, path, body)
    if answer.status >= 400:
        try:
            problem = decode_json(answer.body, dict)
        except DecodingError:
            problem = {"status": answer.status}
        raise error_from(problem)
    if answer_type is type(None):
        return None
    return decode_json(answer.body, answer_type)

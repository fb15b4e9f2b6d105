"""The wire protocol of Marionette, version 3, as far as one driver of one window needs it.

A message is the decimal length of its JSON, a colon, the JSON: a command is [0, number, name, parameters], its answer
[1, number, error, result]. (Firefox source documentation, "Marionette protocol".)
"""

import json
import socket
from typing import Any


class MarionetteError(Exception):
    """The application refused a command or went away."""


class Marionette:
    """A session in the application's own context.

    Args:
        port: On 127.0.0.1.
        timeout_seconds: How long one command may take.

    Raises:
        MarionetteError: If nobody answers there now.
    """

    def __init__(self, port: int, timeout_seconds: float) -> None:
        self._number = 0
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_seconds)
        except OSError as error:
            raise MarionetteError("nobody listens") from error
        try:
            self._stream = self._socket.makefile("rb")
            self._receive()  # who it is
            self._command("WebDriver:NewSession", {})
            self._command("Marionette:SetContext", {"value": "chrome"})
            self._command("WebDriver:SetTimeouts", {"script": int(timeout_seconds * 1000)})
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        self._stream.close()
        self._socket.close()

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script that calls its last argument with the answer."""
        parameters = {"script": script, "args": arguments, "sandbox": "system", "newSandbox": True}
        return self._command("WebDriver:ExecuteAsyncScript", parameters)["value"]

    def screenshot(self) -> str:
        """Return a picture of the window, PNG in base64."""
        answer: str = self._command("WebDriver:TakeScreenshot", {"full": True, "hash": False})["value"]
        return answer

    def _command(self, name: str, parameters: dict[str, Any]) -> Any:
        self._number += 1
        encoded = json.dumps([0, self._number, name, parameters]).encode()
        try:
            self._socket.sendall(f"{len(encoded)}:".encode() + encoded)
            _, number, error, result = self._receive()
        except OSError as failure:
            raise MarionetteError(f"{name}: {failure}") from failure
        if error is not None or number != self._number:
            raise MarionetteError(f"{name}: {error}")
        return result

    def _receive(self) -> Any:
        length = b""
        while (octet := self._stream.read(1)) != b":":
            if not octet.isdigit():
                raise MarionetteError("the application hung up")
            length += octet
        return json.loads(self._stream.read(int(length)))

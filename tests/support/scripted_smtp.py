"""A mail server on loopback that says what a script says and remembers what it was given."""

import socket
import threading

from sealwright.wire.statement import MailServer


class ScriptedSmtp:
    """Use as a context manager; serves one connection.

    Args:
        answers: By the first word of the command; None closes the connection instead of an answer. "message" is the answer
            after the final dot. Anything else is answered with 250.
    """

    def __init__(self, **answers):
        self._answers = {"data": "354 go on", "quit": "221 bye", **answers}
        self.message = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.server = MailServer(host="127.0.0.1", port=self._listener.getsockname()[1], security="none")
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join(10)
        self._listener.close()

    def _serve(self):
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 scripted\r\n")
            for line in lines:
                command = line.split()[0].decode().lower()
                if not self._answer(connection, command):
                    return
                if command == "data" and self._answers["data"].startswith("354"):
                    while (line := lines.readline()) != b".\r\n":
                        self.message += line
                    if not self._answer(connection, "message"):
                        return
                if command == "quit":
                    return

    def _answer(self, connection, command):
        answer = self._answers.get(command, "250 fine")
        if answer is not None:
            connection.sendall(answer.encode() + b"\r\n")
        return answer is not None

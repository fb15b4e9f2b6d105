"""A mail of 4 KiB, both ways: beside the primitives it is made of, and beside the openssl command."""

import tempfile
from pathlib import Path

from bench.conversation import Conversation, OpensslCommand, Primitives, mail_of
from bench.measure import Effort, Row, compare

_OCTETS = 4096


def measure(effort: Effort) -> list[Row]:
    """Sign and encrypt, decrypt and verify."""
    people, mail = Conversation(), mail_of(_OCTETS)
    protected = people.protect(mail)
    primitives = Primitives(people, mail)
    with tempfile.TemporaryDirectory() as folder:
        command = OpensslCommand(people, mail, Path(folder))
        write, read = "4 KiB mail: sign and encrypt", "4 KiB mail: decrypt and verify"
        return [
            compare(write, lambda: people.protect(mail), "the bare primitives", primitives.write, effort),
            compare(write, lambda: people.protect(mail), "openssl cms, a process each", command.write, effort),
            compare(read, lambda: people.open(protected), "the bare primitives", primitives.read, effort),
            compare(read, lambda: people.open(protected), "openssl cms, a process each", command.read, effort),
        ]

"""4 KiB both ways: CMS alone, and a whole mail; beside the primitives they are made of, and beside the openssl command."""

import tempfile
from pathlib import Path

from bench.conversation import Conversation, OpensslCommand, Primitives, mail_of, text_of
from bench.measure import Effort, Row, compare
from sealwright.smime.wrapping import opaque_entity

_OCTETS = 4096
_GOAL = 0.5
_BARE = "the bare primitives"


def measure(effort: Effort) -> list[Row]:
    """Measure CMS, then mail, then mail whose signer is trusted, which adds the certification path."""
    people = Conversation()
    return [*_cms(people, effort), *_mail(people, effort)]


def _cms(people: Conversation, effort: Effort) -> list[Row]:
    content = text_of(_OCTETS)
    sealed, primitives = people.seal(content), Primitives(people, content, people.sign(content))
    write, read = "4 KiB CMS: sign and encrypt", "4 KiB CMS: decrypt and verify"
    return [
        compare(write, lambda: people.seal(content), _BARE, primitives.write, effort, goal=_GOAL),
        compare(read, lambda: people.unseal(sealed), _BARE, primitives.read, effort, goal=_GOAL),
    ]


def _mail(people: Conversation, effort: Effort) -> list[Row]:
    mail = mail_of(_OCTETS)
    protected = people.protect(mail)
    primitives = Primitives(people, mail, opaque_entity("signed-data", people.sign(mail)))
    with tempfile.TemporaryDirectory() as folder:
        command = OpensslCommand(people, mail, Path(folder))
        write, read = "4 KiB mail: sign and encrypt", "4 KiB mail: decrypt and verify"
        trusted = "4 KiB mail: decrypt, verify and path"
        return [
            compare(write, lambda: people.protect(mail), _BARE, primitives.write, effort, goal=_GOAL),
            compare(write, lambda: people.protect(mail), "openssl cms, a process each", command.write, effort),
            compare(read, lambda: people.open(protected), _BARE, primitives.read, effort, goal=_GOAL),
            compare(read, lambda: people.open(protected), "openssl cms, a process each", command.read, effort),
            compare(trusted, lambda: people.open_trusted(protected), _BARE, primitives.read, effort),
        ]

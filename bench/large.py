"""A mail of 25 MiB, both ways, beside the primitives it is made of, and beside those with base64: MiB per second."""

from bench.conversation import Conversation, Primitives, mail_of
from bench.measure import MIB, Effort, Row, compare
from sealwright.smime.wrapping import opaque_entity

_BARE, _BASE64 = "the bare primitives", "the same and base64, twice"


def measure(effort: Effort) -> list[Row]:
    """Sign and encrypt, decrypt and verify."""
    people, mail = Conversation(), mail_of(effort.large_bytes)
    protected = people.protect(mail)
    binary, signature = people.protect(mail, binary_inside=True), people.sign(mail)
    primitives = Primitives(people, mail, opaque_entity("signed-data", signature))
    fewer = Primitives(people, mail, opaque_entity("signed-data", signature, is_binary=True))
    size, mebibytes = f"{effort.large_bytes // MIB} MiB mail", effort.large_bytes / MIB
    write, read = f"{size}: sign and encrypt", f"{size}: decrypt and verify"
    rows = (
        (write, lambda: people.protect(mail), _BARE, primitives.write),
        (write, lambda: people.protect(mail), _BASE64, primitives.write_base64),
        (read, lambda: people.open(protected), _BARE, primitives.read),
        (read, lambda: people.open(protected), _BASE64, primitives.read_base64),
        (f"{write}, binary inside", lambda: people.protect(mail, binary_inside=True), _BARE, fewer.write),
        (f"{read}, binary inside", lambda: people.open(binary), _BARE, fewer.read),
    )
    return [
        compare(what, subject, reference, bare, effort, work=mebibytes, unit="MiB/s")
        for what, subject, reference, bare in rows
    ]

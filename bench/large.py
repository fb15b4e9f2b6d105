"""A mail of 25 MiB, both ways, beside the primitives it is made of: MiB per second."""

from bench.conversation import Conversation, Primitives, mail_of
from bench.measure import MIB, Effort, Row, compare


def measure(effort: Effort) -> list[Row]:
    """Sign and encrypt, decrypt and verify."""
    people, mail = Conversation(), mail_of(effort.large_bytes)
    protected = people.protect(mail)
    primitives = Primitives(people, mail)
    size, reference, mebibytes = (
        f"{effort.large_bytes // MIB} MiB mail",
        "the bare primitives",
        effort.large_bytes / MIB,
    )
    return [
        compare(
            f"{size}: sign and encrypt",
            lambda: people.protect(mail),
            reference,
            primitives.write,
            effort,
            work=mebibytes,
            unit="MiB/s",
        ),
        compare(
            f"{size}: decrypt and verify",
            lambda: people.open(protected),
            reference,
            primitives.read,
            effort,
            work=mebibytes,
            unit="MiB/s",
        ),
    ]

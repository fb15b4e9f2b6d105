"""A whole log into a folder that any static file server can serve as a C2SP tlog-tiles log; and what its leaves say."""

import itertools
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from sealwright.client.log_source import LogSource
from sealwright.errors import DecodingError, VerificationError
from sealwright.files import replace_file
from sealwright.tlog.checkpoint import Checkpoint, open_note
from sealwright.tlog.layout import CHECKPOINT_PATH, ENTRIES, Resource, bundles_of, decode_bundle, tiles_of
from sealwright.tlog.note import VerifierKey
from sealwright.tlog.tree import HASH_BYTES
from sealwright.wire.api import OpenedLeaf

Progress = Callable[[int, int], None]
"""Told how much is done, of how much."""


class OpenedLine(Struct, frozen=True):
    """A line of a file of opened leaves; `record` is the canonical record itself, byte for byte."""

    index: int
    salt: bytes
    record: msgspec.Raw


def export_log(source: LogSource, key: VerifierKey, folder: Path, progress: Progress) -> Checkpoint:
    """Fetch checkpoint, tiles and entries; what an earlier run fetched stays, so that it goes on where it was stopped.

    The checkpoint is written last: what a folder's checkpoint speaks of is there.

    Args:
        source: Where the log is.
        key: That signs it.
        folder: Made if it is missing.
        progress: Told after each file.

    Raises:
        LogVerificationError: If the checkpoint is not signed by the key.
        DecodingError: If a tile or bundle has another width than its name says.
        NotFoundError: If one is missing.
    """
    note = source(CHECKPOINT_PATH)
    checkpoint = read_note(note, key)
    total = sum(1 for _ in _resources(checkpoint.size))
    for done, resource in enumerate(_resources(checkpoint.size), 1):
        target = folder / resource.path
        if not target.exists():
            content = source(resource.path)
            check_width(resource, content)
            _publish(target, content)
        progress(done, total)
    _publish(folder / CHECKPOINT_PATH, note)
    return checkpoint


def export_leaves(ask: Callable[[int], tuple[OpenedLeaf, ...]], size: int, target: Path, progress: Progress) -> None:
    """Write what the leaves say, a JSON object a line; goes on where an earlier run stopped.

    Args:
        ask: Index of a leaf -> that and some of those after it.
        size: Of the log.
        target: Private to this user: it names people.
        progress: Told after each answer.

    Raises:
        VerificationError: If the answer skips leaves.
    """
    target.touch(mode=0o600)
    with target.open("r+b") as file:
        # 1 What is there, up to the last whole line.
        done, end = 0, 0
        for line in itertools.takewhile(lambda line: line.endswith(b"\n"), file):
            done, end = done + 1, end + len(line)
        file.seek(end)
        file.truncate()
        # 2 The rest.
        while done < size:
            leaves = ask(done)[: size - done]
            if not leaves or [leaf.index for leaf in leaves] != list(range(done, done + len(leaves))):
                raise VerificationError("the server does not show every leaf that its checkpoint counts")
            for leaf in leaves:
                opened = OpenedLine(leaf.index, leaf.salt, msgspec.Raw(leaf.record))
                file.write(msgspec.json.encode(opened) + b"\n")
            done += len(leaves)
            progress(done, size)


def read_note(note: bytes, key: VerifierKey) -> Checkpoint:
    """Verify a checkpoint.

    Raises:
        DecodingError: If it is no signed note.
        LogVerificationError: If it is not signed by the key.
    """
    try:
        return open_note(note.decode(), key.name, key.public_key)
    except UnicodeDecodeError as error:
        raise DecodingError("not a signed note") from error


def check_width(resource: Resource, content: bytes) -> None:
    """Check that a tile or bundle has as many hashes or entries as its name says.

    Raises:
        DecodingError: If it has not.
    """
    if resource.level == ENTRIES:
        decode_bundle(content, resource.width)
    elif len(content) != resource.width * HASH_BYTES:
        raise DecodingError(f"{resource.path} has another width than its name says")


def _publish(target: Path, content: bytes) -> None:
    """Write a file that a web server's account may read, too: it names nobody."""
    target.parent.mkdir(parents=True, exist_ok=True)
    replace_file(target, content)
    target.chmod(0o644)


def _resources(size: int) -> itertools.chain[Resource]:
    return itertools.chain(bundles_of(size), tiles_of(size))

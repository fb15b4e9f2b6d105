"""Where documents come from and go to: files, and streams that pass by once, such as pipes and standard input and output."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom, BufferedReader, BufferedWriter, BytesIO
from pathlib import Path
from typing import BinaryIO

from sealwright.cms.content_stream import Sink, Source, pieces_of
from sealwright.files import spooled

Readable = BufferedReader | BufferedRandom | BytesIO
InputFile = Path | Readable
OutputFile = Path | BufferedWriter


@contextmanager
def reading(document: InputFile) -> Iterator[Readable]:
    """Open a document that is read once.

    Raises:
        OSError: If it cannot be read.
    """
    if isinstance(document, Path):
        with document.open("rb") as file:
            yield file
    else:
        yield document


@contextmanager
def reading_again(document: InputFile) -> Iterator[Readable]:
    """Open a document that may be read more than once; of what passes by once a copy is made, in a file without a name.

    Raises:
        OSError: If it cannot be read.
    """
    with reading(document) as source:
        if source.seekable():
            yield source
            return
        with tempfile.TemporaryFile() as copy:
            copy_all(source, copy)
            copy.seek(0)
            yield copy


@contextmanager
def writing_whole(output: OutputFile) -> Iterator[BinaryIO]:
    """Open where something goes that must not be seen before it was checked.

    A file takes its place when the block ends. Into a stream or a device everything is copied then, and until then it is in
    a file without a name, of which a killed process leaves nothing.

    Raises:
        OSError: If it cannot be written.
    """
    if isinstance(output, Path) and not _is_device(output):
        with spooled(output) as file:
            yield file
        return
    with tempfile.TemporaryFile() as spool:
        yield spool
        spool.seek(0)
        with writing(output) as target:
            copy_all(spool, target)


@contextmanager
def writing(output: OutputFile) -> Iterator[BinaryIO]:
    """Open where something goes that may be seen before its end: into a stream or a device it is written as it comes.

    Raises:
        OSError: If it cannot be written.
    """
    if not isinstance(output, Path):
        yield output
        output.flush()
    elif _is_device(output):
        with output.open("wb") as file:
            yield file
    else:
        with spooled(output) as file:
            yield file


def copy_all(source: Source, sink: Sink) -> None:
    """Copy what is left of a file."""
    for piece in pieces_of(source):
        sink.write(piece)


def _is_device(path: Path) -> bool:
    """Say whether a path is something that a file must not take the place of, such as a pipe or /dev/null."""
    return path.exists() and not path.is_file()

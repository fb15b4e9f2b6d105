"""What commands print: text for people or one JSON document, errors as one line on standard error."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

SLOW_BYTES = 64 * 1024 * 1024
"""Smaller files are done before anybody could read a progress bar."""
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """Return text from outside without control characters, so that a mail cannot steer the terminal."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return text from outside as one clean line."""
    return clean(" ".join(text.split()))


def print_json(value: Any) -> None:
    """Print one JSON document; bytes as base64, times as RFC 3339."""
    document = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    written = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    escaped = _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", written)  # they stand in strings only
    click.echo(escaped.encode())  # UTF-8 in every locale (RFC 8259 section 8.1)


def print_error(message: str) -> None:
    """Print one line on standard error."""
    click.echo(f"sealwright: {one_line(message)}", err=True)


def print_warnings(warnings: tuple[str, ...]) -> None:
    """Print warnings on standard error, a line each."""
    for warning in warnings:
        click.echo(f"sealwright: warning: {one_line(warning)}", err=True)


@contextmanager
def progress_bar(what: str, file: Path) -> Iterator[Callable[[int], None] | None]:
    """Show how far the work on a large file is, on standard error, where that is a terminal.

    Args:
        what: Is being done, such as "encrypting".
        file: Whose octets are counted.

    Yields:
        What is to be told how many further octets are done; None where nobody would see it.
    """
    size = file.stat().st_size if file.is_file() else 0  # what a pipe will bring nobody knows
    if size < SLOW_BYTES or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=size)
        yield lambda count: bar.advance(task, count)

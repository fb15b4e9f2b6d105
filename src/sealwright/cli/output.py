"""What commands print: text for people or one JSON document, errors as one line on standard error."""

import re
from dataclasses import asdict, is_dataclass
from typing import Any

import click
import msgspec

_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Return text from outside without control characters, so that a mail cannot steer the terminal."""
    return _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return text from outside as one clean line."""
    return clean(" ".join(text.split()))


def print_json(value: Any) -> None:
    """Print one JSON document; bytes as base64, times as RFC 3339."""
    document = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))


def print_error(message: str) -> None:
    """Print one line on standard error."""
    click.echo(f"sealwright: {one_line(message)}", err=True)


def print_warnings(warnings: tuple[str, ...]) -> None:
    """Print warnings on standard error, a line each."""
    for warning in warnings:
        click.echo(f"sealwright: warning: {one_line(warning)}", err=True)

"""Secrets on the command line: from a file's first line, or asked for; never an argument, which others can see."""

from pathlib import Path

import click

from sealwright.errors import InputError


def read_first_line(file: Path) -> str:
    """Return the first line of a file.

    Raises:
        InputError: If it is empty.
    """
    lines = file.read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0]:
        raise InputError(f"{file} is empty: its first line is read")
    return lines[0]


def read_or_ask(file: Path | None, words: str, *, confirm: bool = False) -> str:
    """Return the first line of a file, or ask for it on the terminal.

    Args:
        file: Or None.
        words: What is asked for.
        confirm: Whether it is asked for twice.
    """
    if file is not None:
        return read_first_line(file)
    return str(click.prompt(words, hide_input=True, err=True, confirmation_prompt=confirm))

"""Write docs/cli.md from the commands themselves: `python packaging/cli_reference.py`; a test compares."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from sealwright.cli.main import cli

TARGET = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
HEAD = """# The command line

Made by `packaging/cli_reference.py` from the commands; change their texts, not this page.

Every command takes `-h` and `--help`. With `--json` a command prints exactly one JSON document on standard output: octets as
base64, times as RFC 3339; notices, warnings and errors go to standard error. Errors are one line, and the exit code says
their class: [errors.md](errors.md).

Environment: `SEALWRIGHT_DATA` is the server's data folder, `SEALWRIGHT_HOME` the folder of this device's stores,
`SEALWRIGHT_KEY_FILE` the file that seals them where there is no keyring, `SEALWRIGHT_SECTION__KEY` replaces a
[setting](settings.md).
"""


def reference() -> str:
    """Return the page."""
    return HEAD + "".join(_section(path, command) for path, command in commands(cli, ("sealwright",)))


def commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield all commands that do something, with their full names."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        elif command is not None:
            yield (*path, name), command


def _section(path: tuple[str, ...], command: click.Command) -> str:
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    options = [each for each in command.params if isinstance(each, click.Option)]
    usage = " ".join([*path, *(_argument(each) for each in arguments)])
    lines = [
        "",
        f"## {' '.join(path[1:])}",
        "",
        f"    {usage}",
        "",
        " ".join(inspect.cleandoc(command.help or "").split()),
        "",
    ]
    if options:
        lines += ["| Option | Meaning |", "|---|---|", *(_option(each) for each in options)]
    return "\n".join(lines).rstrip() + "\n"


def _argument(argument: click.Argument) -> str:
    return argument.make_metavar(click.Context(click.Command("any")))


def _option(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    notes = [(option.help or "").rstrip(".")]
    if isinstance(option.type, click.Choice):
        notes.append("one of " + ", ".join(f"`{each}`" for each in option.type.choices))
    if option.required:
        notes.append("required")
    elif option.show_default and option.default not in (None, ""):
        notes.append(f"default `{option.default}`")
    if option.multiple:
        notes.append("repeatable")
    return f"| {names} | {'; '.join(notes).replace('|', '/')} |"


def main() -> None:
    """Write the page."""
    TARGET.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()

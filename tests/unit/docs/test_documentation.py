"""The documentation says what the program does: settings, commands, errors, links and files."""

import importlib.util
import re
from pathlib import Path

import click
import msgspec
import pytest

from sealwright.cli.exit_codes import EXIT_CODES, exit_code
from sealwright.cli.main import cli
from sealwright.errors import SealwrightError
from sealwright.server.settings import Section, Settings, load_settings
from sealwright.wire.problems import PROBLEMS, TYPE_PREFIX, problem_for

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "tests" / "vectors").rglob("*.md")])
TYPES = {str: "text", int: "number", bool: "yes or no", tuple[str, ...]: "list of text"}


def page(name):
    return (DOCS / name).read_text(encoding="utf-8")


def table(text):
    """Return the rows of all tables in a text, as lists of cells without back-ticks."""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip().strip("`") for cell in row] for row in rows]
    return [row for row in cells if set(row[0]) != {"-"}]


def reference():
    spec = importlib.util.spec_from_file_location("cli_reference", ROOT / "packaging" / "cli_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sections():
    return [field for field in msgspec.structs.fields(Settings) if field.name != "data_folder"]


def default_text(field):
    if field.default is msgspec.NODEFAULT:
        return "required"
    if isinstance(field.default, tuple):
        return ", ".join(field.default)
    if isinstance(field.default, bool):
        return str(field.default).lower()
    return str(field.default) or "empty"


@pytest.mark.parametrize("section", sections(), ids=lambda field: field.name)
def test_every_setting_is_documented(section):
    assert issubclass(section.type, Section)
    parts = page("settings.md").split(f"\n## [{section.name}]\n")
    assert len(parts) == 2, f"docs/settings.md has no section [{section.name}]"
    written = {row[0]: row[1:] for row in table(parts[1].split("\n## ")[0])[1:]}
    fields = msgspec.structs.fields(section.type)
    assert list(written) == [field.name for field in fields]
    for field in fields:
        kind, default, meaning = written[field.name]
        assert (kind, default) == (TYPES[field.type], default_text(field)), field.name
        assert len(meaning) > 3, field.name


def test_no_section_is_documented_that_does_not_exist():
    assert re.findall(r"^## \[(\w+)\]$", page("settings.md"), re.MULTILINE) == [field.name for field in sections()]


def test_the_example_settings_are_complete_and_accepted(tmp_path):
    example = (ROOT / "packaging" / "sealwright.toml").read_text("utf-8")
    (tmp_path / "sealwright.toml").write_text(example)
    settings = load_settings(tmp_path, {})
    for field in sections():
        for key in msgspec.structs.fields(type(getattr(settings, field.name))):
            assert re.search(rf"^{key.name} = ", example, re.MULTILINE), key.name


def test_the_command_reference_is_what_the_commands_say():
    assert page("cli.md") == reference().reference(), "run: python packaging/cli_reference.py"


def test_every_command_and_option_has_a_text():
    found = list(reference().commands(cli, ("sealwright",)))
    assert len(found) >= 35
    for path, command in found:
        assert (command.help or "").strip().endswith("."), path
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, (path, option.name)


def test_every_group_has_a_text():
    context = click.Context(cli)
    for name in cli.list_commands(context):
        assert (cli.get_command(context, name).help or "").strip(), name


def all_errors(kind=SealwrightError):
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == "sealwright.errors":
            yield from all_errors(below)


@pytest.mark.parametrize("kind", list(all_errors()))
def test_every_error_has_its_row(kind):
    error = kind() if kind.__name__ == "DecryptionError" else kind("x")
    problem = problem_for(error)
    rows = {row[0]: row for row in table(page("errors.md").split("## On the command line")[0])[1:]}
    assert set(rows) == {name for name, _, _ in PROBLEMS.values()} | {"internal"}
    row = rows[problem.type.removeprefix(TYPE_PREFIX)]
    assert (row[1], row[3]) == (str(problem.status), str(exit_code(error)))


def test_every_exit_code_is_documented():
    rows = {row[0] for row in table(page("errors.md").split("## On the command line")[1])[1:]}
    assert rows == {str(code) for code in EXIT_CODES.values()} | {"0", "130"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    text = re.sub(r"^    .*$|```.*?```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles}, target


def test_files_that_the_pages_name_exist():
    found = 0
    for path in [*DOCS.glob("*.md"), *(DOCS / "flows").glob("*.md"), *(DOCS / "adr").glob("*.md"), ROOT / "README.md"]:
        for name in re.findall(r"`((?:[\w-]+/)+[\w-]+\.(?:py|md|toml|service))`", path.read_text("utf-8")):
            found += 1
            assert any((base / name).exists() for base in (ROOT, ROOT / "src" / "sealwright", DOCS)), (path.name, name)
    assert found >= 3


NAMED_COMMAND = re.compile(
    r"(?:^ {4}(?:runuser -u \S+ -- )?(?:\S*/)?|`)sealwright ((?:[a-z][a-z-]*)(?: [a-z][a-z-]+)?)", re.MULTILINE
)


def test_commands_that_the_pages_name_exist():
    known = {" ".join(path[1:]) for path, _ in reference().commands(cli, ("sealwright",))}
    groups = {name.split()[0] for name in known}
    for path in [*DOCS.glob("*.md"), ROOT / "README.md"]:
        if path.name == "architecture.md":  # the design, ahead of the program
            continue
        for line in NAMED_COMMAND.findall(path.read_text("utf-8")):
            first = line.split()[0]
            assert first in groups, (path.name, line)
            assert line in known or first in known, (path.name, line)

"""`make bench`: rates beside their references, in one run.

    python -m bench.run [NAME ...] [--long] [--json FILE]

A benchmark is a module of this room with `measure(effort) -> list[Row]`, named in `BENCHES`.
"""

import argparse
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.measure import FULL, LONG, Effort, Row

BENCHES = ("mail", "parse", "large", "files", "directory", "certificates", "releases", "provisioning", "rewrap", "log")


LONG_BENCHES = ("provisioning", "rewrap", "log")
"""Those that `--long` changes, and that `make proof` runs so."""


def measure(name: str, effort: Effort) -> list[Row]:
    """Run one benchmark."""
    rows: list[Row] = importlib.import_module(f"bench.{name}").measure(effort)
    return rows


def table_of(name: str, rows: Sequence[Row]) -> Table:
    """Return rows as a table for people."""
    table = Table(title=name, title_justify="left", show_edge=False)
    for column in ("what", "rate", "p99 ms", "reference", "rate", "ratio", "goal"):
        is_text = column in ("what", "reference")
        table.add_column(column, justify="left" if is_text else "right", overflow="fold" if is_text else "ellipsis")
    for row in rows:
        goal = "" if row.goal is None else f"{row.goal:g}"
        ratio = f"{row.ratio:.3g}"
        if row.goal is not None and row.ratio < row.goal:
            ratio = f"[bold red]{ratio}[/]"
        table.add_row(
            row.what,
            f"{row.rate:,.4g} {row.unit}",
            f"{row.p99_seconds * 1000:,.3g}",
            row.reference,
            f"{row.reference_rate:,.4g} {row.unit}",
            ratio,
            goal,
        )
    return table


def as_json(measured: dict[str, list[Row]]) -> str:
    """Return everything for programs, with what it was measured on."""
    rows = [{"bench": name, **asdict(row), "ratio": row.ratio} for name, found in measured.items() for row in found]
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "machine": platform.machine()}
    return json.dumps({"time": datetime.now(UTC).isoformat(timespec="seconds"), **machine, "rows": rows}, indent=1)


def main(arguments: Sequence[str]) -> int:
    """Run the benchmarks that are named, or all; return the exit code."""
    parser = argparse.ArgumentParser(prog="bench", description="Rates beside their references, in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE, too")
    parser.add_argument("--long", action="store_true", help=f"{', '.join(LONG_BENCHES)} for a whole organization")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.names) - set(BENCHES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    console, started = Console(width=None if sys.stdout.isatty() else 140), time.monotonic()
    measured = {}
    for name in asked.names or (LONG_BENCHES if asked.long else BENCHES):
        measured[name] = measure(name, LONG if asked.long else FULL)
        console.print(table_of(name, measured[name]), "")
    console.print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {time.monotonic() - started:.0f} s")
    if asked.json:
        asked.json.write_text(as_json(measured) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

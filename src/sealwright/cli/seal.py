"""`sealwright seal`: the seal of a running server."""

import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sealwright.cli.operator_options import DATA, JSON, ask
from sealwright.cli.output import print_json
from sealwright.wire.seal import RotationStatus, SealStatus

POLL_SECONDS = 0.5


@click.group("seal")
def seal() -> None:
    """The seal over all keys."""


@seal.command("status")
@DATA
@JSON
def status(data: Path, as_json: bool) -> None:
    """Show the seal's kind and state, and how far the last rotation is."""
    _print(ask(data, "GET", "/local/seal", None, SealStatus), as_json)


@seal.command("rotate")
@DATA
@JSON
@click.option("--wait", is_flag=True, help="Return when every record is re-sealed.")
def rotate(data: Path, as_json: bool, wait: bool) -> None:
    """Use a new storage key from now on; the server re-seals all records and works on meanwhile."""
    answer = ask(data, "POST", "/local/seal/rotations", None, SealStatus)
    if wait:
        answer = _wait(data, answer)
    _print(answer, as_json)


def _wait(data: Path, answer: SealStatus) -> SealStatus:
    columns = (TextColumn("re-sealing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("re-sealing")
        while (rotation := answer.rotation) is not None and rotation.rewrapped is None:
            total = rotation.rewrapped_records + rotation.remaining_records
            bar.update(task, total=total, completed=rotation.rewrapped_records)
            time.sleep(POLL_SECONDS)
            answer = ask(data, "GET", "/local/seal", None, SealStatus)
    return answer


def _print(answer: SealStatus, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    click.echo(f"Seal of kind {answer.kind}: {answer.state}.")
    if answer.rotation is not None:
        click.echo(_rotation_line(answer.rotation))


def _rotation_line(rotation: RotationStatus) -> str:
    done = f"{rotation.rewrapped_records} records re-sealed under it"
    if rotation.rewrapped is not None:
        return f"Storage key {rotation.storage_key_version}: in use everywhere ({done})."
    return f"Storage key {rotation.storage_key_version}: {done}, {rotation.remaining_records} to go."

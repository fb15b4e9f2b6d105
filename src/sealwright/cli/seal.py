"""`sealwright seal`: the seal of a running server, at the server or - with a share - from one's own device."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sealwright.cli.client_options import EXISTING_FILE, ClientOptions
from sealwright.cli.operator_options import DATA, JSON, ask
from sealwright.cli.output import print_json
from sealwright.cli.secret_options import read_or_ask
from sealwright.client.seal import ask_about_seal
from sealwright.errors import ConflictError
from sealwright.wire.api import Request
from sealwright.wire.seal import (
    EntryRequest,
    RotationStatus,
    SealChange,
    SealEntry,
    SealStatus,
    seal_entry,
)

POLL_SECONDS = 0.5
T = TypeVar("T")
NO_OPTIONS = ClientOptions(None, None, as_json=False)
Ask = Callable[[str, str, Request | None, type[SealStatus]], SealStatus]
HERE = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SEALWRIGHT_DATA",
    help="Data folder of the running server; without, the server of this device's organization is asked.",
)
SHARE_FILE = click.option("--share-file", type=EXISTING_FILE, help="First line is the share; asked for without.")


@click.group("seal")
def seal() -> None:
    """The seal over all keys."""


@seal.command("status")
@HERE
@JSON
def status(data: Path | None, as_json: bool) -> None:
    """Show the seal's kind and state, who has to do what, and how far the last rotation is."""
    print_status(_ask(data, lambda asked: asked("GET", "", None, SealStatus)), as_json)


@seal.command("unseal")
@HERE
@SHARE_FILE
@click.option("--pin-file", type=EXISTING_FILE, help="First line is the PIN of the HSM; asked for without.")
@JSON
def unseal(data: Path | None, share_file: Path | None, pin_file: Path | None, as_json: bool) -> None:
    """Open the seal: with your share, with the HSM's PIN, or - where nobody is needed - just so."""

    def carry_out(asked: Ask) -> SealStatus:
        found = asked("GET", "", None, SealStatus)
        if found.state == "open":
            return found
        if found.asks_pin or pin_file is not None:
            return enter(asked, found, SealEntry(pin=read_or_ask(pin_file, "PIN of the HSM")))
        if found.threshold:
            return enter(asked, found, SealEntry(share=read_or_ask(share_file, "Your operator share")))
        return asked("POST", "/openings", None, SealStatus)

    print_status(_ask(data, carry_out), as_json)


@seal.command("confirm")
@HERE
@SHARE_FILE
@JSON
def confirm(data: Path | None, share_file: Path | None, as_json: bool) -> None:
    """Enter a share for the change of the seal that is under way: a present one to permit it, or your new one."""

    def carry_out(asked: Ask) -> SealStatus:
        found = asked("GET", "", None, SealStatus)
        if found.change is None:
            raise ConflictError("no change of the seal is under way")
        return enter(asked, found, SealEntry(share=read_or_ask(share_file, "Your share")))

    print_status(_ask(data, carry_out), as_json)


@seal.command("seal")
@HERE
@JSON
@click.confirmation_option(
    prompt="Close the seal? Nobody can read or send encrypted mail with new keys until it is opened"
)
def close(data: Path | None, as_json: bool) -> None:
    """Close the seal now: every key leaves the server's memory, and it answers nothing until it is opened again.

    At the server with --data; from the own device with the role operator or security-officer.
    """
    if data is not None:
        answer = ask(data, "POST", "/local/seal/closings", None, SealStatus)
    else:
        with NO_OPTIONS.open("or give --data at the server") as context:
            answer = context.session.post("/v1/seal/closings", None, SealStatus)
    print_status(answer, as_json)


@seal.command("rotate")
@DATA
@JSON
@click.option("--wait", is_flag=True, help="Return when every record is re-sealed.")
def rotate(data: Path, as_json: bool, wait: bool) -> None:
    """Use a new storage key from now on; the server re-seals all records and works on meanwhile."""
    answer = ask(data, "POST", "/local/seal/rotations", None, SealStatus)
    if wait:
        answer = _wait(data, answer)
    print_status(answer, as_json)


@seal.command("cancel")
@DATA
@JSON
def cancel(data: Path, as_json: bool) -> None:
    """Forget a change of the seal that is under way; the seal stays as it is."""
    print_status(ask(data, "POST", "/local/seal/changes/cancel", None, SealStatus), as_json)


def _ask(data: Path | None, carry_out: Callable[[Ask], T]) -> T:
    if data is not None:
        return carry_out(at_server(data))
    with NO_OPTIONS.open("or give --data at the server") as context:
        return carry_out(
            lambda method, path, body, kind: ask_about_seal(context, method, f"/v1/seal{path}", body, kind)
        )


def at_server(data: Path) -> Ask:
    """Return what asks the running server of a data folder about its seal."""
    return lambda method, path, body, kind: ask(data, method, f"/local/seal{path}", body, kind)


def enter(asked: Ask, found: SealStatus, entry: SealEntry) -> SealStatus:
    """Hand in a share or a PIN, sealed to the process that has it asked."""
    request = EntryRequest(sealed_entry=seal_entry(found.entry_key, entry))
    return asked("POST", "/entries", request, SealStatus)


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


def print_status(answer: SealStatus, as_json: bool) -> None:
    """Print how the seal is."""
    if as_json:
        print_json(answer)
        return
    click.echo(f"Seal of kind {answer.kind}: {answer.state}.")
    if answer.state == "sealed":
        click.echo(_needed_line(answer))
    elif answer.problem:
        click.echo(f"Look after this: {answer.problem}.")
    if answer.change is not None:
        click.echo(change_line(answer.change))
    if answer.rotation is not None:
        click.echo(_rotation_line(answer.rotation))


def _needed_line(answer: SealStatus) -> str:
    if answer.problem:
        return f"It does not open by itself: {answer.problem}. Mend that, then run `sealwright seal unseal`."
    if answer.asks_pin:
        return "The PIN of the HSM opens it: `sealwright seal unseal`."
    if answer.threshold:
        entered = f"; entered: {', '.join(map(str, answer.entered))}" if answer.entered else ""
        return f"{answer.threshold} operator shares open it: `sealwright seal unseal`, each by its holder{entered}."
    return "`sealwright seal unseal` opens it."


def change_line(change: SealChange) -> str:
    """Say what a change of the seal waits for."""
    what = "another emergency key" if change.target.part == "emergency" else f"kind {change.target.kind}"
    if change.state == "permitting":
        return (
            f"A change to {what} waits for {change.needed} present operator shares ({len(change.permitted)} entered):"
            " `sealwright seal confirm`."
        )
    missing = [str(number) for number in range(1, change.target.shares + 1) if number not in change.confirmed]
    return f"A change to {what} waits for the new shares {', '.join(missing)}: `sealwright seal confirm`, each by its holder."


def _rotation_line(rotation: RotationStatus) -> str:
    done = f"{rotation.rewrapped_records} records re-sealed under it"
    if rotation.rewrapped is not None:
        return f"Storage key {rotation.storage_key_version}: in use everywhere ({done})."
    return f"Storage key {rotation.storage_key_version}: {done}, {rotation.remaining_records} to go."

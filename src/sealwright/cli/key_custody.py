"""`sealwright keys ...` and `sealwright hold ...` for the operator of a running server."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from sealwright.cli.client_options import ClientOptions, client_options
from sealwright.cli.operator_options import DATA, JSON, ask
from sealwright.cli.output import print_json
from sealwright.clock import SystemClock
from sealwright.errors import VerificationError
from sealwright.files import replace_file
from sealwright.wire.destruction import SignedDestruction, verify_destruction
from sealwright.wire.encoding import decode_json
from sealwright.wire.operator import (
    HoldLift,
    HoldList,
    HoldRequest,
    HoldView,
    KeyBatch,
    KeyBatchDone,
    KeyDestroyed,
    KeyList,
    KeyRequest,
    KeyStateChange,
    MailboxRequest,
)

REASON = click.option("--reason", required=True, help="One line; it stands in the log for good.")
RECEIPT = click.option("-o", "--output", type=click.Path(path_type=Path), help="File for the receipt.")


@click.command("history")
@click.argument("mailbox")
@DATA
@JSON
def history(mailbox: str, data: Path, as_json: bool) -> None:
    """List every key of MAILBOX, an address or the id of a mailbox, with state and key id."""
    answer = ask(data, "POST", "/local/keys", MailboxRequest(mailbox=mailbox), KeyList)
    if as_json:
        print_json(answer)
        return
    click.echo(f"mailbox {answer.mailbox_id}")
    for key in answer.keys:
        state = f"{key.state}{' (frozen)' if key.frozen else ''}"
        since = f"{key.created:%Y-%m-%d}"
        click.echo(f"{key.slot:9} {key.generation:>3}  {state:22} {key.algorithm:11} {since}  {key.key_id}")


@click.command("drill")
@DATA
@JSON
def drill(data: Path, as_json: bool) -> None:
    """Open every archived key now and match it to its certificate; the server does it by itself over weeks.

    It can be stopped and begun again. It ends with an error if a key does not open or does not fit.
    """
    examined, failing = _all_batches(data, "/local/keys/drill", "Examining keys", SystemClock().now())
    if as_json:
        print_json({"examined": examined, "failing": failing})
    else:
        click.echo(f"{examined} keys examined, {len(failing)} failing.")
        for key_id in failing:
            click.echo(f"  {key_id}")
    if failing:
        raise VerificationError(f"{len(failing)} archived keys do not open, or are not their certificates'")


@click.command("rotate-all")
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]),
    help="Go on with a rotation that was stopped: the time, UTC, that it told when it began.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@DATA
@JSON
def rotate_all(before: datetime | None, yes: bool, data: Path, as_json: bool) -> None:
    """Give every mailbox a new key now; the old ones still decrypt.

    It can be stopped, and goes on with --before.
    """
    if not yes:
        click.confirm("Give every mailbox of the organization a new key?", abort=True, err=True)
    start = before.replace(tzinfo=UTC) if before else SystemClock().now().replace(microsecond=0)
    click.echo(f"Rotating what was made before {start:%Y-%m-%dT%H:%M:%SZ}.", err=True)
    rotated, _ = _all_batches(data, "/local/keys/rotate-older", "Rotating keys", start)
    if as_json:
        print_json({"rotated": rotated})
    else:
        click.echo(f"{rotated} mailboxes have a new key.")


def _all_batches(data: Path, path: str, label: str, before: datetime) -> tuple[int, tuple[str, ...]]:
    """Ask for batches until nothing is left; return how much was done, and which keys fail."""
    request = KeyBatch(before=before)
    done = 0
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(label, total=None)
        while True:
            answer = ask(data, "POST", path, request, KeyBatchDone)
            done += answer.done
            progress.update(task, completed=done, total=done + answer.left)
            if not answer.left or not answer.done:
                return done, answer.failing


@click.command("suspend")
@click.argument("key_id")
@REASON
@DATA
def suspend(key_id: str, reason: str, data: Path) -> None:
    """Suspend the ACTIVE key KEY_ID: it is not released, and its certificate is not shown."""
    ask(data, "POST", "/local/keys/suspend", KeyStateChange(key_id=key_id, reason=reason), type(None))
    click.echo(f"{key_id} is suspended.")


@click.command("resume")
@click.argument("key_id")
@REASON
@DATA
def resume(key_id: str, reason: str, data: Path) -> None:
    """Put the suspended key KEY_ID to use again."""
    ask(data, "POST", "/local/keys/resume", KeyStateChange(key_id=key_id, reason=reason), type(None))
    click.echo(f"{key_id} is in use again.")


@click.command("compromise")
@click.argument("key_id")
@REASON
@DATA
def compromise(key_id: str, reason: str, data: Path) -> None:
    """Report the key KEY_ID as compromised: its certificates are revoked and a new key takes its place."""
    ask(data, "POST", "/local/keys/compromise", KeyStateChange(key_id=key_id, reason=reason), type(None))
    click.echo(f"{key_id} is marked as compromised; its certificates are being revoked.")


@click.command("destroy")
@click.argument("key_id")
@REASON
@RECEIPT
@click.option("--yes", is_flag=True, help="Do not ask.")
@DATA
@JSON
def destroy(key_id: str, reason: str, output: Path | None, yes: bool, data: Path, as_json: bool) -> None:
    """Erase the key KEY_ID for ever; what only it opens cannot be read any more.

    From two security officers on, two of them approve it; `keys receipt` writes the receipt then.
    """
    if not yes:
        click.confirm(f"Erase {key_id}? Mail that only this key opens is lost.", abort=True, err=True)
    change = KeyStateChange(key_id=key_id, reason=reason)
    done = ask(data, "POST", "/local/keys/destroy", change, KeyDestroyed)
    if done.receipt is not None:
        _hand_out(done.receipt, output, as_json)
    elif as_json:
        print_json({"proposal_id": done.proposal_id})
    else:
        click.echo(
            f"Proposed as {done.proposal_id}: two security officers approve it with `sealwright approvals approve`; "
            f"then `sealwright keys receipt {key_id}` writes the receipt."
        )


@click.command("receipt")
@click.argument("key_id")
@RECEIPT
@DATA
@JSON
def receipt(key_id: str, output: Path | None, data: Path, as_json: bool) -> None:
    """Write the receipt of the destroyed key KEY_ID once more."""
    _hand_out(ask(data, "POST", "/local/keys/receipt", KeyRequest(key_id=key_id), SignedDestruction), output, as_json)


def _hand_out(signed: SignedDestruction, output: Path | None, as_json: bool) -> None:
    if output is not None:
        replace_file(output, msgspec.json.format(msgspec.json.encode(signed), indent=2) + b"\n")
    if as_json:
        print_json(signed)
        return
    said = signed.receipt
    click.echo(f"{said.key_id} was destroyed at {said.destroyed:%Y-%m-%d %H:%M} UTC: {said.reason}")
    if output is not None:
        click.echo(f"{output} written.")


@click.command("verify-receipt")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@client_options
def verify_receipt(options: ClientOptions, file: Path) -> None:
    """Verify the destruction receipt FILE with the keys of the organization that this device belongs to."""
    signed = decode_json(file.read_bytes(), SignedDestruction)
    with options.open() as context:
        statement = context.statement
    verify_destruction(signed, statement.release_key, statement.log_origin, statement.log_key)
    if options.as_json:
        print_json(signed.receipt)
        return
    said = signed.receipt
    click.echo(
        f"verified: key {said.key_id} of mailbox {said.mailbox_id}, slot {said.slot}, generation {said.generation},"
    )
    click.echo(f"was destroyed at {said.destroyed:%Y-%m-%d %H:%M} UTC: {said.reason}")


@click.group("hold")
def hold() -> None:
    """Legal holds: while one is on a mailbox, none of its keys can be destroyed."""


@hold.command("set")
@click.argument("mailbox")
@REASON
@DATA
@JSON
def set_hold(mailbox: str, reason: str, data: Path, as_json: bool) -> None:
    """Put a hold on MAILBOX, an address or the id of a mailbox."""
    answer = ask(data, "POST", "/local/holds", HoldRequest(mailbox=mailbox, reason=reason), HoldView)
    if as_json:
        print_json(answer)
        return
    click.echo(f"hold {answer.hold_id} is on mailbox {answer.mailbox_id}.")


@hold.command("lift")
@click.argument("hold_id")
@REASON
@DATA
def lift_hold(hold_id: str, reason: str, data: Path) -> None:
    """Take the hold HOLD_ID away."""
    ask(data, "POST", "/local/holds/lift", HoldLift(hold_id=hold_id, reason=reason), type(None))
    click.echo(f"hold {hold_id} is lifted.")


@hold.command("list")
@DATA
@JSON
def list_holds(data: Path, as_json: bool) -> None:
    """List all holds, lifted ones too."""
    answer = ask(data, "GET", "/local/holds", None, HoldList)
    if as_json:
        print_json(answer)
        return
    for each in answer.holds:
        until = f"lifted {each.lifted:%Y-%m-%d}" if each.lifted else "in force"
        click.echo(f"{each.hold_id}  {each.mailbox_id}  {each.created:%Y-%m-%d}  {until}  {each.reason}")

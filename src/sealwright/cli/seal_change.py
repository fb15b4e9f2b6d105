"""`sealwright seal rekey` and `migrate`: another root wrapping key, another way to keep it, other emergency shares."""

import functools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

import click
from cryptography.hazmat.primitives.serialization import Encoding

from sealwright.cli.client_options import EXISTING_FILE
from sealwright.cli.file_options import load_file
from sealwright.cli.operator_options import DATA, JSON, ask
from sealwright.cli.output import print_json
from sealwright.cli.seal import POLL_SECONDS, at_server, change_line, enter, print_status, seal
from sealwright.cli.secret_options import read_first_line
from sealwright.client.key_files import load_certificate_file
from sealwright.errors import ConflictError, InputError
from sealwright.files import create_private_file
from sealwright.wire.hpke import generate_hpke_key_pair
from sealwright.wire.seal import (
    SEAL_KINDS,
    ChangeBegun,
    ChangeRequest,
    NewShare,
    NewShares,
    SealEntry,
    SealKind,
    SealStatus,
    SealTarget,
    open_new_shares,
)

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """What the options of a change say; see their help."""

    shares: int
    threshold: int
    certificates: tuple[Path, ...]
    output: Path | None
    share_files: tuple[Path, ...]
    reason: str
    proposal_id: str
    no_wait: bool

    def target(self, part: Literal["root", "emergency"], kind: SealKind) -> SealTarget:
        """Return what the change leads to; only what is shared among people has shares."""
        if part == "root" and kind != "shamir":
            return SealTarget(part=part, kind=kind)
        return SealTarget(part=part, kind=kind, shares=self.shares, threshold=self.threshold)


def change_options(command: F) -> F:
    """Add the options of a change to a command; they arrive as the last argument, a `ChangeOptions`."""
    names = [field.name for field in fields(ChangeOptions)]

    @functools.wraps(command)
    def wrapped(*arguments: Any, **given: Any) -> Any:
        options = ChangeOptions(**{name: given.pop(name) for name in names})
        return command(*arguments, **given, options=options)

    decorated: Any = wrapped
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


_OPTIONS = (
    click.option(
        "--shares", type=click.IntRange(1, 255), default=5, show_default=True, help="New shares, if there are any."
    ),
    click.option(
        "--threshold", type=click.IntRange(1, 255), default=3, show_default=True, help="How many of them open."
    ),
    click.option(
        "--certificate",
        "certificates",
        multiple=True,
        type=EXISTING_FILE,
        help="Encrypt a new share to this certificate (PEM or DER); one for each share.",
    ),
    click.option(
        "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder for encrypted shares."
    ),
    click.option(
        "--share-file",
        "share_files",
        multiple=True,
        type=EXISTING_FILE,
        help="A present operator share that permits the change; more can be entered with `seal confirm`.",
    ),
    click.option("--reason", default="changed by the operator", help="For security officers who have to approve it."),
    click.option("--proposal", "proposal_id", default="", help="That two security officers approved."),
    click.option("--no-wait", is_flag=True, help="Return when the new shares are handed out."),
)


@seal.command("rekey")
@DATA
@JSON
@click.option("--emergency", is_flag=True, help="Another emergency key and shares; else another root wrapping key.")
@change_options
def rekey(data: Path, as_json: bool, emergency: bool, options: ChangeOptions) -> None:
    """Change the root wrapping key, or with --emergency the emergency key; what is sealed stays as it is.

    New shares are handed out once, and each is entered again by its holder before the old ones end.
    """
    now = ask(data, "GET", "/local/seal", None, SealStatus)
    _change(data, now.number, options.target("emergency" if emergency else "root", now.kind), options, as_json)


@seal.command("migrate")
@click.argument("kind", type=click.Choice(SEAL_KINDS))
@DATA
@JSON
@change_options
def migrate(kind: SealKind, data: Path, as_json: bool, options: ChangeOptions) -> None:
    """Keep the root wrapping key in another way: KIND is key-file, shamir or pkcs11.

    The settings must name the HSM, or the key file, before. Nothing that is sealed changes, and the emergency shares stay good.
    """
    now = ask(data, "GET", "/local/seal", None, SealStatus)
    _change(data, now.number, options.target("root", kind), options, as_json)


def _change(data: Path, number: int, target: SealTarget, options: ChangeOptions, as_json: bool) -> None:
    # 1 Begin; where two security officers have to agree, this is a proposal.
    pair = generate_hpke_key_pair()
    certificates = tuple(_certificate(path) for path in options.certificates)
    if certificates and options.output is None:
        raise InputError("say with -o where the encrypted shares go")
    request = ChangeRequest(
        target=target,
        reply_key=pair.public_key,
        certificates=certificates,
        proposal_id=options.proposal_id,
        reason=options.reason,
    )
    begun = ask(data, "POST", "/local/seal/changes", request, ChangeBegun)
    if begun.status is None:
        _print_proposed(begun, as_json)
        return
    # 2 Present shares permit it.
    status = begun.status
    for path in options.share_files:
        status = enter(at_server(data), status, SealEntry(share=read_first_line(path)))
    status = _wait_until(data, status, number, "permitting")
    # 3 New shares, once.
    if status.change is not None:
        answer = ask(data, "POST", "/local/seal/changes/shares", None, NewShares)
        _hand_out(open_new_shares(pair.private_key, answer.sealed_shares), options.output, as_json)
        if not options.no_wait:
            status = _wait_until(data, status, number, "confirming")
    print_status(status, as_json)


def _wait_until(data: Path, status: SealStatus, number: int, state: str) -> SealStatus:
    """Wait while a change is in a state; say once what it waits for."""
    if status.change is not None and status.change.state == state:
        click.echo(change_line(status.change), err=True)
    while status.change is not None and status.change.state == state:
        time.sleep(POLL_SECONDS)
        status = ask(data, "GET", "/local/seal", None, SealStatus)
    if status.change is None and status.number == number:
        raise ConflictError("the change of the seal was cancelled, or nobody went on with it")
    return status


def _hand_out(shares: tuple[NewShare, ...], folder: Path | None, as_json: bool) -> None:
    if folder is not None and shares[0].message:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for share in shares:
            create_private_file(folder / f"share-{share.number}.p7m", share.message)
        click.echo(f"{len(shares)} encrypted shares lie in {folder}: give each to its holder.", err=True)
    elif as_json:
        print_json({"shares": [share.text for share in shares]})
    else:
        click.echo("New shares, shown once; give each to another person:\n")
        for share in shares:
            click.echo(f"  {share.number}  {share.text}")
        click.echo()
    sys.stdout.flush()


def _print_proposed(begun: ChangeBegun, as_json: bool) -> None:
    if as_json:
        print_json(begun)
        return
    click.echo(
        f"Proposed as {begun.proposal_id}: two security officers approve it with `sealwright approvals approve`;\n"
        f"then run the same command with --proposal {begun.proposal_id}."
    )


def _certificate(path: Path) -> bytes:
    return load_file(path, load_certificate_file)[0].public_bytes(Encoding.DER)

"""`sealwright seal rekey` and `migrate`: another root wrapping key, another way to keep it, other emergency shares."""

import sys
import time
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sealwright.cli.client_options import EXISTING_FILE
from sealwright.cli.operator_options import DATA, JSON, ask
from sealwright.cli.output import print_json
from sealwright.cli.seal import POLL_SECONDS, change_line, print_status, seal
from sealwright.cli.secret_options import read_first_line
from sealwright.errors import ConflictError, InputError
from sealwright.files import create_private_file
from sealwright.wire.hpke import generate_hpke_key_pair
from sealwright.wire.seal import (
    ChangeBegun,
    ChangeRequest,
    EntryRequest,
    NewShare,
    NewShares,
    SealEntry,
    SealStatus,
    SealTarget,
    open_new_shares,
    seal_entry,
)

_SHARES = (
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
def rekey(data: Path, as_json: bool, emergency: bool, **options: object) -> None:
    """Change the root wrapping key, or with --emergency the emergency key; what is sealed stays as it is.

    New shares are handed out once, and each is entered again by its holder before the old ones end.
    """
    now = ask(data, "GET", "/local/seal", None, SealStatus)
    has_shares = emergency or now.kind == "shamir"
    target = SealTarget(
        part="emergency" if emergency else "root",
        kind=now.kind,
        shares=_number(options["shares"]) if has_shares else 0,
        threshold=_number(options["threshold"]) if has_shares else 0,
    )
    _change(data, now.number, target, options, as_json)


@seal.command("migrate")
@click.argument("kind", type=click.Choice(["key-file", "shamir", "pkcs11"]))
@DATA
@JSON
def migrate(kind: str, data: Path, as_json: bool, **options: object) -> None:
    """Keep the root wrapping key in another way: KIND is key-file, shamir or pkcs11.

    The settings must name the HSM, or the key file, before. Nothing that is sealed changes, and the emergency shares stay good.
    """
    number = ask(data, "GET", "/local/seal", None, SealStatus).number
    is_shared = kind == "shamir"
    target = SealTarget(
        part="root",
        kind=kind,  # type: ignore[arg-type]  # click.Choice
        shares=_number(options["shares"]) if is_shared else 0,
        threshold=_number(options["threshold"]) if is_shared else 0,
    )
    _change(data, number, target, options, as_json)


for _option in reversed(_SHARES):
    rekey, migrate = _option(rekey), _option(migrate)


def _change(data: Path, number: int, target: SealTarget, options: dict[str, object], as_json: bool) -> None:
    # 1 Begin; where two security officers have to agree, this is a proposal.
    pair, folder = generate_hpke_key_pair(), options["output"]
    certificates = tuple(_certificate(path) for path in _paths(options["certificates"]))
    if certificates and not isinstance(folder, Path):
        raise InputError("say with -o where the encrypted shares go")
    request = ChangeRequest(
        target=target,
        reply_key=pair.public_key,
        certificates=certificates,
        proposal_id=str(options["proposal_id"]),
        reason=str(options["reason"]),
    )
    begun = ask(data, "POST", "/local/seal/changes", request, ChangeBegun)
    if begun.status is None:
        _print_proposed(begun, as_json)
        return
    # 2 Present shares permit it.
    status = begun.status
    for path in _paths(options["share_files"]):
        entry = SealEntry(share=read_first_line(path))
        request_ = EntryRequest(sealed_entry=seal_entry(status.entry_key, entry))
        status = ask(data, "POST", "/local/seal/entries", request_, SealStatus)
    status = _wait_until(data, status, number, "permitting")
    # 3 New shares, once.
    if status.change is not None:
        answer = ask(data, "POST", "/local/seal/changes/shares", None, NewShares)
        _hand_out(open_new_shares(pair.private_key, answer.sealed_shares), folder, as_json)
        if not options["no_wait"]:
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


def _hand_out(shares: tuple[NewShare, ...], folder: object, as_json: bool) -> None:
    if isinstance(folder, Path) and shares[0].message:
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
    content = path.read_bytes()
    try:
        is_pem = content.lstrip().startswith(b"-----")
        certificate = x509.load_pem_x509_certificate(content) if is_pem else x509.load_der_x509_certificate(content)
    except ValueError as error:
        raise InputError(f"{path} is no certificate") from error
    return certificate.public_bytes(Encoding.DER)


def _paths(value: object) -> tuple[Path, ...]:
    return value if isinstance(value, tuple) else ()


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value

"""`sealwright log export`, `log key` and the check of a whole log: for auditors, and for whoever keeps a copy."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sealwright.cli.client_options import EXISTING_FILE, OUTPUT_FILE, ClientOptions, client_options
from sealwright.cli.operator_options import ask
from sealwright.cli.output import print_json
from sealwright.client.context import ClientContext
from sealwright.client.log_export import export_leaves, export_log, read_note
from sealwright.client.log_source import LogSource, folder_source, http_source, socket_source
from sealwright.client.whole_log import VerifiedLog, verify_whole_log
from sealwright.errors import InputError, VerificationError
from sealwright.files import replace_file
from sealwright.net.http import HttpClient
from sealwright.tlog.note import VerifierKey, decode_verifier_key
from sealwright.wire.api import LeavesAnswer, OpenedLeaf
from sealwright.wire.operator import LogDescription

DATA = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="As the operator: data folder of the running server.",
)
KEY = click.option(
    "--key", help="Verifier key of the log, as `log key` prints it; this device's organization's without."
)
ANCHORS = click.option("--tls-anchor", type=EXISTING_FILE, help="PEM certificates that vouch for the server of an URL.")


@dataclass(frozen=True, slots=True)
class LogAccess:
    """How a log is read.

    Attributes:
        source: Checkpoint, tiles and entries.
        key: That signs it.
        open_leaves: Says what leaves say; None where only the public part is at hand.
    """

    source: LogSource
    key: VerifierKey
    open_leaves: Callable[[int], tuple[OpenedLeaf, ...]] | None


@contextmanager
def open_log(
    options: ClientOptions, data: Path | None, log: str | None, key: str | None, tls_anchor: Path | None
) -> Iterator[LogAccess]:
    """Open a log: LOG is a folder or an URL; without it, the running server's of --data, or this device's organization's.

    Raises:
        InputError: If LOG, the key or the anchors cannot be used.
        NotFoundError: If a device would have to be set up.
    """
    if data is not None and (log is None or key is None):
        described = ask(data, "GET", "/local/log", None, LogDescription)
        own = socket_source(data / "run" / "operator.sock", described.path)
        source = own if log is None else _source(log, (), tls_anchor)
        yield LogAccess(source, decode_verifier_key(key or described.verifier_key), _from_host(data))
    elif log is not None and key is not None:
        yield LogAccess(_source(log, (), tls_anchor), decode_verifier_key(key), None)
    else:
        with options.open("or give LOG and --key, or --data") as context:
            statement = context.statement
            known = decode_verifier_key(key) if key else VerifierKey(statement.log_origin, statement.log_key)
            url = log or f"{statement.endpoints[0]}/log/{context.enrolled.organization_id}"
            yield LogAccess(_source(url, context.anchors, tls_anchor), known, _from_server(context))


@click.command("key")
@DATA
@client_options
def key_command(options: ClientOptions, data: Path | None) -> None:
    """Print the verifier key of the organization's log, for whoever checks it without a device: hand it over safely."""
    with open_log(options, data, None, None, None) as access:
        encoded = access.key.encode()
    if options.as_json:
        print_json({"verifier_key": encoded})
    else:
        click.echo(encoded)


@click.command("export")
@click.argument("log", metavar="[LOG]", required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder.")
@click.option("--leaves", type=OUTPUT_FILE, help="File for what the leaves say: names people, needs a role.")
@KEY
@ANCHORS
@DATA
@client_options
def export_command(
    options: ClientOptions,
    log: str | None,
    output: Path,
    leaves: Path | None,
    key: str | None,
    tls_anchor: Path | None,
    data: Path | None,
) -> None:
    """Write the whole log to a folder: checkpoint, tiles and entries, as any web server can serve them (C2SP tlog-tiles).

    LOG is the URL of another one. Entries are commitments and name nobody. It can be stopped, and goes on where it was; later it
    adds what is new.
    """
    with open_log(options, data, log, key, tls_anchor) as access:
        if leaves is not None and (access.open_leaves is None or log is not None):
            raise InputError("--leaves needs --data, or a device whose owner may read the log")
        with _progress("Fetching the log") as advance:
            checkpoint = export_log(access.source, access.key, output, advance)
        if leaves is not None and access.open_leaves is not None:
            with _progress("Opening leaves") as advance:
                export_leaves(access.open_leaves, checkpoint.size, leaves, advance)
    if options.as_json:
        print_json({"output": str(output), "log_size": checkpoint.size, "root": checkpoint.root.hex()})
        return
    click.echo(f"{output} holds the log of {checkpoint.size} leaves; check it with `sealwright log verify {output}`.")


def verify_whole(access: LogAccess, checkpoint_file: Path | None, leaves: Path | None, *, as_json: bool) -> None:
    """Verify a whole log, print what was found, and keep its checkpoint.

    Raises:
        VerificationError: If the log is not what its checkpoint is signed for, or records show that a clock was set back.
    """
    known = checkpoint_file is not None and checkpoint_file.exists()
    older = read_note(checkpoint_file.read_bytes(), access.key) if checkpoint_file is not None and known else None
    with _progress("Checking the log") as advance:
        found = verify_whole_log(access.source, access.key, advance, older=older, opened=leaves)
    if checkpoint_file is not None:
        replace_file(checkpoint_file, found.note.encode())
    if as_json:
        print_json(_report(found, older is not None))
    else:
        _print(found, older.size if older is not None else None)
    if found.set_back:
        raise VerificationError(f"a clock was set back: leaf {found.set_back[0]} is older than one before it")


def _report(found: VerifiedLog, continues: bool) -> dict[str, object]:
    return {
        "log_size": found.checkpoint.size,
        "root": found.checkpoint.root.hex(),
        "continues": continues,
        "opened": found.opened,
        "chains": found.chains,
        "kinds": found.kinds,
        "set_back": found.set_back,
    }


def _print(found: VerifiedLog, older_size: int | None) -> None:
    click.echo(f"All {found.checkpoint.size} leaves are what the log signed; none is missing.")
    if older_size is not None:
        click.echo(f"It continues the checkpoint of {older_size} leaves that is known of it.")
    if found.opened:
        click.echo(f"{found.opened} records, in {found.chains} chains, and none is left out of its chain:")
        for kind, count in sorted(found.kinds.items()):
            click.echo(f"  {count:>9}  {kind}")


def _source(log: str, anchors: tuple[bytes, ...], tls_anchor: Path | None) -> LogSource:
    if not log.startswith("https://"):
        return folder_source(Path(log))
    try:
        given = x509.load_pem_x509_certificates(tls_anchor.read_bytes()) if tls_anchor is not None else []
    except ValueError as error:
        raise InputError(f"{tls_anchor} holds no PEM certificate") from error
    more = (certificate.public_bytes(Encoding.DER) for certificate in given)
    return http_source(log, HttpClient((*anchors, *more)))


def _from_host(data: Path) -> Callable[[int], tuple[OpenedLeaf, ...]]:
    return lambda first: ask(data, "GET", f"/local/log/leaves?first={first}", None, LeavesAnswer).leaves


def _from_server(context: ClientContext) -> Callable[[int], tuple[OpenedLeaf, ...]]:
    return lambda first: context.session.get(f"/v1/log/leaves?first={first}", LeavesAnswer).leaves


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

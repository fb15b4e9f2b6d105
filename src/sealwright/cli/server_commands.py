"""Commands that make, check and run a server."""

import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from sealwright.cli.output import print_json
from sealwright.clock import SystemClock
from sealwright.errors import VerificationError
from sealwright.wire.seal import SEAL_KINDS

DATA = click.argument("data", type=click.Path(path_type=Path, file_okay=False))


SECURITY = click.Choice(["tls", "starttls"])


@click.command("init")
@DATA
@click.option("--organization", required=True, help="Legal name of the organization.")
@click.option("--domain", required=True, help="Its mail domain.")
@click.option("--country", default="DE", show_default=True, help="Two letters.")
@click.option("--organization-identifier", help="Registered identifier, such as NTRDE-DER3306.HRB12345.")
@click.option("--endpoint", "endpoints", multiple=True, required=True, help="https URL that devices use; repeatable.")
@click.option("--listen", default="127.0.0.1:8443", show_default=True, help="Address and port of the https service.")
@click.option("--status-url", required=True, help="http URL of revocation lists; stands in every certificate.")
@click.option("--status-listen", help="Address and port of the status service; from --status-url if left out.")
@click.option("--imap-host", default="", help="Where people read their mail.")
@click.option("--imap-port", default=993, show_default=True, help="Its TCP port.")
@click.option("--imap-security", type=SECURITY, default="tls", show_default=True, help="How it is secured.")
@click.option("--submission-host", default="", help="Where people submit their mail.")
@click.option("--submission-port", default=465, show_default=True, help="Its TCP port.")
@click.option("--submission-security", type=SECURITY, default="tls", show_default=True, help="How it is secured.")
@click.option("--mail-host", default="127.0.0.1", show_default=True, help="Where the server submits its own mails.")
@click.option("--mail-port", default=25, show_default=True, help="Its TCP port.")
@click.option(
    "--mail-security",
    type=click.Choice(["tls", "starttls", "none"]),
    default="none",
    show_default=True,
    help="How it is secured; none on loopback only.",
)
@click.option("--mail-from", default="", help="Sender of the server's mails; sealwright@DOMAIN if left out.")
@click.option("--key-algorithm", default="rsa-3072", show_default=True, help="Of new encryption keys.")
@click.option("--kem", default="", help="Of a second key beside it, ml-kem-768 or ml-kem-1024; none if left out.")
@click.option("--pool-size", default=8, show_default=True, help="Encryption keys made in advance.")
@click.option("--seal-key-file", type=click.Path(path_type=Path), help="Root wrapping key; DATA.seal-key if left out.")
@click.option(
    "--seal",
    type=click.Choice(SEAL_KINDS),
    default="key-file",
    show_default=True,
    help="How the root wrapping key is kept: in a file, shared among people, or wrapped in an HSM.",
)
@click.option("--operator-shares", default=5, show_default=True, help="Shares of a seal of kind shamir.")
@click.option("--operator-threshold", default=3, show_default=True, help="How many of them open it at each start.")
@click.option("--pkcs11-module", default="", help="Library of the HSM's vendor.")
@click.option("--pkcs11-token", default="", help="Label of the HSM's token.")
@click.option("--pkcs11-pin-file", type=click.Path(path_type=Path, dir_okay=False), help="Holds its PIN, mode 0600.")
@click.option("--shares", default=5, show_default=True, help="Emergency shares to print.")
@click.option("--threshold", default=3, show_default=True, help="Shares that open the emergency key.")
def init(data: Path, **options: object) -> None:
    """Make the data folder DATA: keys, certificates, log, database and settings."""
    from sealwright.server.init import InitOptions, initialize

    click.echo("Making keys and certificates ...", err=True)
    made = initialize(data, InitOptions.from_options(options), SystemClock())
    click.echo(f"\nThe data folder {data} is ready. What follows is shown once and kept nowhere.\n")
    if made.seal.operator:
        _print_shares("Operator shares", made.seal.operator, options["operator_threshold"], "at each start")
    _print_shares("Emergency shares", made.seal.emergency, options["threshold"], "when its root wrapping key is lost")
    click.echo(
        f"\nPassphrase of the offline statement root ({made.statement_root_file}):\n\n  {made.root_passphrase}\n"
    )
    click.echo("Move that file to a medium of its own; it is needed once in 90 days.\n")
    click.echo(f"Sign-in link for the first administrator, valid until {made.sign_in_expires:%Y-%m-%d %H:%M} UTC:\n")
    click.echo(f"  {made.sign_in_url}\n")
    if options["seal"] == "key-file":
        click.echo(
            f"Warning: the root wrapping key lies in {made.seal_key_file}. Keep it out of backups of {data}:\n"
            "whoever has both has every key.\n"
        )
    click.echo(f"Start the server:  sealwright serve {data}")


def _print_shares(name: str, shares: list[str], threshold: object, when: str) -> None:
    click.echo(f"{name} ({threshold} of {len(shares)} open the seal {when}); give each to another person:\n")
    for number, share in enumerate(shares, start=1):
        click.echo(f"  {number}  {share}")
    click.echo()


@click.command("serve")
@DATA
def serve(data: Path) -> None:
    """Run the server of the data folder DATA until it is told to stop."""
    from sealwright.server.run import serve as run_server
    from sealwright.server.settings import load_settings

    run_server(load_settings(data))


@click.command("check-config")
@DATA
def check_config(data: Path) -> None:
    """Check the settings, the seal, the database and the TLS certificate of DATA."""
    from sealwright.server.checking import check_data_folder
    from sealwright.server.settings import load_settings

    if check_data_folder(load_settings(data)):
        click.echo("The configuration is in order.")
    else:
        click.echo("The configuration is in order, as far as it can be seen while people have not opened the seal.")


@click.command("upgrade")
@DATA
def upgrade(data: Path) -> None:
    """Bring the database of DATA to this program's schema, while the server is stopped; there is no way back."""
    from sealwright.server.schema import upgrade as upgrade_schema
    from sealwright.server.settings import load_settings
    from sealwright.storage.engine import open_storage

    storage = open_storage(load_settings(data).database_url)
    try:
        revision = upgrade_schema(storage)
    finally:
        storage.close()
    click.echo(f"The database is at revision {revision}.")


@click.command("renew-statement-key")
@DATA
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="The offline statement root, statement-root.pem.",
)
@click.option("--passphrase", prompt=True, hide_input=True, help="Of the root; asked for without.")
def renew_statement_key(data: Path, root: Path, passphrase: str) -> None:
    """Delegate the online statement key of DATA for another 90 days with the offline root."""
    from sealwright.server.init import renew_delegation
    from sealwright.server.settings import load_settings

    ends = renew_delegation(load_settings(data), root.read_bytes(), passphrase, SystemClock())
    click.echo(f"The statement key is delegated until {ends:%Y-%m-%d}.")


@click.command("backup")
@DATA
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write, a tar.gz.")
def backup(data: Path, output: Path) -> None:
    """Write a backup of DATA; root wrapping key and offline root stay out."""
    from sealwright.server.backup import back_up

    back_up(data, output)
    click.echo(f"{output} written. Keep the root wrapping key elsewhere.")


@click.command("restore")
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@DATA
def restore(source: Path, data: Path) -> None:
    """Restore the backup SOURCE into the new folder DATA, in quarantine."""
    from sealwright.server.backup import restore as restore_folder

    restore_folder(source, data, SystemClock().now())
    click.echo(f"{data} restored, in quarantine: repeat what was revoked or removed after the backup,")
    click.echo(f"then run 'sealwright lift-quarantine {data}'.")


@click.command("backup-drill")
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--seal-key-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Root wrapping key of a seal of kind key-file.",
)
@click.option(
    "--share-file",
    "share_files",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Instead of the key: a file with one operator or emergency share; as many as the seal asks for.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(tempfile.gettempdir()),
    help="Where there is room for a copy, which is removed again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def backup_drill(
    source: Path, seal_key_file: Path | None, share_files: tuple[Path, ...], folder: Path, as_json: bool
) -> None:
    """Prove that the backup SOURCE can be restored: open every key in it, check its log, and throw the copy away."""
    from sealwright.server.backup_drill import drill

    if seal_key_file is not None and share_files:
        raise click.UsageError("give the root wrapping key, or shares")
    shares = [path.read_text(encoding="utf-8").strip() for path in share_files]
    steps = drill(source, folder, seal_key_file, shares, SystemClock())
    if as_json:
        print_json([asdict(step) for step in steps])
    else:
        for step in steps:
            click.echo(f"{'ok    ' if step.holds else 'FAILED'}  {step.name:9} {step.said}")
    if not steps[-1].holds:
        raise VerificationError(f"the backup would not serve: {steps[-1].said}")


@click.command("lift-quarantine")
@DATA
@click.confirmation_option(prompt="Was everything repeated that was revoked or removed after the backup?")
def lift_quarantine(data: Path) -> None:
    """End the quarantine of a restored DATA."""
    from sealwright.server.backup import lift_quarantine as lift

    lift(data)
    click.echo("The quarantine is lifted.")

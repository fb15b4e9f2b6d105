"""`sealwright log witness`: watch somebody else's log."""

from pathlib import Path

import click

from sealwright.cli.client_options import EXISTING_FILE
from sealwright.clock import SystemClock
from sealwright.errors import InputError
from sealwright.tlog.note import decode_verifier_key, is_key_name


@click.command("witness")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", required=True, help="Of this witness's key, such as witness.example.net; stays the same.")
@click.option("--log", "logs", multiple=True, required=True, help="Verifier key of a log, as `log key` prints it.")
@click.option("--listen", default="127.0.0.1:8090", show_default=True, help="Address and port.")
@click.option("--tls-certificate", type=EXISTING_FILE, help="PEM chain; without, plain http: nothing here is secret.")
@click.option("--tls-key", type=EXISTING_FILE, help="PEM private key of the chain.")
def witness_command(
    folder: Path, name: str, logs: tuple[str, ...], listen: str, tls_certificate: Path | None, tls_key: Path | None
) -> None:
    """Run a witness (C2SP tlog-witness): cosign each checkpoint of a log that continues the one before it, and no other.

    FOLDER keeps its key and what it cosigned last; lose neither, and restore neither from a backup. Whoever runs it should not be
    whoever runs the log.
    """
    from sealwright.server.run import serve_app
    from sealwright.server.settings import split_listen
    from sealwright.server.witness import Witness, WitnessApp

    if not is_key_name(name):
        raise InputError("the name of a key has no space and no plus sign")
    split_listen(listen, "--listen")
    witness = Witness(folder, name, [decode_verifier_key(log) for log in logs], SystemClock())
    click.echo(witness.verifier_key.encode())
    serve_app(WitnessApp(witness), listen, tls_certificate, tls_key)

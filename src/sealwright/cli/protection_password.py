"""`sealwright protection-password`."""

from pathlib import Path

import click

from sealwright.cli.client_options import EXISTING_FILE, ClientOptions, client_options
from sealwright.cli.secret_options import read_first_line, read_or_ask
from sealwright.client.access import change_password


@click.command("protection-password")
@click.option("--old-file", type=EXISTING_FILE, help="First line is the old protection password; asked for without.")
@click.option("--new-file", type=EXISTING_FILE, help="First line is the new one; asked for without.")
@click.option(
    "--enrolment-secret-file", type=EXISTING_FILE, help="Instead of the old one: secret of the administrator's letter."
)
@client_options
def protection_password(
    options: ClientOptions, old_file: Path | None, new_file: Path | None, enrolment_secret_file: Path | None
) -> None:
    """Set a new protection password of the mailbox; new devices need it at release level 2."""
    secret = read_first_line(enrolment_secret_file) if enrolment_secret_file else ""
    old = "" if secret else read_or_ask(old_file, "Old protection password")
    new = read_or_ask(new_file, "New protection password", confirm=True)
    with options.open() as context:
        change_password(context, old, new, secret)
    click.echo("The protection password is set.")

"""`sealwright setup`."""

import socket
from pathlib import Path

import click

from sealwright.cli.client_options import EXISTING_FILE
from sealwright.cli.output import print_json, print_warnings
from sealwright.cli.secret_options import read_first_line, read_or_ask
from sealwright.client.access import APPROVAL_SECONDS, Factors
from sealwright.client.discovery import load_invitation
from sealwright.client.setup import CHALLENGE_SECONDS, set_up
from sealwright.client.store import client_home, list_stores
from sealwright.client.store_key import KeyChoice
from sealwright.clock import SystemClock
from sealwright.pkix.names import canonical_address


@click.command("setup")
@click.argument("address")
@click.option("--invitation", type=EXISTING_FILE, help="The organization's invitation file; discovered without.")
@click.option("--mail-password-file", type=EXISTING_FILE, help="First line is the mail password; asked for without.")
@click.option("--device-name", default=None, help="How this device is called; its host name without.")
@click.option("--passphrase-file", type=EXISTING_FILE, help="Seal the store with the passphrase in this file.")
@click.option("--wait", default=CHALLENGE_SECONDS, show_default=True, help="Seconds to wait for the challenge mail.")
@click.option(
    "--protection-password-file", type=EXISTING_FILE, help="First line is the protection password, old or new."
)
@click.option(
    "--enrolment-secret-file", type=EXISTING_FILE, help="First line is the secret of the administrator's letter."
)
@click.option(
    "--sign-on", type=click.Choice(["browser", "device"]), default="browser", help="Where to sign on at level 4."
)
@click.option("--approval-wait", default=APPROVAL_SECONDS, show_default=True, help="Seconds to wait for an approval.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def setup(
    address: str,
    invitation: Path | None,
    mail_password_file: Path | None,
    device_name: str | None,
    passphrase_file: Path | None,
    wait: float,
    protection_password_file: Path | None,
    enrolment_secret_file: Path | None,
    sign_on: str,
    approval_wait: float,
    as_json: bool,
) -> None:
    """Set up this device for a mailbox, or go on where set-up was interrupted."""
    home = client_home()
    is_first = canonical_address(address) not in list_stores(home)
    done = set_up(
        home,
        address,
        load_invitation(invitation) if invitation else None,
        _mail_password(mail_password_file, is_first=is_first),
        device_name or socket.gethostname() or "this device",
        SystemClock(),
        lambda step: click.echo(step, err=True),
        KeyChoice(passphrase_file=passphrase_file),
        wait,
        Factors(
            password=lambda: read_or_ask(protection_password_file, "Protection password"),
            new_password=lambda: read_or_ask(protection_password_file, "New protection password", confirm=True),
            secret=read_first_line(enrolment_secret_file) if enrolment_secret_file else "",
            approval_seconds=approval_wait,
            by_device_flow=sign_on == "device",
        ),
    )
    if done.store_key == "file":
        print_warnings(("the keys of this device are sealed by a key file, not by a keyring of the system",))
    if as_json:
        print_json(done)
        return
    click.echo(f"{done.address} is set up with {done.organization_name}: {done.generations} key(s).")
    click.echo(f"fingerprint of this device: {done.fingerprint}")


def _mail_password(file: Path | None, *, is_first: bool) -> str | None:
    if file is None:
        return str(click.prompt("Mail password", hide_input=True, err=True)) if is_first else None
    return read_first_line(file)

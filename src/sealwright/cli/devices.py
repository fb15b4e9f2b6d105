"""`sealwright devices`."""

import time
from pathlib import Path

import click

from sealwright.cli.client_options import ClientOptions, client_options
from sealwright.cli.operator_options import ask
from sealwright.cli.output import one_line, print_json
from sealwright.client.access import approve_device, waiting_devices
from sealwright.client.context import ClientContext
from sealwright.client.devices import change_state, choose, list_devices, remove_device
from sealwright.client.sync import describe, news_waiter, synchronize
from sealwright.errors import InputError, RateLimitedError, UnavailableError
from sealwright.wire.operator import AddressRequest, MailboxDevices, MailboxDeviceState

RETRY_SECONDS = 10.0
OPERATOR = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="As the operator: data folder of the running server; --address says whose device.",
)


def show_notices(context: ClientContext) -> None:
    """Read the sync feed and print what is new, on standard error."""
    for notice in synchronize(context):
        click.echo(f"sealwright: notice: {one_line(describe(notice))}", err=True)


@click.group("devices")
def devices() -> None:
    """The devices of the mailbox."""


@devices.command("list")
@client_options
def list_command(options: ClientOptions) -> None:
    """List all devices that can, or could, read the mailbox."""
    with options.open() as context:
        show_notices(context)
        found = list_devices(context.session)
    if options.as_json:
        print_json(found)
        return
    for device in found:
        mark = "*" if device.this_device else " "
        when = device.enrolled.strftime("%Y-%m-%d")
        name, fingerprint = one_line(device.name), device.thumbprint.hex()[:16]
        click.echo(
            f"{mark} {device.device_id[:8]}  {device.state:8} {when}  {fingerprint}  level {device.level}  {name}"
        )


@devices.command("remove")
@click.argument("device")
@client_options
def remove_command(options: ClientOptions, device: str) -> None:
    """Remove a device, by id, fingerprint or name."""
    with options.open() as context:
        removed = remove_device(context.session, device)
    if options.as_json:
        print_json(removed)
        return
    click.echo(f"{one_line(removed.name)} is removed.")


@devices.command("approve")
@click.argument("fingerprint", required=False)
@client_options
def approve_command(options: ClientOptions, fingerprint: str | None) -> None:
    """Let a new device in, by the fingerprint that it shows; without FINGERPRINT: list what waits."""
    with options.open() as context:
        if fingerprint is None:
            waiting = waiting_devices(context)
            if options.as_json:
                print_json(waiting)
                return
            for device in waiting:
                click.echo(f"{device.thumbprint.hex()[:32]}  until {device.expires:%H:%M} UTC  {one_line(device.name)}")
            if not waiting:
                click.echo("No device waits for an approval.")
            return
        approved = approve_device(context, fingerprint)
    if options.as_json:
        print_json(approved)
        return
    click.echo(f"{one_line(approved.name)} is approved.")


@devices.command("watch")
@client_options
def watch_command(options: ClientOptions) -> None:
    """Tell what happens to the mailbox as it happens, such as a device that asks for an approval; Ctrl-C ends it.

    Other commands can be used meanwhile. Each notice is one line, or one JSON document with --json.
    """
    while True:
        with options.open() as context:
            news, wait = synchronize(context), news_waiter(context)
        for notice in news:
            if options.as_json:
                print_json(notice)
            else:
                click.echo(one_line(describe(notice)))
        try:
            wait()
        except (UnavailableError, RateLimitedError) as error:
            click.echo(f"sealwright: {error.message}; trying again", err=True)
            time.sleep(RETRY_SECONDS)


@devices.command("lock")
@click.argument("device")
@OPERATOR
@client_options
def lock_command(options: ClientOptions, device: str, data: Path | None) -> None:
    """Lock a device that may be lost: it gets no keys, and its next sync removes those it has."""
    _change(options, device, "locked", data)


@devices.command("unlock")
@click.argument("device")
@OPERATOR
@client_options
def unlock_command(options: ClientOptions, device: str, data: Path | None) -> None:
    """Unlock a device; it gets its keys again with `sealwright setup`."""
    _change(options, device, "active", data)


def _change(options: ClientOptions, called: str, state: str, data: Path | None) -> None:
    if data is None:
        with options.open() as context:
            changed = change_state(context.session, called, state)
    elif options.address is None:
        raise InputError("the operator says with --address whose device it is")
    else:
        wanted = AddressRequest(address=options.address)
        found = ask(data, "POST", "/local/devices", wanted, MailboxDevices).devices
        changed = choose(found, called, "active" if state == "locked" else "locked")
        request = MailboxDeviceState(address=options.address, device_id=changed.device_id, state=state)
        ask(data, "POST", "/local/devices/state", request, type(None))
    if options.as_json:
        print_json(changed)
        return
    click.echo(f"{one_line(changed.name)} is {'locked' if state == 'locked' else 'unlocked'}.")

"""`sealwright devices`."""

import click

from sealwright.cli.client_options import ClientOptions, client_options
from sealwright.cli.output import one_line, print_json
from sealwright.client.context import ClientContext
from sealwright.client.devices import list_devices, remove_device
from sealwright.client.sync import describe, synchronize


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
        click.echo(f"{mark} {device.device_id[:8]}  {device.state:8} {when}  {fingerprint}  {name}")


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

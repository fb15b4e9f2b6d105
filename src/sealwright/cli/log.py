"""`sealwright log`."""

import click

from sealwright.cli.client_options import ClientOptions, client_options
from sealwright.cli.output import one_line, print_json
from sealwright.client.log_check import verify_log


@click.group("log")
def log() -> None:
    """The organization's log, as far as it is about this mailbox."""


@log.command("verify")
@client_options
def verify(options: ClientOptions) -> None:
    """Check every record of the mailbox, and say who got its keys."""
    with options.open() as context:
        report = verify_log(context)
    if options.as_json:
        rows = [
            {"number": record.chain_number, "kind": record.kind, "time": record.time, "fields": record.fields}
            for record in report.records
        ]
        deliveries = [record.chain_number for record in report.deliveries]
        print_json({"log_size": report.log_size, "records": rows, "deliveries": deliveries})
        return
    click.echo(f"{len(report.records)} records of this mailbox, none missing, in a log of {report.log_size}.")
    click.echo("The keys were given to:" if report.deliveries else "The keys were given to nobody.")
    for record in report.deliveries:
        who = ", ".join(f"{name} {value[:32]}" for name, value in sorted(record.fields.items()))
        click.echo(f"  {record.time:%Y-%m-%d %H:%M} UTC  {record.kind:12} {one_line(who)}")

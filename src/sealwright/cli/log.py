"""`sealwright log`."""

from pathlib import Path

import click

from sealwright.cli.client_options import EXISTING_FILE, OUTPUT_FILE, ClientOptions, client_options
from sealwright.cli.log_audit import ANCHORS, DATA, KEY, export_command, key_command, open_log, verify_whole
from sealwright.cli.log_report import report_command, verify_report_command
from sealwright.cli.log_witness import witness_command
from sealwright.cli.operator_options import DATA as OPERATOR_DATA
from sealwright.cli.operator_options import JSON, ask
from sealwright.cli.output import one_line, print_json
from sealwright.client.log_check import verify_log
from sealwright.client.witnesses import check_witnesses
from sealwright.wire.operator import LogBreakReason, RoleChanged


@click.group("log")
def log() -> None:
    """The organization's log: the records of this mailbox, and the whole of it for auditors."""


log.add_command(export_command)
log.add_command(key_command)
log.add_command(witness_command)
log.add_command(report_command)
log.add_command(verify_report_command)


@log.command("verify")
@click.argument("log", metavar="[LOG]", required=False)
@click.option(
    "--checkpoint", type=OUTPUT_FILE, help="Whole log: the newest checkpoint that you keep; made, and renewed."
)
@click.option("--leaves", type=EXISTING_FILE, help="Whole log: what the leaves say, as `log export --leaves` wrote it.")
@KEY
@ANCHORS
@DATA
@client_options
def verify(
    options: ClientOptions,
    log: str | None,
    checkpoint: Path | None,
    leaves: Path | None,
    key: str | None,
    tls_anchor: Path | None,
    data: Path | None,
) -> None:
    """Check every record of the mailbox, and say who got its keys; or, with LOG or --data, check the whole log.

    LOG is a folder that `log export` wrote, or an URL. Every hash is made anew from the entries; with --leaves every record is
    opened, every chain followed, and the map of the chains made anew.
    """
    if log is None and data is None:
        _verify_own(options)
        return
    with open_log(options, data, log, key, tls_anchor) as access:
        verify_whole(access, checkpoint, leaves, as_json=options.as_json)


@log.command("reset-time")
@click.option("--yes", is_flag=True, help="Do not ask.")
@OPERATOR_DATA
def reset_time(data: Path, yes: bool) -> None:
    """Mark the server's time anew, after its clock was far ahead and was set right. The log shows it.

    A server whose clock goes back does nothing until it is right again: what has expired would be good once more.
    """
    if not yes:
        click.confirm("Is the clock of the server right now?", abort=True, err=True)
    ask(data, "POST", "/local/log/time", None, type(None))
    click.echo("The time is marked anew.")


@log.command("break")
@click.option("--reason", required=True, help="One line; every device shows it to its user.")
@OPERATOR_DATA
@JSON
def break_command(data: Path, reason: str, as_json: bool) -> None:
    """After a restored backup: have it signed that the log goes on from where it is, so that devices trust it again.

    As soon as there are two security officers, two of them approve it. Each device takes a break once and says so to its user.
    """
    made = ask(data, "POST", "/local/log/breaks", LogBreakReason(reason=reason), RoleChanged)
    if as_json:
        print_json(made)
    elif made.proposal_id:
        click.echo(f"Proposed as {made.proposal_id}; two security officers have to approve it.")
    else:
        click.echo("Signed; devices take it with their next contact.")


def _verify_own(options: ClientOptions) -> None:
    with options.open() as context:
        report = verify_log(context)
        witnesses = check_witnesses(context)
    if options.as_json:
        rows = [
            {"number": record.chain_number, "kind": record.kind, "time": record.time, "fields": record.fields}
            for record in report.records
        ]
        deliveries = [record.chain_number for record in report.deliveries]
        print_json({"log_size": report.log_size, "records": rows, "deliveries": deliveries, "witnesses": witnesses})
        return
    click.echo(f"{len(report.records)} records of this mailbox, none missing, in a log of {report.log_size}.")
    if witnesses:
        click.echo(f"{witnesses} witnesses have confirmed it lately.")
    click.echo("The keys were given to:" if report.deliveries else "The keys were given to nobody.")
    for record in report.deliveries:
        who = ", ".join(f"{name} {value[:32]}" for name, value in sorted(record.fields.items()))
        click.echo(f"  {record.time:%Y-%m-%d %H:%M} UTC  {record.kind:12} {one_line(who)}")

"""`sealwright send`, `read` and `held`."""

import sys
from pathlib import Path

import click

from sealwright.cli.client_options import EXISTING_FILE, ClientOptions, client_options
from sealwright.cli.devices import show_notices
from sealwright.cli.output import clean, one_line, print_error, print_json, print_warnings
from sealwright.client.draft import Draft, write_message
from sealwright.client.read import ReadMessage, fetch_mail, list_inbox, read_message
from sealwright.client.send import SendReport, send_held, send_message
from sealwright.client.state import HeaderPolicyName, SendOptions
from sealwright.client.store import is_perhaps_sent
from sealwright.errors import InputError, SealwrightError

_ASK_FIRST = "may have gone out already: ask a recipient"


@click.command("send")
@click.argument("file", type=EXISTING_FILE, required=False)
@click.option("--to", multiple=True, help="Recipient's address; standard input or FILE is the text then.")
@click.option("--cc", multiple=True, help="Address that gets a copy.")
@click.option("--bcc", multiple=True, help="Address that gets a copy nobody else sees.")
@click.option("--subject", help="Subject; encrypted, like the text.")
@click.option("--attach", multiple=True, type=EXISTING_FILE, help="File to attach.")
@click.option(
    "--header-policy",
    type=click.Choice(("baseline", "shy", "no-confidentiality")),
    default="baseline",
    show_default=True,
    help="What others see of the header: all but the subject; nor names and time zone; all of it.",
)
@click.option(
    "--file/--no-file",
    "file_sent",
    default=None,
    help="Put your own copy into your folder for sent mail; without, as your organization says.",
)
@client_options
def send(
    options: ClientOptions,
    file: Path | None,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    bcc: tuple[str, ...],
    subject: str | None,
    attach: tuple[Path, ...],
    header_policy: HeaderPolicyName,
    file_sent: bool | None,
) -> None:
    """Sign, encrypt and send a mail.

    FILE or standard input is the text, if recipients are given, else a whole RFC 5322 message.
    """
    content = file.read_bytes() if file else sys.stdin.buffer.read()
    if not (to or cc or bcc) and (subject is not None or attach):
        raise InputError("give --to, --cc or --bcc; without them the input is a whole message with its own header")
    with options.open() as context:
        if to or cc or bcc:
            draft = Draft(to, cc, bcc, subject or "", content.decode("utf-8", "replace"), attach)
            content = write_message(draft, context.store.state.address)
        report = send_message(context, content, SendOptions(header_policy=header_policy, file_sent=file_sent))
    show_report(options, report)


def show_report(options: ClientOptions, report: SendReport) -> None:
    """Say what was sent."""
    print_warnings(report.warnings)
    if options.as_json:
        print_json(report)
    else:
        click.echo(f"sent {'encrypted' if report.encrypted else 'signed'} to {', '.join(report.recipients)}")


@click.command("read")
@click.argument("number", type=int, required=False)
@click.option("--uid", type=int, help="The UID instead of the number.")
@click.option("--limit", default=20, show_default=True, help="How many mails to list.")
@click.option("--save-attachments", type=click.Path(path_type=Path, file_okay=False), help="Write them to this folder.")
@client_options
def read(
    options: ClientOptions, number: int | None, uid: int | None, limit: int, save_attachments: Path | None
) -> None:
    """List the inbox, newest first; or read one mail, by its NUMBER in that list."""
    with options.open() as context:
        try:
            show_notices(context)
        except SealwrightError as error:  # mail can be read without the server
            print_error(f"the notices could not be read: {error.message}")
        with context.mailbox() as mailbox:
            if number is None and uid is None:
                mails = list_inbox(context, mailbox, limit)
                if options.as_json:
                    print_json([message_document(mail) for mail in mails])
                else:
                    for position, mail in enumerate(mails, 1):
                        click.echo(_list_line(position, mail))
                return
            found, raw = fetch_mail(mailbox, number, uid)
        mail = read_message(context, raw, found)
    if save_attachments is not None:
        _save(mail, save_attachments)
    if options.as_json:
        print_json(message_document(mail))
    else:
        show_message(mail)


@click.group("held")
def held() -> None:
    """Mails that were kept back."""


@held.command("list")
@client_options
def list_held(options: ClientOptions) -> None:
    """List the mails that were kept back."""
    with options.open() as context:
        ids = context.store.held_mails()
    if options.as_json:
        print_json(ids)
    else:
        lines = [f"{each}  {_ASK_FIRST}" if is_perhaps_sent(each) else each for each in ids]
        click.echo("\n".join(lines) if lines else "no mail is held")


@held.command("retry")
@click.argument("held_id")
@click.option("--yes", is_flag=True, help="Ask nothing, even where the mail may have gone out already.")
@client_options
def retry_held(options: ClientOptions, held_id: str, *, yes: bool) -> None:
    """Send the mail HELD_ID of `held list` to those who have not got it, now that they may have certificates.

    Where it may have gone out already, ask a recipient first; this asks before it sends.
    """
    with options.open() as context:
        context.store.read_held(held_id)
        if is_perhaps_sent(held_id) and not yes:
            click.confirm(f"{held_id} {_ASK_FIRST}. Send it again?", abort=True, err=True)
        report = send_held(context, held_id)
    show_report(options, report)


@held.command("drop")
@click.argument("held_id")
@client_options
def drop_held(options: ClientOptions, held_id: str) -> None:
    """Forget the mail HELD_ID for good; nobody gets it."""
    with options.open() as context:
        context.store.drop_held(held_id)
    if options.as_json:
        print_json({"dropped": held_id})


def message_document(mail: ReadMessage) -> dict[str, object]:
    """Return a message for JSON: attachments by name and size."""
    return {
        "uid": mail.uid,
        "encrypted": mail.encrypted,
        "authenticated_encryption": mail.authenticated_encryption,
        "headers_protected": mail.headers_protected,
        "from": mail.from_addresses,
        "authentic_author": mail.verdict.summary.authentic_author if mail.verdict is not None else None,
        "subject": mail.subject,
        "body": mail.body_text,
        "attachments": [
            {"file_name": part.file_name, "content_type": part.content_type, "size_bytes": len(part.content)}
            for part in mail.attachments
        ],
        "signature": {
            "state": mail.signature.state,
            "signer": mail.signature.signer,
            "identity_level": mail.signature.identity_level,
            "signing_time": mail.signature.signing_time,
            "reason": mail.signature.reason,
            "warnings": mail.signature.warnings,
        },
        "problem": mail.problem,
    }


def signature_line(mail: ReadMessage) -> str:
    """Say in one line what a message's signature is worth."""
    view = mail.signature
    if view.state == "valid":
        return one_line(f"signed by {', '.join(view.signer)} ({view.identity_level}), {view.signing_time}")
    return "not signed" if view.state == "none" else one_line(f"SIGNATURE {view.state.upper()}: {view.reason}")


def show_message(mail: ReadMessage) -> None:
    """Print a message for people."""
    click.echo(f"From:      {one_line(', '.join(mail.from_addresses))}")
    click.echo(f"Subject:   {one_line(mail.subject)}")
    click.echo(f"Lock:      {'encrypted' if mail.encrypted else 'NOT encrypted'}")
    click.echo(f"Signature: {signature_line(mail)}")
    for part in mail.attachments:
        click.echo(f"Attached:  {one_line(part.file_name)} ({len(part.content)} bytes)")
    print_warnings(mail.signature.warnings)
    click.echo()
    click.echo(clean(mail.body_text))


def _list_line(position: int, mail: ReadMessage) -> str:
    if mail.problem:
        return f"{position:3} [!!] {one_line(mail.problem)}"
    tick = {"valid": "S", "none": " "}.get(mail.signature.state, "!")
    sender = one_line(", ".join(mail.from_addresses))
    return f"{position:3} [{'E' if mail.encrypted else ' '}{tick}] {sender:32} {one_line(mail.subject)}"


def _save(mail: ReadMessage, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part in mail.attachments:
        stem, suffix = Path(part.file_name).stem, Path(part.file_name).suffix
        number, path = 1, folder / Path(part.file_name).name
        while path.exists():
            number, path = number + 1, folder / f"{stem}-{number}{suffix}"
        with path.open("xb") as file:
            file.write(part.content)
        click.echo(f"saved {path}", err=True)

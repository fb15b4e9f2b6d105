"""`sealwright reply` and `forward`: answer a mail of the inbox, or pass it on."""

import sys

import click

from sealwright.cli.client_options import ClientOptions, client_options
from sealwright.cli.mail import show_report
from sealwright.client.read import fetch_mail
from sealwright.client.reply import forward as forward_mail
from sealwright.client.reply import reply_to
from sealwright.smime.forward import ForwardedTo


@click.command("reply")
@click.argument("number", type=int, required=False)
@click.option("--uid", type=int, help="The UID instead of the number.")
@click.option("--all", "to_all", is_flag=True, help="Answer the other recipients, too.")
@click.option("--quote", is_flag=True, help="Quote the text below yours.")
@client_options
def reply(options: ClientOptions, number: int | None, uid: int | None, *, to_all: bool, quote: bool) -> None:
    """Answer the mail NUMBER of the list that `read` shows, encrypted; standard input is the text.

    Recipients and subject come from inside the mail's protection. The text of an encrypted mail is quoted only if a valid
    signature says who wrote it, and what the mail hid stays hidden.
    """
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    with options.open() as context:
        with context.mailbox() as mailbox:
            _, raw = fetch_mail(mailbox, number, uid)
        report = reply_to(context, raw, text, to_all=to_all, quote=quote)
    show_report(options, report)


@click.command("forward")
@click.argument("number", type=int, required=False)
@click.option("--uid", type=int, help="The UID instead of the number.")
@click.option("--to", multiple=True, help="Address to pass it on to; again for more.")
@click.option("--cc", multiple=True, help="Address that gets a copy.")
@click.option("--bcc", multiple=True, help="Address that gets a copy nobody else sees.")
@client_options
def forward(
    options: ClientOptions,
    number: int | None,
    uid: int | None,
    *,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    bcc: tuple[str, ...],
) -> None:
    """Pass the mail NUMBER of the list that `read` shows on, as an attachment; standard input is the text above it.

    An encrypted mail is opened, never leaves in clear, and its subject stays hidden. A signature inside it is kept, so that
    whoever gets it can verify who wrote it.
    """
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    with options.open() as context:
        with context.mailbox() as mailbox:
            _, raw = fetch_mail(mailbox, number, uid)
        report = forward_mail(context, raw, text, ForwardedTo(to, cc, bcc))
    show_report(options, report)

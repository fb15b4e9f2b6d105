"""Answering a mail: open it, write the reply so that it gives nothing away, send it."""

from sealwright.client.context import ClientContext
from sealwright.client.read import read_message
from sealwright.client.send import SendReport, send_message
from sealwright.client.state import SendOptions
from sealwright.errors import DecodingError
from sealwright.smime.reply import write_reply


def reply_to(
    context: ClientContext, message: bytes, text: str, *, to_all: bool = False, quote: bool = False
) -> SendReport:
    """Answer a message.

    Args:
        context: The mailbox that answers.
        message: As it was received.
        text: Of the reply.
        to_all: Answer the other recipients, too.
        quote: Quote what was shown.

    Raises:
        DecodingError: If the message is malformed.
        DecryptionError: If no key of this device opens it.
        InputError: If it says nobody to answer.
        MailHeldError: If the reply would tell somebody what he may not know; also as `send_message` does.
        SealwrightError: As `send_message` does.
    """
    verdict = read_message(context, message).verdict
    if verdict is None:
        raise DecodingError("the message cannot be opened")
    reply = write_reply(verdict, text, context.store.state.address, to_all=to_all, quote=quote)
    options = SendOptions(header_policy=reply.header_policy, must_encrypt=reply.must_encrypt)
    return send_message(context, reply.message, options)

"""Answering a mail, or passing it on: open it, write the new one so that it gives nothing away, send it."""

from sealwright.client.context import ClientContext
from sealwright.client.read import read_message
from sealwright.client.send import SendReport, send_message
from sealwright.client.state import SendOptions
from sealwright.errors import DecodingError
from sealwright.pkix.names import canonical_address
from sealwright.smime.forward import ForwardedTo, write_forward
from sealwright.smime.reply import Reply, write_reply


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
    return _send(context, write_reply(verdict, text, context.store.state.address, to_all=to_all, quote=quote))


def forward(context: ClientContext, message: bytes, text: str, recipients: ForwardedTo) -> SendReport:
    """Pass a message on, as an attachment; one that was encrypted is opened first, and encrypted again.

    Args:
        context: The mailbox that passes it on.
        message: As it was received.
        text: Stands above the attachment.
        recipients: At least one address, as it was typed.

    Raises:
        DecodingError: If the message is malformed.
        DecryptionError: If no key of this device opens it.
        InputError: If an address is malformed, or nobody is named.
        MailHeldError: If it would go back to somebody who may have sent another's ciphertext; also as `send_message` does.
        SealwrightError: As `send_message` does.
    """
    verdict = read_message(context, message).verdict
    if verdict is None:
        raise DecodingError("the message cannot be opened")
    named = ((canonical_address(each) for each in group) for group in (recipients.to, recipients.cc, recipients.bcc))
    canonical = ForwardedTo(*map(tuple, named))
    return _send(context, write_forward(message, verdict, text, context.store.state.address, canonical))


def _send(context: ClientContext, written: Reply) -> SendReport:
    options = SendOptions(header_policy=written.header_policy, must_encrypt=written.must_encrypt)
    return send_message(context, written.message, options)

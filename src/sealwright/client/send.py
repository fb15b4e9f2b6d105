"""Sending a mail: parse, look up, decide, protect, relay, file. What cannot be protected is kept back, never sent in clear."""

import email
import email.policy
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from email.utils import getaddresses

import msgspec

from sealwright.client.context import ClientContext
from sealwright.client.copies import own_copy, protected_copies
from sealwright.client.decision import Decision, RecipientState, decide
from sealwright.client.directory import RecipientCertificate, find_recipients
from sealwright.client.draft import identified
from sealwright.client.state import HeldMail, SendOptions
from sealwright.errors import (
    InputError,
    MailHeldError,
    OutcomeUnknownError,
    PathValidationError,
    SealwrightError,
    UnavailableError,
)
from sealwright.pkix.names import canonical_address

MAX_MESSAGE_BYTES = 35 * 1024 * 1024
"""Protected, up to 1.8 times that: mail servers that take as much are rare."""


@dataclass(frozen=True, slots=True)
class SendReport:
    """What was sent.

    Attributes:
        recipients: Everybody who got it.
        encrypted: False only where an administrator's rule lets the mail pass.
        warnings: For people.
    """

    recipients: tuple[str, ...]
    encrypted: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Envelope:
    visible: tuple[str, ...]
    hidden: tuple[str, ...]

    def only(self, addresses: tuple[str, ...]) -> "_Envelope":
        wanted = (tuple(each for each in part if each in addresses) for part in (self.visible, self.hidden))
        return _Envelope(*wanted)


def send_message(context: ClientContext, message: bytes, options: SendOptions | None = None) -> SendReport:
    """Protect a message and relay it to its recipients.

    Args:
        context: The sender's mailbox.
        message: RFC 5322; From must be the mailbox's address, recipients are taken from To, Cc and Bcc.
        options: How; without, the default.

    Raises:
        InputError: If the message cannot be sent as it is.
        MailHeldError: If a recipient has no usable certificate, the directory does not answer or the mail server does not
            take the message; it is kept sealed for those who did not get it, whom the error names if others did.
        PathValidationError: If a recipient's certificate must not be used; nothing was sent.
        OutcomeUnknownError: If the mail server broke off when it had the mail; it is kept sealed and may have gone out.
    """
    message = identified(message, context.store.state.address, context.clock.now())
    return _send(context, HeldMail(message=message, options=options or SendOptions()))


def send_held(context: ClientContext, held_id: str) -> SendReport:
    """Send a message that was kept back to those who have not got it; if that fails, it stays kept for whoever is left.

    Raises:
        NotFoundError: If there is none of this id.
        SealwrightError: As `send_message` does.
    """
    report = _send(context, context.store.read_held(held_id), held_id)
    context.store.drop_held(held_id)
    return report


def _send(context: ClientContext, mail: HeldMail, held_id: str = "") -> SendReport:
    # 1 parse
    message, options = mail.message, mail.options
    envelope = _envelope(_parse(message), context.store.state.address)
    if mail.missing:
        envelope = envelope.only(mail.missing)
    everybody = (*envelope.visible, *envelope.hidden)
    # 2 look up
    try:
        found = find_recipients(context, everybody)
    except UnavailableError as error:
        held_id = context.store.hold_mail(mail, replaces=held_id)
        raise MailHeldError(f"held as {held_id}, nothing was sent: {error.message}") from error
    # 3 decide
    decision = decide([RecipientState(recipient.address, recipient.state) for recipient in found])
    if decision.action == "reject":
        raise PathValidationError(f"nothing was sent: {_reasons(found, decision.because)}")
    if decision.action == "pass" and options.must_encrypt:
        decision = Decision("hold", everybody)
    if decision.action == "hold":
        held_id = context.store.hold_mail(mail, replaces=held_id)
        raise MailHeldError(f"held as {held_id}, nothing was sent: no certificate for {', '.join(decision.because)}")
    # 4 protect: one message for those who are named, one for each blind copy, so that none shows up in another's
    groups = [group for group in (envelope.visible, *((hidden,) for hidden in envelope.hidden)) if group]
    protected = [copy for group in groups for copy in protected_copies(context, message, group, found, options)]
    # 5 relay
    _relay(context, protected, mail, held_id)
    # 6 file
    filed = _file(context, mail)
    warnings = tuple(dict.fromkeys((*(warning for recipient in found for warning in recipient.warnings), *filed)))
    return SendReport(everybody, decision.action == "encrypt", warnings)


def _relay(
    context: ClientContext, protected: Sequence[tuple[tuple[str, ...], bytes]], mail: HeldMail, held_id: str = ""
) -> None:
    done: list[str] = []
    for group, content in protected:
        try:
            context.submit(group, content)
        except SealwrightError as error:
            missing = tuple(to for one, _ in protected for to in one if to not in done)
            rest = _rest(context, mail, missing) if done else mail
            perhaps = isinstance(error, OutcomeUnknownError)
            held_id = context.store.hold_mail(rest, perhaps_sent=perhaps, replaces=held_id)
            if perhaps:
                others = f"; sent to {', '.join(done)} before" if done else ""
                reason = f"held as {held_id}{others}: {error.message}; ask before `held retry`"
                raise OutcomeUnknownError(reason) from error
            if done:
                reached, missed = ", ".join(done), ", ".join(missing)
                reason = f"sent to {reached}, but not to {missed}; held as {held_id} for the rest: {error.message}"
                raise MailHeldError(reason) from error
            raise MailHeldError(f"held as {held_id}, nothing was sent: {error.message}") from error
        done += group


def _rest(context: ClientContext, mail: HeldMail, missing: tuple[str, ...]) -> HeldMail:
    """Return what is left of a mail that some have got: the sender's own copy is filed now, or with the rest."""
    if _file(context, mail):
        return HeldMail(message=mail.message, options=mail.options, missing=missing)
    options = msgspec.structs.replace(mail.options, file_sent=False)
    return HeldMail(message=mail.message, options=options, missing=missing)


def _file(context: ClientContext, mail: HeldMail) -> tuple[str, ...]:
    """File the sender's own copy where mail clients keep sent mail; the mail is gone whether this succeeds or not."""
    statement, wanted = context.statement, mail.options.file_sent
    if statement.imap is None or not (statement.file_sent_mail if wanted is None else wanted):
        return ()
    try:
        content = own_copy(context, mail.message, mail.options)
        with context.mailbox() as mailbox:
            mailbox.append_sent(content)
    except SealwrightError as error:
        return (f"your own copy was not filed among your sent mail: {error.message}",)
    return ()


def encrypt_message(context: ClientContext, message: bytes) -> bytes:
    """Sign and encrypt a message for its recipients and the sender, without sending it.

    Raises:
        InputError: If the message cannot be sent as it is, or one message cannot serve all recipients.
        MailHeldError: If a recipient has no usable certificate; nothing is kept.
    """
    envelope = _envelope(_parse(message), context.store.state.address)
    if envelope.hidden:
        raise InputError("blind copies get a message of their own; encrypt it without Bcc, once for each")
    found = find_recipients(context, envelope.visible)
    decision = decide([RecipientState(recipient.address, recipient.state) for recipient in found])
    if decision.action != "encrypt":
        raise MailHeldError(f"no usable certificate for {', '.join(decision.because)}")
    copies = protected_copies(context, message, envelope.visible, found, SendOptions())
    if len(copies) > 1:
        groups = "; ".join(", ".join(addresses) for addresses, _ in copies)
        raise InputError(f"the recipients' programs need different forms; encrypt it once for each of: {groups}")
    return copies[0][1]


def _parse(message: bytes) -> Message:
    if len(message) > MAX_MESSAGE_BYTES:
        raise InputError("the message is longer than 35 MiB")
    return email.message_from_bytes(message, policy=email.policy.compat32)


def _envelope(parsed: Message, own_address: str) -> _Envelope:
    senders = _addresses(parsed, "From")
    if senders != (own_address,):
        raise InputError(f"From must be {own_address} and nobody else")
    if any(name.lower().startswith("resent-") for name in parsed):
        raise InputError("a message that is sent again (Resent-) cannot be protected")
    visible = tuple(dict.fromkeys((*_addresses(parsed, "To"), *_addresses(parsed, "Cc"))))
    hidden = tuple(address for address in dict.fromkeys(_addresses(parsed, "Bcc")) if address not in visible)
    if not visible and not hidden:
        raise InputError("the message names no recipient")
    return _Envelope(visible, hidden)


def _addresses(parsed: Message, name: str) -> tuple[str, ...]:
    pairs = getaddresses([str(value) for value in parsed.get_all(name, [])])
    if any(not address for _display_name, address in pairs):
        raise InputError(f"{name} holds something that is not an address")
    return tuple(canonical_address(address) for _display_name, address in pairs)


def _reasons(found: Sequence[RecipientCertificate], because: Sequence[str]) -> str:
    reasons = [f"{recipient.address}: {recipient.reason}" for recipient in found if recipient.address in because]
    return "; ".join(reasons) or "the message names no recipient"

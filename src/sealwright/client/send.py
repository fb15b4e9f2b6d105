"""Sending a mail: parse, look up, decide, protect, relay. What cannot be protected is kept back, never sent in clear."""

import email
import email.policy
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from email.utils import getaddresses

from cryptography import x509

from sealwright.client.context import ClientContext
from sealwright.client.decision import RecipientState, decide
from sealwright.client.directory import RecipientCertificate, find_recipients
from sealwright.client.draft import identified
from sealwright.client.keys import load_signer
from sealwright.errors import (
    InputError,
    MailHeldError,
    OutcomeUnknownError,
    PathValidationError,
    SealwrightError,
    UnavailableError,
)
from sealwright.pkix.names import canonical_address
from sealwright.smime.compose import protect

MAX_MESSAGE_BYTES = 35 * 1024 * 1024


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


def send_message(context: ClientContext, message: bytes) -> SendReport:
    """Protect a message and relay it to its recipients.

    Args:
        context: The sender's mailbox.
        message: RFC 5322; From must be the mailbox's address, recipients are taken from To, Cc and Bcc.

    Raises:
        InputError: If the message cannot be sent as it is.
        MailHeldError: If a recipient has no usable certificate, the directory does not answer or the mail server does not
            take the message; it is kept sealed and nothing was sent.
        PathValidationError: If a recipient's certificate must not be used; nothing was sent.
        OutcomeUnknownError: If the mail server broke off when it had the mail; it is kept sealed and may have gone out.
        SealwrightError: What the mail server's refusal means, if it took the message for some recipients only; the error
            names both.
    """
    # 1 parse
    message = identified(message, context.store.state.address, context.clock.now())
    parsed = _parse(message)
    envelope = _envelope(parsed, context.store.state.address)
    everybody = (*envelope.visible, *envelope.hidden)
    # 2 look up
    try:
        found = find_recipients(context, everybody)
    except UnavailableError as error:
        held_id = context.store.hold_mail(message)
        raise MailHeldError(f"held as {held_id}, nothing was sent: {error.message}") from error
    # 3 decide
    decision = decide([RecipientState(recipient.address, recipient.state) for recipient in found])
    if decision.action == "reject":
        raise PathValidationError(f"nothing was sent: {_reasons(found, decision.because)}")
    if decision.action == "hold":
        held_id = context.store.hold_mail(message)
        raise MailHeldError(f"held as {held_id}, nothing was sent: no certificate for {', '.join(decision.because)}")
    # 4 protect: one message for those who are named, one for each blind copy, so that none shows up in another's
    own = context.key_ring.active_certificate()[0]
    certificates = {recipient.address: recipient.certificate for recipient in found}
    groups = [group for group in (envelope.visible, *((hidden,) for hidden in envelope.hidden)) if group]
    protected = [(group, protect_for(context, message, [certificates[one] for one in group], own)) for group in groups]
    # 5 relay
    _relay(context, protected, message)
    warnings = tuple(dict.fromkeys(warning for recipient in found for warning in recipient.warnings))
    return SendReport(everybody, decision.action == "encrypt", warnings)


def _relay(context: ClientContext, protected: Sequence[tuple[tuple[str, ...], bytes]], message: bytes) -> None:
    done: list[str] = []
    for group, content in protected:
        try:
            context.submit(group, content)
        except OutcomeUnknownError as error:
            held_id = context.store.hold_mail(message, perhaps_sent=True)
            others = f"; sent to {', '.join(done)} before" if done else ""
            raise OutcomeUnknownError(f"held as {held_id}{others}: {error.message}; ask before `held retry`") from error
        except SealwrightError as error:
            if done:
                reached, missed = ", ".join(done), ", ".join(to for one, _ in protected for to in one if to not in done)
                raise type(error)(f"sent to {reached}, but not to {missed}: {error.message}") from error
            held_id = context.store.hold_mail(message)
            raise MailHeldError(f"held as {held_id}, nothing was sent: {error.message}") from error
        done += group


def protect_for(
    context: ClientContext, message: bytes, recipients: Sequence[x509.Certificate | None], own: x509.Certificate | None
) -> bytes:
    """Sign a message with this device's key and encrypt it to recipients and, if given, to the sender.

    Where a recipient has no certificate, the message is only signed: the decision table was asked before.
    """
    certificates = [certificate for certificate in recipients if certificate is not None]
    if len(certificates) < len(recipients):
        certificates = []
    elif own is not None:
        certificates.append(own)
    signer = load_signer(context.store.state.signing_key)
    return protect(message, signer, list(dict.fromkeys(certificates)), signing_time=context.clock.now())


def encrypt_message(context: ClientContext, message: bytes) -> bytes:
    """Sign and encrypt a message for its recipients and the sender, without sending it.

    Raises:
        InputError: If the message cannot be sent as it is.
        MailHeldError: If a recipient has no usable certificate; nothing is kept.
    """
    envelope = _envelope(_parse(message), context.store.state.address)
    if envelope.hidden:
        raise InputError("blind copies get a message of their own; encrypt it without Bcc, once for each")
    found = find_recipients(context, envelope.visible)
    decision = decide([RecipientState(recipient.address, recipient.state) for recipient in found])
    if decision.action != "encrypt":
        raise MailHeldError(f"no usable certificate for {', '.join(decision.because)}")
    own = context.key_ring.active_certificate()[0]
    return protect_for(context, message, [recipient.certificate for recipient in found], own)


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

"""Sending a mail: parse, look up, decide, protect, relay. What cannot be protected is kept back, never sent in clear."""

import email
import email.policy
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from email.utils import getaddresses

from cryptography import x509

from sealwright.client.capabilities import announced_capabilities, own_recipient, reads_protected_headers, recipient_of
from sealwright.client.context import ClientContext
from sealwright.client.decision import Decision, RecipientState, decide
from sealwright.client.directory import RecipientCertificate, find_recipients
from sealwright.client.draft import identified
from sealwright.client.signing import ready_signer
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
from sealwright.smime.algorithm_choice import plan_copies
from sealwright.smime.compose import Protection, protect
from sealwright.smime.header_protection import POLICIES

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


def send_message(context: ClientContext, message: bytes, options: SendOptions | None = None) -> SendReport:
    """Protect a message and relay it to its recipients.

    Args:
        context: The sender's mailbox.
        message: RFC 5322; From must be the mailbox's address, recipients are taken from To, Cc and Bcc.
        options: How; without, the default.

    Raises:
        InputError: If the message cannot be sent as it is.
        MailHeldError: If a recipient has no usable certificate, the directory does not answer or the mail server does not
            take the message; it is kept sealed and nothing was sent.
        PathValidationError: If a recipient's certificate must not be used; nothing was sent.
        OutcomeUnknownError: If the mail server broke off when it had the mail; it is kept sealed and may have gone out.
        SealwrightError: What the mail server's refusal means, if it took the message for some recipients only; the error
            names both.
    """
    options = options or SendOptions()
    # 1 parse
    message = identified(message, context.store.state.address, context.clock.now())
    parsed = _parse(message)
    envelope = _envelope(parsed, context.store.state.address)
    everybody = (*envelope.visible, *envelope.hidden)
    held = HeldMail(message=message, options=options)
    # 2 look up
    try:
        found = find_recipients(context, everybody)
    except UnavailableError as error:
        held_id = context.store.hold_mail(held)
        raise MailHeldError(f"held as {held_id}, nothing was sent: {error.message}") from error
    # 3 decide
    decision = decide([RecipientState(recipient.address, recipient.state) for recipient in found])
    if decision.action == "reject":
        raise PathValidationError(f"nothing was sent: {_reasons(found, decision.because)}")
    if decision.action == "pass" and options.must_encrypt:
        decision = Decision("hold", everybody)
    if decision.action == "hold":
        held_id = context.store.hold_mail(held)
        raise MailHeldError(f"held as {held_id}, nothing was sent: no certificate for {', '.join(decision.because)}")
    # 4 protect: one message for those who are named, one for each blind copy, so that none shows up in another's
    groups = [group for group in (envelope.visible, *((hidden,) for hidden in envelope.hidden)) if group]
    protected = [copy for group in groups for copy in _copies(context, message, group, found, options)]
    # 5 relay
    _relay(context, protected, held)
    warnings = tuple(dict.fromkeys(warning for recipient in found for warning in recipient.warnings))
    return SendReport(everybody, decision.action == "encrypt", warnings)


def _relay(context: ClientContext, protected: Sequence[tuple[tuple[str, ...], bytes]], held: HeldMail) -> None:
    done: list[str] = []
    for group, content in protected:
        try:
            context.submit(group, content)
        except OutcomeUnknownError as error:
            held_id = context.store.hold_mail(held, perhaps_sent=True)
            others = f"; sent to {', '.join(done)} before" if done else ""
            raise OutcomeUnknownError(f"held as {held_id}{others}: {error.message}; ask before `held retry`") from error
        except SealwrightError as error:
            if done:
                reached, missed = ", ".join(done), ", ".join(to for one, _ in protected for to in one if to not in done)
                raise type(error)(f"sent to {reached}, but not to {missed}: {error.message}") from error
            held_id = context.store.hold_mail(held)
            raise MailHeldError(f"held as {held_id}, nothing was sent: {error.message}") from error
        done += group


def _copies(
    context: ClientContext,
    message: bytes,
    group: Sequence[str],
    found: Sequence[RecipientCertificate],
    options: SendOptions,
) -> list[tuple[tuple[str, ...], bytes]]:
    """Return the protected copies for people who may see each other, with the addresses that get each.

    Where one of them has no certificate, the message is only signed: the decision table was asked before.
    """
    known, certificates = context.store.state.programs, {each.address: each.certificate for each in found}
    recipients = []
    for address in group:
        certificate = certificates[address]
        if certificate is None:
            return [(tuple(group), sign_message(context, message))]
        recipients.append(recipient_of(known, address, certificate))
    protected = []
    for copy in plan_copies(recipients, own_recipient(context)):
        addresses = tuple(group[position] for position in copy.positions)
        if not addresses:
            continue  # the sender's own; this device files no sent mail
        protection = Protection(
            algorithms=copy.algorithms,
            header_policy=POLICIES[options.header_policy],
            legacy_display=not all(reads_protected_headers(known, address) for address in addresses),
            capabilities=announced_capabilities(context),
        )
        protected.append((addresses, _protect(context, message, copy.certificates, protection)))
    return protected


def sign_message(context: ClientContext, message: bytes) -> bytes:
    """Sign a message with this device's key, without encrypting it.

    Raises:
        InputError: If the message is malformed or too large.
    """
    return _protect(context, message, (), Protection(capabilities=announced_capabilities(context)))


def _protect(
    context: ClientContext, message: bytes, certificates: Sequence[x509.Certificate], protection: Protection
) -> bytes:
    signer, now = ready_signer(context), context.clock.now()
    return protect(message, signer, certificates, signing_time=now, protection=protection)


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
    copies = _copies(context, message, envelope.visible, found, SendOptions())
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

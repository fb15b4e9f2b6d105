"""A new mail from what a person gives: recipients, subject, text and files."""

import email.policy
import mimetypes
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from sealwright.errors import InputError
from sealwright.pkix.names import canonical_address


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail to be written.

    Attributes:
        to: Addresses that everybody sees.
        cc: Further ones.
        bcc: Addresses that nobody else sees.
        subject: One line.
        text: Of the body.
        attachments: Files to attach.
    """

    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    subject: str = ""
    text: str = ""
    attachments: Sequence[Path] = ()


def write_message(draft: Draft, sender: str) -> bytes:
    """Return the draft as an RFC 5322 message from a sender, with CRLF.

    Raises:
        InputError: If an address is malformed, the subject is not one line, or a file cannot be read.
    """
    message = EmailMessage(policy=email.policy.SMTPUTF8 if _needs_utf8(draft, sender) else email.policy.SMTP)
    message["From"] = sender
    try:
        for name, addresses in (("To", draft.to), ("Cc", draft.cc), ("Bcc", draft.bcc)):
            if addresses:
                message[name] = ", ".join(canonical_address(address) for address in addresses)
        message["Subject"] = draft.subject
        message.set_content(draft.text if draft.text.endswith("\n") else draft.text + "\n")
    except (ValueError, MessageError) as error:
        raise InputError("the subject or the text cannot be written in a mail") from error
    for path in draft.attachments:
        kind, encoding = mimetypes.guess_type(path.name)
        maintype, _, subtype = (kind if kind and not encoding else "application/octet-stream").partition("/")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
        message.add_attachment(content, maintype=maintype, subtype=subtype, filename=path.name)
    return bytes(message)


def identified(message: bytes, sender: str, now: datetime) -> bytes:
    """Return a message with the Date and Message-ID that it lacks (RFC 5322 section 3.6), at its head.

    A server on the way would add them outside the protection.

    Args:
        message: RFC 5322; any line ends.
        sender: Its domain goes into the Message-ID.
        now: Aware UTC.
    """
    head = message.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    present = {line.partition(b":")[0].strip().lower() for line in head.split(b"\n") if line[:1] not in (b" ", b"\t")}
    lines = b""
    if b"date" not in present:
        lines += f"Date: {format_datetime(now.replace(microsecond=0))}\r\n".encode()
    if b"message-id" not in present:
        domain = sender.rpartition("@")[2]
        lines += f"Message-ID: <{secrets.token_hex(16)}@{domain}>\r\n".encode()
    return lines + message


def _needs_utf8(draft: Draft, sender: str) -> bool:
    return not all(address.isascii() for address in (sender, *draft.to, *draft.cc, *draft.bcc))

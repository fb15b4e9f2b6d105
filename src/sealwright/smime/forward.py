"""A message that is passed on, as an attachment of another one, and tells nobody what it kept from others (RFC 9788 section 6.1).

- What was encrypted is passed on opened, so that it can be read, and never leaves in clear.
- A signature inside the encryption stays around what it covers: whoever gets it can verify who wrote it.
- The attached header is the protected one, and the subject of the new message is hidden outside like every other.
- To the one who may have sent somebody else's ciphertext as his own, it is not passed on: that would be an answer.
- A part that is encrypted by itself among others stays closed.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sealwright.errors import InputError, MailHeldError
from sealwright.smime.compose import BLIND_FIELDS, TRACE_FIELDS
from sealwright.smime.fields import Field, addresses, decode_field, first, split_entity
from sealwright.smime.header_protection import without_parameter
from sealwright.smime.legacy_display import remove_legacy_display
from sealwright.smime.originators import compared
from sealwright.smime.reply import Reply, fields_hidden_by_author, least_policy, subject_text
from sealwright.smime.transfer import canonical, crlf
from sealwright.smime.verdict import Verdict

_FORWARDED = re.compile(r"(?:fwd?|wg|tr)\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ForwardedTo:
    """Whom a message is passed on to; canonical addresses.

    Attributes:
        to: Named in To.
        cc: Named in Cc.
        bcc: Seen by nobody else.
    """

    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()


def write_forward(message: bytes, verdict: Verdict, text: str, sender: str, recipients: ForwardedTo) -> Reply:
    """Write a message that passes another one on.

    Args:
        message: As it was received.
        verdict: On it.
        text: Stands above the attachment.
        sender: Canonical address of the person who passes it on.
        recipients: At least one.

    Raises:
        InputError: If nobody is named, or the message stays closed.
        MailHeldError: If it would go back to somebody who may have sent another's ciphertext.
    """
    encrypted, author = verdict.summary.encrypted, verdict.summary.authentic_author
    everybody = {*recipients.to, *recipients.cc, *recipients.bcc}
    if not everybody:
        raise InputError("whom to pass the message on to is not given")
    if verdict.entity is None:
        raise InputError("the message stays closed; it cannot be passed on so that somebody can read it")
    # 1 An encrypted text whose author is not certain does not go back to where it may have come from.
    if encrypted and author is None and set(_senders(verdict)) & everybody:
        raise MailHeldError(
            "nothing was sent: who wrote the encrypted text is not known for certain, and its sender could be made to read it"
        )
    # 2 What is attached.
    attached = _opened(verdict, verdict.entity) if encrypted else crlf(message)
    # 3 The new message.
    boundary = secrets.token_hex(16).encode()
    subject = decode_field(first(verdict.headers.shown, "subject"))
    head = (
        b"From: " + sender.encode(),
        *(
            name + b": " + b",\r\n ".join(address.encode() for address in named)
            for name, named in ((b"To", recipients.to), (b"Cc", recipients.cc), (b"Bcc", recipients.bcc))
            if named
        ),
        b"Subject: " + subject_text(subject if _FORWARDED.match(subject) else f"Fwd: {subject}"),
        b"MIME-Version: 1.0",
        b'Content-Type: multipart/mixed; boundary="' + boundary + b'"',
        b"",
        b"--" + boundary,
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: 8bit",
        b"",
        text.rstrip("\n").encode("utf-8", "replace").replace(b"\n", b"\r\n"),
        b"--" + boundary,
        b"Content-Type: message/rfc822",
        *(() if attached.isascii() else (b"Content-Transfer-Encoding: 8bit",)),
        b'Content-Disposition: attachment; filename="message.eml"',
        b"",
        attached,
        b"--" + boundary + b"--",
        b"",
    )
    return Reply(b"\r\n".join(head), encrypted, least_policy(fields_hidden_by_author(verdict)))


def _senders(verdict: Verdict) -> list[str]:
    """Return everybody whom the header, inside or outside, names as one who sent it or wants the answer."""
    fields = [*verdict.headers.shown, *verdict.headers.outer]
    named = (each for name in ("from", "sender", "reply-to") for each in addresses(fields, name))
    return [address for address in map(compared, named) if address is not None]


def _opened(verdict: Verdict, entity: bytes) -> bytes:
    """Return a decrypted message as if it had never been encrypted: the header that counts, and what was inside.

    A signature directly inside is kept with what it covers; without one the payload's own copy of the header is left out.
    Blind copies, which one's own copy of a sent message names, are told to nobody: that signature cannot be kept.
    """
    names_blind = any(each.is_called(*BLIND_FIELDS) for each in verdict.headers.protected)
    keeps = verdict.decrypted is not None and verdict.summary.signed and not names_blind
    inside = verdict.decrypted if verdict.decrypted is not None and keeps else entity
    own, body = split_entity(inside)
    structural = [each for each in own if each.name.lower().startswith("content-")]
    header = [each for each in verdict.headers.shown if not each.is_called(*TRACE_FIELDS, *BLIND_FIELDS)]
    if keeps:  # a signature that was binary inside the encryption
        structural, body = canonical(structural, body)
    elif verdict.headers.protected:
        structural, body = remove_legacy_display(structural, crlf(body))
    plain = [
        Field(each.name, without_parameter(each.value, "hp")) if each.is_called("content-type") else each
        for each in structural
    ]
    return crlf(b"".join(each.line for each in (*header, Field("MIME-Version", b" 1.0"), *plain)) + b"\r\n" + body)

"""A reply to an opened message that tells nobody anything that the message kept from him (RFC 9788 section 6.1, RFC 9787).

What could go wrong, and the rule against it:

- The reply goes to people whom an attacker wrote into the outer header: recipients come from protected fields. Without them
  an encrypted message is answered to its one author only.
- An attacker sends somebody else's ciphertext as his own, and the reply quotes it to him: the text, the subject and the
  message identifier inside an encryption are used only if a valid signature inside it is by the author.
- What was hidden stands outside the reply: it is never sent in clear, its subject is hidden, and what else the author hid
  (names, recipients, message identifier) is hidden or left out.
- A part that is encrypted by itself among others is never opened (`parts`), and so never quoted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from sealwright.errors import InputError, MailHeldError
from sealwright.smime.fields import Field, addresses, decode_field, first, one_line, split_entity
from sealwright.smime.header_fields import encoded_words
from sealwright.smime.header_protection import hidden_fields, seen_fields
from sealwright.smime.originators import compared
from sealwright.smime.verdict import Verdict

MAX_REFERENCES = 20
"""The newest of a thread; programs need the last ones."""
MAX_MESSAGE_ID = 500
"""Octets: half of the longest line (RFC 5322 section 2.1.1)."""
_MESSAGE_ID = re.compile(
    rb"<[!-;=?A-~]+@[!-;=?-~]+>"
)  # one at sign at most on the left: with any number it is quadratic
_RE = re.compile(r"(?:re|aw|sv|antw)\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, or a mail that passes another one on, ready to be protected and sent.

    Attributes:
        message: RFC 5322 with CRLF.
        must_encrypt: It must not leave in clear: the original was encrypted.
        header_policy: The least that hides what the original hid; a name of `header_protection.POLICIES`.
    """

    message: bytes = field(repr=False)
    must_encrypt: bool
    header_policy: Literal["baseline", "shy"]


def write_reply(verdict: Verdict, text: str, sender: str, *, to_all: bool = False, quote: bool = False) -> Reply:
    """Write a reply.

    Args:
        verdict: On the message that is answered.
        text: Of the reply; it stands above what is quoted.
        sender: Canonical address of the person who answers.
        to_all: Answer the other recipients, too.
        quote: Quote the text that was shown.

    Raises:
        InputError: If the message says nobody to answer.
        MailHeldError: If the reply would tell somebody what he may not know.
    """
    encrypted, author = verdict.summary.encrypted, verdict.summary.authentic_author
    is_vouched = not encrypted or author is not None
    # 1 What the author hid, and which of the inner fields may be used.
    hidden = fields_hidden_by_author(verdict)
    # 2 Recipients.
    to, cc = _recipients(verdict, sender, hidden, to_all=to_all)
    # 3 The text.
    if quote and not is_vouched:
        raise MailHeldError(
            "nothing was sent: who wrote the encrypted text is not known for certain, and quoting it could give it away"
        )
    body = text.rstrip("\n") + "\n" + (_quoted(verdict) if quote else "")
    # 4 The header; names of people are left out.
    usable = verdict.headers.shown if is_vouched else verdict.headers.outer
    subject = decode_field(first(usable, "subject"))
    header = [
        b"From: " + sender.encode(),
        b"To: " + b",\r\n ".join(address.encode() for address in to),
        *([b"Cc: " + b",\r\n ".join(address.encode() for address in cc)] if cc else []),
        b"Subject: " + subject_text(subject if _RE.match(subject) else f"Re: {subject}"),
        *_thread(usable, hidden),
        b"MIME-Version: 1.0",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: 8bit",
    ]
    message = b"\r\n".join(header) + b"\r\n\r\n" + body.encode("utf-8", "replace").replace(b"\n", b"\r\n")
    return Reply(message, encrypted, least_policy(hidden))


def least_policy(hidden: Sequence[Field]) -> Literal["baseline", "shy"]:
    """Return the least policy that hides what fields hid, as far as they are written again."""
    return "shy" if any(each.is_called("from", "to", "cc", "date") for each in hidden) else "baseline"


def fields_hidden_by_author(verdict: Verdict) -> list[Field]:
    """Return the fields of an encrypted message that others did not see as they are."""
    if not verdict.summary.encrypted or verdict.entity is None or not verdict.headers.protected:
        return []
    return hidden_fields(split_entity(verdict.entity)[0])


def _quoted(verdict: Verdict) -> str:
    if verdict.body_text is None:
        return ""
    author = verdict.summary.authentic_author or next(iter(verdict.headers.author.addresses), "")
    lines = verdict.body_text.rstrip("\n").split("\n")
    return f"\n{one_line(author)} wrote:\n" + "".join(f"> {line}".rstrip() + "\n" for line in lines)


def _recipients(
    verdict: Verdict, sender: str, hidden: Sequence[Field], *, to_all: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return To and Cc."""
    headers, author = verdict.headers, verdict.summary.authentic_author
    if verdict.summary.encrypted and not headers.protected:
        if to_all:
            raise MailHeldError(
                "nothing was sent: the header of the encrypted message is not protected, so its recipients may have been "
                "changed; answer its author, or name the recipients yourself"
            )
        to = (author,) if author is not None else headers.author.addresses
    else:
        to = addresses(headers.shown, "reply-to") or addresses(headers.shown, "from")
    if not to:
        raise InputError("the message does not say whom to answer")
    to = _canonical(to)
    if to == (sender,):  # an answer to what one sent oneself goes to its recipients
        to = _canonical(addresses(headers.shown, "to")) or to
    if not to_all:
        return to, ()
    if verdict.summary.encrypted and author is None:
        raise MailHeldError(
            "nothing was sent: who wrote the message to all is not known for certain; answer one by one"
        )
    others = _canonical((*addresses(headers.shown, "to"), *addresses(headers.shown, "cc")))
    unseen = _unseen(verdict, hidden)
    return to, tuple(each for each in others if each not in (sender, *to, *unseen))


def _unseen(verdict: Verdict, hidden: Sequence[Field]) -> frozenset[str]:
    """Return recipients whose address did not stand outside: naming them would."""
    inside = _canonical(tuple(each for name in ("to", "cc") for each in addresses(hidden, name)))
    outer = seen_fields(split_entity(verdict.entity)[0] if verdict.entity is not None else [])
    seen = _canonical((*addresses(outer, "to"), *addresses(outer, "cc")))
    return frozenset(inside) - frozenset(seen)


def _canonical(found: Sequence[str]) -> tuple[str, ...]:
    """Return addresses as they are compared, without those that cannot be certified mailboxes."""
    canonical = map(compared, found)
    return tuple(dict.fromkeys(each for each in canonical if each is not None))


def _thread(header: Sequence[Field], hidden: Sequence[Field]) -> list[bytes]:
    """Return In-Reply-To and References (RFC 5322 section 3.6.4), without identifiers that the author hid."""
    kept = [each for each in header if each not in hidden]
    parents = _message_ids(kept, "message-id")[:1]
    references = [*_message_ids(kept, "references"), *parents][-MAX_REFERENCES:]
    lines = [b"In-Reply-To: " + parents[0]] if parents else []
    return [*lines, b"References: " + b"\r\n ".join(references)] if references else lines


def _message_ids(header: Sequence[Field], name: str) -> list[bytes]:
    value = first(header, name)
    return [found for found in _MESSAGE_ID.findall(value) if len(found) <= MAX_MESSAGE_ID]


def subject_text(text: str) -> bytes:
    """Return the value of a subject."""
    return text.encode("ascii") if text.isascii() and len(text) <= 900 else encoded_words(text)

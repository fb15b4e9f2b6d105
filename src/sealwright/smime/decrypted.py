"""A message without its encryption, for good: what was inside stays octet for octet, signatures included.

Header fields that the encryption protected take the place of those outside. What is written is compared with what was read before
anybody may throw the encrypted message away.
"""

from sealwright.errors import VerificationError
from sealwright.smime.entities import parse_entity
from sealwright.smime.fields import decode_field, first
from sealwright.smime.header_protection import is_structural
from sealwright.smime.verdict import Verdict


def is_encrypted(verdict: Verdict) -> bool:
    """Tell whether a message is encrypted as a whole."""
    return any(layer.kind == "encrypted" and not layer.is_errant for layer in verdict.layers)


def decrypted_message(message: bytes, verdict: Verdict) -> bytes:
    """Return a message with the innermost encryption taken away.

    Args:
        message: RFC 5322; CRLF or bare line feeds, which the result has, too.
        verdict: Of it, with the keys.

    Raises:
        VerificationError: If it was not opened whole.
    """
    if verdict.decrypted is None or verdict.entity is None:
        raise VerificationError("the message was not opened")
    inner, protected = parse_entity(verdict.decrypted), verdict.headers.protected
    names, written = {each.name.lower() for each in protected}, set[str]()
    lines: list[bytes] = []
    for field in parse_entity(message).fields:
        name = field.name.lower()
        if is_structural(field):
            continue
        if name not in names:
            lines.append(field.line)
        elif name not in written:
            written.add(name)
            lines += [each.line for each in protected if each.name.lower() == name]
    lines += [each.line for each in protected if each.name.lower() not in written and not is_structural(each)]
    lines.append(b"MIME-Version: 1.0\r\n")
    lines += [field.line for field in inner.fields if is_structural(field) and not field.is_called("mime-version")]
    whole = b"".join(lines) + b"\r\n" + inner.body
    has_crlf = b"\r\n" in message[: message.find(b"\n") + 1]
    return whole if has_crlf else whole.replace(b"\r\n", b"\n")


def check_decrypted(written: bytes, before: Verdict, after: Verdict) -> None:
    """Check that a message without its encryption says the same, and that its signatures hold as before.

    Args:
        written: The message without its encryption.
        before: Of the encrypted message, with the keys.
        after: Of `written`, without any.

    Raises:
        VerificationError: If anything differs.
    """
    if is_encrypted(after) or before.decrypted is None:
        raise VerificationError("the message is still encrypted")
    if _body(written) != _body(before.decrypted):
        raise VerificationError("what is written is not what was inside")
    outside = decode_field(first(after.headers.outer, "subject"))
    if not before.headers.subject == after.headers.subject == outside:
        raise VerificationError("the subject is not the same")
    if _content(before) != _content(after) or [each.content for each in before.attachments] != [
        each.content for each in after.attachments
    ]:
        raise VerificationError("the content is not the same")
    if _intact(before) != _intact(after):
        raise VerificationError("a signature does not hold any more")


def _content(verdict: Verdict) -> bytes:
    if verdict.entity is None:
        raise VerificationError("the message is not open")
    return _body(verdict.entity)


def _body(entity: bytes) -> bytes:
    return parse_entity(entity).body.replace(b"\r\n", b"\n")


def _intact(verdict: Verdict) -> list[bool]:
    """Return which signatures inside the innermost encryption hold: one around it goes with it."""
    kinds = [layer.kind for layer in verdict.layers if not layer.is_errant]
    inside = len(kinds) - kinds[::-1].index("encrypted") if "encrypted" in kinds else 0
    whole = [layer for layer in verdict.layers if not layer.is_errant]
    return [signer.is_intact for layer in whole[inside:] for signer in layer.signers]

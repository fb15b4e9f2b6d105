"""Reading mail: decrypt with any generation, then say who signed it, and how sure that is."""

from dataclasses import dataclass, field, replace
from typing import Literal

from sealwright.client.capabilities import learn
from sealwright.client.context import ClientContext
from sealwright.client.trust import trust_of
from sealwright.cms.decryptors import FindKeys
from sealwright.errors import DecodingError, DecryptionError, InputError, NotFoundError
from sealwright.net.imap import Mailbox
from sealwright.smime.parts import Attachment
from sealwright.smime.signers import SignerVerdict
from sealwright.smime.trust import Trust
from sealwright.smime.verdict import Verdict, judge_message

INBOX = "INBOX"
SignatureState = Literal["none", "valid", "invalid", "untrusted", "wrong-sender"]


@dataclass(frozen=True, slots=True)
class SignatureView:
    """What is known about a message's signature.

    Attributes:
        state: "valid": whole, trusted, and by the sender. "untrusted": whole, but no valid path. "wrong-sender": whole
            and trusted, but by another address than From. "invalid": broken. "none": there is none.
        signer: Addresses of the signing certificate.
        identity_level: How the signer's identity was validated; "unknown" unless the state is "valid".
        signing_time: As the signer claims, ISO 8601, or empty.
        reason: For people, where the state is not "valid".
        warnings: For people.
        countersigned_by: Addresses of those whose valid countersignature lies over the signature.
    """

    state: SignatureState
    signer: tuple[str, ...] = ()
    identity_level: str = "unknown"
    signing_time: str = ""
    reason: str = ""
    warnings: tuple[str, ...] = ()
    countersigned_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """A message as it is shown.

    Attributes:
        uid: In the folder; 0 for one that came from elsewhere.
        encrypted: The lock.
        authenticated_encryption: Encryption that protects integrity, too.
        headers_protected: Subject and From come from inside.
        from_addresses: Of the header that counts.
        subject: Decoded.
        body_text: Decoded.
        attachments: With content.
        signature: The tick, and more.
        problem: Why it could not be opened; everything else is empty then.
        entity: The inner message.
        verdict: Everything that is known; None where there is a problem.
    """

    uid: int
    encrypted: bool = False
    authenticated_encryption: bool = False
    headers_protected: bool = False
    from_addresses: tuple[str, ...] = ()
    subject: str = ""
    body_text: str = field(default="", repr=False)
    attachments: tuple[Attachment, ...] = field(default=(), repr=False)
    signature: SignatureView = SignatureView("none")
    problem: str = ""
    entity: bytes = field(default=b"", repr=False)
    verdict: Verdict | None = field(default=None, repr=False)


def read_message(context: ClientContext, message: bytes, uid: int = 0) -> ReadMessage:
    """Open a message with the keys of this device, judge it by what the device trusts, remember what its author reads.

    Raises:
        DecodingError: If it is malformed.
        DecryptionError: If no key of this device opens it.
    """
    opened = read_message_with(message, context.key_ring.find_keys, trust_of(context), uid)
    if opened.verdict is not None:
        learn(context, opened.verdict)
    return opened


def read_message_with(message: bytes, find_keys: FindKeys, trust: Trust, uid: int = 0) -> ReadMessage:
    """Open a message and judge its signature.

    Raises:
        DecodingError: If it is malformed.
        DecryptionError: If no key opens it.
    """
    verdict = judge_message(message, find_keys, trust)
    if any(layer.encryption is not None and not layer.encryption.is_decrypted for layer in verdict.layers):
        raise DecryptionError
    return ReadMessage(
        uid=uid,
        encrypted=verdict.summary.encrypted,
        authenticated_encryption=verdict.is_authenticated_encryption,
        headers_protected=bool(verdict.headers.protected),
        from_addresses=verdict.headers.author.addresses,
        subject=verdict.headers.subject,
        body_text=verdict.body_text or "",
        attachments=verdict.attachments,
        signature=signature_view(verdict),
        entity=verdict.entity or b"",
        verdict=verdict,
    )


def list_inbox(context: ClientContext, mailbox: Mailbox, limit: int) -> list[ReadMessage]:
    """Open the newest mails of the inbox, newest first; one that cannot be opened says why."""
    found = []
    for uid in mailbox.newest(INBOX, limit):
        raw = mailbox.fetch(INBOX, uid)
        if raw is None:
            continue
        try:
            found.append(read_message(context, raw, uid))
        except (DecodingError, DecryptionError) as error:
            found.append(ReadMessage(uid=uid, problem=error.message))
    return found


def fetch_mail(mailbox: Mailbox, number: int | None, uid: int | None) -> tuple[int, bytes]:
    """Fetch one mail of the inbox.

    Args:
        mailbox: Open.
        number: 1 for the newest, as the list counts.
        uid: Or the UID.

    Raises:
        NotFoundError: If there is no such mail.
        InputError: If the number is below 1.
    """
    if uid is None:
        if number is None or number < 1:
            raise InputError("mails are counted from 1, the newest")
        uids = mailbox.newest(INBOX, number)
        if len(uids) < number:
            raise NotFoundError(f"the inbox has {len(uids)} mails, not {number}")
        uid = uids[number - 1]
    raw = mailbox.fetch(INBOX, uid)
    if raw is None:
        raise NotFoundError(f"the inbox has no mail with UID {uid}")
    return uid, raw


def signature_view(verdict: Verdict) -> SignatureView:
    """Say in one word, and in one sentence, what a message's signature is worth."""
    warnings = tuple(each.message for each in verdict.cautions)
    if verdict.signature is None or not verdict.signature.signers:
        return SignatureView("none", warnings=warnings)
    signers, summary = verdict.signature.signers, verdict.summary
    author = next((signer for signer in signers if signer.matches_from), signers[0])
    bad = next((signer for signer in signers if not signer.is_valid), author)
    view = SignatureView("valid", author.addresses, author.identity_level, _time(author), warnings=warnings)
    if not bad.is_intact:
        return SignatureView("invalid", reason=bad.reason, warnings=warnings)
    if not bad.is_trusted:
        return replace(view, state="untrusted", identity_level="unknown", reason=bad.reason)
    if summary.authentic_author is None:
        reason = next((each.message for each in verdict.cautions if each.code == "signer-is-not-from"), "")
        reason = reason or "who wrote the message is not beyond doubt"
        return replace(view, state="wrong-sender", identity_level="unknown", reason=reason)
    return view


def signer_view(signer: SignerVerdict) -> SignatureView:
    """Say what the signature of a document is worth, which has no sender."""
    warnings = tuple(each.message for each in signer.cautions)
    if not signer.is_intact:
        return SignatureView("invalid", reason=signer.reason, warnings=warnings)
    state: SignatureState = "valid" if signer.is_trusted else "untrusted"
    over = tuple(address for each in signer.countersigners if each.is_valid for address in each.addresses)
    return SignatureView(state, signer.addresses, signer.identity_level, _time(signer), signer.reason, warnings, over)


def _time(signer: SignerVerdict) -> str:
    return signer.signing_time.isoformat() if signer.signing_time else ""

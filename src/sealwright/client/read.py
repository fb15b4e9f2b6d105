"""Reading mail: decrypt with any generation, then say who signed it, and how sure that is."""

from dataclasses import dataclass, field
from typing import Literal

from cryptography import x509

from sealwright.client.context import ClientContext
from sealwright.client.directory import check_certificate
from sealwright.client.revocation import RevocationLists
from sealwright.cms.signed import SignerReport
from sealwright.errors import DecodingError, DecryptionError, InputError, NotFoundError, PathValidationError
from sealwright.net.imap import Mailbox
from sealwright.pkix.levels import identity_level
from sealwright.pkix.names import canonical_address, certificate_addresses
from sealwright.smime.parts import Attachment
from sealwright.smime.read import OpenedMessage, open_message

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
    """

    state: SignatureState
    signer: tuple[str, ...] = ()
    identity_level: str = "unknown"
    signing_time: str = ""
    reason: str = ""
    warnings: tuple[str, ...] = ()


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


def read_message(context: ClientContext, message: bytes, uid: int = 0) -> ReadMessage:
    """Open a message and judge its signature.

    Raises:
        DecodingError: If it is malformed.
        DecryptionError: If no key of this device opens it.
    """
    opened = open_message(message, context.key_ring.find_keys)
    return ReadMessage(
        uid=uid,
        encrypted=opened.encrypted,
        authenticated_encryption=opened.encrypted and opened.authenticated_encryption,
        headers_protected=opened.headers_protected,
        from_addresses=opened.from_addresses,
        subject=opened.subject,
        body_text=opened.body_text,
        attachments=opened.attachments,
        signature=judge_signature(context, opened),
        entity=opened.entity,
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


def judge_signature(context: ClientContext, opened: OpenedMessage) -> SignatureView:
    """Say what an opened message's signature is worth."""
    if opened.signature_error is not None:
        return SignatureView("invalid", reason=opened.signature_error)
    if opened.verified is None:
        return SignatureView("none")
    signer = opened.verified.signers[0]
    if len(opened.from_addresses) != 1:
        return SignatureView("wrong-sender", reason="the message does not have exactly one sender")
    return judge_signer(context, signer, opened.verified.certificates, opened.from_addresses[0])


def judge_signer(
    context: ClientContext, signer: SignerReport, certificates: tuple[x509.Certificate, ...], sender: str | None
) -> SignatureView:
    """Judge a signer whose signature is whole.

    Args:
        context: Gives anchors, revocation and time.
        signer: From `cms.signed.verify`, so that its certificate is there.
        certificates: That came along.
        sender: Address that has to be the signer's; None for a document, which has no sender.
    """
    signing_time = signer.signing_time.isoformat() if signer.signing_time else ""
    assert signer.certificate is not None
    try:
        addresses = certificate_addresses(signer.certificate)
        address = canonical_address(sender) if sender is not None else (addresses[0] if addresses else "")
    except InputError as error:
        return SignatureView("untrusted", signing_time=signing_time, reason=error.message)
    if address not in addresses:
        reason = f"signed by {', '.join(addresses) or 'nobody who is named'}, but sent as {address}"
        return SignatureView("wrong-sender", addresses, signing_time=signing_time, reason=reason)
    lists = RevocationLists(context.statement.endpoints, context.smime_anchors)
    try:
        warnings = check_certificate(context, signer.certificate, certificates, address, "sign", lists)
    except (PathValidationError, DecodingError) as error:
        return SignatureView("untrusted", addresses, signing_time=signing_time, reason=error.message)
    level = identity_level(signer.certificate)
    return SignatureView("valid", addresses, level, signing_time, warnings=tuple(warnings))

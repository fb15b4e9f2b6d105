"""Recovery for the requester: asking, fetching what was approved, and reading the messages with it."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from cryptography import x509

from sealwright.client.approvals import find_proposal, list_proposals, propose
from sealwright.client.context import ClientContext
from sealwright.client.keys import KeyRing, load_certificates
from sealwright.client.read import ReadMessage, read_message_with
from sealwright.client.release import accept_key
from sealwright.client.remote_decrypt import content_key_item
from sealwright.client.state import RecoveredHistory
from sealwright.client.trust import trust_of
from sealwright.cms.decryptors import FindKeys, KeyDecryptor, WrappedKey
from sealwright.cms.identifiers import RecipientIdentifier
from sealwright.errors import (
    DecodingError,
    DecryptionError,
    InputError,
    LogVerificationError,
    NotFoundError,
    VerificationError,
)
from sealwright.wire.api import KeyCertificate
from sealwright.wire.approvals import ProposalView
from sealwright.wire.content_keys import MAX_ITEMS, ContentKeyItem, decode_content_keys
from sealwright.wire.encoding import decode_json, sha256
from sealwright.wire.hpke import hpke_open
from sealwright.wire.leaf_check import check_leaf
from sealwright.wire.manifest import decode_released_keys
from sealwright.wire.recovery import (
    RECOVER_LEAF,
    RECOVERY,
    RecoveryAnswer,
    RecoveryFetch,
    RecoveryItem,
    RecoveryMessage,
    RecoveryRequest,
    RecoveryTarget,
    RecoveryTargetRequest,
    RecoveryTenure,
    deferred_chain,
    items_digest,
)


@dataclass(slots=True)
class _Collected:
    """The RecipientInfos of one message that are for a mailbox, and the content keys that are known for them."""

    items: dict[tuple[str, bytes], ContentKeyItem] = field(default_factory=dict)
    keys: dict[tuple[str, bytes], bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class _CollectingDecryptor:
    """Notes what a key would have to unwrap, and answers what is known already."""

    key_id: str
    collected: _Collected

    def unwrap_key(self, wrapped: WrappedKey) -> bytes | None:
        """See `cms.decryptors.KeyDecryptor.unwrap_key`."""
        item = content_key_item(self.key_id, wrapped)
        if item is None:
            return None
        place = (self.key_id, item.recipient_info)
        self.collected.items[place] = item
        return self.collected.keys.get(place)


def show_target(context: ClientContext, address: str) -> RecoveryTarget:
    """Return the rule, and whose keys an address has, now and before.

    Raises:
        PermissionDeniedError: If this person may not ask for recoveries.
        NotFoundError: If there is no rule, or nobody ever had the address.
    """
    return context.session.post("/v1/recoveries/target", RecoveryTargetRequest(address=address), RecoveryTarget)


def request_recovery(
    context: ClientContext,
    address: str,
    messages: Sequence[bytes],
    reason: str,
    case_number: str,
    mailbox_id: str | None = None,
) -> ProposalView:
    """Ask for the key history of a mailbox, or for the content keys of messages alone.

    Args:
        context: The requester's mailbox; what is recovered is sealed to this device.
        address: Whose keys.
        messages: RFC 5322; none asks for the whole history.
        reason: For the officers and the log.
        case_number: Of the requester's own files.
        mailbox_id: Or its beginning, where the address had several holders.

    Raises:
        InputError: If a message is not encrypted for the mailbox, or the address had several holders and none is named.
        SealwrightError: What the server's problem says.
    """
    target = show_target(context, address)
    tenure = _choose(target.tenures, mailbox_id)
    device = context.device_keys
    named = []
    for message in messages:
        items = _collect(context, message, tenure, _Collected())
        if not items:
            raise InputError("a message is not encrypted for a key of that mailbox")
        lines = (
            RecoveryItem(
                recipient_info_sha256=sha256(item.recipient_info), key_id=item.key_id, key_bytes=item.key_bytes
            )
            for item in items
        )
        named.append(RecoveryMessage(message_sha256=sha256(message), items=tuple(lines)))
    wanted = RecoveryRequest(
        mailbox_id=tenure.mailbox_id,
        address=tenure.address,
        what="messages" if named else "history",
        device_id=context.enrolled.device_id,
        device_thumbprint=device.public.thumbprint(),
        rule_version=target.rule_version,
        messages=tuple(named),
    )
    wanted.check()
    return propose(context, RECOVERY, msgspec.json.encode(wanted), reason, case_number)


def list_recoveries(context: ClientContext) -> tuple[ProposalView, ...]:
    """Return the recoveries that were asked for, as far as this person may see them, newest first."""
    return tuple(view for view in list_proposals(context) if view.proposal.kind == RECOVERY)


def find_recovery(context: ClientContext, chosen: str) -> ProposalView:
    """Return a recovery by its id or the beginning of it.

    Raises:
        NotFoundError: If there is none.
        InputError: If there are several, or the proposal is of another kind.
    """
    view = find_proposal(context, chosen)
    if view.proposal.kind != RECOVERY:
        raise InputError(f"{chosen} is no recovery")
    return view


def fetch_history(context: ClientContext, view: ProposalView) -> RecoveredHistory:
    """Fetch an approved key history and keep it in this device's store.

    Raises:
        ApprovalsMissingError: If it is not approved, or a delay is not over.
        VerificationError: If the answer is not what was approved.
        LogVerificationError: If the log does not show it.
        SealwrightError: What the server's problem says.
    """
    wanted = decode_json(view.proposal.content, RecoveryRequest)
    if wanted.what != "history":
        raise InputError("only single messages were approved: read them with `sealwright recovery decrypt`")
    answer, content = _fetch(context, view, wanted, ())
    opened = {key.key_id: key.private_key_pkcs8 for key in decode_released_keys(content)}
    released = answer.manifest.released_keys()
    if not released or set(opened) != {key.key_id for key in released}:
        raise VerificationError("the recovery does not hold the keys that it lists")
    history = RecoveredHistory(
        proposal_id=view.proposal.proposal_id,
        address=wanted.address,
        keys=tuple(
            accept_key(key, opened[key.key_id], [row for row in answer.certificates if row.key_id == key.key_id], None)
            for key in released
        ),
    )
    others = (each for each in context.store.state.recovered if each.proposal_id != history.proposal_id)
    context.store.update({"recovered": (*others, history)})
    return history


def drop_history(context: ClientContext, chosen: str) -> RecoveredHistory:
    """Forget a recovered history.

    Raises:
        NotFoundError: If there is none.
    """
    known = context.store.state.recovered
    found = next((each for each in known if len(chosen) >= 6 and each.proposal_id.startswith(chosen.lower())), None)
    if found is None:
        raise NotFoundError(f"this device keeps no recovered history {chosen}")
    context.store.update({"recovered": tuple(each for each in known if each is not found)})
    return found


def read_recovered(context: ClientContext, message: bytes) -> ReadMessage:
    """Read a message with a recovered history, or with content keys that were approved for it.

    Raises:
        NotFoundError: If no recovery of this person covers the message.
        DecryptionError: If it does not open.
        SealwrightError: As `fetch_history`.
    """
    # 1 With a history that is here already.
    for history in context.store.state.recovered:
        with contextlib.suppress(DecryptionError):
            return read_message_with(message, KeyRing(history.keys).find_keys, trust_of(context))
    # 2 With the content keys of this very message.
    digest = sha256(message)
    for view in list_recoveries(context):
        wanted = _readable(context, view)
        if wanted is not None and any(each.message_sha256 == digest for each in wanted.messages):
            return _read_with_content_keys(context, view, wanted, message)
    raise NotFoundError("no approved recovery of yours covers this message; ask with `sealwright recovery request`")


def _read_with_content_keys(
    context: ClientContext, view: ProposalView, wanted: RecoveryRequest, message: bytes
) -> ReadMessage:
    tenure = _choose(show_target(context, wanted.address).tenures, wanted.mailbox_id)
    collected = _Collected()
    items = tuple(item for item in _collect(context, message, tenure, collected) if wanted.covers(item))[:MAX_ITEMS]
    if not items:
        raise InputError("the message is not encrypted for a key of that mailbox")
    answer, content = _fetch(context, view, wanted, items)
    keys = decode_content_keys(content)
    right = len(keys) == len(items) and all(len(key) == item.key_bytes for key, item in zip(keys, items, strict=True))
    if not right or answer.manifest.keys:
        raise VerificationError("the recovery answers with other keys than were asked for")
    collected.keys = {(item.key_id, item.recipient_info): key for item, key in zip(items, keys, strict=True)}
    return read_message_with(message, _find_keys(tenure.certificates, collected), trust_of(context))


def _fetch(
    context: ClientContext, view: ProposalView, wanted: RecoveryRequest, items: tuple[ContentKeyItem, ...]
) -> tuple[RecoveryAnswer, bytes]:
    """Fetch, check every claim, and open."""
    proposal, statement, device = view.proposal, context.statement, context.device_keys
    path = f"/v1/recoveries/{proposal.proposal_id}/fetch"
    answer = context.session.post(path, RecoveryFetch(items=items), RecoveryAnswer)
    manifest = answer.manifest
    # 1 The key management said it, to this device, about what was approved.
    manifest.verify(answer.signature, statement.release_key)
    said = (manifest.organization_id, manifest.mailbox_id, manifest.proposal_id, manifest.subject_sha256)
    if said != (context.enrolled.organization_id, wanted.mailbox_id, proposal.proposal_id, proposal.digest()):
        raise VerificationError("the answer is of another recovery")
    if manifest.device_thumbprint != device.public.thumbprint():
        raise VerificationError("the recovery is for another device")
    if manifest.items_sha256 != (items_digest(items) if items else b""):
        raise VerificationError("the recovery answers something else than was asked for")
    # 2 The log shows it.
    record = check_leaf(answer.leaf, answer.checkpoint, statement.log_origin, statement.log_key)
    named = (record.kind, record.organization_id, record.fields.get("subject"))
    chains = (wanted.mailbox_id, deferred_chain(wanted.mailbox_id))
    if named != (RECOVER_LEAF, manifest.organization_id, proposal.digest().hex()) or record.chain_id not in chains:
        raise LogVerificationError("the log's leaf is not about this recovery")
    if manifest.leaf_hash != answer.leaf.leaf_hash:
        raise LogVerificationError("the recovery names another leaf than the one that was shown")
    # 3 Open.
    return answer, hpke_open(device.hpke_private_key, manifest.encode(), answer.sealed)


def _readable(context: ClientContext, view: ProposalView) -> RecoveryRequest | None:
    if view.state not in ("approved", "done") or view.proposal.requester != context.enrolled.mailbox_id:
        return None
    try:
        wanted = decode_json(view.proposal.content, RecoveryRequest)
    except DecodingError:
        return None
    return wanted if wanted.device_id == context.enrolled.device_id else None


def _collect(
    context: ClientContext, message: bytes, tenure: RecoveryTenure, collected: _Collected
) -> tuple[ContentKeyItem, ...]:
    """Return what would have to be unwrapped to read a message, without any key."""
    with contextlib.suppress(DecryptionError):
        read_message_with(message, _find_keys(tenure.certificates, collected), trust_of(context))
    return tuple(collected.items.values())


def _find_keys(certificates: Sequence[KeyCertificate], collected: _Collected) -> FindKeys:
    """Return who looks keys up by the certificates of a mailbox."""
    loaded = [(row.key_id, load_certificates([row.certificate])[0]) for row in certificates]

    def find(recipient: RecipientIdentifier) -> Sequence[KeyDecryptor]:
        ids = dict.fromkeys(key_id for key_id, certificate in loaded if _is_named(recipient, certificate))
        return [_CollectingDecryptor(key_id, collected) for key_id in ids]

    return find


def _is_named(recipient: RecipientIdentifier, certificate: x509.Certificate) -> bool:
    computed = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest
    return recipient.matches(certificate) or recipient.subject_key_identifier == computed


def _choose(tenures: Sequence[RecoveryTenure], mailbox_id: str | None) -> RecoveryTenure:
    if mailbox_id is None and len(tenures) > 1:
        listed = ", ".join(f"{each.mailbox_id[:8]} ({each.state}, since {each.created:%Y-%m-%d})" for each in tenures)
        raise InputError(f"the address had several holders; choose one with --tenure: {listed}")
    found = [each for each in tenures if mailbox_id is None or each.mailbox_id.startswith(mailbox_id)]
    if len(found) != 1:
        raise NotFoundError(f"the address has no holder {mailbox_id}, or several of that beginning")
    return found[0]

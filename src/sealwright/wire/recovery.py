"""Recovery of keys under a quorum: the rule, what is asked for and approved, and what the requester's device gets.

Either the whole key history of a mailbox is recovered, or only the content keys of named messages. Then the request lists the
digest of each message and of each RecipientInfo before anybody approves, so that nothing else is ever unwrapped for it.
"""

from datetime import timedelta
from typing import Final, Literal, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from msgspec import Struct

from sealwright.errors import DecodingError, InputError, InvalidSignatureError
from sealwright.wire.api import Answer, KeyCertificate, LeafOpening, Request
from sealwright.wire.content_keys import KEY_LENGTHS, ContentKeyItem
from sealwright.wire.encoding import AwareDatetime, decode_fields, encode_fields, sha256
from sealwright.wire.manifest import RELEASED_STATES, ManifestKey, encode_manifest_key
from sealwright.wire.roles import ADMINISTRATOR, RECOVERY_OFFICER, SECURITY_OFFICER

RULE: Final = "recovery-rule"
RULE_CHANGE: Final = "recovery.rule"
RECOVERY: Final = "key.recovery"
ANNOUNCE_LEAF: Final = "recovery.announce"
RECOVER_LEAF: Final = "key.recover"
REQUESTER_ROLES: Final = frozenset((ADMINISTRATOR, RECOVERY_OFFICER, SECURITY_OFFICER))
"""Who may ask for a recovery or an exit."""
MAX_MESSAGES = 200
"""In one request: the leaf names each by its digest and stays below its limit."""
MAX_ITEMS = 1000
"""RecipientInfos in one request; most messages have one for each slot of the mailbox."""
MAX_NEEDED = 20
MAX_LIFE = timedelta(days=31)
"""The keystore counts no approval longer."""
MAX_OWNER_DELAY = timedelta(days=366)
"""Legal delays end: after this the owner is told whatever the rule says."""
DEFERRED_PREFIX = "deferred/"
_RULE_PURPOSE = "sealwright recovery rule"
_VALUE_BYTES = 4


class RecoveryRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Under which conditions keys of an organization's mailboxes are recovered.

    Attributes:
        needed: M: how many recovery officers must approve, the requester not counted.
        request_seconds: Until when a request must be approved.
        approval_seconds: How long an approval is good, from when it is signed.
        release_delay_seconds: From the announcement until keys are given out: time for the owner, and for a veto.
        owner_delay_seconds: From the announcement until the owner is told; 0 tells at once, more is a legal delay.
        level: Release level that the requester's device must have proved, 1 to 4.
    """

    needed: int = 2
    request_seconds: int = 7 * 86_400
    approval_seconds: int = 7 * 86_400
    release_delay_seconds: int = 0
    owner_delay_seconds: int = 0
    level: int = 1

    def check(self) -> None:
        """Check that the rule can be kept.

        Raises:
            InputError: If it cannot.
        """
        if not 2 <= self.needed <= MAX_NEEDED:
            raise InputError(f"a recovery needs 2 to {MAX_NEEDED} approvals")
        for seconds in (self.request_seconds, self.approval_seconds):
            if not 60 <= seconds <= MAX_LIFE.total_seconds():
                raise InputError(f"requests and approvals live from a minute to {MAX_LIFE.days} days")
        if not 0 <= self.release_delay_seconds < self.approval_seconds:
            raise InputError("keys are given out before the approvals have expired")
        if not 0 <= self.owner_delay_seconds <= MAX_OWNER_DELAY.total_seconds():
            raise InputError(f"the owner is told after at most {MAX_OWNER_DELAY.days} days")
        if self.level not in range(1, 5):
            raise InputError("release levels are 1 to 4")

    def encode(self) -> bytes:
        """Encode as the content of a vouched row.

        Raises:
            InputError: If it is no rule.
        """
        self.check()
        lives = (self.request_seconds, self.approval_seconds)
        delays = (self.release_delay_seconds, self.owner_delay_seconds)
        values = (value.to_bytes(_VALUE_BYTES, "big") for value in (self.needed, *lives, *delays, self.level))
        return encode_fields(_RULE_PURPOSE, 1, *values)

    @classmethod
    def decode(cls, encoded: bytes) -> Self:
        """Decode what `encode` made.

        Raises:
            DecodingError: If it is not that.
        """
        fields = decode_fields(_RULE_PURPOSE, 1, encoded)
        if len(fields) != 6 or any(len(field) != _VALUE_BYTES for field in fields):
            raise DecodingError("not a recovery rule")
        needed, request, approval, release_delay, owner_delay, level = (int.from_bytes(each, "big") for each in fields)
        rule = cls(
            needed=needed,
            request_seconds=request,
            approval_seconds=approval,
            release_delay_seconds=release_delay,
            owner_delay_seconds=owner_delay,
            level=level,
        )
        try:
            rule.check()
        except InputError as error:
            raise DecodingError("not a recovery rule") from error
        return rule


class RecoveryRuleChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content of a proposal of kind `RULE_CHANGE`.

    Attributes:
        rule: From then on.
        from_version: Of the row that this follows; 0 for none.
    """

    rule: RecoveryRule
    from_version: int


class RecoveryItem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One RecipientInfo that is to be unwrapped.

    Attributes:
        recipient_info_sha256: Of its DER, as it is handed in later.
        key_id: Which key of the mailbox unwraps it.
        key_bytes: What the content's cipher needs.
    """

    recipient_info_sha256: bytes
    key_id: str
    key_bytes: int


class RecoveryMessage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One message.

    Attributes:
        message_sha256: Of the file, so that officers can compare it with the one that they were shown.
        items: The RecipientInfos that are for the mailbox.
    """

    message_sha256: bytes
    items: tuple[RecoveryItem, ...]


class RecoveryRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content of a proposal of kind `RECOVERY`: all of it is signed by each officer.

    Attributes:
        mailbox_id: Whose keys.
        address: For people to read.
        what: "history", all keys; or "messages", the content keys of `messages` only.
        device_id: The requester's device.
        device_thumbprint: Of it: nobody else can open what is given out.
        rule_version: Of the rule's row.
        messages: Empty for "history".
    """

    mailbox_id: str
    address: str
    what: Literal["history", "messages"]
    device_id: str
    device_thumbprint: bytes
    rule_version: int
    messages: tuple[RecoveryMessage, ...] = ()

    def check(self) -> None:
        """Check that it asks for something that can be given.

        Raises:
            InputError: If not.
        """
        items = [item for message in self.messages for item in message.items]
        if (self.what == "messages") != bool(items) or (self.what == "history" and self.messages):
            raise InputError("a recovery is of the history, or of messages that are encrypted for the mailbox")
        if len(self.messages) > MAX_MESSAGES or len(items) > MAX_ITEMS:
            raise InputError(f"one recovery names at most {MAX_MESSAGES} messages and {MAX_ITEMS} recipients of them")
        digests = [message.message_sha256 for message in self.messages]
        digests += [item.recipient_info_sha256 for item in items]
        if len(self.device_thumbprint) != 32 or any(len(digest) != 32 for digest in digests):
            raise InputError("digests have 32 octets")
        if any(item.key_bytes not in KEY_LENGTHS for item in items):
            raise InputError("no content cipher has keys of this length")

    def covers(self, item: ContentKeyItem) -> bool:
        """Tell whether an item is among those that were approved."""
        wanted = RecoveryItem(
            recipient_info_sha256=sha256(item.recipient_info), key_id=item.key_id, key_bytes=item.key_bytes
        )
        return any(wanted == each for message in self.messages for each in message.items)

    def leaf_fields(self, proposal_id: str, subject_sha256: bytes, requester: str) -> dict[str, str]:
        """Return what leaves about it say."""
        return {
            "proposal": proposal_id,
            "subject": subject_sha256.hex(),
            "requester": requester,
            "device": self.device_thumbprint.hex(),
            "what": self.what,
            "messages": ",".join(message.message_sha256.hex() for message in self.messages),
        }


class RecoveryManifest(Struct, frozen=True):
    """What one recovery says; its encoding is signed, and bound by HPKE.

    Attributes:
        organization_id: 32 hex digits.
        mailbox_id: Whose keys.
        proposal_id: That was approved.
        subject_sha256: The proposal's digest.
        device_thumbprint: Of the requester's device.
        leaf_hash: Of the "key.recover" leaf.
        keys: Of a recovered history: all keys of the mailbox, in order.
        items_sha256: Of recovered content keys: `items_digest` of what they are for.
    """

    organization_id: str
    mailbox_id: str
    proposal_id: str
    subject_sha256: bytes
    device_thumbprint: bytes
    leaf_hash: bytes
    keys: tuple[ManifestKey, ...]
    items_sha256: bytes

    def released_keys(self) -> tuple[ManifestKey, ...]:
        """Return the keys that come with the manifest, in its order."""
        return tuple(key for key in self.keys if key.state in RELEASED_STATES)

    def encode(self) -> bytes:
        """Encode as the bytes that are signed and that HPKE binds as `info`."""
        texts = (self.organization_id, self.mailbox_id, self.proposal_id)
        return encode_fields(
            "sealwright recovery manifest",
            1,
            *(text.encode("ascii") for text in texts),
            self.subject_sha256,
            self.device_thumbprint,
            self.leaf_hash,
            self.items_sha256,
            *(encode_manifest_key(key) for key in self.keys),
        )

    def verify(self, signature: bytes, release_key: bytes) -> None:
        """Verify the key management's signature.

        Args:
            signature: Ed25519, 64 octets.
            release_key: Raw public key from the domain statement, 32 octets.

        Raises:
            InvalidSignatureError: If it does not verify.
        """
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(release_key).verify(signature, self.encode())
        except (InvalidSignature, ValueError) as error:
            raise InvalidSignatureError("the recovery is not signed by this organization's key management") from error


def items_digest(items: tuple[ContentKeyItem, ...]) -> bytes:
    """Return SHA-256 over what content keys are for, in order, 32 octets."""
    return sha256(encode_fields("sealwright recovered items", 1, *(sha256(item.recipient_info) for item in items)))


def deferred_chain(mailbox_id: str) -> str:
    """Return the chain of recoveries that the owner is not told of yet."""
    return DEFERRED_PREFIX + mailbox_id


# --- HTTP ----------------------------------------------------------------------------------------------------------------


class RecoveryTenure(Answer, frozen=True, kw_only=True):
    """One tenure of an address: whose keys can be recovered.

    Attributes:
        mailbox_id: 32 hex digits.
        address: The primary one.
        state: "active" or "withdrawn".
        created: When it began.
        certificates: Of its keys, to find the RecipientInfos that are for it.
    """

    mailbox_id: str
    address: str
    state: str
    created: AwareDatetime
    certificates: tuple[KeyCertificate, ...]


class RecoveryTarget(Answer, frozen=True, kw_only=True):
    """POST /v1/recoveries/target: 200, for people who may request a recovery.

    Attributes:
        rule: In force.
        rule_version: Of its row.
        officers: N: how many have the role.
        tenures: Of the address, the newest first.
    """

    rule: RecoveryRule
    rule_version: int
    officers: int
    tenures: tuple[RecoveryTenure, ...]


class RecoveryTargetRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose keys: the address, now or before."""

    address: str


class RecoveryFetch(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/recoveries/{proposal}/fetch: by the device that the approvals name.

    Attributes:
        items: Of approved messages, at most `content_keys.MAX_ITEMS`; empty for a history.
    """

    items: tuple[ContentKeyItem, ...] = ()


class RecoveryAnswer(Answer, frozen=True, kw_only=True):
    """200: what was recovered.

    Attributes:
        manifest: What the key management says; its encoding is also the HPKE `info`.
        signature: Ed25519 by the release key.
        sealed: `encode_released_keys(...)` for a history, else `encode_content_keys(...)` in the order of the items.
        certificates: Of a history's keys.
        leaf: The "key.recover" leaf, included in `checkpoint`.
        checkpoint: C2SP signed note, text.
    """

    manifest: RecoveryManifest
    signature: bytes
    sealed: bytes
    certificates: tuple[KeyCertificate, ...]
    leaf: LeafOpening
    checkpoint: str

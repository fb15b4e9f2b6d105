"""A mailbox whose keys stay in the key management: content keys are asked for, and nothing else of the library notices."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from sealwright.client.session import ServerSession
from sealwright.client.state import DeviceKeys, Enrolled
from sealwright.cms.decryptors import WrappedKey
from sealwright.cms.recipient_encoding import encode_recipient_info, originator_der
from sealwright.errors import InputError, LogVerificationError
from sealwright.wire.content_keys import (
    KEY_LENGTHS,
    ContentKeyAnswer,
    ContentKeyItem,
    ContentKeyRequest,
    content_keys_info,
    decode_content_keys,
)
from sealwright.wire.hpke import hpke_open
from sealwright.wire.leaf_check import check_leaf
from sealwright.wire.statement import DomainStatement

UnwrapContentKey = Callable[[str, WrappedKey], bytes | None]
"""Key id and wrapped key -> content key."""


class RemoteKeys:
    """Asks the key management, and remembers the answers as long as the process runs.

    Args:
        session: The device's.
        enrolled: Who this device is.
        device: Its keys.
        statement: Names release key and log key.
        remember: Called with each answer's checkpoint.
    """

    def __init__(
        self,
        session: ServerSession,
        enrolled: Enrolled,
        device: DeviceKeys,
        statement: DomainStatement,
        remember: Callable[[str], None],
    ) -> None:
        self._session, self._enrolled, self._device = session, enrolled, device
        self._statement, self._remember = statement, remember
        self._known: dict[tuple[str, bytes, int], bytes] = {}

    def unwrap(self, key_id: str, wrapped: WrappedKey) -> bytes | None:
        """Return the content key, or another of the right length; None for what the key management does not unwrap.

        Raises:
            SealwrightError: What the server's problem says; `UnavailableError` if it does not answer.
            InvalidSignatureError: If the answer is not the key management's.
            LogVerificationError: If the log does not show this use.
        """
        item = content_key_item(key_id, wrapped)
        if item is None:
            return None
        place = (key_id, item.recipient_info, item.key_bytes)
        if place not in self._known:
            self._known[place] = self._ask(item)
        return self._known[place]

    def _ask(self, item: ContentKeyItem) -> bytes:
        request = ContentKeyRequest(request_nonce=secrets.token_bytes(32), items=(item,))
        answer = self._session.post("/v1/content-keys", request, ContentKeyAnswer)
        # 1 The log shows the use to the owner.
        record = check_leaf(answer.leaf, answer.checkpoint, self._statement.log_origin, self._statement.log_key)
        thumbprint = self._device.public.thumbprint()
        said = (record.kind, record.chain_id, record.fields.get("device"), record.fields.get("nonce"))
        if said != ("key.use", self._enrolled.mailbox_id, thumbprint.hex(), request.request_nonce.hex()):
            raise LogVerificationError("the log's leaf is not about this request")
        self._remember(answer.checkpoint)
        # 2 It is the key management's answer, to this request and device.
        info = content_keys_info(
            self._enrolled.organization_id,
            self._enrolled.mailbox_id,
            thumbprint,
            request.request_nonce,
            answer.leaf.leaf_hash,
        )
        answer.verify(info, self._statement.release_key)
        keys = decode_content_keys(hpke_open(self._device.hpke_private_key, info, answer.sealed_keys))
        if len(keys) != 1 or len(keys[0]) != item.key_bytes:
            raise InputError("the key management answered with another number or length of keys")
        return keys[0]


@dataclass(frozen=True, slots=True)
class RemoteKeyDecryptor:
    """A key that is not here.

    Attributes:
        key_id: 32 hex digits.
        unwrap: Asks for its content keys.
    """

    key_id: str
    unwrap: UnwrapContentKey = field(repr=False)

    def unwrap_key(self, wrapped: WrappedKey) -> bytes | None:
        """Unwrap over the network; see `cms.decryptors.KeyDecryptor.unwrap_key`."""
        return self.unwrap(self.key_id, wrapped)


def content_key_item(key_id: str, wrapped: WrappedKey) -> ContentKeyItem | None:
    """Return what to ask for to have a content key unwrapped; None if no content cipher has such a key, or it has no encoding."""
    if wrapped.content_key_bytes not in KEY_LENGTHS:
        return None
    try:
        encoded = encode_recipient_info(wrapped)
    except InputError:
        return None
    return ContentKeyItem(
        key_id=key_id,
        recipient_info=encoded,
        key_bytes=wrapped.content_key_bytes,
        originator_certificate=originator_der(wrapped),
    )

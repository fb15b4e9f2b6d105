"""Remote decryption: keys stay here, devices ask for content keys; one request is one leaf, durable before the answer."""

from collections.abc import Callable

from sealwright.audit.log import AuditLog
from sealwright.clock import Clock
from sealwright.errors import InputError, NotFoundError, PermissionDeniedError
from sealwright.identity.devices import DeviceService
from sealwright.identity.model import AuthenticatedDevice
from sealwright.identity.throttle import Throttle
from sealwright.keystore.access import read_rules
from sealwright.keystore.model import RemoteDecryptEvidence, SignedRequestEvidence
from sealwright.keystore.protocol import Keystore
from sealwright.kms import policy as rules
from sealwright.kms.model import KeyRelease, MailboxKey, state_rows
from sealwright.kms.ports import PolicyReader
from sealwright.kms.store import KeyStore
from sealwright.storage.engine import Storage
from sealwright.wire.api import REQUEST_NONCE_BYTES
from sealwright.wire.content_keys import MAX_ITEMS, ContentKeyAnswer, ContentKeyRequest

MAX_REQUESTS = 600
"""Of one device in five minutes: two mails a second, for as long as anybody reads that fast."""
RecordUse = Callable[[AuthenticatedDevice, bytes, str, bytes, tuple[str, ...]], KeyRelease]
"""Writes the act of a request: device, body, idempotency key, nonce, key ids."""


class RemoteDecryption:
    """Answers requests for content keys.

    Args:
        storage: The database.
        store: Its SQL.
        keystore: Unwraps.
        audit: The owner-visible log.
        clock: The time.
        policies: Release policies.
        devices: Knows a device as it is now.
        record_use: Writes row and leaf, once for an idempotency key.
    """

    def __init__(
        self,
        storage: Storage,
        store: KeyStore,
        keystore: Keystore,
        audit: AuditLog,
        clock: Clock,
        *,
        policies: PolicyReader,
        devices: DeviceService,
        record_use: RecordUse,
    ) -> None:
        self._storage, self._store, self._keystore, self._audit = storage, store, keystore, audit
        self._clock, self._policies, self._devices = clock, policies, devices
        self._record_use, self._throttle = record_use, Throttle()

    def unwrap(
        self,
        device: AuthenticatedDevice,
        request: ContentKeyRequest,
        evidence: SignedRequestEvidence,
        idempotency_key: str,
    ) -> ContentKeyAnswer:
        """Unwrap content keys for a device; a retry is answered from the same leaf.

        Raises:
            InputError: If the request is not well formed, or asks for too much.
            NotFoundError: If the mailbox has no such key.
            ApprovalsMissingError: If the policy needs more than was shown.
            PermissionDeniedError: If keys are delivered to this device, are frozen, or the evidence does not hold.
            RateLimitedError: If the device asks too often.
            UnavailableError: If the leaf is not signed in time.
        """
        # 1 The policy, and how often.
        if len(request.request_nonce) != REQUEST_NONCE_BYTES or not 1 <= len(request.items) <= MAX_ITEMS:
            raise InputError(f"a request has a nonce of 32 octets and 1 to {MAX_ITEMS} items")
        in_force = self._policies.policy(device.organization_id, device.mailbox_id)
        rules.check_release(device.credential, in_force, self._clock.now(), device.source)
        if read_rules(in_force).delivery != "remote":
            raise PermissionDeniedError(
                "this mailbox's keys are delivered to its devices: they unwrap content keys themselves"
            )
        self._throttle.count(device.device_id, MAX_REQUESTS, self._clock.now())
        # 2 The keys that are named.
        with self._storage.read(device.organization_id) as tx:
            history = {key.key_id: key for key in self._store.keys(tx, device.organization_id, device.mailbox_id)}
        rules.check_history(list(history.values()))
        keys = [_named(history, item.key_id) for item in request.items]
        # 3 The act and its leaf, once.
        named = tuple(dict.fromkeys(key.key_id for key in keys))
        use = self._record_use(device, evidence.body, idempotency_key, request.request_nonce, named)
        included = self._audit.wait_included(device.organization_id, use.leaf_id, salt=use.salt)
        leaf = included.opening()
        # 4 The keystore unwraps, or not.
        sealed = self._keystore.unwrap_content_keys(
            tuple(key.record for key in keys),
            RemoteDecryptEvidence(
                credential=self._devices.credential(device.organization_id, device.device_id),
                policy=in_force,
                request=evidence,
                leaf=leaf,
                checkpoint=included.checkpoint,
                source=device.source,
                state_rows=state_rows(keys),
            ),
        )
        return ContentKeyAnswer(
            sealed_keys=sealed.sealed_keys, signature=sealed.signature, leaf=leaf, checkpoint=included.checkpoint
        )


def _named(history: dict[str, MailboxKey], key_id: str) -> MailboxKey:
    if key_id not in history:
        raise NotFoundError("the mailbox has no such key")
    return history[key_id]

"""Unwrapping content keys where the private keys are: for devices that hold none, and for recovery of single messages."""

import hashlib
import hmac
from typing import cast

from cryptography.hazmat.primitives.serialization import load_der_private_key

from sealwright.cms.decryptors import DecryptionKey, PrivateKeyDecryptor, WrappedKey
from sealwright.cms.recipient_encoding import decode_recipient_info
from sealwright.errors import InputError, PermissionDeniedError, SealwrightError
from sealwright.keystore.device_request import read_device_request
from sealwright.keystore.model import UNKNOWN_MAILBOX, RemoteDecryptEvidence, SealedRecord
from sealwright.tlog.leaf import LeafRecord
from sealwright.wire.api import REQUEST_NONCE_BYTES
from sealwright.wire.content_keys import KEY_LENGTHS, MAX_ITEMS, ContentKeyItem, ContentKeyRequest
from sealwright.wire.encoding import sha256
from sealwright.wire.leaf_check import check_leaf

CONTENT_KEYS_PATH = "/v1/content-keys"
USE_LEAF = "key.use"


def unwrap_content_key(pkcs8: bytes, wrapped: WrappedKey, recipient_info: bytes, substitute_secret: bytes) -> bytes:
    """Unwrap a content key, or give another of the right length (RFC 3218), the same each time for the same message.

    Args:
        pkcs8: DER, of a key that came out of an authenticated record.
        wrapped: Names the length that is needed.
        recipient_info: Its encoding: what the substitute depends on.
        substitute_secret: 32 octets of this keystore.
    """
    substitute = hmac.digest(substitute_secret, recipient_info, hashlib.sha256)[: wrapped.content_key_bytes]
    private_key = load_der_private_key(pkcs8, None, unsafe_skip_rsa_key_validation=True)
    found = PrivateKeyDecryptor(cast(DecryptionKey, private_key)).unwrap_key(wrapped)
    return found if found is not None and len(found) == wrapped.content_key_bytes else substitute


def check_remote_decrypt(
    records: tuple[SealedRecord, ...], evidence: RemoteDecryptEvidence, log_origin: str, log_key: bytes
) -> tuple[tuple[SealedRecord, WrappedKey, bytes], ...]:
    """Check everything but the device's access and the keys' states, which `keystore.access` and `key_states` do.

    Args:
        records: One for each item, in their order.
        evidence: As handed in.
        log_origin: Of the organization's log, from the registry.
        log_key: Raw Ed25519 public key of that log, 32 octets.

    Returns:
        For each item the record, what it unwraps, and the RecipientInfo's encoding.

    Raises:
        PermissionDeniedError: If any part does not hold.
        InputError: If an item cannot be read.
    """
    # 1 The device itself asked for exactly this.
    request = _signed_request(evidence)
    # 2 Each record is the key of the mailbox that the item names.
    credential = evidence.credential
    if len(records) != len(request.items):
        raise PermissionDeniedError("other keys were handed in than the request names")
    for record, item in zip(records, request.items, strict=True):
        identity = record.identity
        owner = (identity.kind, identity.organization_id, identity.owner, identity.record_id)
        wanted = ("encryption-key", credential.organization_id, credential.mailbox_id, item.key_id)
        if owner != wanted or credential.mailbox_id == UNKNOWN_MAILBOX:
            raise PermissionDeniedError("a record is not the mailbox's key that the request names")
    # 3 The leaf says who asked, for what, and is in the log.
    _check_leaf(records, evidence, log_origin, log_key)
    return tuple(
        (record, _wrapped(item), item.recipient_info) for record, item in zip(records, request.items, strict=True)
    )


def _signed_request(evidence: RemoteDecryptEvidence) -> ContentKeyRequest:
    wanted = read_device_request(
        evidence.request,
        evidence.credential.device,
        CONTENT_KEYS_PATH,
        ContentKeyRequest,
        "the content keys were not asked for by the device",
    )
    if len(wanted.request_nonce) != REQUEST_NONCE_BYTES:
        raise PermissionDeniedError("the device asked for something else")
    if not 1 <= len(wanted.items) <= MAX_ITEMS:
        raise InputError(f"one request asks for 1 to {MAX_ITEMS} content keys")
    return wanted


def _check_leaf(
    records: tuple[SealedRecord, ...], evidence: RemoteDecryptEvidence, log_origin: str, log_key: bytes
) -> None:
    credential = evidence.credential
    try:
        record: LeafRecord = check_leaf(evidence.leaf, evidence.checkpoint, log_origin, log_key)
    except SealwrightError as error:
        raise PermissionDeniedError("the use of keys is not in the organization's log") from error
    said = (record.kind, record.organization_id, record.chain_id)
    if said != (USE_LEAF, credential.organization_id, credential.mailbox_id):
        raise PermissionDeniedError("the leaf is of another act")
    fields = {"device": credential.device.thumbprint().hex(), "request": sha256(evidence.request.body).hex()}
    keys = {sha256(each.spki).hex() for each in records}
    if any(record.fields.get(name) != value for name, value in fields.items()):
        raise PermissionDeniedError("the leaf is of another request")
    if set(record.fields.get("keys", "").split(",")) != keys:
        raise PermissionDeniedError("the leaf is of other keys")


def _wrapped(item: ContentKeyItem) -> WrappedKey:
    if item.key_bytes not in KEY_LENGTHS:
        raise InputError("no content cipher has keys of this length")
    return decode_recipient_info(item.recipient_info, item.key_bytes, item.originator_certificate)

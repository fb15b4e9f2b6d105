"""Accepting a release of the mailbox's keys: nothing is used before every claim about it was checked."""

import re
from collections.abc import Sequence
from itertools import groupby

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from sealwright.client.state import DeviceKeys, Enrolled, MailboxKey
from sealwright.errors import DecodingError, LogVerificationError, VerificationError
from sealwright.pkix.extensions import UNDECODABLE
from sealwright.tlog.leaf import LeafRecord
from sealwright.wire.api import KeyCertificate, ReleaseAnswer
from sealwright.wire.encoding import sha256
from sealwright.wire.hpke import hpke_open
from sealwright.wire.leaf_check import check_leaf
from sealwright.wire.manifest import ManifestKey, ReleaseManifest, decode_released_keys
from sealwright.wire.statement import DomainStatement

RELEASE_LEAF = "key.release"


def accept_release(
    answer: ReleaseAnswer,
    statement: DomainStatement,
    enrolled: Enrolled,
    device: DeviceKeys,
    request_nonce: bytes,
    known: Sequence[MailboxKey] = (),
    *,
    kind: str = RELEASE_LEAF,
) -> tuple[MailboxKey, ...]:
    """Check a release, open it, and return all keys of the mailbox.

    Args:
        answer: As received.
        statement: The verified domain statement: names release and log key.
        enrolled: Who this device is.
        device: Whose HPKE key the release is sealed to.
        request_nonce: The one this device sent.
        known: Keys this device has already; none may be missing, and their older certificates are kept.
        kind: Of the leaf that shows it to the owner.

    Raises:
        InvalidSignatureError: If the manifest is not signed by the organization's release key.
        VerificationError: If the release was made for another device, mailbox or request, misses a generation, or holds
            a key that is not the one it claims.
        LogVerificationError: If the log does not show this release.
        DecodingError: If something is not well formed.
    """
    manifest = answer.manifest
    # 1 The KMS said it, to this device, about this mailbox, for this request.
    manifest.verify(answer.signature, statement.release_key)
    if (manifest.organization_id, manifest.mailbox_id) != (enrolled.organization_id, enrolled.mailbox_id):
        raise VerificationError("the release is for another mailbox")
    if manifest.organization_id != statement.organization_id:
        raise VerificationError("the release is from another organization")
    if manifest.device_thumbprint != device.public.thumbprint():
        raise VerificationError("the release is for another device")
    if manifest.request_nonce != request_nonce:
        raise VerificationError("the release answers another request")
    # 2 The whole history.
    check_generations(manifest.keys)
    missing = {key.key_id for key in known} - {key.key_id for key in manifest.keys}
    if missing:
        raise VerificationError("the release misses a key that this device had before")
    # 3 The log shows it to the owner.
    record = check_leaf(answer.leaf, answer.checkpoint, statement.log_origin, statement.log_key)
    _check_record(record, answer.leaf.leaf_hash, manifest, kind)
    # 4 Open, and compare each key with its hash.
    opened = {
        key.key_id: key.private_key_pkcs8
        for key in decode_released_keys(hpke_open(device.hpke_private_key, manifest.encode(), answer.sealed_keys))
    }
    delivered = manifest.released_keys() if manifest.delivery == "sealed" else ()
    if set(opened) != {key.key_id for key in delivered}:
        raise VerificationError("the release does not hold the keys that it lists")
    certificates: dict[str, list[KeyCertificate]] = {}
    for certificate in answer.certificates:
        certificates.setdefault(certificate.key_id, []).append(certificate)
    before = {key.key_id: key for key in known}
    return tuple(
        accept_key(key, opened.get(key.key_id, b""), certificates.get(key.key_id, []), before.get(key.key_id))
        for key in manifest.keys
    )


def check_generations(keys: Sequence[ManifestKey]) -> None:
    """Check that a manifest lists each key once and every generation of each slot from 1 without a gap.

    Raises:
        VerificationError: If it does not.
    """
    if not keys or len({key.key_id for key in keys}) != len(keys):
        raise VerificationError("the release lists no key, or one key twice")
    for slot, of_slot in groupby(sorted(keys, key=lambda key: key.slot), key=lambda key: key.slot):
        generations = sorted(key.generation for key in of_slot if key.generation != 0)
        if generations != list(range(1, len(generations) + 1)):
            raise VerificationError(f"the release misses a generation of the {slot} key")


def _check_record(record: LeafRecord, leaf_hash: bytes, manifest: ReleaseManifest, kind: str) -> None:
    is_ours = record.organization_id == manifest.organization_id and record.chain_id == manifest.mailbox_id
    if record.kind != kind or not is_ours or record.chain_number != manifest.chain_number:
        raise LogVerificationError("the log's leaf is not about this release")
    if leaf_hash != manifest.leaf_hash:
        raise LogVerificationError("the release names another leaf than the one that was shown")
    words = {word for value in record.fields.values() for word in re.split(r"[\s,;:]+", value)}
    named = [manifest.device_thumbprint, *(key.spki_sha256 for key in manifest.released_keys())]
    if any(value.hex() not in words for value in named):
        raise LogVerificationError("the log's leaf does not name this device and every key")


def accept_key(
    claimed: ManifestKey, pkcs8: bytes, certificates: Sequence[KeyCertificate], known: MailboxKey | None
) -> MailboxKey:
    """Check one private key and its certificates against its line of a manifest.

    Raises:
        DecodingError: If something is not well formed.
        VerificationError: If it is not the key that the manifest lists, or not the one that was known before.
    """
    try:
        public_keys = {_spki(x509.load_der_x509_certificate(each.certificate).public_key()) for each in certificates}
        if pkcs8:
            public_keys.add(_spki(load_der_private_key(pkcs8, None).public_key()))
    except UNDECODABLE as error:
        raise DecodingError("a released key or its certificate is not well formed") from error
    if any(sha256(spki) != claimed.spki_sha256 for spki in public_keys):
        raise VerificationError("a released key or its certificate is not the one that the manifest lists")
    if known is not None and pkcs8 and known.private_key_pkcs8 not in (pkcs8, b""):
        raise VerificationError("the release holds another key in the place of one that this device had before")
    released = tuple(each.certificate for each in certificates)
    others = tuple(der for der in (known.certificates if known else ()) if der not in released)
    return MailboxKey(
        key_id=claimed.key_id,
        slot=claimed.slot,
        generation=claimed.generation,
        state=claimed.state,
        algorithm=claimed.algorithm,
        private_key_pkcs8=pkcs8,
        certificates=released + others,
        chain=certificates[0].chain if certificates else (known.chain if known else ()),
    )


def _spki(public_key: PublicKeyTypes) -> bytes:
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

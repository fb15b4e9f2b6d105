"""What a release needs at each level, and when a certificate is made anew; pure, and closed where nothing is written."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sealwright.errors import ApprovalsMissingError, ConflictError, DecodingError, PermissionDeniedError
from sealwright.keystore.access import read_rules
from sealwright.keystore.model import DeviceCredential, ReleasePolicy
from sealwright.keystore.release_rules import MailboxRules
from sealwright.kms.model import CLASSICAL, KeyCertificateRow, MailboxKey
from sealwright.wire.manifest import RELEASED_STATES

RENEW_BEFORE = timedelta(days=90)
"""A certificate with less left is renewed on the same key."""
STATEMENT_LIFE = timedelta(hours=1)


def check_release(credential: DeviceCredential, policy: ReleasePolicy, now: datetime, source: str) -> MailboxRules:
    """Say early what the keystore will say of a release: before there is a leaf of what will not be done.

    Raises:
        ApprovalsMissingError: If the device has not proved what the policy's level needs.
        PermissionDeniedError: If a deny rule holds.
    """
    try:
        rules = read_rules(policy)
    except DecodingError as error:
        raise ApprovalsMissingError("the release policy cannot be read; nothing is released") from error
    rules.check(credential.level, now, source)
    return rules


def check_export(credential: DeviceCredential, policy: ReleasePolicy, now: datetime, source: str) -> None:
    """Check that owners may export keys.

    Raises:
        PermissionDeniedError: If not.
        ApprovalsMissingError: If the level of release is not met.
    """
    if not check_release(credential, policy, now, source).export_key:
        raise PermissionDeniedError("the organization does not permit the export of keys")


def check_history(keys: list[MailboxKey]) -> None:
    """Check that a history is whole and may be released.

    Raises:
        PermissionDeniedError: If a key is frozen, or a generation is missing.
    """
    if any(key.frozen for key in keys):
        raise PermissionDeniedError("the keys of this mailbox are frozen")
    for slot in {key.slot for key in keys}:
        generations = [key.generation for key in keys if key.slot == slot and key.generation]
        if generations != list(range(1, len(generations) + 1)):
            raise PermissionDeniedError("the key history of this mailbox has a gap")


def listed_keys(history: list[MailboxKey], released: tuple[str, ...]) -> list[MailboxKey]:
    """Return the keys of a release's manifest: those that its leaf names, and those that do not leave.

    Args:
        history: As it is now.
        released: Identifiers of the keys that the leaf names.

    Raises:
        ConflictError: If a key that was released may not leave any more, or one may that did not then.
    """
    keys = [key for key in history if key.key_id in released or key.state not in RELEASED_STATES]
    leaving = [key.key_id for key in keys if key.state in RELEASED_STATES]
    if leaving != list(released):
        raise ConflictError("a key of this mailbox was suspended or destroyed since: ask anew")
    try:
        check_history(keys)
    except PermissionDeniedError as error:
        raise ConflictError("a key of this mailbox was resumed since: ask anew") from error
    return keys


def wanted_slots(slots: Iterable[str], in_use: Sequence[MailboxKey]) -> tuple[str, ...]:
    """Return the slots in which a mailbox has a key.

    A classical key that was exported is perhaps in a mail program that cannot read ML-KEM, so such a mailbox has no pair
    until that key is replaced: who finds a certificate of slot kem knows that only our programs read the mailbox.

    Args:
        slots: Of the settings.
        in_use: The mailbox's ACTIVE and SUSPENDED keys.
    """
    exported = any(key.exported and key.slot == CLASSICAL for key in in_use)
    return tuple(slot for slot in slots if slot == CLASSICAL or not exported)


def is_certificate_usable(certificate: KeyCertificateRow | None, now: datetime) -> bool:
    """Tell whether a key's newest certificate needs no renewal yet."""
    return certificate is not None and certificate.not_after - now > RENEW_BEFORE

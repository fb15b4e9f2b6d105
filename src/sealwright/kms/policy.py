"""What a release needs at each level, and when a certificate is made anew; pure, and closed where nothing is written."""

from datetime import datetime, timedelta

from sealwright.errors import ApprovalsMissingError, DecodingError, PermissionDeniedError
from sealwright.keystore.access import read_rules
from sealwright.keystore.model import DeviceCredential, ReleasePolicy
from sealwright.keystore.release_rules import MailboxRules
from sealwright.kms.model import KeyCertificateRow, MailboxKey

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


def is_certificate_usable(certificate: KeyCertificateRow | None, now: datetime) -> bool:
    """Tell whether a key's newest certificate needs no renewal yet."""
    return certificate is not None and certificate.not_after - now > RENEW_BEFORE

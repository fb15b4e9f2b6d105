"""What a release needs at each level, and when a certificate is made anew; pure, and closed where nothing is written."""

from datetime import datetime, timedelta

from sealwright.errors import ApprovalsMissingError, PermissionDeniedError
from sealwright.keystore.model import ReleasePolicy
from sealwright.kms.model import KeyCertificateRow, MailboxKey

RENEW_BEFORE = timedelta(days=90)
"""A certificate with less left is renewed on the same key."""
STATEMENT_LIFE = timedelta(hours=1)
IMPLEMENTED_LEVELS = frozenset({1})
NEEDED = {
    1: "the mailbox proof",
    2: "the mailbox proof and the protection password",
    3: "the mailbox proof and an approval",
    4: "the mailbox proof and the organization's sign-on",
}


def check_release(policy: ReleasePolicy) -> None:
    """Check that a device which proved its mailbox may have the keys.

    Raises:
        ApprovalsMissingError: If the level needs more, or is no level.
    """
    if policy.level not in IMPLEMENTED_LEVELS:
        needed = NEEDED.get(policy.level, "a level that this server knows")
        raise ApprovalsMissingError(f"the organization's release policy needs {needed}")


def check_export(policy: ReleasePolicy) -> None:
    """Check that owners may export keys.

    Raises:
        PermissionDeniedError: If not.
        ApprovalsMissingError: If the level of release is not met.
    """
    check_release(policy)
    if not policy.export_key:
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

"""An organization that leaves: what is approved, and what the requester's device is given for each mailbox."""

from typing import Final

from msgspec import Struct

from sealwright.wire.api import Answer, Request
from sealwright.wire.recovery import RecoveryRule

EXIT: Final = "key.exit"
"""Kind of the proposal, and of the leaf in each mailbox's chain."""
LEAST_NEEDED: Final = 2


class ExitRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Content of a proposal of kind `EXIT`: all keys of the organization, for one device.

    Attributes:
        device_id: The requester's device.
        device_thumbprint: Of it, 32 octets: nobody else can open what is given out.
    """

    device_id: str
    device_thumbprint: bytes


class ExitMailbox(Answer, frozen=True, kw_only=True):
    """A mailbox whose keys are given out. `state` is "active" or "withdrawn"."""

    mailbox_id: str
    address: str
    state: str


class ExitMailboxes(Answer, frozen=True, kw_only=True):
    """GET /v1/exits/{proposal}/mailboxes: all of the organization, by address."""

    mailboxes: tuple[ExitMailbox, ...]


class ExitKeysRequest(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /v1/exits/{proposal}/keys: one mailbox's whole history, sealed to the device; answers `ReleaseAnswer`.

    Attributes:
        mailbox_id: 32 hex digits.
        request_nonce: 32 octets chosen by the device; they come back in the manifest.
    """

    mailbox_id: str
    request_nonce: bytes


def officers_needed(recovery_rule: bytes) -> int:
    """Return how many recovery officers must approve an exit: as many as a recovery needs, and never fewer than two.

    Args:
        recovery_rule: Content of the organization's row of kind `wire.recovery.RULE`; empty if there is none.

    Raises:
        DecodingError: If it is something else.
    """
    if not recovery_rule:
        return LEAST_NEEDED
    return max(LEAST_NEEDED, RecoveryRule.decode(recovery_rule).needed)

"""Shared mailboxes and their members: whose devices may have the keys of a mailbox that nobody owns alone.

A shared mailbox is one from its first day: its identifier carries a MAC of the keystore, so that nobody turns a person's mailbox
into a shared one and joins it. No device is enrolled for it, and none gets its keys by a mailbox proof.
"""

import hmac
import secrets

from sealwright.errors import InputError, PermissionDeniedError
from sealwright.keystore.model import VouchedRow
from sealwright.keystore.versions import RowName, Versions
from sealwright.keystore.vouching import Vouching
from sealwright.wire.encoding import encode_fields, sha256

MEMBERSHIP = "membership"
JOINED, LEFT = "joined", "left"
_HALF = 16
"""Hex digits of an identifier that are random; as many are the MAC, which only the keystore can check."""


class Memberships:
    """Vouches for members of shared mailboxes.

    Args:
        identifier_key: 32 octets, for this alone.
        vouching: MACs of this keystore.
        versions: The newest version of each row.
    """

    def __init__(self, identifier_key: bytes, vouching: Vouching, versions: Versions) -> None:
        self._identifier_key, self._vouching, self._versions = identifier_key, vouching, versions

    def new_mailbox_id(self, organization_id: str) -> str:
        """Return a fresh identifier of a shared mailbox, 32 hex digits."""
        beginning = secrets.token_hex(_HALF // 2)
        return beginning + self._tag(organization_id, beginning)

    def is_shared(self, organization_id: str, mailbox_id: str) -> bool:
        """Tell whether an identifier is one of a shared mailbox."""
        tag = self._tag(organization_id, mailbox_id[:_HALF])
        return hmac.compare_digest(mailbox_id[_HALF:].encode("utf-8"), tag.encode("ascii"))

    def vouch(self, organization_id: str, mailbox_id: str, member_id: str, state: str, from_version: int) -> VouchedRow:
        """Vouch for a member who joined or left.

        Args:
            organization_id: 32 hex digits.
            mailbox_id: The shared mailbox.
            member_id: The member's own mailbox.
            state: "joined" or "left".
            from_version: Of the row that this follows; 0 for the first.

        Raises:
            InputError: If the state is none, or the member's mailbox is a shared one.
            PermissionDeniedError: If the mailbox is not shared.
            ConflictError: If there is a newer row.
        """
        if state not in {JOINED, LEFT} or self.is_shared(organization_id, member_id):
            raise InputError("people join and leave a shared mailbox, other shared mailboxes do not")
        if not self.is_shared(organization_id, mailbox_id):
            raise PermissionDeniedError("only a shared mailbox has members")
        row_id, content = membership_row_id(mailbox_id, member_id), membership_content(mailbox_id, member_id, state)
        version = self._versions.advance(RowName(MEMBERSHIP, organization_id, row_id), from_version, content)
        return self._vouching.vouch_row(VouchedRow(MEMBERSHIP, organization_id, row_id, version, content, b""))

    def check(self, row: VouchedRow, organization_id: str, mailbox_id: str, member_id: str) -> None:
        """Check that a person is a member now.

        Raises:
            PermissionDeniedError: If the row does not say so, or is not the newest that was vouched for.
        """
        self._vouching.check_row(row)
        name = RowName(MEMBERSHIP, organization_id, membership_row_id(mailbox_id, member_id))
        if (row.kind, row.organization_id, row.row_id) != (name.kind, name.organization_id, name.row_id):
            raise PermissionDeniedError("the membership is of another mailbox")
        self._versions.check(name, row.version)
        if row.content != membership_content(mailbox_id, member_id, JOINED):
            raise PermissionDeniedError("the device's owner is no member of the shared mailbox")
        if not self.is_shared(organization_id, mailbox_id):
            raise PermissionDeniedError("only a shared mailbox has members")

    def _tag(self, organization_id: str, beginning: str) -> str:
        names = (organization_id.encode("utf-8"), beginning.encode("utf-8"))
        return hmac.digest(self._identifier_key, encode_fields("shared mailbox", 1, *names), "sha256").hex()[:_HALF]


def membership_row_id(mailbox_id: str, member_id: str) -> str:
    """Return the row id of one person's membership, 32 hex digits."""
    names = (mailbox_id.encode("utf-8"), member_id.encode("utf-8"))
    return sha256(encode_fields("sealwright membership", 1, *names)).hex()[:32]


def membership_content(mailbox_id: str, member_id: str, state: str) -> bytes:
    """Return what a membership row says."""
    return encode_fields("sealwright membership", 1, *(each.encode("utf-8") for each in (mailbox_id, member_id, state)))

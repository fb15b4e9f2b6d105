"""What binds an item of the sync feed to its reader."""

from sealwright.wire.encoding import encode_fields


def sync_item_info(organization_id: str, mailbox_id: str, device_thumbprint: bytes) -> bytes:
    """Return the HPKE `info` of a sync item.

    Args:
        organization_id: 32 hex digits.
        mailbox_id: 32 hex digits.
        device_thumbprint: Of the device that the item is sealed to, 32 octets.
    """
    return encode_fields(
        "sealwright sync item", 1, organization_id.encode("ascii"), mailbox_id.encode("ascii"), device_thumbprint
    )

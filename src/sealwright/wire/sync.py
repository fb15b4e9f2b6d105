"""What binds an item of the sync feed to its place: one device, one number."""

from sealwright.wire.encoding import encode_fields


def sync_item_info(organization_id: str, mailbox_id: str, device_id: str, number: int) -> bytes:
    """Return the HPKE `info` of a sync item, so that an item cannot be moved, repeated or given to another device.

    Args:
        organization_id: 32 hex digits.
        mailbox_id: 32 hex digits.
        device_id: 32 hex digits.
        number: Of the item in the device's feed, from 1.
    """
    names = (organization_id.encode("ascii"), mailbox_id.encode("ascii"), device_id.encode("ascii"))
    return encode_fields("sealwright sync item", 1, *names, number.to_bytes(8, "big"))

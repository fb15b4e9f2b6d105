"""The devices of the mailbox."""

import re

from sealwright.client.session import ServerSession
from sealwright.errors import InputError, NotFoundError
from sealwright.wire.api import DeviceList, DeviceView


def list_devices(session: ServerSession) -> tuple[DeviceView, ...]:
    """Return all devices of the mailbox, removed ones too."""
    return session.get("/v1/devices", DeviceList).devices


def remove_device(session: ServerSession, chosen: str) -> DeviceView:
    """Remove a device by id, by the beginning of id or fingerprint (8 digits at least), or by its name.

    Raises:
        NotFoundError: If no active device is called so.
        InputError: If several are.
    """
    matches = [device for device in list_devices(session) if device.state == "active" and _is_called(device, chosen)]
    if not matches:
        raise NotFoundError(f"no active device is called {chosen}")
    if len(matches) > 1:
        raise InputError(f"several devices are called {chosen}; give the device's id")
    session.delete(f"/v1/devices/{matches[0].device_id}")
    return matches[0]


def _is_called(device: DeviceView, chosen: str) -> bool:
    if device.name == chosen:
        return True
    beginning = chosen.lower()
    is_hex = re.fullmatch(r"[0-9a-f]{8,64}", beginning) is not None
    return is_hex and (device.device_id.startswith(beginning) or device.thumbprint.hex().startswith(beginning))

"""The devices of the mailbox."""

import re

from sealwright.client.session import ServerSession
from sealwright.errors import InputError, NotFoundError
from sealwright.wire.api import DeviceList, DeviceStateRequest, DeviceView


def list_devices(session: ServerSession) -> tuple[DeviceView, ...]:
    """Return all devices of the mailbox, removed ones too."""
    return session.get("/v1/devices", DeviceList).devices


def remove_device(session: ServerSession, chosen: str) -> DeviceView:
    """Remove a device by id, by the beginning of id or fingerprint (8 digits at least), or by its name.

    Raises:
        NotFoundError: If no active device is called so.
        InputError: If several are.
    """
    found = choose(list_devices(session), chosen, "active", "locked")
    session.delete(f"/v1/devices/{found.device_id}")
    return found


def change_state(session: ServerSession, chosen: str, state: str) -> DeviceView:
    """Lock a device ("locked"), whose next sync then removes its keys, or unlock it ("active"); chosen as in `remove_device`.

    Raises:
        NotFoundError: If no such device is called so.
        InputError: If several are, or it is this device.
    """
    found = choose(list_devices(session), chosen, "active" if state == "locked" else "locked")
    session.post_empty(f"/v1/devices/{found.device_id}/state", DeviceStateRequest(state=state))
    return found


def choose(devices: tuple[DeviceView, ...], chosen: str, *states: str) -> DeviceView:
    """Return the device in one of these states that is called so; raises as `remove_device`."""
    matches = [device for device in devices if device.state in states and _is_called(device, chosen)]
    if not matches:
        raise NotFoundError(f"no {states[0]} device is called {chosen}")
    if len(matches) > 1:
        raise InputError(f"several devices are called {chosen}; give the device's id")
    return matches[0]


def _is_called(device: DeviceView, chosen: str) -> bool:
    if device.name == chosen:
        return True
    beginning = chosen.lower()
    is_hex = re.fullmatch(r"[0-9a-f]{8,64}", beginning) is not None
    return is_hex and (device.device_id.startswith(beginning) or device.thumbprint.hex().startswith(beginning))

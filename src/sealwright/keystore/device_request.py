"""The request for keys that comes with all evidence: the device itself signed it, and it is for this."""

from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from sealwright.errors import PermissionDeniedError, SealwrightError
from sealwright.keystore.model import SignedRequestEvidence
from sealwright.wire.device import DevicePublicKeys
from sealwright.wire.signed_request import verify_request

T = TypeVar("T")


def read_device_request(
    request: SignedRequestEvidence, device: DevicePublicKeys, path: str, kind: type[T], refusal: str
) -> T:
    """Return what a device asked for.

    Args:
        request: As the device signed it.
        device: Which one must have.
        path: With which the path of its target URI must end.
        kind: Of the body.
        refusal: What to say if the device did not sign it, or it cannot be read.

    Raises:
        PermissionDeniedError: If any of it does not hold.
    """
    try:
        headers = {name.lower(): value for name, value in request.headers.items()}
        verify_request(device.load_authentication_key(), request.method, request.target_uri, headers, request.body)
        asked = msgspec.json.decode(request.body, type=kind)
        target = urlsplit(request.target_uri).path
    except (SealwrightError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise PermissionDeniedError(refusal) from error
    if request.method != "POST" or not target.endswith(path):
        raise PermissionDeniedError("the device asked for something else")
    return asked

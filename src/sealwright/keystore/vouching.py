"""What the keystore vouches for: MACs over devices and other rows, so that a changed row is not evidence."""

import hmac
from dataclasses import replace

from sealwright.errors import PermissionDeniedError
from sealwright.keystore.model import DeviceCredential, VouchedRow
from sealwright.wire.encoding import encode_fields

VOUCHING_LABELS = ("keystore", "vouching")
"""What the seal derives its key from."""


class Vouching:
    """Makes and checks MACs.

    Args:
        mac_key: 32 octets, for this alone.
    """

    def __init__(self, mac_key: bytes) -> None:
        self._mac_key = mac_key

    def vouch_device(self, credential: DeviceCredential) -> DeviceCredential:
        """Return the credential with its MAC."""
        return replace(credential, mac=self._device_mac(credential))

    def vouch_row(self, row: VouchedRow) -> VouchedRow:
        """Return the row with its MAC."""
        return replace(row, mac=self._row_mac(row))

    def check_device(self, credential: DeviceCredential) -> None:
        """Check a device row.

        Raises:
            PermissionDeniedError: If it is not as it was vouched for.
        """
        if not hmac.compare_digest(credential.mac, self._device_mac(credential)):
            raise PermissionDeniedError("the device's row was changed by somebody else")

    def check_row(self, row: VouchedRow) -> None:
        """Check a row.

        Raises:
            PermissionDeniedError: If it is not as it was vouched for.
        """
        if not hmac.compare_digest(row.mac, self._row_mac(row)):
            raise PermissionDeniedError(f"the {row.kind} row was changed by somebody else")

    def _device_mac(self, credential: DeviceCredential) -> bytes:
        content = encode_fields(
            "sealwright device credential",
            1,
            credential.organization_id.encode("utf-8"),
            credential.mailbox_id.encode("utf-8"),
            credential.device_id.encode("utf-8"),
            credential.device.authentication_key_spki,
            credential.device.hpke_public_key,
            credential.state.encode("utf-8"),
            str(credential.version).encode("ascii"),
            str(credential.level).encode("ascii"),
            credential.address.encode("utf-8"),
        )
        return hmac.digest(self._mac_key, content, "sha256")

    def _row_mac(self, row: VouchedRow) -> bytes:
        names = (row.kind, row.organization_id, row.row_id, str(row.version))
        content = encode_fields("sealwright vouched row", 1, *(name.encode("utf-8") for name in names), row.content)
        return hmac.digest(self._mac_key, content, "sha256")

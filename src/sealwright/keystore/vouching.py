"""What the keystore vouches for: MACs over device and policy rows, so that a changed row is not evidence."""

import hmac
from dataclasses import replace

from sealwright.errors import PermissionDeniedError
from sealwright.keystore.model import DeviceCredential, ReleasePolicy
from sealwright.wire.encoding import encode_fields


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

    def vouch_policy(self, policy: ReleasePolicy) -> ReleasePolicy:
        """Return the policy with its MAC."""
        return replace(policy, mac=self._policy_mac(policy))

    def check_device(self, credential: DeviceCredential) -> None:
        """Check a device row.

        Raises:
            PermissionDeniedError: If it is not as it was vouched for.
        """
        if not hmac.compare_digest(credential.mac, self._device_mac(credential)):
            raise PermissionDeniedError("the device's row was changed by somebody else")

    def check_policy(self, policy: ReleasePolicy) -> None:
        """Check a policy row.

        Raises:
            PermissionDeniedError: If it is not as it was vouched for.
        """
        if not hmac.compare_digest(policy.mac, self._policy_mac(policy)):
            raise PermissionDeniedError("the release policy's row was changed by somebody else")

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
        )
        return hmac.digest(self._mac_key, content, "sha256")

    def _policy_mac(self, policy: ReleasePolicy) -> bytes:
        content = encode_fields(
            "sealwright release policy",
            1,
            policy.organization_id.encode("utf-8"),
            str(policy.level).encode("ascii"),
            b"\x01" if policy.export_key else b"\x00",
            str(policy.version).encode("ascii"),
        )
        return hmac.digest(self._mac_key, content, "sha256")

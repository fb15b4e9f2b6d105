"""A device's two public keys and the thumbprint that names them everywhere: in proof mails, leaves, manifests, tokens."""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from msgspec import Struct

from sealwright.errors import DecodingError
from sealwright.wire.encoding import encode_fields, sha256
from sealwright.wire.hpke import check_hpke_public_key


class DevicePublicKeys(Struct, frozen=True, forbid_unknown_fields=True):
    """The keys that a device enrols together.

    Attributes:
        authentication_key_spki: DER SubjectPublicKeyInfo of a P-256 key; signs requests and DPoP proofs.
        hpke_public_key: 1,216 octets (`wire.hpke`); everything that the server seals to the device.
    """

    authentication_key_spki: bytes
    hpke_public_key: bytes

    def thumbprint(self) -> bytes:
        """Return SHA-256 over both keys, 32 octets: the device's fingerprint, shown to people in hex."""
        return sha256(encode_fields("sealwright device", 1, self.authentication_key_spki, self.hpke_public_key))

    def load_authentication_key(self) -> ec.EllipticCurvePublicKey:
        """Return the authentication key.

        Raises:
            DecodingError: If it is not a P-256 key.
        """
        return load_authentication_key(self.authentication_key_spki)

    def check(self) -> None:
        """Check that both keys are usable.

        Raises:
            DecodingError: If one is not.
        """
        self.load_authentication_key()
        check_hpke_public_key(self.hpke_public_key)


def load_authentication_key(spki: bytes) -> ec.EllipticCurvePublicKey:
    """Load a device's authentication key from DER SubjectPublicKeyInfo.

    Raises:
        DecodingError: If it is not a P-256 key.
    """
    try:
        key = load_der_public_key(spki)
    except (ValueError, TypeError) as error:
        raise DecodingError("the device's authentication key is not a SubjectPublicKeyInfo") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise DecodingError("the device's authentication key is not a P-256 key")
    return key

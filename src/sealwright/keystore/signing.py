# ruff: noqa: ARG002 - the refusing methods have the base class's signature
"""Service keys as `cryptography` key objects, so that its builders sign through the keystore."""

from typing import Any, NoReturn

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from sealwright.errors import UnsupportedAlgorithmError
from sealwright.keystore.model import SealedRecord
from sealwright.keystore.protocol import ServiceKeystore

_ALGORITHMS = {"sha256": "ecdsa-sha256", "sha384": "ecdsa-sha384"}


class KeystoreECKey(ec.EllipticCurvePrivateKey):
    """An elliptic-curve service key that never leaves the keystore.

    Args:
        keystore: Who signs.
        record: A record of kind "service-key" over P-256 or P-384.

    Raises:
        UnsupportedAlgorithmError: If the record holds another kind of key.
    """

    def __init__(self, keystore: ServiceKeystore, record: SealedRecord) -> None:
        public_key = load_der_public_key(record.spki)
        if not isinstance(public_key, ec.EllipticCurvePublicKey):
            raise UnsupportedAlgorithmError("the service key is not an elliptic-curve key")
        self._keystore, self._record, self._public_key = keystore, record, public_key

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Sign the whole message with ECDSA and SHA-256 or SHA-384; DER signature.

        Raises:
            UnsupportedAlgorithmError: If another digest is asked for, or a digest instead of the message.
        """
        algorithm = signature_algorithm.algorithm
        if not isinstance(algorithm, hashes.HashAlgorithm) or algorithm.name not in _ALGORITHMS:
            raise UnsupportedAlgorithmError("service keys sign with SHA-256 or SHA-384")
        return self._keystore.sign(self._record, _ALGORITHMS[algorithm.name], bytes(data))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return the public key."""
        return self._public_key

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve."""
        return self._public_key.curve

    @property
    def key_size(self) -> int:
        """Bits."""
        return self._public_key.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        """Refuse: a service key signs only."""
        _refuse()

    def private_numbers(self) -> ec.EllipticCurvePrivateNumbers:
        """Refuse: the key does not leave the keystore."""
        _refuse()

    def private_bytes(
        self,
        encoding: serialization.Encoding,
        format: serialization.PrivateFormat,  # noqa: A002 - the base class's name
        encryption_algorithm: serialization.KeySerializationEncryption,
    ) -> bytes:
        """Refuse: the key does not leave the keystore."""
        _refuse()

    def __copy__(self) -> "KeystoreECKey":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "KeystoreECKey":
        return self


def _refuse() -> NoReturn:
    raise UnsupportedAlgorithmError("the key stays in the keystore and signs only")

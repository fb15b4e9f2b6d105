"""Who signs: a certificate and something that signs with its key, be it in memory, in an HSM or on another machine."""

from collections.abc import Sequence
from typing import Protocol, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from sealwright.cms.signature_algorithms import RSAPadding, SigningAlgorithm, algorithm_for
from sealwright.errors import InputError, UnsupportedAlgorithmError

_PureKey = (
    ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
)


class Signer(Protocol):
    """Signs contents as one certificate's subject.

    Safe to use from several threads, where the key is.
    """

    @property
    def certificate(self) -> x509.Certificate:
        """The signer's certificate."""

    @property
    def chain(self) -> Sequence[x509.Certificate]:
        """Intermediates to send along."""

    @property
    def algorithm(self) -> SigningAlgorithm:
        """What `sign` signs with; see `signature_algorithms.algorithm_for`."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature over a whole message, hashed in here where the algorithm hashes.

        Raises:
            UnavailableError: If the key cannot be reached now.
        """


class PrivateKeySigner:
    """A signer over any private key object of `cryptography`; keys of an HSM subclass the same classes.

    Args:
        certificate: The signer's.
        private_key: Of that certificate.
        chain: Intermediates to send along.
        digest: "sha256", "sha384" or "sha512"; None for the one that fits the key.
        rsa_padding: PKCS #1 v1.5 is what every mail client reads.

    Raises:
        UnsupportedAlgorithmError: If mail is not signed with such keys, or not with this digest.
        InputError: If the key is not the certificate's.
    """

    def __init__(
        self,
        certificate: x509.Certificate,
        private_key: PrivateKeyTypes,
        chain: Sequence[x509.Certificate] = (),
        *,
        digest: str | None = None,
        rsa_padding: RSAPadding = "pkcs1-v1.5",
    ) -> None:
        if not isinstance(private_key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | _PureKey):
            raise UnsupportedAlgorithmError("mail is not signed with a key of this kind")
        self.certificate = certificate
        self.chain = tuple(chain)
        self.algorithm = algorithm_for(private_key.public_key(), digest=digest, rsa_padding=rsa_padding)
        self._private_key = private_key
        # a signature by another key would be refused by everybody, hours later
        if certificate.public_key() != private_key.public_key():
            raise InputError("the private key is not that of the signer's certificate")

    def sign(self, message: bytes) -> bytes:
        """Return the signature over a message."""
        digest, rsa_padding = self.algorithm.digest.algorithm, self.algorithm.signature.rsa_padding
        if rsa_padding is not None:
            return cast(rsa.RSAPrivateKey, self._private_key).sign(message, rsa_padding, digest)
        if self.algorithm.signature.key_kind == "ec":
            return cast(ec.EllipticCurvePrivateKey, self._private_key).sign(message, ec.ECDSA(digest))
        return cast(_PureKey, self._private_key).sign(message)

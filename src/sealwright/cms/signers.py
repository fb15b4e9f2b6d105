"""Who signs: a certificate and something that signs with its key, be it in memory, in an HSM or on another machine."""

from collections.abc import Sequence
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from sealwright.cms.signature_algorithms import DIGEST_BY_NAME, SignatureAlgorithm, algorithm_for
from sealwright.errors import UnsupportedAlgorithmError


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
    def algorithm(self) -> SignatureAlgorithm:
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
        private_key: RSA, P-256 or P-384, of that certificate.
        chain: Intermediates to send along.

    Raises:
        UnsupportedAlgorithmError: If mail is not signed with such keys.
    """

    def __init__(
        self, certificate: x509.Certificate, private_key: PrivateKeyTypes, chain: Sequence[x509.Certificate] = ()
    ) -> None:
        if not isinstance(private_key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
            raise UnsupportedAlgorithmError("mail is signed with RSA, P-256 or P-384 keys")
        self.certificate = certificate
        self.chain = tuple(chain)
        self.algorithm = algorithm_for(private_key.public_key())
        self._private_key = private_key

    def sign(self, message: bytes) -> bytes:
        """Return the signature over a message."""
        digest = DIGEST_BY_NAME[self.algorithm.digest]()
        if isinstance(self._private_key, rsa.RSAPrivateKey):
            return self._private_key.sign(message, padding.PKCS1v15(), digest)
        return self._private_key.sign(message, ec.ECDSA(digest))

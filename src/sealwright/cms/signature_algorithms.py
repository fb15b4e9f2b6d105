"""Signature algorithms of SignedData: which one a key signs with, and how a signature is checked (RFC 3370, 4056, 5754)."""

from dataclasses import dataclass
from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from sealwright.cms import algorithms, schema
from sealwright.errors import UnsupportedAlgorithmError

RSAPadding = Literal["pkcs1-v1.5", "pss"]


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """What a signer signs with.

    Attributes:
        name: Such as "ecdsa-sha256".
        digest: Of the content, such as "sha256"; what the micalg parameter says too (RFC 8551 section 3.5.3.2).
        digest_algorithm_der: AlgorithmIdentifier of the content's digest.
        signature_algorithm_der: AlgorithmIdentifier of the signature.
    """

    name: str
    digest: str
    digest_algorithm_der: bytes
    signature_algorithm_der: bytes

    @property
    def micalg(self) -> str:
        """The digest as multipart/signed names it."""
        return {"sha256": "sha-256", "sha384": "sha-384", "sha512": "sha-512"}[self.digest]


def _algorithm(name: str, digest_oid: str, signature_oid: str, *parameters: bytes) -> SignatureAlgorithm:
    return SignatureAlgorithm(
        name,
        algorithms.DIGESTS[digest_oid]().name,
        schema.algorithm_der(schema.algorithm(digest_oid)),
        schema.algorithm_der(schema.algorithm(signature_oid, *parameters)),
    )


_RSA = _algorithm("rsa-sha256", algorithms.SHA256, algorithms.RSA_SHA256, algorithms.NULL)
_ECDSA = {
    "secp256r1": _algorithm("ecdsa-sha256", algorithms.SHA256, algorithms.ECDSA_SHA256),
    "secp384r1": _algorithm("ecdsa-sha384", algorithms.SHA384, algorithms.ECDSA_SHA384),
}
DIGEST_BY_NAME: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


def algorithm_for(public_key: PublicKeyTypes) -> SignatureAlgorithm:
    """Return what a key of this kind signs mail with.

    Raises:
        UnsupportedAlgorithmError: If mail is not signed with such keys.
    """
    if isinstance(public_key, rsa.RSAPublicKey):
        return _RSA
    if isinstance(public_key, ec.EllipticCurvePublicKey) and public_key.curve.name in _ECDSA:
        return _ECDSA[public_key.curve.name]
    raise UnsupportedAlgorithmError("mail is signed with RSA, P-256 or P-384 keys")

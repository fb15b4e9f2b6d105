"""Whether the parts of a signature belong together, are strong, and whether it holds."""

from typing import cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from sealwright.cms import digests
from sealwright.cms.digests import Digest
from sealwright.cms.signature_algorithms import STRONG_RSA_BITS, KeyKind, SignatureAlgorithm

MIN_RSA_BITS = 1024
"""Below, a signature says nothing (RFC 8551 section 4.3)."""
_ML_DSA_COLLISION_BITS = {"ml-dsa-44": 128, "ml-dsa-65": 192, "ml-dsa-87": 256}
"""RFC 9882 section 3.3: the digest must be at least as strong as the signature."""
_OTHER_DIGEST = "the digest of the content is not the one that belongs to the signature"
_PureKey = (
    ed25519.Ed25519PublicKey
    | ed448.Ed448PublicKey
    | mldsa.MLDSA44PublicKey
    | mldsa.MLDSA65PublicKey
    | mldsa.MLDSA87PublicKey
)


def mismatch(
    algorithm: SignatureAlgorithm, digest: Digest, kind: KeyKind | None, *, has_signed_attributes: bool
) -> str:
    """Return why a signature algorithm, a SignerInfo's digest and a key do not belong together; empty if they do."""
    if algorithm.key_kind != kind:
        return "the signer's key is of another kind than the signature"
    if algorithm.key_kind in _ML_DSA_COLLISION_BITS:
        # RFC 9882 section 3.3: without signed attributes the digest is not used and MUST be ignored
        if has_signed_attributes and digest.collision_bits < _ML_DSA_COLLISION_BITS[algorithm.key_kind]:
            return "the digest of the content is weaker than the signature"
        return ""
    if algorithm.key_kind == "ed448" and digest is digests.SHAKE256:  # the same digest, whose length is implied
        return ""
    if algorithm.digest is not None and algorithm.digest is not digest:
        return _OTHER_DIGEST
    return ""


def weaknesses(digest: Digest, kind: KeyKind, rsa_bits: int) -> tuple[str, ...]:
    """Return codes of what is weak about a signature whose parts belong together.

    Args:
        digest: That the SignerInfo names.
        kind: Of the key.
        rsa_bits: Length of an RSA key.
    """
    found = []
    if digest is digests.SHA1 and kind not in _ML_DSA_COLLISION_BITS:  # which would refuse it, or does not use it
        found.append("sha1")
    if kind == "rsa" and rsa_bits < STRONG_RSA_BITS:
        found.append("rsa-1024")
    return tuple(found)


def is_signature(
    public_key: PublicKeyTypes,
    algorithm: SignatureAlgorithm,
    digest: Digest,
    signature: bytes,
    message: bytes | None,
    message_digest: bytes = b"",
) -> bool:
    """Say whether a signature holds.

    Args:
        public_key: Of the signer, of the algorithm's kind: the caller has asked `mismatch` before.
        algorithm: That the SignerInfo names.
        digest: That the SignerInfo names.
        signature: As in the SignerInfo.
        message: What was signed; None if only its digest is known, which RSA and ECDSA can do with.
        message_digest: The message's digest, where the message is None.
    """
    hashed: hashes.HashAlgorithm | Prehashed = digest.algorithm
    if message is None:
        hashed, message = Prehashed(digest.algorithm), message_digest
    try:
        # isinstance of these abstract classes costs as much as a digest; the kind of the key says the same
        if algorithm.rsa_padding is not None:
            cast(rsa.RSAPublicKey, public_key).verify(signature, message, algorithm.rsa_padding, hashed)
        elif algorithm.key_kind == "ec":
            cast(ec.EllipticCurvePublicKey, public_key).verify(signature, message, ec.ECDSA(hashed))
        else:
            cast(_PureKey, public_key).verify(signature, message)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True

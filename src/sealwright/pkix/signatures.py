"""The signatures and keys of a certification path: verifying them, how many of them, and how strong they must be."""

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, mlkem, padding, rsa, x448, x25519
from cryptography.hazmat.primitives.serialization import Encoding

from sealwright.errors import PathValidationError
from sealwright.pkix.extensions import UNDECODABLE

MAX_SIGNATURE_CHECKS = 100
"""A path of 10 certificates with a list for each needs about 20; more is an attack."""
MAX_STEPS = 2_000
"""Issuers tried while paths are built; a complete graph of ten cross-certified CAs has millions of paths."""
MIN_RSA_BITS = 2048
"""The least that is safe (RFC 8550 section 4.3)."""
MIN_WEAK_RSA_BITS = 1024
"""On demand only, with a warning, for old mail."""
MAX_RSA_BITS = 16_384
"""Verifying costs grow with the square; no CA has a larger one."""
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_SIGNING_KEYS = (
    ed25519.Ed25519PublicKey,
    ed448.Ed448PublicKey,
    mldsa.MLDSA44PublicKey,
    mldsa.MLDSA65PublicKey,
    mldsa.MLDSA87PublicKey,
)
_ENCRYPTION_KEYS = (
    x25519.X25519PublicKey,
    x448.X448PublicKey,
    mlkem.MLKEM768PublicKey,
    mlkem.MLKEM1024PublicKey,
)
Signed = x509.Certificate | x509.CertificateRevocationList


class WorkBudget:
    """What the validation of one path may still cost; counted, so that no time is measured."""

    def __init__(self, signature_checks: int = MAX_SIGNATURE_CHECKS, steps: int = MAX_STEPS) -> None:
        self._signature_checks = signature_checks
        self._steps = steps

    def spend_signature_check(self) -> None:
        """Account for one signature.

        Raises:
            PathValidationError: "too-many-steps", if all are spent.
        """
        self._signature_checks = _one_less(self._signature_checks)

    def spend_step(self) -> None:
        """Account for one step of path building.

        Raises:
            PathValidationError: "too-many-steps", if all are spent.
        """
        self._steps = _one_less(self._steps)


def _one_less(left: int) -> int:
    if left == 0:
        raise PathValidationError("finding a path to a trusted root takes too many steps", "too-many-steps")
    return left - 1


def is_signed_by(signed: Signed, signer: x509.Certificate, budget: WorkBudget) -> bool:
    """Tell whether the signature on a certificate or a list verifies with the key of a certificate.

    Names are not compared. Weak algorithms are not refused here: see `check_algorithms`.

    Raises:
        PathValidationError: If the budget is spent.
    """
    budget.spend_signature_check()
    try:
        content = signed.tbs_certificate_bytes if isinstance(signed, x509.Certificate) else signed.tbs_certlist_bytes
        # the library's own check refuses SHA-1 and names that are equal in another encoding, so this one is ours
        if not _is_consistent(signed.public_bytes(Encoding.DER), content):
            return False
        parameters, hash_algorithm = signed.signature_algorithm_parameters, signed.signature_hash_algorithm
        return is_signature(signer.public_key(), signed.signature, content, hash_algorithm, parameters)
    except UNDECODABLE:
        return False


def is_signature(
    public_key: object,
    signature: bytes,
    content: bytes,
    hash_algorithm: hashes.HashAlgorithm | None,
    parameters: object,
) -> bool:
    """Tell whether a signature verifies.

    Args:
        public_key: Any; one that does not sign verifies nothing.
        signature: The value.
        content: The octets under it.
        hash_algorithm: None where the algorithm has its own.
        parameters: For RSA the padding.

    Raises:
        UnsupportedAlgorithm: If the cryptographic library knows the algorithm but does not do it.
    """
    try:
        if isinstance(public_key, rsa.RSAPublicKey):
            if hash_algorithm is None or not isinstance(parameters, padding.PKCS1v15 | padding.PSS):
                return False
            public_key.verify(signature, content, parameters, hash_algorithm)
        elif isinstance(public_key, ec.EllipticCurvePublicKey):
            if hash_algorithm is None:
                return False
            public_key.verify(signature, content, ec.ECDSA(hash_algorithm))
        elif isinstance(public_key, _SIGNING_KEYS):
            public_key.verify(signature, content)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def check_algorithms(certificate: x509.Certificate, *, is_anchor: bool, allow_weak: bool) -> list[str]:
    """Check that key and signature algorithm of a certificate still mean something.

    Args:
        certificate: Any.
        is_anchor: Nobody depends on the signature that an anchor puts on itself.
        allow_weak: Accept RSA from 1024 bits and SHA-1.

    Returns:
        Codes of what is weak and accepted: "rsa-1024" (the size in bits), "sha1".

    Raises:
        PathValidationError: "weak-key", "weak-signature" or "unknown-algorithm".
    """
    try:
        public_key, hash_algorithm = certificate.public_key(), certificate.signature_hash_algorithm
    except UNDECODABLE as error:
        reason = "a certificate of the path has an unknown key or signature algorithm"
        raise PathValidationError(reason, "unknown-algorithm") from error
    weaknesses = []
    if isinstance(public_key, rsa.RSAPublicKey):
        size = public_key.key_size
        is_strong = MIN_RSA_BITS <= size <= MAX_RSA_BITS
        if not is_strong and allow_weak and MIN_WEAK_RSA_BITS <= size < MIN_RSA_BITS:
            weaknesses.append(f"rsa-{size}")
            is_strong = True
    elif isinstance(public_key, ec.EllipticCurvePublicKey):
        is_strong = isinstance(public_key.curve, _CURVES)
    else:
        is_strong = isinstance(public_key, (*_SIGNING_KEYS, *_ENCRYPTION_KEYS))
    if not is_strong:
        raise PathValidationError("a certificate of the path has a key that is too weak", "weak-key")
    if not is_anchor:
        weaknesses += check_hash(hash_algorithm, allow_weak=allow_weak)
    return weaknesses


def check_hash(hash_algorithm: hashes.HashAlgorithm | None, *, allow_weak: bool) -> list[str]:
    """Check the hash of a signature; returns and raises as `check_algorithms`."""
    if hash_algorithm is None or isinstance(hash_algorithm, _HASHES):
        return []
    if allow_weak and isinstance(hash_algorithm, hashes.SHA1):
        return ["sha1"]
    raise PathValidationError("a certificate of the path has a signature that is too weak", "weak-signature")


def _is_consistent(signed: bytes, content: bytes) -> bool:
    """Tell whether what lies beside the signed octets is what it has to be.

    The algorithm is the one inside (RFC 5280 sections 4.1.1.2, 5.1.1.2), and the signature has whole octets.
    """
    start = _header(signed, 0) + len(content)
    end = _end(signed, start)
    if signed[_header(signed, end)] != 0:  # unused bits of the BIT STRING
        return False
    position = _header(content, 0)
    for _ in range(3):  # a certificate has version and serial number before it, a list at most the version
        after = _end(content, position)
        if content[position:after] == signed[start:end]:
            return True
        position = after
    return False


def _header(der: bytes, position: int) -> int:
    """Return where the content of a DER element starts."""
    return position + 2 + (der[position + 1] & 0x7F if der[position + 1] & 0x80 else 0)


def _end(der: bytes, position: int) -> int:
    start = _header(der, position)
    length = der[position + 1] if start == position + 2 else int.from_bytes(der[position + 2 : start], "big")
    return start + length

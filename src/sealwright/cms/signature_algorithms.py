"""Signature algorithms of SignedData: which one a key signs with, and how a signature is checked.

RSA PKCS #1 v1.5 and PSS (RFC 3370, 4056, 5754), ECDSA (RFC 5753, 5754), EdDSA (RFC 8419), ML-DSA (RFC 9882, pure, empty
context). An AlgorithmIdentifier is looked up by its whole encoding, so that unexpected parameters are never skipped.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from sealwright.asn1.writer import tlv
from sealwright.cms import digests, schema
from sealwright.cms.digests import NULL, Digest, algorithm_identifier
from sealwright.errors import DecodingError, UnsupportedAlgorithmError

RSAPadding = Literal["pkcs1-v1.5", "pss"]
KeyKind = Literal["rsa", "ec", "ed25519", "ed448", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"]

STRONG_RSA_BITS = 2048
"""RFC 8551 section 4.2: MUST NOT generate less; between 1024 and here is read with a warning."""
MAX_SALT_BYTES = 512
"""A salt is as long as a digest by convention, and never longer than the modulus of a 4096-bit key."""
CURVES = ("secp256r1", "secp384r1", "secp521r1", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1")

_PKCS1 = "1.2.840.113549.1.1."
_ECDSA = "1.2.840.10045.4."
_NIST = "2.16.840.1.101.3.4.3."
_MGF1 = _PKCS1 + "8"
_PKCS1_PADDING = padding.PKCS1v15()


@dataclass(frozen=True, slots=True, eq=False)
class SignatureAlgorithm:
    """What a signature is made with.

    Attributes:
        name: Such as "ecdsa-sha256".
        key_kind: Which keys it takes.
        digest: That it fixes, for content and signature alike (RFC 8933); None for rsaEncryption and ML-DSA, which take
            that of the SignerInfo.
        identifier_der: AlgorithmIdentifier of the signature.
        rsa_padding: Of RSA; None for the others.
    """

    name: str
    key_kind: KeyKind
    digest: Digest | None
    identifier_der: bytes
    rsa_padding: padding.PSS | padding.PKCS1v15 | None = None

    @property
    def is_pure(self) -> bool:
        """Whether the whole message is needed, not its digest alone: EdDSA and ML-DSA."""
        return self.key_kind not in ("rsa", "ec")


@dataclass(frozen=True, slots=True)
class SigningAlgorithm:
    """What a signer signs with.

    Attributes:
        signature: The signature algorithm.
        digest: Of the content.
    """

    signature: SignatureAlgorithm
    digest: Digest

    @property
    def micalg(self) -> str:
        """The digest as multipart/signed names it."""
        return self.digest.micalg


def _rsa(digest: Digest, oid: str) -> SignatureAlgorithm:
    return SignatureAlgorithm(f"rsa-{digest.name}", "rsa", digest, algorithm_identifier(oid, NULL), _PKCS1_PADDING)


def _pss(digest: Digest) -> SignatureAlgorithm:
    """Return RSASSA-PSS with MGF1 and a salt of the same digest (RFC 4056 section 3)."""
    size = digest.algorithm.digest_size
    parameters = tlv(
        0x30,
        tlv(0xA0, digest.identifier_der),
        tlv(0xA1, algorithm_identifier(_MGF1, digest.identifier_der)),
        tlv(0xA2, asn1.encode_der(size)),
    )
    identifier = algorithm_identifier(_PKCS1 + "10", parameters)
    scheme = padding.PSS(padding.MGF1(digest.algorithm), size)
    return SignatureAlgorithm(f"rsa-pss-{digest.name}", "rsa", digest, identifier, scheme)


def _ecdsa(digest: Digest, oid: str) -> SignatureAlgorithm:
    return SignatureAlgorithm(f"ecdsa-{digest.name}", "ec", digest, algorithm_identifier(oid))


_RSA = {
    digest.name: _rsa(digest, oid)
    for digest, oid in (
        (digests.SHA1, _PKCS1 + "5"),
        (digests.SHA256, _PKCS1 + "11"),
        (digests.SHA384, _PKCS1 + "12"),
        (digests.SHA512, _PKCS1 + "13"),
        (digests.SHA3_256, _NIST + "14"),
        (digests.SHA3_384, _NIST + "15"),
        (digests.SHA3_512, _NIST + "16"),
    )
}
_RSA_ENCRYPTION = SignatureAlgorithm("rsa", "rsa", None, algorithm_identifier(_PKCS1 + "1", NULL), _PKCS1_PADDING)
_PSS = {digest.name: _pss(digest) for digest in (digests.SHA256, digests.SHA384, digests.SHA512)}
_EC = {
    digest.name: _ecdsa(digest, oid)
    for digest, oid in (
        (digests.SHA1, _ECDSA + "1"),
        (digests.SHA256, _ECDSA + "3.2"),
        (digests.SHA384, _ECDSA + "3.3"),
        (digests.SHA512, _ECDSA + "3.4"),
        (digests.SHA3_256, _NIST + "10"),
        (digests.SHA3_384, _NIST + "11"),
        (digests.SHA3_512, _NIST + "12"),
    )
}
_EDDSA = (
    SignatureAlgorithm("ed25519", "ed25519", digests.SHA512, algorithm_identifier("1.3.101.112")),
    SignatureAlgorithm("ed448", "ed448", digests.SHAKE256_LEN, algorithm_identifier("1.3.101.113")),
)
_ML_DSA = (
    SignatureAlgorithm("ml-dsa-44", "ml-dsa-44", None, algorithm_identifier(_NIST + "17")),
    SignatureAlgorithm("ml-dsa-65", "ml-dsa-65", None, algorithm_identifier(_NIST + "18")),
    SignatureAlgorithm("ml-dsa-87", "ml-dsa-87", None, algorithm_identifier(_NIST + "19")),
)
_NULL_OR_ABSENT = (*_RSA.values(), _RSA_ENCRYPTION, *_EC.values())
"""RSA with NULL (RFC 3370 section 3.2), ECDSA without (RFC 5754 section 3.3); both are met both ways."""
_BY_IDENTIFIER = {
    algorithm.identifier_der: algorithm for algorithm in (*_NULL_OR_ABSENT, *_PSS.values(), *_EDDSA, *_ML_DSA)
}
for _each in _NULL_OR_ABSENT:
    _oid = _each.identifier_der[2:].removesuffix(NULL)
    _BY_IDENTIFIER[tlv(0x30, _oid)] = _BY_IDENTIFIER[tlv(0x30, _oid, NULL)] = _each


def signature_algorithm_for(identifier_der: bytes) -> SignatureAlgorithm | None:
    """Return the signature algorithm that an AlgorithmIdentifier means, or None if it is not read here."""
    return _BY_IDENTIFIER.get(identifier_der) or _parse_pss(identifier_der)


@lru_cache(maxsize=64)
def _parse_pss(identifier_der: bytes) -> SignatureAlgorithm | None:
    """Read RSASSA-PSS with any parameters (RFC 4055 section 3.1); absent ones mean SHA-1."""
    try:
        identifier = schema.parse_algorithm(identifier_der)
        if schema.algorithm_oid(identifier) != _PKCS1 + "10":
            return None
        encoded = schema.raw(identifier[1]) if len(identifier) == 2 else b"\x30\x00"
        parameters = asn1.decode_der(schema.RSASSAPSSParams, encoded)
        digest: Digest | None = digests.SHA1
        mask: Digest | None = digests.SHA1
        if parameters.hash_algorithm is not None:
            digest = digests.digest_for(schema.algorithm_der(parameters.hash_algorithm))
        if parameters.mask_gen_algorithm is not None:
            if schema.algorithm_oid(parameters.mask_gen_algorithm) != _MGF1:
                return None
            mask = digests.digest_for(schema.algorithm_der(schema.algorithm_parameter(parameters.mask_gen_algorithm)))
    except (ValueError, DecodingError):
        return None
    if digest is None or mask is None or not 0 <= parameters.salt_length <= MAX_SALT_BYTES:
        return None
    scheme = padding.PSS(padding.MGF1(mask.algorithm), parameters.salt_length)
    return SignatureAlgorithm(f"rsa-pss-{digest.name}", "rsa", digest, identifier_der, scheme)


def key_kind(public_key: PublicKeyTypes) -> KeyKind | None:
    """Return which signature algorithms a key fits, or None if mail is not signed with such keys."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return "rsa"
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return "ec" if public_key.curve.name in CURVES else None
    return next((kind for key_class, kind in _OTHER_KINDS.items() if isinstance(public_key, key_class)), None)


_OTHER_KINDS: dict[type, KeyKind] = {
    ed25519.Ed25519PublicKey: "ed25519",
    ed448.Ed448PublicKey: "ed448",
    mldsa.MLDSA44PublicKey: "ml-dsa-44",
    mldsa.MLDSA65PublicKey: "ml-dsa-65",
    mldsa.MLDSA87PublicKey: "ml-dsa-87",
}
_CURVE_DIGESTS = {"secp256r1": "sha256", "secp384r1": "sha384", "secp521r1": "sha512"}
_WRITTEN_DIGESTS = {digest.name: digest for digest in (digests.SHA256, digests.SHA384, digests.SHA512)}


def algorithm_for(
    public_key: PublicKeyTypes, *, digest: str | None = None, rsa_padding: RSAPadding = "pkcs1-v1.5"
) -> SigningAlgorithm:
    """Choose what a key of this kind signs with.

    Args:
        public_key: RSA from 2,048 bits, P-256, P-384, P-521, Ed25519, Ed448 or ML-DSA.
        digest: "sha256", "sha384" or "sha512" for RSA and ECDSA; None for the one that fits the key. The others have one.
        rsa_padding: PKCS #1 v1.5 is what every mail client reads.

    Raises:
        UnsupportedAlgorithmError: If mail is not signed with such keys, or not with this digest.
    """
    if isinstance(public_key, rsa.RSAPublicKey) and public_key.key_size >= STRONG_RSA_BITS:
        table, fitting = (_PSS if rsa_padding == "pss" else _RSA), "sha256"
    elif isinstance(public_key, ec.EllipticCurvePublicKey) and public_key.curve.name in _CURVE_DIGESTS:
        table, fitting = _EC, _CURVE_DIGESTS[public_key.curve.name]
    else:
        kind = key_kind(public_key)
        for algorithm in (*_EDDSA, *_ML_DSA):
            if algorithm.key_kind == kind:
                fixed = algorithm.digest or digests.SHA512  # RFC 9882 section 3.3: SHA-512 MUST be supported
                if digest in (None, fixed.name):
                    return SigningAlgorithm(algorithm, fixed)
        raise UnsupportedAlgorithmError("mail is not signed with a key of this kind or size, or not with this digest")
    chosen = _WRITTEN_DIGESTS.get(digest or fitting)
    if chosen is None:
        raise UnsupportedAlgorithmError(f"mail is not signed with the digest {digest}")
    return SigningAlgorithm(table[chosen.name], chosen)

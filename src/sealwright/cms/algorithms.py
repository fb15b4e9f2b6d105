"""Algorithm identifiers of encryption in CMS: names and OIDs, and what they become in `cryptography`.

Those of signatures are in `signature_algorithms` and `digests`.
"""

from cryptography.hazmat.primitives import hashes

_NIST = "2.16.840.1.101.3.4."

RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
RSAES_OAEP = "1.2.840.113549.1.1.7"
EC_PUBLIC_KEY = "1.2.840.10045.2.1"
NULL = b"\x05\x00"

CBC_KEY_BYTES = {_NIST + "1.2": 16, _NIST + "1.22": 24, _NIST + "1.42": 32}
GCM_KEY_BYTES = {_NIST + "1.6": 16, _NIST + "1.26": 24, _NIST + "1.46": 32}
WRAP_KEY_BYTES = {_NIST + "1.5": 16, _NIST + "1.25": 24, _NIST + "1.45": 32}
CCM_KEY_BYTES = {_NIST + "1.7": 16, _NIST + "1.27": 24, _NIST + "1.47": 32}
CHACHA20_POLY1305 = "1.2.840.113549.1.9.16.3.18"
CEK_HKDF_SHA256 = "1.2.840.113549.1.9.16.3.31"
DES_EDE3_CBC, RC2_CBC = "1.2.840.113549.3.7", "1.2.840.113549.3.2"
DES_EDE3_WRAP = "1.2.840.113549.1.9.16.3.6"
"""id-alg-CMS3DESwrap (RFC 3370 section 4.3.1)."""
AES256_CBC, AES256_GCM, AES256_WRAP = _NIST + "1.42", _NIST + "1.46", _NIST + "1.45"

SHA1, SHA256, SHA384, SHA512 = "1.3.14.3.2.26", _NIST + "2.1", _NIST + "2.2", _NIST + "2.3"
OAEP_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    SHA1: hashes.SHA1,
    _NIST + "2.4": hashes.SHA224,
    SHA256: hashes.SHA256,
    SHA384: hashes.SHA384,
    SHA512: hashes.SHA512,
}
"""OAEP and key derivation do not need collision resistance: SHA-1 is read (RFC 8017 defaults, OpenSSL's ECDH default)."""

MGF1, P_SPECIFIED = "1.2.840.113549.1.1.8", "1.2.840.113549.1.1.9"

X963_KDFS: dict[str, type[hashes.HashAlgorithm]] = {
    "1.3.133.16.840.63.0.2": hashes.SHA1,
    "1.3.132.1.11.0": hashes.SHA224,
    "1.3.132.1.11.1": hashes.SHA256,
    "1.3.132.1.11.2": hashes.SHA384,
    "1.3.132.1.11.3": hashes.SHA512,
    # cofactor Diffie-Hellman, which is the same on curves of cofactor 1
    "1.3.133.16.840.63.0.3": hashes.SHA1,
    "1.3.132.1.14.0": hashes.SHA224,
    "1.3.132.1.14.1": hashes.SHA256,
    "1.3.132.1.14.2": hashes.SHA384,
    "1.3.132.1.14.3": hashes.SHA512,
}
"""dhSinglePass schemes with the KDF of ANSI X9.63 (RFC 5753 section 7.1.4)."""
HKDF_SCHEMES: dict[str, type[hashes.HashAlgorithm]] = {
    "1.2.840.113549.1.9.16.3.19": hashes.SHA256,
    "1.2.840.113549.1.9.16.3.20": hashes.SHA384,
    "1.2.840.113549.1.9.16.3.21": hashes.SHA512,
}
"""dhSinglePass-stdDH-hkdf schemes (RFC 8418 section 2.2)."""
ECDH_SHA256_KDF, X25519_HKDF_SHA256 = "1.3.132.1.11.1", "1.2.840.113549.1.9.16.3.19"
X25519, X448 = "1.3.101.110", "1.3.101.111"

KEM_RECIPIENT = "1.2.840.113549.1.9.16.13.3"
ML_KEM = {_NIST + "4.1": "ml-kem-512", _NIST + "4.2": "ml-kem-768", _NIST + "4.3": "ml-kem-1024"}
HKDF_SHA256 = "1.2.840.113549.1.9.16.3.28"
"""id-alg-hkdf-with-sha256 (RFC 8619)."""
PBKDF2, PWRI_KEK = "1.2.840.113549.1.5.12", "1.2.840.113549.1.9.16.3.9"
"""HMACs (RFC 8018 appendix B.1.2)."""

CONTENT_TYPE = "1.2.840.113549.1.9.3"
SMIME_CAPABILITIES = "1.2.840.113549.1.9.15"
PREFER_BINARY_INSIDE = "1.2.840.113549.1.9.16.11.1"

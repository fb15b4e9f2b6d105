"""Algorithm identifiers of CMS as used here: names and OIDs, and what they become in `cryptography`."""

from cryptography.hazmat.primitives import hashes

_NIST = "2.16.840.1.101.3.4."

RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
RSAES_OAEP = "1.2.840.113549.1.1.7"
RSASSA_PSS = "1.2.840.113549.1.1.10"
EC_PUBLIC_KEY = "1.2.840.10045.2.1"
NULL = b"\x05\x00"

CBC_KEY_BYTES = {_NIST + "1.2": 16, _NIST + "1.22": 24, _NIST + "1.42": 32}
GCM_KEY_BYTES = {_NIST + "1.6": 16, _NIST + "1.26": 24, _NIST + "1.46": 32}
WRAP_KEY_BYTES = {_NIST + "1.5": 16, _NIST + "1.25": 24, _NIST + "1.45": 32}
AES256_CBC, AES256_GCM, AES256_WRAP = _NIST + "1.42", _NIST + "1.46", _NIST + "1.45"
CIPHER_NAMES = {
    **{oid: f"aes-{size * 8}-cbc" for oid, size in CBC_KEY_BYTES.items()},
    **{oid: f"aes-{size * 8}-gcm" for oid, size in GCM_KEY_BYTES.items()},
}

SHA256, SHA384, SHA512 = _NIST + "2.1", _NIST + "2.2", _NIST + "2.3"
DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {SHA256: hashes.SHA256, SHA384: hashes.SHA384, SHA512: hashes.SHA512}
"""Digests that a signature may use; SHA-1 and MD5 are refused."""
OAEP_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {**DIGESTS, "1.3.14.3.2.26": hashes.SHA1}
"""OAEP and key derivation do not need collision resistance: SHA-1 is read (RFC 8017 defaults, OpenSSL's ECDH default)."""

ECDH_KDFS: dict[str, type[hashes.HashAlgorithm]] = {
    "1.3.133.16.840.63.0.2": hashes.SHA1,
    "1.3.132.1.11.1": hashes.SHA256,
    "1.3.132.1.11.2": hashes.SHA384,
    "1.3.132.1.11.3": hashes.SHA512,
}
ECDH_SHA256_KDF = "1.3.132.1.11.1"

RSA_SIGNATURES: dict[str, type[hashes.HashAlgorithm] | None] = {
    RSA_ENCRYPTION: None,  # RFC 3370: the digest is that of the SignerInfo
    "1.2.840.113549.1.1.11": hashes.SHA256,
    "1.2.840.113549.1.1.12": hashes.SHA384,
    "1.2.840.113549.1.1.13": hashes.SHA512,
}
ECDSA_SIGNATURES: dict[str, type[hashes.HashAlgorithm]] = {
    "1.2.840.10045.4.3.2": hashes.SHA256,
    "1.2.840.10045.4.3.3": hashes.SHA384,
    "1.2.840.10045.4.3.4": hashes.SHA512,
}
RSA_SHA256, ECDSA_SHA256, ECDSA_SHA384 = "1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2", "1.2.840.10045.4.3.3"

CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
SMIME_CAPABILITIES = "1.2.840.113549.1.9.15"
SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47"
ALGORITHM_PROTECTION = "1.2.840.113549.1.9.52"

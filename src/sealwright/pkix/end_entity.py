"""What a certificate's key may be used for: keyUsage and extendedKeyUsage of the leaf and of those above (RFC 8550)."""

from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519
from cryptography.x509.oid import ExtendedKeyUsageOID

from sealwright.errors import PathValidationError
from sealwright.pkix.extensions import find_extension

Purpose = Literal["sign", "encrypt", "timestamp", "ocsp", "crl", "any"]
"""What the leaf is for: mail signatures, mail encryption, RFC 3161 tokens, OCSP responses, revocation lists, or not asked."""
_EXTENDED: dict[Purpose, x509.ObjectIdentifier] = {
    "sign": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "encrypt": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamp": ExtendedKeyUsageOID.TIME_STAMPING,
}


def check_issuer_purposes(extensions: x509.Extensions, purpose: Purpose) -> None:
    """Check that an issuer's extendedKeyUsage, if it has one, allows the purpose below it.

    RFC 5280 gives the extension no meaning in a CA certificate; everybody else does (CA/Browser Forum).

    Raises:
        PathValidationError: "purpose".
    """
    wanted, purposes = _EXTENDED.get(purpose), find_extension(extensions, x509.ExtendedKeyUsage)
    if wanted is not None and purposes is not None and not _allows(purposes, wanted):
        raise PathValidationError(f"an issuer of the path is not for {_word(purpose)}", "purpose")


def check_end_entity(certificate: x509.Certificate, extensions: x509.Extensions, purpose: Purpose) -> list[str]:
    """Check what the leaf of a path is for.

    Returns:
        Warnings: "no-key-usage", "no-extended-key-usage" (RFC 8550 sections 4.4.2 and 4.4.4: absent means all).

    Raises:
        PathValidationError: "purpose" or "key-usage".
    """
    usage = find_extension(extensions, x509.KeyUsage)
    purposes = find_extension(extensions, x509.ExtendedKeyUsage)
    if purpose == "any":
        return []
    if purpose == "crl":
        if usage is not None and not usage.crl_sign:
            raise PathValidationError("the certificate's key may not sign lists", "key-usage")
        return []
    if purpose == "timestamp":
        _check_timestamping(extensions)
    elif purpose == "ocsp":
        if purposes is None or ExtendedKeyUsageOID.OCSP_SIGNING not in purposes:
            raise PathValidationError("the certificate is not for OCSP responses", "purpose")
    elif purposes is not None and not _allows(purposes, _EXTENDED[purpose]):
        raise PathValidationError("the certificate is not for mail", "purpose")
    constraints = find_extension(extensions, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise PathValidationError(f"a CA's certificate is not used for {_word(purpose)}", "purpose")
    if usage is not None and not _is_usage_allowed(certificate, usage, purpose):
        verb = purpose if purpose == "encrypt" else "sign"
        raise PathValidationError(f"the certificate's key is not made to {verb}", "key-usage")
    absent = {"no-key-usage": usage, "no-extended-key-usage": purposes}
    return [code for code, extension in absent.items() if extension is None]


def _check_timestamping(extensions: x509.Extensions) -> None:
    """RFC 3161 section 2.3: critical, and nothing else."""
    try:
        extension = extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        extension = None
    if extension is None or not extension.critical or list(extension.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise PathValidationError("the certificate is not for timestamps alone", "purpose")


def _is_usage_allowed(certificate: x509.Certificate, usage: x509.KeyUsage, purpose: Purpose) -> bool:
    if purpose == "ocsp":
        return usage.digital_signature
    if purpose in ("sign", "timestamp"):
        return usage.digital_signature or usage.content_commitment
    agreement = (ec.EllipticCurvePublicKey, x25519.X25519PublicKey, x448.X448PublicKey)
    return usage.key_agreement if isinstance(certificate.public_key(), agreement) else usage.key_encipherment


def _allows(purposes: x509.ExtendedKeyUsage, wanted: x509.ObjectIdentifier) -> bool:
    return any(purpose in (wanted, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE) for purpose in purposes)


def _word(purpose: Purpose) -> str:
    return {"timestamp": "timestamps", "ocsp": "OCSP responses"}.get(purpose, "mail")

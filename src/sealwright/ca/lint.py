"""Lint before signing: nothing is signed without a one-shot token, and a token comes only from a clean lint."""

import functools
import re
import threading
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pkilint import loader, validation
from pkilint.cabf import smime
from pkilint.cabf.smime.smime_constants import Generation, ValidationLevel
from pkilint.pkix import certificate, extension, name

from sealwright.errors import ConflictError, ProfileViolationError
from sealwright.pkix.levels import identity_level
from sealwright.wire.encoding import sha256

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
PRIVATE_CA_FINDINGS = {
    "cabf.internal_domain_name": re.compile(".*"),  # an intranet's own names and addresses
    "pkix.invalid_domain_name_syntax": re.compile(_LABEL),  # single-label host names such as "localhost"
    "pkix.invalid_uri_syntax": re.compile(rf"http://{_LABEL}(?::[0-9]{{1,5}})?(?:/[A-Za-z0-9._~-]+)*"),  # the same
}
"""Findings that do not matter under a private root, each for these values only; all else of WARNING or worse blocks."""

_LEVELS = {
    "mailbox-validated": ValidationLevel.MAILBOX,
    "sponsor-validated": ValidationLevel.SPONSORED,
}
_DRAFT_KEYS: dict[str, ec.EllipticCurvePrivateKey] = {
    "secp256r1": ec.generate_private_key(ec.SECP256R1()),
    "secp384r1": ec.generate_private_key(ec.SECP384R1()),
}
"""Throw-away keys of this process: their signatures make drafts that can be linted, and are never handed out."""
_lock = threading.Lock()


class LintToken:
    """Permission to sign one to-be-signed certificate, once."""

    def __init__(self, tbs_certificate: bytes) -> None:
        self._tbs_sha256: bytes | None = sha256(tbs_certificate)

    def redeem(self, tbs_certificate: bytes) -> None:
        """Use the token up.

        Raises:
            ConflictError: If it was used before, or is for another certificate.
        """
        with _lock:
            expected, self._tbs_sha256 = self._tbs_sha256, None
        if expected != sha256(tbs_certificate):
            raise ConflictError("the certificate to be signed is not the one that was linted")


def draft(builder: x509.CertificateBuilder, issuer_key: ec.EllipticCurvePublicKey) -> x509.Certificate:
    """Return the certificate with its final to-be-signed part and a worthless signature."""
    return builder.sign(_DRAFT_KEYS[issuer_key.curve.name], hash_for(issuer_key))


def hash_for(issuer_key: ec.EllipticCurvePublicKey) -> hashes.SHA256 | hashes.SHA384:
    """Return the hash that an issuer of this curve signs with."""
    return hashes.SHA384() if issuer_key.curve.name == "secp384r1" else hashes.SHA256()


def lint(drafted: x509.Certificate) -> LintToken:
    """Lint a draft; subscriber certificates against the S/MIME Baseline Requirements, all others against RFC 5280.

    Raises:
        ProfileViolationError: If there is any finding of WARNING or worse; the message names the findings' codes.
    """
    der = drafted.public_bytes(serialization.Encoding.DER)
    # the library's validators keep no state between documents, but promise nothing about threads
    with _lock:
        results = _validator(identity_level(drafted)).validate(loader.load_certificate(der, "certificate").root)
    codes = {
        description.finding.code
        for result in results
        for description in result.finding_descriptions
        if description.finding.severity <= validation.ValidationFindingSeverity.WARNING
        and not _is_private(description.finding.code, str(result.node.pdu))
    }
    blocking = sorted(codes)
    if blocking:
        raise ProfileViolationError(f"the certificate would break its profile: {', '.join(blocking)}")
    return LintToken(drafted.tbs_certificate_bytes)


def _is_private(code: str, value: str) -> bool:
    """Tell whether a finding is about a name that only a private network has."""
    permitted = PRIVATE_CA_FINDINGS.get(code)
    return permitted is not None and permitted.fullmatch(value) is not None


@functools.cache
def _validator(level: str) -> Any:
    if level in _LEVELS:
        return certificate.create_pkix_certificate_validator_container(
            smime.create_decoding_validators(),
            smime.create_subscriber_validators(_LEVELS[level], Generation.MULTIPURPOSE, None),
        )
    return certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )

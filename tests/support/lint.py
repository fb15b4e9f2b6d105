"""pkilint over finished documents: an opinion on what the CA signed that is not the CA's own gate over drafts."""

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pkilint import loader, pkix, validation
from pkilint.cabf import smime
from pkilint.cabf.smime.smime_constants import Generation, ValidationLevel
from pkilint.pkix import certificate, crl, extension, name

from sealwright.pkix.levels import identity_level

LEVELS = {"mailbox-validated": ValidationLevel.MAILBOX, "sponsor-validated": ValidationLevel.SPONSORED}


def certificate_findings(finished: x509.Certificate) -> list[str]:
    """Return the codes of all findings of WARNING or worse; mail certificates against the S/MIME Baseline Requirements."""
    level = LEVELS.get(identity_level(finished))
    if level is not None:
        container = certificate.create_pkix_certificate_validator_container(
            smime.create_decoding_validators(), smime.create_subscriber_validators(level, Generation.MULTIPURPOSE, None)
        )
    else:
        container = certificate.create_pkix_certificate_validator_container(
            certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
            [
                certificate.create_issuer_validator_container([]),
                certificate.create_validity_validator_container(),
                certificate.create_subject_validator_container([]),
                certificate.create_extensions_validator_container([]),
                certificate.create_spki_validator_container([]),
            ],
        )
    return _codes(container, loader.load_certificate(finished.public_bytes(Encoding.DER), "certificate").root)


def crl_findings(encoded: bytes) -> list[str]:
    """Return the codes of all findings of WARNING or worse in a DER revocation list, against RFC 5280."""
    container = crl.create_pkix_crl_validator_container(
        [
            pkix.create_attribute_decoder(name.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [
            crl.create_issuer_validator_container([]),
            crl.create_validity_validator_container([]),
            crl.create_extensions_validator_container([]),
        ],
    )
    return _codes(container, loader.RFC5280CertificateListDocumentLoader().load_document(encoded, "crl").root)


def _codes(container: Any, root: Any) -> list[str]:
    return [
        f"{description.finding.code}: {description.message}"
        for result in container.validate(root)
        for description in result.finding_descriptions
        if description.finding.severity <= validation.ValidationFindingSeverity.WARNING
    ]

"""Recipients' certificates: looked up in the organization's directory, used only after their path was validated."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from sealwright.client.context import ClientContext
from sealwright.client.decision import CertificateState
from sealwright.client.keys import load_certificates
from sealwright.client.revocation import status_warning
from sealwright.client.trust import trust_of
from sealwright.cms.algorithms import ML_KEM
from sealwright.errors import DecodingError, PathValidationError
from sealwright.pkix.end_entity import Purpose
from sealwright.pkix.names import certificate_addresses
from sealwright.smime.trust import Trust, find_trusted_path
from sealwright.wire.api import DirectoryAnswer, DirectoryEntry, DirectoryQuery

MAX_ADDRESSES = 500


@dataclass(frozen=True, slots=True)
class RecipientCertificate:
    """What look-up and validation said about one address.

    Attributes:
        address: Canonical addr-spec.
        state: "usable", "missing" or "refused".
        certificate: The one to encrypt to, if usable.
        kem_certificate: The second one of a pair, for ML-KEM; also `certificate` where only that one is usable.
        warnings: For people.
        reason: Why it is refused.
    """

    address: str
    state: CertificateState
    certificate: x509.Certificate | None = None
    kem_certificate: x509.Certificate | None = None
    warnings: tuple[str, ...] = ()
    reason: str = ""


def find_recipients(context: ClientContext, addresses: Sequence[str]) -> tuple[RecipientCertificate, ...]:
    """Look up and validate the certificates of addresses, in their order.

    Raises:
        SealwrightError: What the server's problem says; `UnavailableError` if it does not answer.
    """
    wanted = tuple(dict.fromkeys(addresses))
    entries: dict[str, DirectoryEntry] = {}
    for start in range(0, len(wanted), MAX_ADDRESSES):
        query = DirectoryQuery(addresses=wanted[start : start + MAX_ADDRESSES])
        for entry in context.session.post("/v1/directory/search", query, DirectoryAnswer).entries:
            entries[entry.address] = entry
    trust = trust_of(context)
    return tuple(_judge(address, entries.get(address), trust) for address in wanted)


def _judge(address: str, entry: DirectoryEntry | None, trust: Trust) -> RecipientCertificate:
    if entry is None or not entry.certificates:
        return RecipientCertificate(address, "missing")
    reason, warnings = "", dict[str, None]()
    usable: dict[str, x509.Certificate] = {}
    for candidate in entry.certificates:
        try:
            certificate, *chain = load_certificates((candidate.certificate, *candidate.chain))
            slot = "kem" if certificate.public_key_algorithm_oid.dotted_string in ML_KEM else "classical"
            if slot not in usable:
                warnings.update(dict.fromkeys(check_certificate(certificate, chain, address, "encrypt", trust)))
                usable[slot] = certificate
        except (PathValidationError, DecodingError) as error:
            reason = reason or error.message
    if not usable:
        return RecipientCertificate(address, "refused", reason=reason)
    kem = usable.get("kem")
    return RecipientCertificate(address, "usable", usable.get("classical", kem), kem, tuple(warnings))


def check_certificate(
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate],
    address: str,
    purpose: Purpose,
    trust: Trust,
) -> list[str]:
    """Check that a certificate may be used for an address of the trusted domain, now.

    Args:
        certificate: The end-entity certificate.
        chain: Intermediates.
        address: Whose it has to be.
        purpose: "sign" or "encrypt".
        trust: Roots, time, and where revocation is looked up.

    Returns:
        Warnings for people.

    Raises:
        PathValidationError: If it is for another address, of no trusted root, not valid now, or revoked.
        DecodingError: If it cannot be read.
    """
    if address not in certificate_addresses(certificate):
        raise PathValidationError(f"the certificate is not for {address}")
    domain = address.rpartition("@")[2]
    if domain != trust.domain:
        raise PathValidationError(f"no root is trusted for {domain}")
    trusted = find_trusted_path(certificate, chain, trust, purpose=purpose)
    return list(dict.fromkeys(status_warning(one) for one in trusted.without_status))

"""What the CA decides, as pure functions: when a certificate is due for renewal, which keys it refuses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sealwright.ca.model import CA_KEY, CertificateRecord, CertifiedKey
from sealwright.errors import InputError, ProfileViolationError
from sealwright.wire.encoding import encode_fields, sha256

CRL_VALIDITY = timedelta(days=7)
CRL_RENEWAL = timedelta(days=3, hours=12)
"""A list with less than this left is made anew."""
PENDING_VALIDITY = timedelta(minutes=10)
"""An unsigned certificate older than this is abandoned, not finished: its `not_before` would lie too far back."""
SPKI_REUSE_LIMIT = 100


@dataclass(frozen=True, slots=True)
class CaSettings:
    """How the CA is reached.

    Attributes:
        base_url: http address of the status service, without a slash at the end; stands in every certificate.
    """

    base_url: str

    def crl_url(self, organization_id: str, issuer_name: str) -> str:
        """Return where an issuer's list is fetched."""
        return f"{self.base_url}/crl/{organization_id}/{issuer_name}.crl"

    def issuer_url(self, organization_id: str, issuer_name: str) -> str:
        """Return where an issuer's certificate is fetched."""
        return f"{self.base_url}/ca/{organization_id}/{issuer_name}.crt"


def check_base_url(base_url: str) -> None:
    """Check the address that goes into certificates.

    Raises:
        InputError: If it is not plain http: status is fetched before TLS can be trusted.
    """
    if not base_url.startswith("http://") or base_url.endswith("/"):
        raise InputError("the CA's base URL starts with http:// and has no slash at the end")


def is_renewal_due(record: CertificateRecord, now: datetime) -> bool:
    """Tell whether less than a third of a certificate's life is left."""
    return record.not_after - now < (record.not_after - record.not_before) / 3


def request_key(issuer_name: str, spki: bytes, names: Sequence[str]) -> str:
    """Return the hash under which equal requests are the same request, in hex."""
    fields = [name.encode("utf-8") for name in (issuer_name, *names)]
    return sha256(encode_fields("sealwright certificate request", 1, spki, *fields)).hex()


def check_key_reuse(known: CertifiedKey, usage: str, mailbox_id: str) -> None:
    """Check that a key may be certified (again).

    Args:
        known: What is known of the key.
        usage: Name of the issuer that would issue now; signing and encryption have issuers of their own.
        mailbox_id: Whom it would be for.

    Raises:
        ProfileViolationError: If the key was compromised, is an issuer's or another mailbox's, or serves another usage.
    """
    if known.compromised:
        raise ProfileViolationError("the key was reported as compromised: make a new one")
    if known.usage == CA_KEY:
        raise ProfileViolationError("the key is one of the CA itself: make a new one")
    if known.mailbox_id != mailbox_id:
        raise ProfileViolationError("the key belongs to another certificate's holder: make a new one")
    if known.usage != usage:
        raise ProfileViolationError("the key already serves another usage: make a new one")


def check_names(addresses: Sequence[str], subject_addresses: Sequence[str]) -> None:
    """Check that an escrow statement names only what the mailbox owns.

    Raises:
        ProfileViolationError: If an address is missing or foreign.
    """
    if not addresses or not set(addresses) <= set(subject_addresses):
        raise ProfileViolationError("the escrow statement names an address that the mailbox does not own")

"""Certificate profiles: template + request -> to-be-signed builder. Pure; nothing here signs.

Subscriber certificates follow the S/MIME Baseline Requirements, generation "multipurpose": sponsor-validated where the
organization has a registered identifier and the holder a personal name, else mailbox-validated.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from sealwright.errors import InputError, ProfileViolationError
from sealwright.pkix.names import address_general_name, canonical_domain
from sealwright.pkix.requests import CertifiablePublicKey, SubscriberPublicKey

SPONSOR_VALIDATED_MULTIPURPOSE = x509.ObjectIdentifier("2.23.140.1.5.3.2")
MAILBOX_VALIDATED_MULTIPURPOSE = x509.ObjectIdentifier("2.23.140.1.5.1.2")
ANY_POLICY = x509.ObjectIdentifier("2.5.29.32.0")
SUBSCRIBER_VALIDITY = timedelta(days=824)
TLS_VALIDITY = timedelta(days=397)
ROOT_VALIDITY = timedelta(days=20 * 365)
INTERMEDIATE_VALIDITY = timedelta(days=10 * 365)
MAX_COMMON_NAME = 64
BACKDATED = timedelta(minutes=5)
"""`not_before` lies this much in the past, for devices whose clocks are slow."""

Usage = Literal["signing", "encryption"]


@dataclass(frozen=True, slots=True)
class OrganizationName:
    """The organization as it stands in certificates.

    Attributes:
        name: Legal name.
        country: Two letters, or None.
        organization_identifier: Such as "NTRDE-DER3306.HRB12345", or None where the identity is not registered.
    """

    name: str
    country: str | None = None
    organization_identifier: str | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a subscriber certificate names.

    Attributes:
        addresses: Canonical addr-specs, the primary one first.
        given_name: Or empty.
        surname: Or empty.
        common_name: Display name of the person, or empty.
    """

    addresses: tuple[str, ...]
    given_name: str = ""
    surname: str = ""
    common_name: str = ""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a certificate hangs and where its status is found.

    Attributes:
        issuer: The issuing certificate.
        serial_number: Positive, at most 159 bits.
        not_before: Aware UTC, whole seconds.
        crl_url: http address of the issuer's CRL.
        issuer_url: http address of the issuer's certificate.
    """

    issuer: x509.Certificate
    serial_number: int
    not_before: datetime
    crl_url: str
    issuer_url: str


def is_sponsor_validated(holder: Holder, organization: OrganizationName) -> bool:
    """Tell whether the holder's certificate names the organization and the person, or the mailbox alone."""
    return bool(organization.organization_identifier and (holder.given_name or holder.surname))


def subscriber_builder(
    placement: Placement, organization: OrganizationName, holder: Holder, public_key: SubscriberPublicKey, usage: Usage
) -> x509.CertificateBuilder:
    """Return the to-be-signed S/MIME certificate of a mailbox.

    Raises:
        ProfileViolationError: If the key cannot serve the usage, or there is no address.
    """
    if not holder.addresses:
        raise ProfileViolationError("a mail certificate names at least one address")
    sponsored = is_sponsor_validated(holder, organization)
    subject = _sponsored_subject(holder, organization) if sponsored else _mailbox_subject(holder)
    policy = SPONSOR_VALIDATED_MULTIPURPOSE if sponsored else MAILBOX_VALIDATED_MULTIPURPOSE
    names = x509.SubjectAlternativeName([address_general_name(address) for address in holder.addresses])
    builder = _placed(placement, subject, public_key, SUBSCRIBER_VALIDITY)
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(subscriber_key_usage(public_key, usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.CertificatePolicies([x509.PolicyInformation(policy, None)]), critical=False)
        .add_extension(names, critical=not list(subject))
    )


def tls_builder(placement: Placement, names: list[str], public_key: CertifiablePublicKey) -> x509.CertificateBuilder:
    """Return the to-be-signed TLS server certificate of one of the organization's own servers.

    Args:
        placement: Where it hangs.
        names: DNS names and IP addresses.
        public_key: The server's.

    Raises:
        InputError: If there is no name, or one is neither a domain nor an IP address.
    """
    if not names:
        raise InputError("a TLS certificate names at least one server")
    general_names = [_server_name(name) for name in names]
    usage = _key_usage(digital_signature=True, key_encipherment=isinstance(public_key, rsa.RSAPublicKey))
    return (
        _placed(placement, x509.Name([]), public_key, TLS_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(general_names), critical=True)
    )


def root_builder(
    name: x509.Name, public_key: CertifiablePublicKey, serial_number: int, not_before: datetime
) -> x509.CertificateBuilder:
    """Return the to-be-signed self-signed root; it bounds no names and no path."""
    key_identifier = x509.SubjectKeyIdentifier.from_public_key(public_key)
    return (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=public_key, serial_number=serial_number)
        .not_valid_before(not_before)
        .not_valid_after(not_before + ROOT_VALIDITY)
        .add_extension(key_identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_identifier), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )


def intermediate_builder(
    placement: Placement, name: x509.Name, public_key: CertifiablePublicKey, *, is_tls: bool
) -> x509.CertificateBuilder:
    """Return the to-be-signed intermediate, which issues end-entity certificates of one purpose only."""
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if is_tls else ExtendedKeyUsageOID.EMAIL_PROTECTION
    return (
        _placed(placement, name, public_key, INTERMEDIATE_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.CertificatePolicies([x509.PolicyInformation(ANY_POLICY, None)]), critical=False)
    )


def issuer_name(organization: OrganizationName, common_name: str) -> x509.Name:
    """Return the distinguished name of one of the organization's issuers."""
    attributes = [x509.NameAttribute(NameOID.COUNTRY_NAME, organization.country)] if organization.country else []
    attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization.name[:64]))
    attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name[:MAX_COMMON_NAME]))
    return x509.Name(attributes)


def subscriber_key_usage(public_key: SubscriberPublicKey, usage: Usage) -> x509.KeyUsage:
    """Return the key usage of a subscriber certificate; of ML-KEM keys RFC 9935 section 5 permits keyEncipherment alone.

    Raises:
        ProfileViolationError: If the key cannot serve the usage.
    """
    is_kem = isinstance(public_key, mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey)
    if usage == "signing" and not is_kem:
        return _key_usage(digital_signature=True, content_commitment=True)
    if usage == "encryption" and (is_kem or isinstance(public_key, rsa.RSAPublicKey)):
        return _key_usage(key_encipherment=True)
    if usage == "encryption" and isinstance(public_key, ec.EllipticCurvePublicKey):
        return _key_usage(key_agreement=True)
    raise ProfileViolationError("a key of this kind cannot sign" if is_kem else "an Ed25519 key cannot encrypt")


def _placed(
    placement: Placement, subject: x509.Name, public_key: SubscriberPublicKey, validity: timedelta
) -> x509.CertificateBuilder:
    issuer = placement.issuer
    issuer_key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    not_after = min(placement.not_before + validity - timedelta(seconds=1), issuer.not_valid_after_utc)
    access = x509.AccessDescription(
        AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(placement.issuer_url)
    )
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(placement.crl_url)], None, None, None)
    return (
        x509.CertificateBuilder(
            subject_name=subject,
            issuer_name=issuer.subject,
            public_key=public_key,
            serial_number=placement.serial_number,
        )
        .not_valid_before(placement.not_before)
        .not_valid_after(not_after)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityInformationAccess([access]), critical=False)
        .add_extension(x509.CRLDistributionPoints([point]), critical=False)
    )


def _sponsored_subject(holder: Holder, organization: OrganizationName) -> x509.Name:
    values = [
        (NameOID.COUNTRY_NAME, organization.country or ""),
        (NameOID.ORGANIZATION_NAME, organization.name[:64]),
        (NameOID.ORGANIZATION_IDENTIFIER, organization.organization_identifier or ""),
        (NameOID.GIVEN_NAME, holder.given_name[:64]),
        (NameOID.SURNAME, holder.surname[:64]),
        (NameOID.COMMON_NAME, f"{holder.given_name} {holder.surname}".strip()[:MAX_COMMON_NAME]),
    ]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in values if value])


def _mailbox_subject(holder: Holder) -> x509.Name:
    address = holder.addresses[0]
    if len(address) > MAX_COMMON_NAME:
        return x509.Name([])
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])


def _server_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(canonical_domain(name))


def _key_usage(**usages: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: usages.get(name, False) for name in names})

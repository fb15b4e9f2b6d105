"""A CA that is not ours, with every knob that RFC 5280 has: for tests of path validation, lists and responses."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
SHA256 = hashes.SHA256()
MAIL = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
CRITICAL = (x509.BasicConstraints, x509.KeyUsage, x509.NameConstraints, x509.PolicyConstraints, x509.InhibitAnyPolicy)
USES = (
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
Extension = x509.ExtensionType


def name(common_name: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"), x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    )


def key_usage(*wanted: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in wanted for use in USES})


CA_EXTENSIONS = (x509.BasicConstraints(True, None), key_usage("key_cert_sign", "crl_sign"))
LEAF_EXTENSIONS = (key_usage("digital_signature"), MAIL)


def address(text: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.RFC822Name(text)])


@dataclass
class Party:
    """A key with its certificate."""

    certificate: x509.Certificate
    key: Any = field(repr=False)

    def issue(
        self,
        subject: x509.Name | str,
        extensions: tuple[Extension, ...],
        *,
        key: Any = None,
        critical: tuple[type[Extension], ...] = CRITICAL,
        start: datetime = NOW - DAY,
        end: datetime = NOW + 30 * DAY,
        hash_algorithm: Any = SHA256,
        serial_number: int | None = None,
    ) -> "Party":
        key = key or ec.generate_private_key(ec.SECP256R1())
        issuer = self.certificate.subject
        return Party(
            _sign(self.key, issuer, subject, key, extensions, critical, start, end, hash_algorithm, serial_number), key
        )

    def sub_ca(self, subject: x509.Name | str, *extensions: Extension, **knobs: Any) -> "Party":
        given = {type(one) for one in extensions}
        return self.issue(subject, (*(one for one in CA_EXTENSIONS if type(one) not in given), *extensions), **knobs)

    def leaf(self, subject: x509.Name | str = "Alice", *extensions: Extension, **knobs: Any) -> "Party":
        given = {type(one) for one in extensions}
        usual = (*LEAF_EXTENSIONS, address("alice@example.test"))
        return self.issue(subject, (*(one for one in usual if type(one) not in given), *extensions), **knobs)

    def crl(
        self,
        *entries: x509.RevokedCertificate,
        number: int = 1,
        this_update: datetime = NOW - DAY,
        next_update: datetime = NOW + DAY,
        base: int | None = None,
        point: x509.IssuingDistributionPoint | None = None,
        more: tuple[x509.Extension[Any], ...] = (),
        hash_algorithm: Any = SHA256,
    ) -> x509.CertificateRevocationList:
        extensions = [x509.Extension(x509.CRLNumber.oid, False, x509.CRLNumber(number)), *more]
        if base is not None:
            extensions.append(x509.Extension(x509.DeltaCRLIndicator.oid, True, x509.DeltaCRLIndicator(base)))
        if point is not None:
            extensions.append(x509.Extension(x509.IssuingDistributionPoint.oid, True, point))
        builder = x509.CertificateRevocationListBuilder(
            self.certificate.subject, this_update, next_update, extensions, list(entries)
        )
        return builder.sign(self.key, hash_algorithm)

    def responder(self, *extensions: Extension, **knobs: Any) -> "Party":
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
        given = {type(one) for one in extensions}
        usual = (key_usage("digital_signature"), purposes, x509.OCSPNoCheck())
        return self.issue("Responder", (*(one for one in usual if type(one) not in given), *extensions), **knobs)


def root(common_name: str = "Root", *extensions: Extension, key: Any = None, start: datetime = NOW - DAY) -> Party:
    key = key or ec.generate_private_key(ec.SECP256R1())
    given = {type(one) for one in extensions}
    all_extensions = (*(one for one in CA_EXTENSIONS if type(one) not in given), *extensions)
    subject = name(common_name)
    certificate = _sign(key, subject, subject, key, all_extensions, CRITICAL, start, NOW + 365 * DAY, SHA256, None)
    return Party(certificate, key)


def _sign(
    signer: Any,
    issuer: x509.Name,
    subject: x509.Name | str,
    key: Any,
    extensions: tuple[Extension, ...],
    critical: tuple[type[Extension], ...],
    start: datetime,
    end: datetime,
    hash_algorithm: Any,
    serial_number: int | None,
) -> x509.Certificate:
    subject = name(subject) if isinstance(subject, str) else subject
    serial_number = serial_number or x509.random_serial_number()
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), serial_number, start, end)
    for extension in extensions:
        builder = builder.add_extension(extension, isinstance(extension, critical))
    return builder.sign(signer, hash_algorithm)


def revoked(
    party: Party,
    reason: x509.ReasonFlags | None = None,
    date: datetime = NOW - timedelta(hours=1),
    *more: tuple[Extension, bool],
) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(party.certificate.serial_number, date)
    if reason is not None:
        builder = builder.add_extension(x509.CRLReason(reason), critical=False)
    for extension, is_critical in more:
        builder = builder.add_extension(extension, is_critical)
    return builder.build()


def point(**knobs: Any) -> x509.IssuingDistributionPoint:
    given: dict[str, Any] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**(given | knobs))


def ocsp_response(
    party: Party,
    issuer: Party,
    signer: Party,
    *,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    this_update: datetime = NOW - timedelta(hours=1),
    next_update: datetime | None = NOW + DAY,
    revocation_time: datetime | None = None,
    reason: x509.ReasonFlags | None = None,
    certificates: tuple[x509.Certificate, ...] = (),
    by_name: bool = False,
    more: tuple[tuple[Extension, bool], ...] = (),
    hash_algorithm: Any = SHA256,
) -> bytes:
    encoding = ocsp.OCSPResponderEncoding.NAME if by_name else ocsp.OCSPResponderEncoding.HASH
    builder = ocsp.OCSPResponseBuilder().add_response(
        party.certificate, issuer.certificate, hashes.SHA1(), status, this_update, next_update, revocation_time, reason
    )
    builder = builder.responder_id(encoding, signer.certificate)
    if certificates:
        builder = builder.certificates(list(certificates))
    for extension, is_critical in more:
        builder = builder.add_extension(extension, is_critical)
    return builder.sign(signer.key, hash_algorithm).public_bytes(Encoding.DER)

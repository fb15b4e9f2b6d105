"""OCSP as a client uses it (RFC 6960, nonce of RFC 9654): the request, and what a response is worth.

A response counts if it answers for exactly this certificate of exactly this issuer, and is signed by the issuer itself or
by a responder whose certificate the issuer's key signed directly, with extendedKeyUsage OCSPSigning and id-pkix-ocsp-nocheck
(who would say whether the responder is revoked? RFC 6960 section 4.2.2.2.1).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from sealwright.errors import DecodingError, InvalidSignatureError, PathValidationError
from sealwright.pkix.crl_status import RevocationEntry
from sealwright.pkix.distinguished_names import normalized_name
from sealwright.pkix.extensions import UNDECODABLE, decode_extensions, find_extension, unknown_critical
from sealwright.pkix.path_building import CertificatePool
from sealwright.pkix.signatures import check_algorithms, check_hash, is_signature

NONCE_OCTETS = 32
"""RFC 9654 section 2.1: what a new client sends."""
MAX_RESPONSE_OCTETS = 64 * 1024
"""A response with a post-quantum signature and certificate has about 15 KiB."""
MAX_SINGLE_RESPONSES = 100
"""One is asked for; responders that answer from a cache may bundle some."""
MAX_RESPONDER_CERTIFICATES = 10
"""One, its issuer, and what a careless responder adds; each may cost a signature check."""
_HASHES = (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)
_PSS_HASHES = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
_KNOWN_EXTENSIONS = frozenset(
    (x509.KeyUsage.oid, x509.ExtendedKeyUsage.oid, x509.BasicConstraints.oid, x509.OCSPNoCheck.oid)
)
_CRITICAL = b"\x01\x01\xff"


@dataclass(frozen=True, slots=True)
class OcspAnswer:
    """What a responder says about one certificate.

    Attributes:
        is_good: The status is "good".
        entry: If it is "revoked".
        this_update: Aware UTC.
        next_update: Aware UTC; None where newer information is always to be had.
        nonce: The one of the request, if the responder repeats it.
    """

    is_good: bool
    entry: RevocationEntry | None
    this_update: datetime
    next_update: datetime | None
    nonce: bytes | None


def build_request(certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes | None) -> bytes:
    """Return a DER OCSPRequest for one certificate.

    The CertID is hashed with SHA-1, which every responder knows (RFC 5019); nothing depends on its strength.

    Args:
        certificate: Whose status is asked for.
        issuer: Its issuer's certificate.
        nonce: 32 random octets, or None for a request whose answer may come from a cache.
    """
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303  # a name
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def nonce_of(der: bytes) -> bytes | None:
    """Return the nonce of a response that is still to be verified, or None.

    Raises:
        DecodingError: If it cannot be decoded, or is no successful one.
    """
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise DecodingError(f"the OCSP responder answers {response.response_status.name.lower()}")
        return _check_extensions(response)
    except UNDECODABLE as error:
        raise DecodingError("the OCSP response cannot be decoded") from error


def read_response(
    der: bytes, certificate: x509.Certificate, issuer: x509.Certificate, pool: CertificatePool, *, allow_weak: bool
) -> OcspAnswer:
    """Verify a response and return what it says about a certificate. How old it may be is for the caller to judge.

    Args:
        der: OCSPResponse.
        certificate: Whose status is asked for.
        issuer: Its issuer's certificate, from a path that is being validated.
        pool: Accounts for the signatures.
        allow_weak: Accept SHA-1 signatures and small RSA keys of the responder.

    Raises:
        DecodingError: If it is no successful response about this certificate, or has an unknown critical extension.
        InvalidSignatureError: If it is not signed by somebody who may.
        PathValidationError: "too-many-steps".
    """
    if len(der) > MAX_RESPONSE_OCTETS:
        raise DecodingError("the OCSP response is too large")
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise DecodingError(f"the OCSP responder answers {response.response_status.name.lower()}")
        single = _single_response(response, certificate, issuer)
        nonce = _check_extensions(response)
        # RFC 6960 section 3.2: 1, 2 it is about this certificate; 3, 4 the signer may; 5, 6 the times are the caller's.
        signers = _signers(response, issuer, pool, allow_weak=allow_weak)
        if not any(_is_signed(response, signer, pool, allow_weak=allow_weak) for signer in signers):
            raise InvalidSignatureError("the OCSP response is not signed by a responder of the certificate's issuer")
        answer = _answer(single, nonce)
    except UNDECODABLE as error:
        raise DecodingError("the OCSP response cannot be decoded") from error
    return answer


def _single_response(
    response: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate
) -> ocsp.OCSPSingleResponse:
    for count, single in enumerate(response.responses):
        if count == MAX_SINGLE_RESPONSES:
            break
        if single.serial_number == certificate.serial_number and _names_issuer(single, certificate, issuer):
            return single
    raise DecodingError("the OCSP response is not about this certificate")


def _names_issuer(single: ocsp.OCSPSingleResponse, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if not isinstance(single.hash_algorithm, _HASHES):
        return False
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, single.hash_algorithm)
    asked = builder.build()  # hashes name and key as the responder had to
    expected = (asked.issuer_name_hash, asked.issuer_key_hash)
    return (single.issuer_name_hash, single.issuer_key_hash) == expected


def _check_extensions(response: ocsp.OCSPResponse) -> bytes | None:
    """Check that nothing critical is left unprocessed, and return the nonce."""
    critical = [extension for extension in response.extensions if extension.critical]
    # the library shows the extensions of the single responses only where there is one, so they are counted
    if response.tbs_response_bytes.count(_CRITICAL) != len(critical) or any(
        extension.oid != x509.OCSPNonce.oid for extension in critical
    ):
        raise DecodingError("the OCSP response has a critical extension that is not known")
    nonce = find_extension(response.extensions, x509.OCSPNonce)
    return nonce.nonce if nonce is not None else None


def _signers(
    response: ocsp.OCSPResponse, issuer: x509.Certificate, pool: CertificatePool, *, allow_weak: bool
) -> Iterator[x509.Certificate]:
    """Yield the certificates whose key may have signed a response."""
    if _is_responder(response, issuer):
        yield issuer
    for delegate in response.certificates[:MAX_RESPONDER_CERTIFICATES]:
        if not _is_responder(response, delegate) or delegate == issuer:
            continue
        extensions = decode_extensions(delegate)
        purposes = find_extension(extensions, x509.ExtendedKeyUsage)
        if purposes is None or ExtendedKeyUsageOID.OCSP_SIGNING not in purposes:
            continue
        if find_extension(extensions, x509.OCSPNoCheck) is None or unknown_critical(extensions, _KNOWN_EXTENSIONS):
            continue
        usage = find_extension(extensions, x509.KeyUsage)
        if usage is not None and not usage.digital_signature:
            continue
        if not delegate.not_valid_before_utc <= response.produced_at_utc <= delegate.not_valid_after_utc:
            continue
        is_of_issuer = normalized_name(delegate.issuer) == normalized_name(issuer.subject)
        if is_of_issuer and _is_strong(delegate, allow_weak=allow_weak) and pool.is_signed_by(delegate, issuer):
            yield delegate


def _is_responder(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    if response.responder_name is not None:
        return normalized_name(response.responder_name) == normalized_name(certificate.subject)
    # RFC 6960 section 4.2.2.3: the SHA-1 of the key's BIT STRING, as method 1 of RFC 5280 section 4.2.1.2
    identifier = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())
    return identifier.digest == response.responder_key_hash


def _is_strong(certificate: x509.Certificate, *, allow_weak: bool) -> bool:
    try:
        check_algorithms(certificate, is_anchor=False, allow_weak=allow_weak)
    except PathValidationError:
        return False
    return True


def _is_signed(
    response: ocsp.OCSPResponse, signer: x509.Certificate, pool: CertificatePool, *, allow_weak: bool
) -> bool:
    key, content = signer.public_key(), response.tbs_response_bytes
    tries: list[tuple[padding.AsymmetricPadding, hashes.HashAlgorithm | None]]
    if response.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS:
        # the library does not show the parameters; what every CA uses is the same hash twice
        tries = [(padding.PSS(padding.MGF1(one), padding.PSS.AUTO), one) for one in _PSS_HASHES]
    else:
        tries = [(padding.PKCS1v15(), response.signature_hash_algorithm)]
    for parameters, hash_algorithm in tries:
        pool.budget.spend_signature_check()
        try:
            check_hash(hash_algorithm, allow_weak=allow_weak)
        except PathValidationError:
            return False
        if is_signature(key, response.signature, content, hash_algorithm, parameters):
            return True
    return False


def _answer(single: ocsp.OCSPSingleResponse, nonce: bytes | None) -> OcspAnswer:
    entry = None
    if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        time = single.revocation_time_utc
        if time is None:
            raise DecodingError("the OCSP response does not say when the certificate was revoked")
        entry = RevocationEntry(time, single.revocation_reason or x509.ReasonFlags.unspecified, time)
    is_good = single.certificate_status is ocsp.OCSPCertStatus.GOOD
    return OcspAnswer(is_good, entry, single.this_update_utc, single.next_update_utc, nonce)

"""RecipientInfos: a content-encryption key wrapped for many, and found again by one (RFC 5652 section 6.2).

Each kind of RecipientInfo has a module of its own; this one chooses between them.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, rsa, x448, x25519

from sealwright.asn1.der import elements
from sealwright.asn1.writer import tlv
from sealwright.cms import algorithms, kem, key_agreement, key_transport, schema
from sealwright.cms.content_ciphers import ContentCipher
from sealwright.cms.decryptors import FindKeys, OpenableRecipientInfo, WrappedKey
from sealwright.cms.identifiers import RecipientIdentifier, identifier
from sealwright.cms.key_transport import KeyTransport
from sealwright.cms.known_certificates import KnownCertificate, from_certificate, parse_certificates
from sealwright.cms.recipient_schema import (
    KEKRecipientInfo,
    KEMRecipientInfo,
    KeyAgreeRecipientInfo,
    KeyTransRecipientInfo,
    PasswordRecipientInfo,
    RecipientInfo,
)
from sealwright.errors import DecodingError, InputError, UnsupportedAlgorithmError

MAX_RECIPIENTS = 1000
"""A mail to more people goes to a list; more RecipientInfos than this are an attack on the reader."""
MAX_TRIED_KEYS = 16
"""Each costs a private-key operation and a pass over the content; more matching keys than this no honest message has."""
VERSION_0 = b"\x02\x01\x00"
_KEY_TRANSPORT, _OTHER_RECIPIENT = 0x30, 0xA4  # tags of RecipientInfo
_SUBSTITUTE_SECRET = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class KeyCandidate:
    """A content-encryption key that may be right: only the content, or its tag, can tell.

    Attributes:
        key: Of the length that the content cipher needs.
        recipient: Which RecipientInfo it comes from.
        key_management: How it was wrapped: "rsa-pkcs1-v1.5", "rsa-oaep-sha256", "ecdh-sha256-kdf", "x25519-hkdf-sha256",
            "ml-kem-768", "kek" or "password", for example.
        warnings: What is weak about it: "rsa-short" (under 2,048 bits), "key-wrap-weak" (shorter than the content's
            key, or than ML-KEM wants).
    """

    key: bytes = field(repr=False)
    recipient: RecipientIdentifier
    key_management: str
    warnings: tuple[str, ...]


def wrap_key(
    content_encryption_key: bytes, certificate: x509.Certificate, key_transport_scheme: KeyTransport = "rsa-pkcs1-v1.5"
) -> bytes:
    """Wrap the content-encryption key for the holder of a certificate; returns the DER RecipientInfo.

    Raises:
        UnsupportedAlgorithmError: If the certificate's key is of a kind that is not encrypted to.
    """
    try:
        public_key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnsupportedAlgorithmError("the certificate's key is of a kind that is not encrypted to") from error
    if isinstance(public_key, rsa.RSAPublicKey):
        return key_transport.wrap_key(content_encryption_key, certificate, public_key, key_transport_scheme)
    if isinstance(public_key, ec.EllipticCurvePublicKey | x25519.X25519PublicKey | x448.X448PublicKey):
        return key_agreement.wrap_key(content_encryption_key, certificate, public_key)
    if isinstance(public_key, mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey):
        return kem.wrap_key(content_encryption_key, certificate, public_key)
    raise UnsupportedAlgorithmError("mail is encrypted to RSA, elliptic-curve, X25519, X448 and ML-KEM keys")


def wrap_for_all(
    content_encryption_key: bytes,
    certificates: Sequence[x509.Certificate],
    key_transport_scheme: KeyTransport = "rsa-pkcs1-v1.5",
) -> list[bytes]:
    """Wrap the content-encryption key for every recipient; returns DER RecipientInfos.

    Raises:
        InputError: If there is no recipient, or too many.
        UnsupportedAlgorithmError: If a certificate's key is of a kind that is not encrypted to.
    """
    if not 1 <= len(certificates) <= MAX_RECIPIENTS:
        raise InputError("a message is encrypted to at least one and at most 1,000 recipients")
    return [wrap_key(content_encryption_key, certificate, key_transport_scheme) for certificate in certificates]


def enveloped_data_version(infos: Sequence[bytes]) -> bytes:
    """Return the DER version of an EnvelopedData that has neither originatorInfo nor attributes (RFC 5652 section 6.1).

    Args:
        infos: As `wrap_for_all` gives them: KeyTransRecipientInfos are of version 0.
    """
    kinds = {info[0] for info in infos}
    if _OTHER_RECIPIENT in kinds:
        return b"\x02\x01\x03"
    return VERSION_0 if kinds == {_KEY_TRANSPORT} else b"\x02\x01\x02"


def encode_recipient_infos(infos: Sequence[bytes]) -> bytes:
    """Return the DER SET OF RecipientInfo."""
    return tlv(0x31, *sorted(infos))


@asn1.sequence
class _RecipientInfos:
    infos: list[RecipientInfo]


def parse_recipient_infos(encoded: bytes) -> list[RecipientInfo]:
    """Parse RecipientInfos, in the order in which they stand.

    Args:
        encoded: The elements of the SET in DER, without its tag and length.

    Raises:
        DecodingError: If they are malformed.
    """
    try:
        return asn1.decode_der(_RecipientInfos, tlv(0x30, tlv(0x30, encoded))).infos
    except ValueError as error:
        raise DecodingError("a RecipientInfo is malformed") from error


def wrapped_keys(infos: Sequence[RecipientInfo], originators: Sequence[KnownCertificate] = ()) -> list[WrappedKey]:
    """List the wrapped keys of a message in its order; kinds that are not known are skipped.

    Args:
        infos: Of the message.
        originators: Certificates of which one may hold the sender's key, those of originatorInfo among them.

    Raises:
        DecodingError: If there are more than `MAX_RECIPIENTS`.
    """
    found: list[WrappedKey] = []
    for info in infos:
        if isinstance(info, KeyTransRecipientInfo):
            found.append(WrappedKey(identifier(info.rid), info, info.encrypted_key))
        elif isinstance(info, KeyAgreeRecipientInfo):
            named, originator = key_agreement.originator_of(info), None
            if named is not None:
                originator = next((each for each in originators if named.matches(each.certificate)), None)
            found.extend(
                WrappedKey(identifier(key.rid), info, key.encrypted_key, originator)
                for key in info.recipient_encrypted_keys
            )
        elif isinstance(info, KEKRecipientInfo):
            agreed = RecipientIdentifier(key_identifier=info.kekid.key_identifier)
            found.append(WrappedKey(agreed, info, info.encrypted_key))
        elif isinstance(info, PasswordRecipientInfo):
            found.append(WrappedKey(RecipientIdentifier(is_password=True), info, info.encrypted_key))
        elif (kem_info := kem.read_info(info)) is not None:
            found.append(WrappedKey(identifier(kem_info.rid), kem_info, kem_info.encrypted_key))
        if len(found) > MAX_RECIPIENTS:
            raise DecodingError("the message has too many recipients")
    return found


def originators(originator_info: bytes | None, more: Iterable[x509.Certificate]) -> tuple[KnownCertificate, ...]:
    """Return the certificates that may hold the key of a sender who has a lasting one.

    Args:
        originator_info: Content of OriginatorInfo (RFC 5652 section 6.1) in DER; None where the message has none.
        more: That are known otherwise.

    Raises:
        DecodingError: If it is malformed, or brings too many certificates.
    """
    sets = [content for tag, content in elements(originator_info or b"") if tag == 0xA0]
    brought = (known for each in sets for known in parse_certificates([tlv(*choice) for choice in elements(each)]))
    others = (from_certificate(certificate) for certificate in more)
    return (*brought, *(known for known in others if known is not None))


def candidate_keys(wrapped: Sequence[WrappedKey], find_keys: FindKeys, cipher: ContentCipher) -> Iterator[KeyCandidate]:
    """Give the content-encryption keys that the reader's keys unwrap, in the order of the message.

    Where RSA gives no key of the right length, another takes its place and the caller goes on as if it were right (RFC 3218):
    it is the same for the same message, so that asking again tells nothing either.

    Args:
        wrapped: From `wrapped_keys`.
        find_keys: The reader's keys.
        cipher: Of the content.
    """
    tried = 0
    for each in wrapped:
        try:
            key_management, warnings = _describe(each.info, cipher)
        except (DecodingError, ValueError):  # an algorithm that is not read, whoever's key it takes
            continue
        for decryptor in find_keys(each.recipient):
            tried += 1
            if tried > MAX_TRIED_KEYS:
                return
            key = decryptor.unwrap_key(replace(each, content_key_bytes=cipher.key_bytes))
            if isinstance(each.info, KeyTransRecipientInfo):
                substitute = hmac.digest(_SUBSTITUTE_SECRET, each.encrypted_key, hashlib.sha256)[: cipher.key_bytes]
                key = key if key is not None and len(key) == cipher.key_bytes else substitute
            if key is not None and len(key) == cipher.key_bytes:
                yield KeyCandidate(key, each.recipient, key_management, warnings)


def _describe(info: OpenableRecipientInfo, cipher: ContentCipher) -> tuple[str, tuple[str, ...]]:
    """Name how a key is wrapped, and what is weak about that.

    Raises:
        DecodingError: If an algorithm is not known, or triple DES wraps a key of another cipher.
        ValueError: If its parameters are malformed.
    """
    if not cipher.is_legacy and _wrap_oid(info) == algorithms.DES_EDE3_WRAP:
        raise DecodingError("triple DES wraps the key of a better cipher")
    if isinstance(info, KeyTransRecipientInfo):
        short = len(info.encrypted_key) < key_transport.MIN_RSA_BYTES
        return key_transport.key_management(info), ("rsa-short",) if short else ()
    if isinstance(info, KeyAgreeRecipientInfo):
        name, wrap_bytes = key_agreement.describe(info)
        return name, ("key-wrap-weak",) if wrap_bytes < cipher.key_bytes else ()
    if isinstance(info, KEMRecipientInfo):
        name, wrap_bytes, is_weak = kem.describe(info)
        return name, ("key-wrap-weak",) if is_weak or wrap_bytes < cipher.key_bytes else ()
    return "kek" if isinstance(info, KEKRecipientInfo) else "password", ()


def _wrap_oid(info: OpenableRecipientInfo) -> str:
    if isinstance(info, KeyAgreeRecipientInfo):
        return key_agreement.wrap_oid(info)
    return schema.algorithm_oid(info.key_encryption_algorithm) if isinstance(info, KEKRecipientInfo) else ""

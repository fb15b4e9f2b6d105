"""Keys, certificates and lists from files: PEM and DER, PKCS #7, PKCS #8 and PKCS #12. No file is trusted to be cheap."""

import binascii
import contextlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs12

from sealwright.cms import signed
from sealwright.cms.decryptors import DecryptionKey, FindKeys, KeyDecryptor, PasswordDecryptor, PrivateKeyDecryptor
from sealwright.cms.identifiers import RecipientIdentifier
from sealwright.cms.signers import PrivateKeySigner
from sealwright.errors import DecodingError, DecryptionError, InputError, UnsupportedAlgorithmError
from sealwright.pkix.extensions import UNDECODABLE
from sealwright.pkix.pem import pem_blocks
from sealwright.pkix.pkcs12 import check_iterations, private_keys
from sealwright.pkix.private_keys import load_private_key

MAX_FILE_BYTES = 16 * 1024 * 1024
"""A bundle of all public roots is 1 MiB; a whole revocation list may be as large as `revocation.MAX_CRL_BYTES`."""
MAX_CERTIFICATES = 1000
"""Some times a bundle of all public roots."""
MAX_PASSWORD_BYTES = 4096
"""Of a password file: nobody types more, and only the first line counts."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A private key with its certificate.

    Attributes:
        private_key: Any kind.
        certificate: The one of this key.
        chain: What came along.
    """

    private_key: PrivateKeyTypes = field(repr=False)
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    def signer(self) -> PrivateKeySigner:
        """Return the key as a signer.

        Raises:
            UnsupportedAlgorithmError: If mail is not signed with such keys.
        """
        return PrivateKeySigner(self.certificate, self.private_key, self.chain)


def read_file(path: Path, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Read a file that is not too large.

    Raises:
        InputError: If it is, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > max_bytes:
        raise InputError(f"{path} is too large")
    return content


def pem_block(content: bytes, *labels: bytes) -> bytes | None:
    """Return what the first PEM block with one of these labels holds; None if there is none."""
    return next((_decoded(block) for label, block in pem_blocks(content) if label in labels), None)


def read_password(path: Path) -> bytes:
    """Return the first line of a file."""
    return read_file(path, MAX_PASSWORD_BYTES).split(b"\n", 1)[0].rstrip(b"\r")


def load_certificate_file(content: bytes) -> tuple[x509.Certificate, ...]:
    """Load all certificates of a file: PEM with any number of them, DER, or PKCS #7 in either form.

    Raises:
        DecodingError: If there is none, or one cannot be read.
    """
    try:
        blocks = list(pem_blocks(content))
        if blocks:
            found = [each for label, block in blocks for each in _certificates_of(label, block)]
        elif content[:1] == b"\x30" and b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" in content[:32]:
            found = list(signed.read_certificates_only(content).certificates)
        else:
            found = [x509.load_der_x509_certificate(content)]
        for each in found:
            _ = each.subject, each.issuer, each.extensions, each.public_key()
    except UNDECODABLE as error:
        raise DecodingError("the file holds no certificate that can be read") from error
    if not 1 <= len(found) <= MAX_CERTIFICATES:
        raise DecodingError("the file holds no certificate, or too many")
    return tuple(found)


def _certificates_of(label: bytes, block: bytes) -> list[x509.Certificate]:
    if label in (b"CERTIFICATE", b"X509 CERTIFICATE"):
        return [x509.load_pem_x509_certificate(block)]
    if label in (b"PKCS7", b"CMS"):
        return list(signed.read_certificates_only(_decoded(block)).certificates)
    return []  # a private key that lies in the same file


def load_crl_file(content: bytes) -> tuple[x509.CertificateRevocationList, ...]:
    """Load the revocation lists of a file, PEM or DER.

    Raises:
        DecodingError: If there is none, or one cannot be read.
    """
    blocks = [block for label, block in pem_blocks(content) if label == b"X509 CRL"]
    try:
        if blocks:
            return tuple(x509.load_pem_x509_crl(block) for block in blocks)
        return (x509.load_der_x509_crl(content),)
    except UNDECODABLE as error:
        raise DecodingError("the file holds no revocation list that can be read") from error


def load_private_key_file(content: bytes, passwords: Sequence[bytes] = ()) -> PrivateKeyTypes:
    """Load a private key: PKCS #8 or an older form, PEM or DER, encrypted or not.

    Args:
        content: The file; certificates in it are passed over.
        passwords: Each is tried.

    Raises:
        InputError: If it is encrypted and no password opens it.
        UnsupportedAlgorithmError: If it is of a kind or in a form that is not read.
        DecodingError: If it holds no private key.
    """
    for encoded in (content, *(_decoded(block) for _, block in pem_blocks(content))):
        check_iterations(encoded)
    try:
        return load_private_key(content)
    except (DecodingError, UnsupportedAlgorithmError):
        raise
    except InputError as error:  # it is encrypted
        for password in passwords:
            with contextlib.suppress(DecryptionError):
                return load_private_key(content, password)
        raise InputError(f"{error.message}, and none that was given opens it") from error


def load_pkcs12_file(content: bytes, passwords: Sequence[bytes] = ()) -> tuple[KeyFile, ...]:
    """Load the private keys of a PKCS #12 file with their certificates.

    Args:
        content: DER, or BER with one key.
        passwords: Each is tried; none at all means the empty one.

    Returns:
        At least one; a key without a certificate is left out.

    Raises:
        InputError: If no password opens it, or there is no key with a certificate.
    """
    check_iterations(content)
    for password in (*passwords, b""):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # older programs write BER
                private_key, certificate, others = pkcs12.load_key_and_certificates(content, password)
        except (ValueError, UnsupportedAlgorithm):
            continue
        certificates = [each for each in (certificate, *others) if each is not None]
        found = dict.fromkeys(_keys_of_pkcs12(content, password, certificates))
        if not found and private_key is not None and certificate is not None:
            return (KeyFile(private_key, certificate, tuple(others)),)
        if not found:
            raise InputError("the PKCS #12 file lacks a private key or its certificate")
        return tuple(found)
    raise InputError("this is no PKCS #12 file, or no password that was given opens it")


def _keys_of_pkcs12(content: bytes, password: bytes, certificates: Sequence[x509.Certificate]) -> Iterator[KeyFile]:
    try:
        encoded = private_keys(content)
    except DecodingError:
        return  # BER
    for each in encoded:
        with contextlib.suppress(InputError, DecryptionError):
            yield from pair([load_private_key(each, password)], certificates)


def pair(private_keys: Sequence[PrivateKeyTypes], certificates: Sequence[x509.Certificate]) -> tuple[KeyFile, ...]:
    """Find the certificates of private keys by their public keys; a key with several certificates counts several times.

    Raises:
        InputError: If a key has none: which messages it may open is said by its certificate.
    """
    by_key: dict[bytes, list[x509.Certificate]] = {}
    for certificate in certificates:
        by_key.setdefault(_spki(certificate.public_key()), []).append(certificate)
    found = []
    for private_key in private_keys:
        fitting = by_key.get(_spki(private_key.public_key()), [])
        if not fitting:
            raise InputError("no certificate that was given fits the private key; give it with --cert")
        others = tuple(each for each in certificates if each not in fitting)
        found += [KeyFile(private_key, certificate, others) for certificate in fitting]
    return tuple(found)


def keys_in(files: Sequence[KeyFile], passwords: Sequence[bytes] = ()) -> FindKeys:
    """Return what opens messages with the keys of files: by issuer and serial number, or by key identifier.

    Args:
        files: Private keys.
        passwords: Tried on what was encrypted with a password (RFC 5652 section 6.2.4).
    """

    def find_keys(recipient: RecipientIdentifier) -> list[KeyDecryptor]:
        if recipient.is_password:
            return [PasswordDecryptor(password) for password in passwords]
        return [
            PrivateKeyDecryptor(file.private_key)
            for file in files
            if isinstance(file.private_key, DecryptionKey) and _is_named(recipient, file)
        ]

    return find_keys


def _is_named(recipient: RecipientIdentifier, file: KeyFile) -> bool:
    if recipient.matches(file.certificate):
        return True
    identifier = x509.SubjectKeyIdentifier.from_public_key(file.certificate.public_key())
    return recipient.subject_key_identifier == identifier.digest


def _spki(public_key: object) -> bytes:
    encoded: bytes = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return encoded


def _decoded(pem: bytes) -> bytes:
    lines = [line for line in pem.splitlines() if b":" not in line and b"-" not in line]
    try:
        return binascii.a2b_base64(b"".join(lines))
    except binascii.Error:
        return b""
